"""What was written down about an experiment: its metrics, its variants and the shares planned for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from ibis import _

from plgkit.errors import BadParameter, MissingSetting, UnknownExperiment
from plgkit.metrics.people import Moment
from plgkit.playbook.trial import Experiment, Metric
from plgkit.sources import properties
from plgkit.sources.data import Data
from plgkit.stats import compare

SUSPECT = 0.001
"""Below this p of the sample-ratio check, a split is not the planned one and nothing is compared."""
ACTIVATION = "(activation)"
"""Stands for the event where activation is a rule of several conditions."""
RANKED = ("quantile", "time")
"""Kinds of metrics that no sums tell."""


def names(data: Data) -> list[str]:
    """The experiments that anybody was exposed to up to `as_of`, in order."""
    found = data.run(data.exposures.group_by("experiment").aggregate(people=_.count()))
    return sorted(found["experiment"])


def plan(data: Data, name: str) -> Experiment:
    """What the playbook wrote down about an experiment before its result; else the defaults."""
    return data.playbook.experiments.get(name, Experiment())


def chosen(data: Data, experiment: str | None) -> list[str]:
    """The experiments asked for.

    Raises
    ------
    UnknownExperiment
        If nobody was exposed to an experiment of that name.
    """
    known = names(data)
    if experiment is not None and experiment not in known:
        raise UnknownExperiment(experiment, known)
    return known if experiment is None else [experiment]


def success(data: Data, name: str) -> Moment:
    """What counts as success in an experiment whose playbook names no primary metric."""
    event = plan(data, name).metric_event or data.playbook.activation.event or data.playbook.activation.rule
    if not event:
        raise MissingSetting(f"experiments.{name}.metric_event", why=f"The experiment {name!r} has no success to count.",
                             example=f'[experiments.{name}] metric_event = "report_created"')
    return event


def metrics(data: Data, name: str) -> list[Metric]:
    """The metrics of an experiment, the primary one first.

    Raises
    ------
    UnknownProperty
        If no event has the property that a metric adds up.
    """
    written = plan(data, name).metrics
    first = [each for each in written if each.role == "primary"]
    if not first:
        event = success(data, name)
        label = event if isinstance(event, str) else ACTIVATION
        first = [Metric(name="activation" if label == ACTIVATION else label, event=label, role="primary")]
    for each in written:
        if each.amount:
            properties.check(data, each.amount)
    return [*first, *(each for each in written if each.role != "primary")]


def primary_event(data: Data, name: str) -> Moment:
    """The event of the primary metric, as a moment."""
    first = metrics(data, name)[0]
    return success(data, name) if first.event == ACTIVATION else first.event


def looked_at(data: Data, name: str, metric: str | None) -> list[int]:
    """The places of the metrics asked for among those of an experiment.

    Raises
    ------
    BadParameter
        If the experiment has no metric of that name.
    """
    known = [each.name for each in metrics(data, name)]
    if metric == "primary":
        return [0]
    if metric is not None and metric not in known:
        raise BadParameter("metric", metric, expected=f"one of {', '.join(known)}")
    return [place for place, each in enumerate(known) if metric in (None, each)]


def days(wanted: Experiment, metric: Metric) -> int:
    """Days from the first exposure that count for a metric."""
    return metric.within_days or wanted.within_days


def split(people: Mapping[str, int], wanted: Experiment) -> float:
    """How probable the split is as planned; missing where the plan names other variants."""
    seen = {name: int(count) for name, count in people.items()}
    if wanted.shares is None:
        return compare.sample_ratio(seen)
    if set(seen) - set(wanted.shares):
        return np.nan
    return compare.sample_ratio({name: seen.get(name, 0) for name in wanted.shares}, wanted.shares)


def refused(split_p: float, variants: list[str], wanted: Experiment) -> str:
    """Why nothing may be compared; empty where it may."""
    if split_p < SUSPECT:
        return f"not compared: the split is not the planned one (p = {split_p:.2g})"
    if wanted.control not in variants:
        return f"not compared: no variant is called {wanted.control!r}, as the playbook calls the control"
    return ""


def control_first(rows: pd.DataFrame, wanted: Experiment) -> pd.DataFrame:
    """The rows by variant, those of the control before all others."""
    rows = rows.sort_values("variant", kind="stable")
    return rows.sort_values("variant", key=lambda each: each != wanted.control, kind="stable")
