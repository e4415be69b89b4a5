"""Pick rows out of a frame for a sentence: the highest, the lowest, those of one segment."""

from __future__ import annotations

import math

import pandas as pd

from plgkit.notebook import words
from plgkit.notebook.reading import judged

SIZES = ("n", "denominator", "people")


def highest(frame: pd.DataFrame, column: str = "value", *, few: int = 5) -> pd.Series:
    """The row with the highest value in the last period that is final; rows of fewer than `few` are passed over.

    Examples
    --------
    >>> frame = pd.DataFrame({"channel": ["a", "b", "c"], "value": [0.4, 0.5, 1.0], "denominator": [90, 80, 2]})
    >>> highest(frame).channel
    'b'
    """
    return _pick(frame, column, few, ascending=False)


def lowest(frame: pd.DataFrame, column: str = "value", *, few: int = 5) -> pd.Series:
    """The row with the lowest value in the last period that is final; rows of fewer than `few` are passed over.

    Examples
    --------
    >>> lowest(pd.DataFrame({"step": ["a", "b"], "value": [0.4, 0.3]})).step
    'b'
    """
    return _pick(frame, column, few, ascending=True)


def latest(frame: pd.DataFrame) -> pd.DataFrame:
    """All rows of the last period that is final: one per segment.

    Examples
    --------
    >>> frame = pd.DataFrame({"period": ["2025-01", "2025-02", "2025-02"], "value": [1, 2, 3]})
    >>> latest(frame).value.tolist()
    [2, 3]
    """
    final = judged(frame)
    if "period" not in final or final.empty:
        return final
    kept = final[final["period"] == final["period"].max()].reset_index(drop=True)
    kept.attrs = dict(frame.attrs)
    return kept


def period(start: object, grain: str) -> str:
    """A period as a sentence names it.

    Examples
    --------
    >>> period("2026-06-01", "month"), period("2026-06-08", "week"), period("2026-04-01", "quarter")
    ('June 2026', 'the week of 8 Jun 2026', 'the second quarter of 2026')
    """
    if words.unknown(start):
        return "no period"
    when = pd.Timestamp(start)
    if grain == "month":
        return words.month(when)
    if grain == "quarter":
        return f"the {('first', 'second', 'third', 'fourth')[when.quarter - 1]} quarter of {when.year}"
    return f"the week of {words.day(when)}" if grain == "week" else words.day(when)


def _pick(frame: pd.DataFrame, column: str, few: int, *, ascending: bool) -> pd.Series:
    rows = latest(frame).dropna(subset=[column])
    size = next((each for each in SIZES if each in rows), None)
    if size is not None and (rows[size] >= few).any():
        rows = rows[rows[size] >= few]
    if rows.empty:
        return pd.Series({name: _nothing(frame[name]) for name in frame.columns}, dtype=object)
    return rows.sort_values(column, ascending=ascending, kind="stable").astype(object).iloc[0]


def _nothing(values: pd.Series) -> object:
    return words.UNKNOWN if pd.api.types.is_string_dtype(values) else math.nan
