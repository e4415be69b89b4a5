"""Time until something: counted per duration in the engine, finished as Kaplan-Meier quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.sources.data import Data
from plgkit.stats import compare, intervals, survival

COLUMNS = ["n", "events", "value", "low", "high", "q25", "q75", "median_among", "among_low", "among_high"]


def counted(people: Table, *, by: str | None, period: bool) -> Table:
    """How many people share each `duration` (seconds) and `reached` (1 got there, 0 not yet).

    And, where people have it, each `left`: the seconds after which they left without having got there; and
    `dealt`, a group of families (see `families.dealt`).
    """
    keys = [*(["period"] if period else []), *([by] if by else [])]
    more = [name for name in ("left", "dealt") if name in people.columns]
    return people.group_by(*keys, "duration", "reached", *more).aggregate(people=_.count().cast("int64"))


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
    curve = survival.kaplan_meier(group["duration"], group["reached"], weights=group["people"], groups=group.get("dealt"),
                                  level=level)
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
                                        groups=group.get("dealt"), level=parameters["level"])
        waiting = waiting[(waiting["time"] <= upto) & ((waiting["events"] > 0) | (waiting["time"] == 0))]
        left = group.loc[group["duration"] > upto, "people"].sum()
        if left and waiting["time"].iloc[-1] < upto:
            waiting = pd.concat([waiting, waiting.tail(1).assign(time=upto, at_risk=left)])
        parts.append(waiting.assign(**{
            by or "everyone": name, "x": waiting["time"] / per, "value": 1 - waiting["survival"],
            "low": 1 - waiting["high"], "high": 1 - waiting["low"]})[columns])
    made = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return made.astype({"at_risk": "int64"})


def shares_by(frame: pd.DataFrame, keys: list[str], *, day: int, level: float) -> pd.DataFrame:
    """Per group, who left first, and the shares that had got there and had left by a day (Aalen-Johansen).

    Shares are missing where nobody was watched until then.
    """
    columns = [*keys, "left", "reached_share", "reached_low", "reached_high", "left_share"]
    rows = []
    for name, group in frame.assign(everyone=0).groupby(keys or ["everyone"], sort=True):
        found = dict(zip(keys, name, strict=True)) if keys else {}
        found["left"] = int(group.loc[group["left"].notna(), "people"].sum())
        if group["duration"].max() >= day * 86400.0:
            ends = incidence(group, level)
            ends = ends[ends["time"] <= day * 86400.0].groupby("cause").last()
            reached = ends.loc["reached"] if "reached" in ends.index else dict.fromkeys(("value", "low", "high"), 0.0)
            found |= {f"reached_{to}": reached[of] for to, of in (("share", "value"), ("low", "low"), ("high", "high"))}
            found["left_share"] = ends["value"].get("left", 0.0)
        rows.append(found)
    return pd.DataFrame(rows, columns=columns).astype(
        {"left": "int64", **dict.fromkeys(columns[-4:], "float64")})


def incidence(group: pd.DataFrame, level: float) -> pd.DataFrame:
    """Shares of a group that ended by having "reached" it or by having "left" first, over time (Aalen-Johansen)."""
    gone = group["left"].notna()
    cause = pd.Series(None, index=group.index, dtype=object).mask(group["reached"] == 1, "reached").mask(gone, "left")
    times = group["duration"].mask(gone, group["left"])
    return survival.aalen_johansen(times, cause, weights=group["people"], level=level)


def as_outcomes(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any], *, per: float, upto: float,
                names: Mapping[str, str]) -> pd.DataFrame:
    """Shares that had got there, had left, and were on the way by each time up to `upto`, per segment."""
    by = parameters.get("by")
    columns = [*([by] if by else []), "outcome", "x", "value", "low", "high", "at_risk"]
    parts = []
    for name, group in frame.assign(everyone=0).groupby(by or "everyone", sort=True):
        for outcome, curve in _outcomes(group, parameters["level"]).items():
            curve = curve[curve["time"] <= upto]
            kept = curve[(curve["events"] > 0) | (curve["time"] == 0)]
            if (group["duration"] > upto).any() and kept["time"].iloc[-1] < upto:
                watched = curve["at_risk"].iloc[-1] - curve["leaving"].iloc[-1]
                kept = pd.concat([kept, kept.tail(1).assign(time=upto, at_risk=watched)])
            parts.append(kept.assign(**{by or "everyone": name, "outcome": names[outcome], "x": kept["time"] / per})[columns])
    made = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return made.astype({"at_risk": "int64"}).sort_values(columns[:-4], ignore_index=True, kind="stable")


def _outcomes(group: pd.DataFrame, level: float) -> dict[str, pd.DataFrame]:
    """The three curves of a group: reached, left, and waiting, each at every time at which anybody ended."""
    ends = incidence(group, level)
    done = group["reached"].eq(1) | group["left"].notna()
    times = group["duration"].mask(group["left"].notna(), group["left"])
    waiting = survival.kaplan_meier(times, done, weights=group["people"], level=level)
    leaving = waiting["at_risk"] - waiting["at_risk"].shift(-1, fill_value=0.0)
    waiting = waiting.rename(columns={"survival": "value"}).assign(leaving=leaving)
    found = {cause: curve.assign(leaving=leaving.to_numpy()) for cause, curve in ends.groupby("cause")}
    nobody = waiting.assign(value=0.0, low=0.0, high=0.0, events=0.0)
    return {"reached": found.get("reached", nobody), "left": found.get("left", nobody), "waiting": waiting}


def paces(frame: pd.DataFrame, groups: str) -> pd.DataFrame:
    """Per group, how many got there and how many would have at the pace of all, with log-rank tests.

    `p` tests all groups together; `p_others` each group against the others, corrected for how many there are.
    """
    test = survival.logrank(frame["duration"], frame["reached"], frame[groups], weights=frame["people"])
    made = test.groups.rename(columns={"group": groups})[[groups, "observed", "expected"]]
    alone = [survival.logrank(frame["duration"], frame["reached"], frame[groups] == each, weights=frame["people"]).p
             for each in made[groups]] if len(made) > 1 else [np.nan] * len(made)
    known = test.p if len(made) > 1 else np.nan
    return made.assign(ratio=made["observed"] / made["expected"].where(made["expected"] > 0),
                       p_others=compare.benjamini_hochberg(alone), p=known)
