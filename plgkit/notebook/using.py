"""Sentences about use and cost that must also be true where little is known."""

from __future__ import annotations

import pandas as pd

from plgkit.notebook import words
from plgkit.notebook.comparing import apart, span
from plgkit.notebook.picking import highest, lowest


def used_most(features: pd.DataFrame) -> str:
    """Say which feature reaches most people, and which is used most often by those who use it.

    Examples
    --------
    >>> frame = pd.DataFrame({"feature": ["a", "b"], "numerator": [9, 3], "denominator": [10, 10],
    ...                       "value": [0.9, 0.3], "times_per_person": [2.0, 5.5]})
    >>> used_most(frame)
    'a reaches most people (90% of those active); b is used most often, 5.5 times by each who uses it'
    >>> used_most(frame.assign(numerator=0))
    'Nobody who was active used a core feature'
    """
    used = features[features["numerator"] > 0]
    if used.empty:
        return "Nobody who was active used a core feature"
    common, often = highest(used), highest(used, "times_per_person")
    reach = f"{common.feature} reaches most people ({words.share(common.value)} of those active)"
    times = f"{words.number(often.times_per_person)} times by each who uses it"
    if common.feature == often.feature:
        return f"{reach} and is used most often, {times}"
    return f"{reach}; {often.feature} is used most often, {times}"


def stands_out(usage: pd.DataFrame) -> str:
    """Say by what the use of paying accounts is largest against that of free ones.

    Examples
    --------
    >>> frame = pd.DataFrame({"measure": ["sessions", "days active"], "status": ["paying", "paying"], "n": [40, 40],
    ...                       "times": [1.9, 1.2], "times_low": [1.7, 0.9], "times_high": [2.1, 1.4]})
    >>> stands_out(frame)
    'Paying accounts stand out most by sessions: 1.90 times the free ones (1.70 to 2.10)'
    >>> stands_out(frame.assign(status="free"))
    'There is no use by paying accounts to hold against that by free ones'
    """
    paying = usage[(usage["status"] == "paying") & usage["times"].notna()]
    if paying.empty:
        return "There is no use by paying accounts to hold against that by free ones"
    paying = paying.assign(value=paying["times"], low=paying["times_low"], high=paying["times_high"])
    row = highest(paying)
    if row["low"] <= 1 <= row["high"]:
        return "Paying accounts use it no more than free ones, as far as so few can tell"
    return f"Paying accounts stand out most by {row.measure}: {words.number(row['value'], 2)} times the free ones ({span(row)})"


def dearest(costs: pd.DataFrame, what: str, *, by: str = "channel", currency: str = "USD") -> str:
    """Say by which group something costs most and by which least, of the last period that is over.

    Examples
    --------
    >>> frame = pd.DataFrame({"channel": ["ads", "fairs"], "value": [30.0, 70.0], "low": [25.0, 50.0], "high": [36.0, 99.0]})
    >>> dearest(frame, "a sign-up")
    'A sign-up costs most by fairs, $70.00, and least by ads, $30.00: more than chance would leave'
    >>> dearest(frame.head(1), "a sign-up")
    'A sign-up by ads costs $30.00'
    """
    most, least = highest(costs), lowest(costs)
    name, price = f"{what[0].upper()}{what[1:]}", words.show(most.value, "currency", currency=currency)
    if words.unknown(most.value):
        return f"What {what} costs is not known yet"
    if most[by] == least[by]:
        return f"{name} by {most[by]} costs {price}"
    return (f"{name} costs most by {most[by]}, {price}, and least by {least[by]}, "
            f"{words.show(least.value, 'currency', currency=currency)}: {apart(most, least)}")


def comes_again(rhythm: pd.Series) -> str:
    """Say how soon those who use something use it again, and so in which period to look at it.

    Examples
    --------
    >>> comes_again(pd.Series({"repeating": 0.9, "value": 5.0, "low": 4.0, "high": 6.0, "look_by": "week"}))
    '90% of those who use it do so again within two months, four in five of them within 5 days (4 to 6): look at it by the week'
    >>> comes_again(pd.Series({"repeating": float("nan"), "value": float("nan"), "low": float("nan"), "high": float("nan"), "look_by": None}))
    'Too few have used it again to tell how often it is used'
    """
    if words.unknown(rhythm.value) or words.unknown(rhythm.repeating):
        return "Too few have used it again to tell how often it is used"
    return (f"{words.share(rhythm.repeating)} of those who use it do so again within two months, four in five of them within "
            f"{words.counted(rhythm.value, 'day')} ({span(rhythm)}): look at it by the {rhythm.look_by}")
