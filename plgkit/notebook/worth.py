"""Words for what customers are worth, on how few of them it rests, and whom a mean forgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plgkit.notebook import words
from plgkit.notebook.picking import period
from plgkit.notebook.reading import last
from plgkit.notebook.revenue import over, told, within

if TYPE_CHECKING:
    from plgkit.sources.data import Data

NAIVE, ALL, STAYED = "those still paying, against all then", "all, those who left too", "those who stayed, then and now"
_MINOR = 100


def rests(largest: pd.DataFrame, *, currency: str = "USD") -> str:
    """Say how much of revenue rests on how few accounts.

    Examples
    --------
    >>> frame = pd.DataFrame({"accounts": [107], "revenue": [15200.8], "largest": [0.088], "top_10": [0.427]})
    >>> rests(frame)
    'The largest tenth of 107 paying accounts, 11 of them, pays 43% of $15,201 a month; the largest alone pays 8.8%'
    >>> rests(frame.assign(accounts=2, largest=0.714))
    'The largest of 2 paying accounts pays 71% of $15,201 a month'
    >>> rests(frame.head(0))
    'Nobody pays at the end of a period yet'
    """
    row = last(largest)
    if words.unknown(row["accounts"]):
        return "Nobody pays at the end of a period yet"
    if row["accounts"] == 1:
        return f"All of {told(row['revenue'], currency)} a month is paid by a single account"
    tenth = -(-int(row["accounts"]) // 10)
    if tenth == 1:
        return (f"The largest of {words.count(row['accounts'])} paying accounts pays {words.share(row['largest'])} of "
                f"{told(row['revenue'], currency)} a month")
    return (f"The largest tenth of {words.count(row['accounts'])} paying accounts, {words.count(tenth)} of them, "
            f"pays {words.share(row['top_10'])} of {told(row['revenue'], currency)} a month; the largest alone pays "
            f"{words.share(row['largest'], 1)}")


def worths(values: pd.DataFrame, horizon: int, *, currency: str = "USD") -> str:
    """Say what a customer is worth by each method, the lowest first.

    Examples
    --------
    >>> values = pd.DataFrame({"method": ["formula", "survival", "sbg"], "n": 112, "stopped": 8, "value": [8650.0, 1790.0, None],
    ...                        "low": [4395.0, 1332.0, None], "high": [25371.0, 2293.0, None]})
    >>> worths(values, 60)
    'A new customer is worth $1,790 by survival ($1,332 to $2,293) or $8,650 by formula ($4,395 to $25,371); all of it rests on 8 of \
112 accounts that left'
    >>> worths(values.assign(value=None), 60)
    'What a customer is worth is not known yet: too few of 112 accounts were seen to leave'
    >>> worths(values.head(0), 60)
    'Nobody has paid yet: there is no customer to value'
    """
    if values.empty:
        return "Nobody has paid yet: there is no customer to value"
    known = values[pd.to_numeric(values["value"]).notna()].sort_values("value", kind="stable")
    whole, gone = values["n"].iloc[0], values["stopped"].iloc[0]
    if known.empty:
        return f"What a customer is worth is not known yet: too few of {words.counted(whole, 'account')} were seen to leave"
    parts = [f"{told(row['value'], currency)} by {row['method']}{f' in {horizon} months' if row['method'] == 'sbg' else ''}"
             f"{_between(row, currency)}" for _, row in known.iterrows()]
    *others, end = parts
    listed = f"{', '.join(others)} or {end}" if others else end
    return (f"A new customer is worth {listed}; all of it rests on {words.count(gone)} of {words.counted(whole, 'account')} "
            "that left")


def came(projected: pd.DataFrame, months: int) -> str:
    """Say whether what came lay within what was to be expected.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [0, 6], "value": [1.0, 0.92], "low": [1.0, 0.82], "high": [1.0, 1.0], "at_risk": 44,
    ...                       "actual": [1.0, 0.91]})
    >>> came(frame, 6)
    '6 months ago, 92% of the 44 accounts then paying were expected to be there now (82% to 100%); 91% are: what came lay within the \
interval all the way.'
    >>> came(frame.assign(actual=[1.0, 0.7]), 6)[-55:]
    '70% are: what came left the interval on the way to now.'
    >>> came(frame.head(0), 6)
    'What was to be expected 6 months ago could not be told: too few accounts had left by then.'
    """
    known = projected.dropna(subset=["value", "low", "high", "actual"])
    if known.empty or not (known["x"] == months).any():
        return f"What was to be expected {words.counted(months, 'month')} ago could not be told: too few accounts had left by then."
    end = known[known["x"] == months].iloc[0]
    inside = bool(known["actual"].between(known["low"] - 1e-9, known["high"] + 1e-9).all())
    return (f"{words.counted(months, 'month')} ago, {words.share(end['value'])} of the {words.count(end['at_risk'])} accounts then paying "
            f"were expected to be there now{within(end)}; {words.share(end['actual'])} are: what came "
            f"{'lay within the interval all the way' if inside else 'left the interval on the way to now'}.")


def speak_with(accounts: pd.DataFrame, *, currency: str = "USD") -> str:
    """Say with whom to speak first, and why.

    Examples
    --------
    >>> accounts = pd.DataFrame({"account_id": ["a1", "a2"], "status": ["paying", "free"], "mrr": [84.0, 0.0], "signs": [2, 1],
    ...                          "reasons": ["hit a limit 2 times; tried a premium feature", "looked at prices 3 times"]})
    >>> speak_with(accounts)
    'First a1, which pays $84.00 a month: hit a limit 2 times; tried a premium feature'
    >>> speak_with(accounts.tail(1))
    'First a2, which is free: looked at prices 3 times'
    >>> speak_with(accounts.head(0))
    'No account shows a sign that it needs more'
    """
    if accounts.empty:
        return "No account shows a sign that it needs more"
    row = accounts.iloc[0]
    now = f"pays {told(row['mrr'], currency)} a month" if row["mrr"] > 0 else "is free" if row["status"] == "free" else row["status"]
    return f"First {row['account_id']}, which {now}: {row['reasons']}"


def survivors(data: Data, months: int = 12, grain: str = "month") -> pd.DataFrame:
    """Revenue per account now for each unit then, counted in three ways, of which the first forgets who left.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    months
        How far back the base lies, as of `expansion.nrr`.
    grain
        Length of a period.

    Returns
    -------
    One row per period with a base and way: period, way, accounts (then), left (of them since), then and now (currency a month per
    account), value (now / then), complete. Of "those still paying" the mean then is that of all, as on a chart of revenue per account
    over time; "all" is net retention; of "those who stayed" both ends are of the same accounts, but of those alone.

    Examples
    --------
    >>> from plgkit import samples
    >>> survivors(samples.tiny(), months=1)[["way", "accounts", "left", "then", "now", "value"]].round(2)
                                         way  accounts  left  then   now  value
    0  those still paying, against all then         2     1  35.0  30.0   0.86
    1               all, those who left too         2     1  35.0  15.0   0.43
    2        those who stayed, then and now         2     1  20.0  30.0   1.50
    """
    from ibis import _

    from plgkit.metrics import ledger, shapes

    rows = ledger.then_and_now(data, grain, months=months)
    stays = (rows.now_minor > 0).ifelse(1, 0)
    sums = data.run(rows.mutate(stays=stays, stay_minor=stays * rows.then_minor).group_by("period").aggregate(
        accounts=_.count().cast("int64"), stay=_.stays.sum().cast("int64"), then=_.then_minor.sum().cast("int64"),
        now=_.now_minor.sum().cast("int64"), stay_then=_.stay_minor.sum().cast("int64")))
    sums = sums.sort_values("period", ignore_index=True)
    then, now = sums["then"] / _MINOR, sums["now"] / _MINOR
    stay = sums["stay"].where(sums["stay"] > 0).astype("float64")
    parts = {NAIVE: (then / sums["accounts"], now / stay), ALL: (then / sums["accounts"], now / sums["accounts"]),
             STAYED: (sums["stay_then"] / _MINOR / stay, now / stay)}
    made = pd.concat([pd.DataFrame({
        "period": sums["period"].astype("datetime64[us]"), "place": place, "way": way, "accounts": sums["accounts"],
        "left": sums["accounts"] - sums["stay"], "then": both[0], "now": both[1], "value": both[1] / both[0]})
        for place, (way, both) in enumerate(parts.items())], ignore_index=True)
    made = made.sort_values(["period", "place"], ignore_index=True).drop(columns="place")
    made["complete"] = shapes.complete(made["period"], data, grain)
    made.attrs = {"unit": "share of what was paid then", "currency": data.playbook.product.currency}
    return made


def survived(ways: pd.DataFrame, months: int, grain: str = "month", *, currency: str = "USD") -> str:
    """Say what revenue per account seems to do when those who left are forgotten, and what it does.

    Examples
    --------
    >>> from plgkit import samples
    >>> survived(survivors(samples.tiny(), months=1), 1)
    'here, who still pays at the end of February 2025 pays $30.00, where all paid $35.00 1 month before (−14%), while those same 2 \
accounts, with the 1 that left, pay $15.00 each (−57%)'
    >>> survived(survivors(samples.tiny(), months=1).head(0), 12)
    'here nobody paid 12 months ago, and there is nothing to compare yet'
    """
    found = over(ways)
    found = found[found["period"] == found["period"].max()].set_index("way")[["value", "then", "now", "accounts", "left", "period"]]
    before = words.counted(months, "month")
    if found.empty:
        return f"here nobody paid {before} ago, and there is nothing to compare yet"
    wrong, right = found.loc[NAIVE], found.loc[ALL]
    when = period(right["period"], grain)
    if right["left"] == 0:
        return (f"here none of the {words.counted(right['accounts'], 'account')} of {before} before the end of {when} has left, so that "
                f"both ways say the same: {words.show(right['now'], 'currency', currency=currency)} each ({_by(right['value'])})")
    if right["left"] == right["accounts"]:
        return f"here all of the {words.counted(right['accounts'], 'account')} of {before} before the end of {when} have left"
    return (f"here, who still pays at the end of {when} pays {told(wrong['now'], currency)}, where all paid {told(wrong['then'], currency)} "
            f"{before} before ({_by(wrong['value'])}), while those same {words.counted(right['accounts'], 'account')}, with the "
            f"{words.count(right['left'])} that left, pay {told(right['now'], currency)} each ({_by(right['value'])})")


def _by(ratio: float) -> str:
    """A ratio as a change in percent, with its sign."""
    if words.unknown(ratio):
        return words.UNKNOWN
    shown = words.share(ratio - 1)
    return f"+{shown}" if ratio > 1 and shown != "0%" else shown


def _between(row: pd.Series, currency: str) -> str:
    known = not any(words.unknown(row.get(name)) for name in ("low", "high"))
    return f" ({told(row['low'], currency)} to {told(row['high'], currency)})" if known else ""
