"""The shapes of frames: how a query's rows become the tidy frame that everything else reads.

rate
    period, [segment], numerator, denominator, value, low, high, immature
total
    period, [segment], value, low, high, complete
cohort
    cohort, [segment], age, numerator, denominator, value, low, high, mature
funnel
    position, step, [segment], people, immature, share_of_entry, share_of_previous, low, high, seconds
distribution
    period, [segment], n, events, value, low, high, q25, q75, median_among
curve
    [segment], x, value, low, high, at_risk
table
    columns of its own
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import BooleanValue, Table

from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import families, intervals


def rate(people: Table, *, hit: BooleanValue | ibis.Deferred, mature: BooleanValue | ibis.Deferred,
         by: str | None = None) -> Table:
    """Count per period who was hit, of those whose window has closed; the others are immature.

    `people` has one row per person or account, with `period` and, where `by` is given, that column.
    """
    flagged = people.mutate(is_hit=hit, is_mature=mature)
    flagged = flagged.mutate(
        counted=flagged.is_mature.fill_null(False).ifelse(1, 0),
        reached=(flagged.is_mature & flagged.is_hit).fill_null(False).ifelse(1, 0))
    return flagged.group_by("period", *([by] if by else [])).aggregate(
        numerator=_.reached.sum().cast("int64"),
        denominator=_.counted.sum().cast("int64"),
        immature=(_.count() - _.counted.sum()).cast("int64"))


def total(rows: Table, value: ibis.Deferred, *, by: str | None = None) -> Table:
    """Add up a value per period."""
    return rows.group_by("period", *([by] if by else [])).aggregate(value=value)


def as_rate(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """A rate's rows with value and Wilson interval; periods in which nobody came are there, empty."""
    sums = [name for name in FAMILY_SUMS if name in frame]
    frame = every_period(frame, data, parameters, ["numerator", "denominator", "immature", *sums])
    frame = with_share(frame, parameters["level"])
    return ordered(frame, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


def as_total(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """A total's rows; whole counts carry the exact Poisson interval, money none."""
    if frame.empty and pd.api.types.is_integer_dtype(frame["value"]) and not parameters.get("by"):
        frame = _none_yet(frame, data, parameters["grain"])
    frame = every_period(frame, data, parameters, ["value"])
    frame = with_count(frame, parameters)
    frame["complete"] = complete(frame["period"], data, parameters["grain"])
    return ordered(frame, parameters, ["value", "low", "high", "complete"])


def as_cohort(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """A cohort table's rows with value and Wilson interval."""
    frame = with_share(frame, parameters["level"])
    columns = ["numerator", "denominator", "value", "low", "high", "mature"]
    return ordered(frame, parameters, columns, first=["cohort"], last=["age"])


def as_is(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """The query's rows as they come, in the order of its own columns."""
    return frame.sort_values(list(frame.columns), ignore_index=True, kind="stable")


def with_share(frame: pd.DataFrame, level: float) -> pd.DataFrame:
    """Add value, low and high from numerator and denominator; nobody counted is no share.

    With sums over families (see `plgkit.metrics.families`) the interval follows them.
    """
    frame = frame.copy()
    denominator = frame["denominator"].where(frame["denominator"] > 0).astype("float64")
    frame["value"] = frame["numerator"] / denominator
    counts = frame["numerator"], frame["denominator"]
    if "squares" in frame:
        frame["low"], frame["high"] = families.wilson(*counts, *(frame[name] for name in FAMILY_SUMS), level=level)
    else:
        frame["low"], frame["high"] = intervals.wilson(*counts, level=level)
    return frame


def complete(periods: pd.Series, data: Data, grain: engine.Grain) -> pd.Series:
    """Whether each period had ended by the last day counted."""
    return periods.map(lambda start: engine.next_period(start.date(), grain) <= data.as_of + engine.DAY).astype("bool")


def every_period(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any], counts: list[str]) -> pd.DataFrame:
    """Rows for the periods between the first and the last day counted in which nothing happened."""
    if frame.empty:
        return frame
    grain, by = parameters["grain"], parameters.get("by")
    start, periods = frame["period"].min().date(), []
    while start <= data.as_of:
        periods.append(pd.Timestamp(start))
        start = engine.next_period(start, grain)
    index = pd.Index(periods, dtype="datetime64[us]", name="period")
    keys = ["period"]
    if by:
        index = pd.MultiIndex.from_product([index, sorted(frame[by].unique())], names=["period", by])
        keys.append(by)
    kinds = frame[counts].dtypes
    filled = frame.set_index(keys)[counts].reindex(index, fill_value=0)
    return filled.astype(kinds).reset_index()


def _none_yet(frame: pd.DataFrame, data: Data, grain: engine.Grain) -> pd.DataFrame:
    """A count of nothing from the first event on: that nothing happened is known."""
    if not data.has("events"):
        return frame
    day = data.run(data.events.aggregate(first=_.day.min()))["first"].iloc[0]
    if pd.isna(day):
        return frame
    start = engine.period_of(pd.Timestamp(day).date(), grain, data.playbook.product.week_start)
    return pd.DataFrame({"period": [pd.Timestamp(start)], "value": [0]}).astype(frame.dtypes[["period", "value"]])


def ordered(frame: pd.DataFrame, parameters: Mapping[str, Any], columns: list[str], *,
            first: list[str] | None = None, last: list[str] | None = None) -> pd.DataFrame:
    """Keys first, sorted by them."""
    by = parameters.get("by")
    keys = [*(first if first is not None else ["period"]), *([by] if by else []), *(last or [])]
    return frame.sort_values(keys, ignore_index=True)[[*keys, *columns]]


def only_complete(frame: pd.DataFrame, data: Data, grain: engine.Grain) -> pd.DataFrame:
    """Count nobody in a period that is not over yet: who would be counted stands as immature instead."""
    over = complete(frame["period"], data, grain)
    return frame.assign(
        immature=frame["denominator"].where(~over, 0), numerator=frame["numerator"].where(over, 0),
        denominator=frame["denominator"].where(over, 0))


def with_count(frame: pd.DataFrame, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Add the exact Poisson interval of a whole count; money has none."""
    frame = frame.copy()
    if pd.api.types.is_integer_dtype(frame["value"]):
        frame["low"], frame["high"] = intervals.poisson(frame["value"], level=parameters["level"])
    else:
        frame["low"] = frame["high"] = np.nan
    return frame


def odds(counts: pd.Series, others: pd.Series, level: float, effect: pd.Series | float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Interval of the ratio of two counts that vary as Poisson's law says, or more by the `effect` of families.

    Of both together, the share of the first is binomial; Wilson's interval of that share, as odds.
    """
    low, high = intervals.wilson(counts / effect, (counts + others) / effect, level=level)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(low) / (1 - np.asarray(low)), np.asarray(high) / (1 - np.asarray(high))


FAMILY_SUMS = ["squares", "products", "sizes"]
ODDS = "Poisson counts: Wilson interval of the share of one in both, as odds"
FINISH = {
    "rate": as_rate, "total": as_total, "cohort": as_cohort,
    "funnel": as_is, "distribution": as_is, "curve": as_is, "table": as_is,
}
