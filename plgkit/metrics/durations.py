"""Time until something: counted per duration in the engine, finished as Kaplan-Meier quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.sources.data import Data
from plgkit.stats import intervals, survival

COLUMNS = ["n", "events", "value", "low", "high", "q25", "q75", "median_among", "among_low", "among_high"]


def counted(people: Table, *, by: str | None, period: bool) -> Table:
    """How many people share each `duration` (seconds) and `reached` (1 got there, 0 not yet)."""
    keys = [*(["period"] if period else []), *([by] if by else [])]
    return people.group_by(*keys, "duration", "reached").aggregate(people=_.count().cast("int64"))


def as_distribution(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any], *, per: float) -> pd.DataFrame:
    """Quantiles per period and segment, in units of `per` seconds; also the median among those who got there."""
    keys = [name for name in ("period", parameters.get("by")) if name and name in frame.columns]
    frame = frame.assign(everyone=0) if not keys else frame
    rows = [dict(zip(keys or ["everyone"], key, strict=True)) | _one(group, parameters["level"], per)
            for key, group in frame.groupby(keys or ["everyone"], sort=True)]
    made = pd.DataFrame(rows, columns=[*keys, *COLUMNS])
    if "period" in made:
        made["period"] = made["period"].astype("datetime64[us]")
    return made.astype({"n": "int64", "events": "int64"})


def _one(group: pd.DataFrame, level: float, per: float) -> dict[str, float]:
    curve = survival.kaplan_meier(group["duration"], group["reached"], weights=group["people"], level=level)
    value, low, high = survival.quantile(curve, 0.5)
    reached = group[group["reached"] == 1].sort_values("duration")
    _, among_low, among_high = intervals.quantile(reached["duration"], counts=reached["people"], level=level)
    found = {"value": value, "low": low, "high": high, "q25": survival.quantile(curve, 0.25)[0],
             "q75": survival.quantile(curve, 0.75)[0], "median_among": _weighted_median(reached),
             "among_low": among_low, "among_high": among_high}
    return {"n": int(group["people"].sum()), "events": int(reached["people"].sum()),
            **{name: each / per for name, each in found.items()}}


def _weighted_median(rows: pd.DataFrame) -> float:
    """The middle value, or the mean of the two middle ones."""
    if rows.empty:
        return np.nan
    upto, half = rows["people"].cumsum().to_numpy(), rows["people"].sum() / 2
    values = rows["duration"].to_numpy()
    low, high = np.searchsorted(upto, half, "left"), np.searchsorted(upto, half, "right")
    return float((values[low] + values[min(high, len(values) - 1)]) / 2)


def as_curve(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any], *, per: float,
             upto: float) -> pd.DataFrame:
    """Share that got there by each time up to `upto`, per segment, in units of `per` seconds."""
    by = parameters.get("by")
    columns = [*([by] if by else []), "x", "value", "low", "high", "at_risk"]
    parts = []
    for name, group in frame.assign(everyone=0).groupby(by or "everyone", sort=True):
        waiting = survival.kaplan_meier(group["duration"], group["reached"], weights=group["people"],
                                        level=parameters["level"])
        waiting = waiting[(waiting["time"] <= upto) & ((waiting["events"] > 0) | (waiting["time"] == 0))]
        left = group.loc[group["duration"] > upto, "people"].sum()
        if left and waiting["time"].iloc[-1] < upto:
            waiting = pd.concat([waiting, waiting.tail(1).assign(time=upto, at_risk=left)])
        parts.append(waiting.assign(**{
            by or "everyone": name, "x": waiting["time"] / per, "value": 1 - waiting["survival"],
            "low": 1 - waiting["high"], "high": 1 - waiting["low"]})[columns])
    made = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return made.astype({"at_risk": "int64"})
