"""The same experiment as it would have been read on every day: one interval that may be looked at once, one that may be always."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from ibis.expr.types import Table

from plgkit.metrics.experiments import doings, judging, plans
from plgkit.metrics.registry import measure
from plgkit.playbook.trial import Experiment, Metric
from plgkit.sources.data import Data
from plgkit.stats import arms

DAY = "day"
COLUMNS = ["experiment", "metric", "variant", DAY, "n", "control_n", "difference", "low", "high", "always_low", "always_high", "p", "p_always"]


def _slot(data: Data, name: str, metric: str | None) -> int | None:
    """The metric to follow; none where no sums tell it."""
    slot = plans.looked_at(data, name, metric)[0]
    return None if plans.metrics(data, name)[slot].kind in plans.RANKED else slot


def _as_looks(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    parts = []
    for name, rows in frame.groupby("experiment", sort=True):
        wanted, slot = plans.plan(data, name), _slot(data, name, parameters["metric"])
        people = rows[rows["variant"].notna()].groupby("variant")["people"].sum()
        if not plans.refused(plans.split(people, wanted), list(people.index), wanted):
            followed = _followed(rows, slot, plans.metrics(data, name)[slot], wanted, parameters)
            parts += [each.assign(experiment=name) for each in followed]
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _followed(rows: pd.DataFrame, slot: int, metric: Metric, wanted: Experiment, parameters: Mapping[str, Any]) -> list[pd.DataFrame]:
    """Per variant: everything up to each day on which anybody's days were over."""
    rows = rows[rows["variant"].notna() & (rows[f"m{slot}_n"] > 0)]
    days, sums = np.sort(rows[DAY].unique()), [each for each in rows.columns if each.startswith(f"m{slot}_")]

    def upto(variant: str) -> arms.Sums:
        part = rows[rows["variant"] == variant].groupby(DAY)[sums].sum().reindex(days, fill_value=0).cumsum()
        return doings.sums(part, slot, metric)

    made = []
    for variant in sorted(set(rows["variant"]) - {wanted.control}):
        control, treated = upto(wanted.control), upto(variant)
        made.append(_looked(control, treated, metric, wanted, parameters["adjusted"], parameters["level"]).assign(
            metric=metric.name, variant=variant, **{DAY: days}))
    return made


def _looked(control: arms.Sums, treated: arms.Sums, metric: Metric, wanted: Experiment, adjusted: bool, level: float) -> pd.DataFrame:
    """Both intervals at every look; none while either group has too few."""
    found = judging.followed(control, treated, metric, wanted, adjusted=adjusted, level=level)
    counts = {"n": np.asarray(treated["n"]), "control_n": np.asarray(control["n"])}
    return pd.DataFrame(counts | found).astype({"n": "int64", "control_n": "int64"})


@measure(shape="table", unit="difference, in the metric's unit", better="neither", reads="exposures events", finish=_as_looks,
         interval="low and high: Welch, right for a single look; always_low and always_high: asymptotic confidence sequence")
def looks(data: Data, *, experiment: str | None = None, metric: str | None = None, adjusted: bool = True) -> Table:
    """The difference to the control as it stood on every day of an experiment, with an interval for one look and one for all.

    A person is in it from the day on which the person's days are over. Who looks every day and stops when the narrow
    interval leaves out zero finds a difference where there is none about one time in three; of the wide one that
    happens less than one time in twenty, however often one looks.

    Parameters
    ----------
    data
        Reads `exposures` and `events`.
    experiment
        Which one; None for all.
    metric
        Which one; the primary by default. Quantiles and times cannot be followed.
    adjusted
        Whether to take out what people did before, as `results` does.

    Returns
    -------
    One row per experiment, variant and day: metric, n and control_n (people whose days were over), difference, low,
    high, always_low, always_high, p, p_always. Missing while there are too few; no row where the split is not as planned.

    Examples
    --------
    >>> from plgkit import samples
    >>> looks(samples.tiny())[["variant", "day", "n", "control_n", "difference"]]
      variant        day  n  control_n  difference
    0  guided 2025-01-20  1          1         0.0
    1  guided 2025-01-22  1          2         0.0
    2  guided 2025-01-24  2          2        -0.5
    """
    names = [name for name in plans.chosen(data, experiment) if _slot(data, name, metric) is not None]
    padded = doings.columns(data, names, lambda name: [_slot(data, name, metric)])
    parts = []
    for name in names:
        slot = _slot(data, name, metric)
        parts.append(doings.counted(data, name, doings.first_exposures(data, name), slots=[slot], padded=padded,
                                    keys=lambda rows, name=name, slot=slot: {DAY: doings.over_on(data, name, slot, rows)}))
    return doings.together(parts or [doings.nobody(data, day="date")])
