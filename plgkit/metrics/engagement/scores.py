"""The engagement score: breadth, depth and frequency of use in one number from 0 to 100."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import windows
from plgkit.metrics.engagement import means
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.playbook.journey import Weights
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import intervals

_SETTINGS = {"core": "features.core", "weights": "engagement.weights", "full_actions": "engagement.full_actions",
             "full_days": "engagement.full_days"}


def people(data: Data, last_days: list[dt.date], *, core: list[str], weights: Weights | Mapping[str, float],
           trailing_days: int, full_actions: int, full_days: int) -> Table:
    """One row per person active in a window: `user_id`, `period`, what they did, the three parts, and `tenths` of a point."""
    weights = as_weights(weights)
    active = windows.active_days(data, last_days, trailing_days)
    done = windows.spread(data.event(core).select("user_id", "event", "day"), last_days, trailing_days)
    done = done.group_by("user_id", "period", "event").aggregate(n=_.count()).group_by("user_id", "period").aggregate(
        features=_.count().cast("int64"), actions=_.n.sum().cast("int64"))
    rows = active.left_join(done, ["user_id", "period"]).select(
        "user_id", "period", "days", features=_.features.fill_null(0), actions=_.actions.fill_null(0))
    rows = rows.mutate(
        breadth=_share(rows.features, ibis.literal(float(len(core)), "float64")),
        depth=_share(rows.actions, rows.days.cast("float64") * ibis.literal(float(full_actions), "float64")),
        frequency=_share(rows.days, ibis.literal(float(full_days), "float64")))
    points = sum((rows[name] * ibis.literal(1000.0 * getattr(weights, name), "float64")
                  for name in ("breadth", "depth", "frequency")), ibis.literal(0.5 + 1e-6, "float64"))
    return rows.mutate(tenths=points.floor().cast("int64"))


def _share(part: ibis.Value, whole: ibis.Value) -> ibis.Value:
    """How much of what counts as all was reached: 0 to 1."""
    return ibis.least(part.cast("float64") / whole, ibis.literal(1.0, "float64"))


def as_weights(weights: Weights | Mapping[str, float]) -> Weights:
    """The weights as the playbook has them.

    Raises
    ------
    BadParameter
        If they are not three numbers that sum to 1.
    """
    if isinstance(weights, Weights):
        return weights
    try:
        return Weights(**weights)
    except (TypeError, ValueError):
        raise BadParameter("weights", weights, expected="breadth, depth and frequency, each 0 or more, that sum "
                           "to 1, such as {'breadth': 0.4, 'depth': 0.3, 'frequency': 0.3}") from None


def _mean(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return means.of_windows(frame.assign(numerator=frame["tenths"] / 10 / frame["count"]), data, parameters)


@measure(shape="rate", unit="points", better="higher", reads="events", settings=_SETTINGS, finish=_mean,
         interval="bootstrap over people")
def score(data: Data, *, core: list[str] | None = None, weights: Weights | dict[str, float] | None = None,
          full_actions: int | None = None, full_days: int | None = None, trailing_days: int = 28,
          by: str | None = None, grain: Grain = "month") -> Table:
    """Mean engagement score of active people over `trailing_days` days: breadth, depth and frequency of use, 0 to 100.

    A person's score is 100 times the weighted sum of three parts, each from 0 to 1, rounded to a tenth of a point:

    - breadth: core features used / all core features;
    - depth: uses of core features per day on which the person was active / `full_actions`, at most 1;
    - frequency: days on which the person was active / `full_days`, at most 1.

    What counts as full is a fixed number, so that scores can be compared between periods and groups, and a
    person's score does not move because others change. Windows that reach back before the first day of the
    data are left out.

    Parameters
    ----------
    data
        Reads `events`; which of them make a person active says the playbook's [activity].
    core
        One event per feature.
    weights
        Of breadth, depth and frequency; they sum to 1.
    full_actions
        Uses of core features on an active day that count as full depth.
    full_days
        Active days in the window that count as full frequency; 20 of 28 are all working days.
    trailing_days
        Days of the window.
    by
        Column to cut by.
    grain
        How far apart the windows end: with the last day of each period.

    Returns
    -------
    One row per window: period (its last day), numerator (points of all), denominator (people active in the
    window), value (mean points), low, high (bootstrap over people), immature (always 0).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = score(samples.tiny(), grain="month")  # Ann came on 2 days and Cho on 1, and used no core feature
    >>> found[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-02-28        4.5            2   2.25
    """
    found = people(data, windows.ends(data, trailing_days, grain), core=core, weights=weights,
                   trailing_days=trailing_days, full_actions=full_actions, full_days=full_days)
    # People within a point of each other stand together: the mean is exact, and a hundred kinds are resampled fast.
    found = segmented(data, found.mutate(points=found.tenths // 10), by)
    return found.group_by("period", "points", *([by] if by else [])).aggregate(
        count=_.count().cast("int64"), tenths=_.tenths.sum().cast("int64"))


def _bins(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    keys = [by] if by else ["everyone"]
    frame = frame.assign(everyone=0)
    grid = frame[keys].drop_duplicates().merge(pd.DataFrame({"points": np.arange(0, 100, 10)}), how="cross")
    made = grid.merge(frame, how="left", on=[*keys, "points"]).fillna({"people": 0})
    made = made.astype({"people": "int64", "points": "int64"}).sort_values([*keys, "points"], ignore_index=True)
    whole = made.groupby(keys)["people"].transform("sum")
    made["value"] = made["people"] / whole
    made["low"], made["high"] = intervals.wilson(made["people"], whole, level=parameters["level"])
    return made[[*([by] if by else []), "points", "people", "value", "low", "high"]]


@measure(shape="table", unit="share of active people", better="neither", reads="events", settings=_SETTINGS,
         finish=_bins, interval="Wilson interval")
def score_distribution(data: Data, *, core: list[str] | None = None, weights: Weights | dict[str, float] | None = None,
                       full_actions: int | None = None, full_days: int | None = None, trailing_days: int = 28,
                       by: str | None = None) -> Table:
    """How engagement scores of the last `trailing_days` days are spread: people by tens of points.

    Parameters
    ----------
    data, core, weights, full_actions, full_days, trailing_days, by
        As in `score`; the window ends with `as_of`.

    Returns
    -------
    Ten rows per segment: points (from, to under ten more; the last holds 100 too), people, value (as a share of
    those active), low, high.

    Examples
    --------
    >>> from plgkit import samples
    >>> score_distribution(samples.tiny()).head(2)[["points", "people", "value"]]
       points  people  value
    0       0       2    1.0
    1      10       0    0.0
    """
    found = people(data, [data.as_of], core=core, weights=weights, trailing_days=trailing_days,
                   full_actions=full_actions, full_days=full_days)
    found = found.mutate(points=ibis.least(found.tenths // 100, ibis.literal(9)) * 10)
    return segmented(data, found.mutate(points=found.points.cast("int64")), by).group_by(
        *([by] if by else []), "points").aggregate(people=_.count().cast("int64"))


def _listed(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    made = frame.assign(score=frame["tenths"] / 10).sort_values(["tenths", "user_id"], ascending=[False, True])
    return made[["user_id", *([by] if by else []), "score", "breadth", "depth", "frequency", "features", "actions",
                 "days"]].reset_index(drop=True)


@measure(shape="table", unit="points", better="higher", reads="events", settings=_SETTINGS, finish=_listed,
         interval="none: it is a list of people")
def scores(data: Data, *, core: list[str] | None = None, weights: Weights | dict[str, float] | None = None,
           full_actions: int | None = None, full_days: int | None = None, trailing_days: int = 28,
           by: str | None = None) -> Table:
    """Who is active in the last `trailing_days` days, with the engagement score of each and what it is made of.

    Parameters
    ----------
    data, core, weights, full_actions, full_days, trailing_days, by
        As in `score`; the window ends with `as_of`.

    Returns
    -------
    One row per active person, the highest score first: user_id, score (0 to 100), breadth, depth, frequency
    (each 0 to 1), features (core features used), actions (uses of them), days (active).

    Examples
    --------
    >>> from plgkit import samples
    >>> scores(samples.tiny())[["user_id", "score", "frequency", "days"]]
      user_id  score  frequency  days
    0     ann    3.0       0.10     2
    1     cho    1.5       0.05     1
    """
    found = people(data, [data.as_of], core=core, weights=weights, trailing_days=trailing_days,
                   full_actions=full_actions, full_days=full_days)
    return segmented(data, found, by)
