"""Words for what lasts: whether a curve has levelled off, and whether groups differ by more than chance."""

from __future__ import annotations

import math

import pandas as pd

from plgkit.notebook import words
from plgkit.sources.data import Data
from plgkit.stats.intervals import wilson


def levelled(plateau: pd.DataFrame, unit: str) -> str:
    """Say whether the retention curve has turned flat, and where.

    Examples
    --------
    >>> found = pd.DataFrame({"verdict": ["levelled off"], "value": [0.284], "low": [0.26], "high": [0.31],
    ...                       "fall": [0.04], "first_age": [6], "last_age": [11], "people": [980]})
    >>> levelled(found, "month")
    'The curve has levelled off: 28% (26% to 31%) stay from month 6 on.'
    >>> levelled(found.assign(verdict="still falling", fall=0.243), "month")
    'The curve is still falling: from month 6 to month 11, 24% of those still there were lost.'
    >>> levelled(found.assign(verdict="cannot tell"), "month")
    'Whether the curve levels off cannot be told yet.'
    """
    if plateau.empty or plateau["verdict"].iloc[0] == "cannot tell":
        return "Whether the curve levels off cannot be told yet."
    row = plateau.iloc[0]
    if row["verdict"] == "levelled off":
        return (f"The curve has levelled off: {words.share(row['value'])} ({words.share(row['low'])} to "
                f"{words.share(row['high'])}) stay from {unit} {row['first_age']} on.")
    return (f"The curve is still falling: from {unit} {row['first_age']} to {unit} {row['last_age']}, "
            f"{words.share(row['fall'])} of those still there were lost.")


def chance(p: float) -> str:
    """Say what a test makes of groups: more than chance, or not told apart.

    Examples
    --------
    >>> chance(0.0004), chance(0.031), chance(0.3), chance(float("nan"))
    ('more than chance would leave (p < 0.001)', 'more than chance would leave (p = 0.031)', \
'not told apart from chance (p = 0.30)', 'too few to test')
    """
    if words.unknown(p):
        return "too few to test"
    if p < 0.05:
        return f"more than chance would leave (p {'< 0.001' if p < 0.001 else f'= {p:.3f}'})"
    return f"not told apart from chance (p = {p:.2f})"


def silence(rhythm: pd.DataFrame, days: int) -> str:
    """Say whether so many days of silence are long for a product that people use in this rhythm.

    Examples
    --------
    >>> silence(pd.DataFrame({"value": [31.0]}), 28)
    'Careful: one in five of those who use the core of the product again do so only after 31 days, so many of those whom \
28 days of silence count as gone come back.'
    >>> silence(pd.DataFrame({"value": [6.0]}), 28)
    'Four in five of those who use the core of the product again do so within 6 days: 28 days of silence are long for it.'
    >>> silence(pd.DataFrame({"value": [float("nan")]}), 28)
    'Whether 28 days of silence are long cannot be told: too few use the core of the product again.'
    """
    usual, silent = rhythm["value"].iloc[0] if len(rhythm) else math.nan, words.counted(days, "day")
    if words.unknown(usual):
        return f"Whether {silent} of silence are long cannot be told: too few use the core of the product again."
    if usual >= days:
        return (f"Careful: one in five of those who use the core of the product again do so only after "
                f"{words.counted(usual, 'day')}, so many of those whom {silent} of silence count as gone come back.")
    return (f"Four in five of those who use the core of the product again do so within {words.counted(usual, 'day')}: "
            f"{silent} of silence are {'long' if days >= 2 * usual else 'hardly long'} for it.")


def holders(data: Data) -> tuple[str, str]:
    """What is counted where accounts are: "account" and "accounts", or people where no account is known.

    Examples
    --------
    >>> from plgkit import samples
    >>> holders(samples.tiny())
    ('account', 'accounts')
    """
    known = data.has("accounts") or int(data.run(data.users.aggregate(n=data.users.account_id.count()))["n"].iloc[0])
    return ("account", "accounts") if known else ("person", "people")


def still_used(lasting: pd.DataFrame, days: int, *, of: tuple[str, str] = ("account", "accounts")) -> str:
    """Say which share of accounts (or of people) is still active after so many days; of fewer than five, nothing is said.

    Examples
    --------
    >>> curve = pd.DataFrame({"x": [0, 90], "value": [1.0, 0.4], "low": [1.0, 0.35], "high": [1.0, 0.45], "at_risk": [400, 90]})
    >>> still_used(curve, 90)
    '40% of 400 accounts are still active after 90 days (35.0% to 45.0%).'
    >>> still_used(curve.assign(at_risk=2), 90, of=("person", "people"))
    'Only 2 people are known: too few to say how long they last.'
    """
    known = float(lasting["at_risk"].max()) if len(lasting) else 0.0
    if not known >= 5:
        return f"Only {words.counted(known, *of)} {'is' if known == 1 else 'are'} known: too few to say how long they last."
    row = lasting[lasting["x"] <= days].iloc[-1]
    return (f"{words.share(row['value'])} of {words.counted(known, *of)} are still active after {words.counted(days, 'day')} "
            f"({words.share(row['low'], 1)} to {words.share(row['high'], 1)}).")


def halves(cells: pd.DataFrame, age: int) -> tuple[pd.Series, pd.Series]:
    """Give the older and the newer half of the cohorts at one age, each as one row: numerator, denominator, value, low, high.

    Examples
    --------
    >>> cells = pd.DataFrame({"cohort": [1, 2, 3, 4], "age": 1, "numerator": [40, 44, 50, 55], "denominator": 100,
    ...                       "mature": True})
    >>> older, newer = halves(cells, 1)
    >>> float(older["value"]), float(newer["value"])
    (0.42, 0.525)
    """
    rows = cells[(cells["age"] == age) & cells["mature"].astype(bool)].sort_values("cohort")
    middle = len(rows) // 2
    return _pooled(rows.iloc[:middle]), _pooled(rows.iloc[middle:])


def _pooled(rows: pd.DataFrame) -> pd.Series:
    back, people = float(rows["numerator"].sum()), float(rows["denominator"].sum())
    low, high = wilson(back, people)
    return pd.Series({"numerator": back, "denominator": people, "value": back / people if people else math.nan,
                      "low": low, "high": high, "cohorts": len(rows)})


def slipping(risk: pd.DataFrame, fall: float, currency: str, *, of: tuple[str, str] = ("account", "accounts")) -> str:
    """Say how many accounts (or people) lost a part of their usual use, for how many that is more than chance, and what they pay.

    Examples
    --------
    >>> risk = pd.DataFrame({"high": [-0.2, 0.3], "mrr": [96.0, 0.0]})
    >>> slipping(risk, 0.5, "USD")
    '2 accounts lost 50% or more of the usual use, 1 of them more than chance would leave, with $96.00 a month at stake.'
    >>> slipping(risk.assign(mrr=float("nan")).tail(1), 0.5, "USD")
    '1 account lost 50% or more of the usual use, but none more than chance would leave.'
    >>> slipping(risk.head(0), 0.5, "USD")
    'No account lost 50% or more of the usual use.'
    """
    if risk.empty:
        return f"No {of[0]} lost {words.share(fall)} or more of the usual use."
    sure = int((risk["high"] < 0).sum())
    said = [f"{words.counted(len(risk), *of)} lost {words.share(fall)} or more of the usual use",
            f"{words.count(sure)} of them more than chance would leave" if sure else "but none more than chance would leave"]
    if risk["mrr"].sum() > 0:
        said.append(f"with {words.show(float(risk['mrr'].sum()), 'currency', currency=currency)} a month at stake")
    return f"{', '.join(said)}."
