"""Which features people use, how many of them, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import actives, families, features
from plgkit.metrics.engagement import means
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain


@measure(shape="table", unit="share of active people", better="higher", reads="events",
         settings={"core": "features.core"}, interval=families.WIDENED,
         finish=lambda *found: features.as_adoption(*found).drop(columns="immature"))
def feature_adoption(data: Data, *, core: list[str] | None = None, trailing_days: int = 28, by: str | None = None,
                     grain: Grain | None = None) -> Table:
    """Share of active people who used each core feature (`core`), and how often they did.

    Parameters
    ----------
    data
        Reads `events`; which of them make a person active says the playbook's [activity].
    core
        One event per feature.
    trailing_days
        Days of the window, which ends with `as_of`; not used where a grain is given.
    by
        Column to cut by.
    grain
        Length of a calendar period to look at instead, one after another.

    Returns
    -------
    One row per period, segment and feature: feature, numerator (active people who used it), denominator
    (active people), value, low, high, times_per_person (mean, among those who used it).

    Examples
    --------
    >>> from plgkit import samples
    >>> feature_adoption(samples.tiny(), grain="month").head(2)[["period", "feature", "numerator", "denominator"]]
          period         feature  numerator  denominator
    0 2025-01-01  report_created          3            4
    1 2025-01-01   report_shared          1            4
    """
    names = features.keys(by, grain)
    active, done = used_in(data, core, trailing_days, grain)
    active = segmented(data, active, by).mutate(counted=ibis.literal(1))
    return features.counted(data, active, segmented(data, done, by).select("user_id", "event", *names), names)


def used_in(data: Data, core: list[str], days: int, grain: Grain | None) -> tuple[Table, Table]:
    """Who was active, and what of the core features active people did: per period, or over the last days."""
    done = data.event(core).select("user_id", "event", "day")
    if grain is None:
        after = ibis.date((data.as_of - days * engine.DAY).isoformat())
        active = data.activity.filter(_.day > after).select("user_id").distinct()
        done = done.filter(_.day > after)
    else:
        active = actives.periods(data, grain).select("user_id", "period")
        done = done.mutate(period=data.period(done.day, grain))
    rules = data.playbook.activity
    if rules.events is not None or rules.except_:
        done = done.semi_join(active, list(active.columns))
    return active, done


def _breadth(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return means.of_periods(frame, data, parameters)


@measure(shape="rate", unit="features per active person", better="higher", reads="events",
         settings={"core": "features.core"}, finish=_breadth, interval=families.RESAMPLED)
def feature_breadth(data: Data, *, core: list[str] | None = None, by: str | None = None,
                    grain: Grain = "week") -> Table:
    """Mean number of distinct core features used per active person, out of `core`.

    Parameters
    ----------
    data
        Reads `events`; which of them make a person active says the playbook's [activity].
    core
        One event per feature.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, numerator (features used, summed over people), denominator (active people),
    value (mean), low, high (bootstrap over families), immature (active people of a period that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> feature_breadth(samples.tiny(), grain="month")[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-01-01          4            4    1.0
    1 2025-02-01          0            2    0.0
    """
    active, done = used_in(data, core, 1, grain)
    used = done.select("user_id", "period", "event").distinct().select("user_id", "period", used=ibis.literal(1))
    people = active.select("user_id", "period", used=ibis.literal(0)).union(used)
    people = people.group_by("user_id", "period").aggregate(features=_.used.sum().cast("int64"))
    people = segmented(data, people, by)
    return families.cells(data, people, "features", ["period", *([by] if by else [])])
