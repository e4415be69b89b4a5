"""Words for who comes to pay: early behaviours tied to it, the ways to a first payment, and the trials of the same period."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plgkit.notebook import words
from plgkit.notebook.comparing import span
from plgkit.notebook.picking import highest

if TYPE_CHECKING:
    from plgkit.sources.data import Data

RIGHT, WRONG = "trials that paid", "payments over trials"


def driven(found: pd.DataFrame, days: int) -> str:
    """Say which early behaviour of accounts goes with paying later most.

    Parameters
    ----------
    found
        What `conversion.drivers` gives.
    days
        The first days it looked at.

    Examples
    --------
    >>> found = pd.DataFrame({"behaviour": ["seat_added"], "kind": "event", "at_least": 2, "value": 0.2, "others": 0.06,
    ...                       "difference": 0.14, "low": 0.05, "high": 0.25, "tied": True})
    >>> found.attrs["tried"] = 40
    >>> driven(found, 14)
    'Of 40 tries, seat_added 2 times or more in the first 14 days goes with paying later most: 20% of those accounts came to pay, \
6% of the others (14.0 points apart, 5.0 to 25.0).'
    >>> driven(found.assign(tied=False), 14)
    'Of 40 tries, none is tied to paying later by more than chance would leave.'
    >>> driven(found.head(0), 14)
    'There are too few accounts to try any behaviour.'
    """
    if found.empty:
        return "There are too few accounts to try any behaviour."
    said = f"Of {words.counted(found.attrs.get('tried', len(found)), 'try', 'tries')},"
    tied = found[found["tied"] & (found["difference"] > 0)]
    if tied.empty:
        return f"{said} none is tied to paying later by more than chance would leave."
    first = tied.iloc[0]
    times = "" if first["at_least"] == 1 else f" {words.count(first['at_least'])} times or more" if first["kind"] == "event" else (
        f": {words.count(first['at_least'])} or more")
    return (f"{said} {first['behaviour']}{times} in the first {words.counted(days, 'day')} goes with paying later most: "
            f"{words.share(first['value'])} of those accounts came to pay, {words.share(first['others'])} of the others "
            f"({words.points(first['difference'])} apart, {100 * first['low']:.1f} to {100 * first['high']:.1f}).")


def as_busy(found: pd.DataFrame) -> str:
    """Say which ties are left among accounts that were active on about as many days.

    Examples
    --------
    >>> found = pd.DataFrame({"behaviour": ["limit_hit", "card_moved"], "tied": True, "difference": [0.1, 0.1],
    ...                       "beyond_low": [0.02, -0.03]})
    >>> as_busy(found)
    'Among accounts active on about as many days, limit_hit still goes with paying, and nothing sure is left of card_moved.'
    >>> as_busy(found.assign(tied=False))
    'More accounts or more time would show smaller ties.'
    """
    tied = found[found["tied"] & (found["difference"] > 0)] if len(found) else found
    if tied.empty:
        return "More accounts or more time would show smaller ties."
    stays = tied["beyond_low"] > 0
    stay, gone = list(tied.loc[stays, "behaviour"]), list(tied.loc[~stays, "behaviour"])
    parts = [f"{words.listed(stay)} still {'goes' if len(stay) == 1 else 'go'} with paying"] if stay else []
    parts += [f"nothing sure is left of {words.listed(gone)}"] if gone else []
    return f"Among accounts active on about as many days, {', and '.join(parts)}."


def ahead(usage: pd.DataFrame) -> str:
    """Say by what the later payers were ahead before they paid.

    Examples
    --------
    >>> frame = pd.DataFrame({"measure": ["days active", "events"], "group": "paid later", "n": 40,
    ...                       "times": [1.7, 1.2], "times_low": [1.5, 0.9], "times_high": [1.9, 1.4]})
    >>> ahead(frame)
    'Accounts that paid later were ahead most by days active: 1.70 times the others (1.50 to 1.90)'
    >>> ahead(frame.head(0))
    'No account has paid late enough to compare'
    """
    later = usage[(usage["group"] == "paid later") & usage["times"].notna()] if len(usage) else usage
    if later.empty:
        return "No account has paid late enough to compare"
    later = later.assign(value=later["times"], low=later["times_low"], high=later["times_high"])
    row = highest(later, few=2)
    if words.unknown(row["value"]) or not row["low"] > 1:
        return "Accounts that paid later were not surely ahead in anything before they paid"
    return f"Accounts that paid later were ahead most by {row.measure}: {words.number(row['value'], 2)} times the others ({span(row)})"


def sold(motions: pd.DataFrame, *, currency: str = "USD") -> str:
    """Say how many come to pay by each way, and what such a customer brings a year.

    Examples
    --------
    >>> frame = pd.DataFrame({"motion": ["sales", "self_serve"], "accounts": 1000, "customers": [2, 40], "value": [0.002, 0.04],
    ...                       "contract_value": [9000.0, 1200.0]})
    >>> sold(frame)
    'Of 1,000 new accounts 4.0% came to pay by self_serve (40, $1,200 a year each) and 0.2% by sales (2, $9,000 a year each)'
    >>> sold(frame.head(0))
    'No account old enough to judge has paid yet'
    """
    if motions.empty:
        return "No account old enough to judge has paid yet"
    ordered = motions.sort_values(["customers", "motion"], ascending=[False, True])
    parts = [f"{words.share(row.value, 1)}{' came to pay' if not place else ''} by {row.motion} ({words.count(row.customers)}, "
             f"{words.show(row.contract_value, 'currency', currency=currency)} a year each)"
             for place, row in enumerate(ordered.itertuples())]
    together = " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
    return f"Of {words.count(ordered['accounts'].iloc[0])} new accounts {together}"


def same_period(data: Data, grain: str = "month") -> pd.DataFrame:
    """The share of trials that pay, right and as it is often done: the payments of a period over the trials begun in it.

    Both count the same payments, first ones by accounts that had a trial; only the months they are put in differ.

    Parameters
    ----------
    data
        Reads `subscriptions` and what tells trials.
    grain
        Length of a period.

    Returns
    -------
    One row per period and way ("trials that paid", "payments over trials"): period, way, numerator, denominator, value, low, high (of the right way), immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> same_period(samples.tiny())[["period", "way", "numerator", "denominator"]].head(2)
          period                   way  numerator  denominator
    0 2025-01-01  payments over trials          2            2
    1 2025-01-01      trials that paid          2            2
    """
    from ibis import _

    from plgkit.metrics import conversion
    from plgkit.metrics.accounts import before_paying, trials

    right = conversion.trial_to_paid(data, grain=grain)
    begun = before_paying(data, trials(data), "trial_started_at")
    paid = begun.filter(_.paid_at.notnull())
    paid = paid.mutate(period=data.period(data.local(paid.paid_at).date(), grain))
    paid = data.run(paid.group_by("period").aggregate(numerator=_.count().cast("int64")))
    counts = right[["period"]].assign(denominator=right["denominator"] + right["immature"])
    wrong = counts.merge(paid, on="period", how="left").fillna({"numerator": 0}).astype({"numerator": "int64"})
    wrong["value"] = wrong["numerator"] / wrong["denominator"].where(wrong["denominator"] > 0)
    both = pd.concat([right.assign(way=RIGHT), wrong.assign(way=WRONG, immature=0)], ignore_index=True)
    made = both[["period", "way", "numerator", "denominator", "value", "low", "high", "immature"]].sort_values(
        ["period", "way"], ignore_index=True)
    made.attrs = dict(right.attrs)
    return made
