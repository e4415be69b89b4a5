"""Read a frame of a measure: its last judged row, how it changed, where it stands against a target."""

from __future__ import annotations

import math

import pandas as pd

from plgkit.notebook import words

_GRAINS = ((1, 1, "day"), (7, 7, "week"), (28, 31, "month"), (89, 92, "quarter"), (365, 366, "year"))
ON, OFF, UNSURE = "on target", "off target", "cannot tell"
NO_TARGET = "with no target set"


def judged(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows that are final: the period has ended and nobody in it is too young.

    Examples
    --------
    >>> frame = pd.DataFrame({"value": [0.4, 0.5], "immature": [0, 3]})
    >>> judged(frame).value.tolist()
    [0.4]
    """
    final = frame[~_open(frame)]
    if "value" in final:
        final = final[final["value"].notna()]
    return final if len(final) else frame


def _open(frame: pd.DataFrame) -> pd.Series:
    """Whether a row can still move; if one group of a period can, so can the comparison with it."""
    waiting = pd.Series(False, index=frame.index)
    if "complete" in frame:
        waiting |= ~frame["complete"].astype(bool)
    if "immature" in frame:
        waiting |= frame["immature"].fillna(0) > 0
    if "period" not in frame:
        return waiting
    if frame.attrs.get("open_from"):
        waiting |= pd.to_datetime(frame["period"]) >= pd.Timestamp(frame.attrs["open_from"])
    return waiting | frame["period"].isin(frame.loc[waiting, "period"])


def last(frame: pd.DataFrame, *, least: int = 5) -> pd.Series:
    """Give the last row that is final and rests on `least` people or more, or the last one if none does.

    Examples
    --------
    >>> frame = pd.DataFrame({"value": [0.4, 0.5], "complete": [True, False]})
    >>> last(frame).value
    0.4
    >>> last(pd.DataFrame({"period": ["2026-05", "2026-06"], "value": [0.4, 1.0], "denominator": [90, 2]})).value
    0.4
    """
    return _row(_told(frame, least), 1, like=frame)


def before(frame: pd.DataFrame, *, least: int = 5) -> pd.Series:
    """Give the final row before that of `last`; a row of missing values if there is none.

    Examples
    --------
    >>> before(pd.DataFrame({"value": [0.4, 0.5]})).value
    0.4
    """
    return _row(_told(frame, least), 2, like=frame)


def _told(frame: pd.DataFrame, least: int) -> pd.DataFrame:
    """The final rows; of periods, those up to the last one that rests on people enough."""
    rows = judged(frame)
    people = next((name for name in ("n", "denominator") if name in rows), None)
    if people is None or "period" not in rows:
        return rows
    enough = (rows[people] >= least).to_numpy().nonzero()[0]
    return rows.iloc[: enough[-1] + 1] if len(enough) else rows


def first(frame: pd.DataFrame) -> pd.Series:
    """Give the first row that is final; a row of missing values if there is none.

    Examples
    --------
    >>> first(pd.DataFrame({"value": [0.4, 0.5]})).value
    0.4
    """
    rows = judged(frame)
    return _row(rows, max(len(rows), 1), like=frame)


def among(frame: pd.DataFrame) -> pd.DataFrame:
    """Put the median of those who got there in place of that of all, which half may never reach.

    Examples
    --------
    >>> frame = pd.DataFrame({"n": [90], "events": [9], "value": [float("nan")], "median_among": [27.7]})
    >>> among(frame)[["n", "value"]]
       n  value
    0  9   27.7
    """
    low, high = (frame.get(name, math.nan) for name in ("among_low", "among_high"))
    return frame.assign(value=frame["median_among"], low=low, high=high, n=frame["events"])


def _row(rows: pd.DataFrame, back: int, *, like: pd.DataFrame) -> pd.Series:
    if len(rows) < back:
        return pd.Series(math.nan, index=like.columns, dtype=object)
    return rows.astype(object).iloc[-back]


def grain(frame: pd.DataFrame) -> str:
    """Name the length of a frame's periods.

    Examples
    --------
    >>> grain(pd.DataFrame({"period": pd.to_datetime(["2026-05-01", "2026-06-01"])}))
    'month'
    """
    if "period" not in frame or len(frame) < 2:
        return "period"
    days = pd.to_datetime(frame["period"]).diff().dt.days.median()
    return next((name for low, high, name in _GRAINS if low <= days <= high), "period")


def noise(now: pd.Series, then: pd.Series) -> bool | None:
    """Whether two intervals leave no difference plausible; None where there are no intervals.

    The interval of the difference is built from the two intervals (Newcombe 1998, method 10).

    Examples
    --------
    >>> row = pd.Series
    >>> noise(row({"value": 0.5, "low": 0.4, "high": 0.6}), row({"value": 0.3, "low": 0.28, "high": 0.32}))
    False
    """
    seen = [each.get(name) for each in (now, then) for name in ("value", "low", "high")]
    if any(words.unknown(each) for each in seen):
        return None
    value, low, high, value_then, low_then, high_then = map(float, seen)
    difference = value - value_then
    below = difference - math.hypot(value - low, high_then - value_then)
    above = difference + math.hypot(high - value, value_then - low_then)
    return below <= 0 <= above


def change(frame: pd.DataFrame, unit: str | None = None, *, currency: str = "USD") -> str:
    """Say how the last final value differs from the one before.

    Examples
    --------
    >>> months = pd.to_datetime(["2026-05-01", "2026-06-01"])
    >>> change(pd.DataFrame({"period": months, "value": [0.381, 0.362]}), "share")
    '1.9 points less than the month before'
    >>> change(pd.DataFrame({"period": months, "value": [40, 20]}), "people")
    '20 fewer than the month before'
    """
    now, then = last(frame), before(frame)
    if words.unknown(then.get("value")) or words.unknown(now.get("value")):
        return "with nothing before it to compare with"
    unit = unit if unit is not None else frame.attrs.get("unit", "share")
    fewer = "fewer" if words.countable(unit) else "less"
    difference = float(now["value"]) - float(then["value"])
    size = words.gap(difference, unit, currency=currency)
    if size == words.gap(0.0, unit, currency=currency):
        return f"the same as the {grain(frame)} before"
    unsure = ", within noise" if noise(now, then) else ""
    return f"{size} {'more' if difference > 0 else fewer} than the {grain(frame)} before{unsure}"


def standing(row: pd.Series, target: float | None, *, better: str = "higher") -> str | None:
    """Judge a row against a target; an interval that holds the target leaves it open.

    Examples
    --------
    >>> standing(pd.Series({"value": 0.36, "low": 0.35, "high": 0.37}), 0.4)
    'off target'
    >>> standing(pd.Series({"value": 0.36, "low": 0.35, "high": 0.37}), 0.365)
    'cannot tell'
    """
    if target is None or words.unknown(row.get("value")):
        return None
    low, high = row.get("low"), row.get("high")
    if not words.unknown(low) and not words.unknown(high) and low < target < high:
        return UNSURE
    above = row["value"] >= target
    met = above if better != "lower" else row["value"] <= target
    return ON if met else OFF


def against(
    row: pd.Series, target: float | None, *, unit: str = "share", better: str = "higher", currency: str = "USD"
) -> str:
    """Say where a row stands against a target; a finding leaves out that there is none.

    Examples
    --------
    >>> against(pd.Series({"value": 0.36, "low": 0.35, "high": 0.37}), 0.4)
    'below the target of 40%'
    """
    if target is None:
        return NO_TARGET
    goal = target_words(target, unit, currency=currency)
    if standing(row, target, better=better) == UNSURE:
        return f"too close to the target of {goal} to tell"
    if words.unknown(row.get("value")):
        return f"not yet to be held against the target of {goal}"
    if row["value"] == target:
        return f"at the target of {goal}"
    return f"{'above' if row['value'] > target else 'below'} the target of {goal}"


def target_words(target: float, unit: str, *, currency: str = "USD") -> str:
    """Write a target without needless digits.

    Examples
    --------
    >>> target_words(0.4, "share"), target_words(0.042, "share")
    ('40%', '4.2%')
    """
    shown = words.show(target, unit, currency=currency)
    return shown.replace(".0%", "%").replace(".0 ", " ")
