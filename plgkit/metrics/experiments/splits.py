"""Who was exposed to what, and whether chance dealt them out as planned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import shapes
from plgkit.metrics.experiments import doings, plans
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain


def _as_splits(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    keys = ["experiment", *([by] if by else [])]
    columns = [*keys, "variant", "people", "share", "planned", "p", "even"]
    parts = []
    for (name, *_rest), rows in frame.groupby(keys, sort=True):
        wanted = plans.plan(data, name)
        made = rows[rows["variant"].notna()].sort_values("variant")
        if made.empty:
            continue
        shares = wanted.shares or dict.fromkeys(made["variant"], 1 / len(made))
        p = plans.split(dict(zip(made["variant"], made["people"], strict=True)), wanted)
        parts.append(made.assign(share=made["people"] / made["people"].sum(), planned=made["variant"].map(shares),
                                 p=p, even=not p < plans.SUSPECT))
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


@measure(shape="table", unit="people", better="neither", reads="exposures", finish=_as_splits)
def sample_ratio(data: Data, *, experiment: str | None = None, by: str | None = None) -> Table:
    """People exposed to each variant, and how probable so uneven a split is if they were dealt out as planned.

    Parameters
    ----------
    data
        Reads `exposures`.
    experiment
        Which one; None for all.
    by
        Column of people or accounts to cut by, to find where people get lost.

    Returns
    -------
    One row per experiment and variant: experiment, variant, people (who saw only this one), share,
    planned (share), p (chi-square), even (p is not below 0.001).

    Examples
    --------
    >>> from plgkit import samples
    >>> sample_ratio(samples.tiny())[["variant", "people", "share", "planned", "p"]]
      variant  people  share  planned    p
    0  guided       2    0.5      0.5  1.0
    1   plain       2    0.5      0.5  1.0
    """
    parts = [doings.labelled(segmented(data, doings.first_exposures(data, name), by).group_by(
        "variant", *([by] if by else [])).aggregate(people=_.count().cast("int64")), name) for name in plans.chosen(data, experiment)]
    return doings.together(parts or [doings.nobody(data, by=by)])


def _as_exposed(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = [parameters["by"]] if parameters["by"] else []
    frame = frame[frame["variant"].notna()].sort_values(["experiment", "variant", *by, "period"], ignore_index=True)
    frame["complete"] = shapes.complete(frame["period"], data, parameters["grain"])
    return frame[["experiment", "variant", *by, "period", "value", "complete"]]


@measure(shape="table", unit="people", better="neither", reads="exposures", finish=_as_exposed)
def exposed(data: Data, *, experiment: str | None = None, by: str | None = None, grain: Grain = "week") -> Table:
    """People who see a variant for the first time, over time.

    Parameters
    ----------
    data
        Reads `exposures`.
    experiment
        Which one; None for all.
    by
        Column of people or accounts to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per experiment, variant and period in which anybody came: experiment, variant, period, value
    (people; who saw several variants is set aside), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> exposed(samples.tiny(), grain="month")[["variant", "period", "value"]]
      variant     period  value
    0  guided 2025-01-01      2
    1   plain 2025-01-01      2
    """
    parts = []
    for name in plans.chosen(data, experiment):
        people = segmented(data, doings.first_exposures(data, name), by)
        people = people.mutate(period=data.period(data.local(people.exposed_at).date(), grain))
        parts.append(doings.labelled(people.group_by("variant", *([by] if by else []), "period").aggregate(
            value=_.count().cast("int64")), name))
    return doings.together(parts or [doings.nobody(data, by=by, period="date", value="int64")])
