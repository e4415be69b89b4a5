"""Experiments: did a variant change what people do, by more than chance would?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import MissingSetting, UnknownExperiment
from plgkit.metrics import shapes
from plgkit.metrics.people import Moment, activated, closed, within
from plgkit.metrics.registry import measure
from plgkit.playbook.goals import Experiment
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import compare

SUSPECT = 0.001
"""Below this p of the sample-ratio check, a split is not the planned one and nothing is compared."""


def names(data: Data) -> list[str]:
    """The experiments that anybody was exposed to up to `as_of`, in order."""
    found = data.run(data.exposures.group_by("experiment").aggregate(people=_.count()))
    return sorted(found["experiment"])


def plan(data: Data, name: str) -> Experiment:
    """What the playbook wrote down about an experiment before its result; else the defaults."""
    return data.playbook.experiments.get(name, Experiment())


def _chosen(data: Data, experiment: str | None) -> list[str]:
    known = names(data)
    if experiment is not None and experiment not in known:
        raise UnknownExperiment(experiment, known)
    return known if experiment is None else [experiment]


def _moment(data: Data, name: str) -> Moment:
    """What counts as success in an experiment."""
    event = plan(data, name).metric_event or data.playbook.activation.event or data.playbook.activation.rule
    if not event:
        raise MissingSetting(f"experiments.{name}.metric_event", why=f"The experiment {name!r} has no success to count.",
                             example=f'[experiments.{name}] metric_event = "report_created"')
    return event


def first_exposures(data: Data, experiment: str) -> Table:
    """One row per person exposed: `user_id`, `variant`, `exposed_at`, and how many `variants` the person saw."""
    seen = data.exposures.filter(data.exposures.experiment == experiment)
    return seen.group_by("user_id").aggregate(
        variant=_.variant.min(), variants=_.variant.nunique(), exposed_at=_.exposed_at.min())


def _succeeded(data: Data, people: Table, event: Moment, days: int) -> Table:
    """People with `hit`, whether they succeeded within the days after their first exposure."""
    if isinstance(event, list) and event and not isinstance(event[0], str):
        done = activated(data, event).select(doer=_.user_id, at=_.activated_at)
    else:
        done = data.event(event).select(doer=_.user_id, at=_.occurred_at)
    rows = people.left_join(done, people.user_id == done.doer)
    rows = rows.mutate(soon=within(rows["at"], rows.exposed_at, days).ifelse(1, 0))
    return rows.group_by("user_id", "variant", "variants", "exposed_at").aggregate(hit=_.soon.max())


def _counts(data: Data, name: str, within_days: int | None) -> Table:
    days = within_days or plan(data, name).within_days
    people = _succeeded(data, first_exposures(data, name), _moment(data, name), days)
    ripe = closed(data, people.exposed_at, days)
    people = people.mutate(
        variant=(people.variants > 1).ifelse(ibis.null("string"), people.variant),
        counted=ripe.ifelse(1, 0), reached=ripe.ifelse(people.hit, 0))
    return people.group_by("variant").aggregate(
        people=_.count().cast("int64"), n=_.counted.sum().cast("int64"),
        conversions=_.reached.sum().cast("int64")).select(
            "variant", "people", "n", "conversions", experiment=ibis.literal(name))


def _as_comparison(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Each variant with its share, and against the control unless the split is suspect."""
    parts = [_one(name, rows, plan(data, name), parameters["level"])
             for name, rows in frame.groupby("experiment", sort=True)]
    columns = ["experiment", "variant", "n", "conversions", "value", "low", "high", "difference", "difference_low",
               "difference_high", "lift", "lift_low", "lift_high", "p", "split_p", "immature", "set_aside", "verdict"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _one(name: str, rows: pd.DataFrame, wanted: Experiment, level: float) -> pd.DataFrame:
    several = rows["variant"].isna()
    made = rows[~several].sort_values("variant").rename(columns={"conversions": "numerator", "n": "denominator"})
    made = shapes.with_share(made, level).rename(columns={"numerator": "conversions", "denominator": "n"})
    made = made.assign(experiment=name, immature=made["people"] - made["n"],
                       set_aside=int(rows.loc[several, "people"].sum()))
    made["split_p"] = _split(made, wanted)
    made = made.sort_values("variant", key=lambda each: each != wanted.control, kind="stable")
    found = [_against(row, made, wanted, level) for row in made.itertuples()]
    return made.assign(**pd.DataFrame(found, index=made.index))


def _split(made: pd.DataFrame, wanted: Experiment) -> float:
    """How probable the split is as planned; missing where the plan names other variants."""
    seen = dict(zip(made["variant"], made["people"].astype(int), strict=True))
    if wanted.shares is None:
        return compare.sample_ratio(seen)
    if set(seen) - set(wanted.shares):
        return np.nan
    return compare.sample_ratio({name: seen.get(name, 0) for name in wanted.shares}, wanted.shares)


def _against(row: Any, made: pd.DataFrame, wanted: Experiment, level: float) -> dict[str, Any]:
    found = compare.Comparison(*[np.nan] * 7)
    control = made[made["variant"] == wanted.control]
    if row.split_p < SUSPECT:
        verdict = f"not compared: the split is not the planned one (p = {row.split_p:.2g})"
    elif control.empty:
        verdict = f"not compared: no variant is called {wanted.control!r}, as the playbook calls the control"
    elif row.variant == wanted.control:
        verdict = "control"
    elif not row.n or not control["n"].iloc[0]:
        verdict = "too early: nobody's days are over"
    else:
        found = compare.shares(row.conversions, row.n, control["conversions"].iloc[0], control["n"].iloc[0], level=level)
        clear = "better" if found.low > 0 else "worse" if found.high < 0 else ""
        verdict = f"{clear} than the control" if clear else "no clear difference"
    return {"difference": found.difference, "difference_low": found.low, "difference_high": found.high,
            "lift": found.lift, "lift_low": found.lift_low, "lift_high": found.lift_high, "p": found.p,
            "verdict": verdict}


@measure(shape="table", unit="share of people exposed", better="higher", reads="exposures events",
         finish=_as_comparison, interval="Wilson interval; Newcombe for differences, Koopman for lifts")
def comparison(data: Data, *, experiment: str | None = None, within_days: int | None = None) -> Table:
    """Share of the people exposed to each variant who succeed, and how it differs from the control's.

    Each person counts once, from the first exposure, and only when the person's days are over.
    Who saw several variants is set aside. The split is checked before anything else: where it is not
    the planned one (p below 0.001), the differences are withheld, because who is missing is not known.

    Parameters
    ----------
    data
        Reads `exposures` and `events`.
    experiment
        Which one; None for all. Success, control and planned shares are those of the playbook.
    within_days
        Days of 24 hours from the first exposure; as the playbook says by default.

    Returns
    -------
    One row per experiment and variant, the control first: experiment, variant, n and conversions
    (people), value, low, high (Wilson), difference to the control with difference_low and
    difference_high (Newcombe), lift (relative) with lift_low and lift_high (Koopman), p (score test),
    split_p (of the split), immature, set_aside (people who saw several variants), verdict.

    Raises
    ------
    UnknownExperiment
        If nobody was exposed to an experiment of that name.

    Examples
    --------
    >>> from plgkit import samples
    >>> comparison(samples.tiny())[["variant", "n", "conversions", "difference", "verdict"]]
      variant  n  conversions  difference              verdict
    0   plain  2            2         NaN              control
    1  guided  2            1        -0.5  no clear difference
    """
    parts = [_counts(data, name, within_days) for name in _chosen(data, experiment)]
    if not parts:
        parts = [_none(data)]
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def _none(data: Data) -> Table:
    zero = ibis.literal(0, "int64")
    return data.exposures.filter(ibis.literal(False)).select(
        "variant", people=zero, n=zero, conversions=zero, experiment=_.experiment)


def _as_splits(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    columns = ["experiment", "variant", "people", "share", "planned", "p", "even"]
    parts = []
    for name, rows in frame.groupby("experiment", sort=True):
        wanted = plan(data, name)
        made = rows[rows["variant"].notna()].sort_values("variant")
        shares = wanted.shares or dict.fromkeys(made["variant"], 1 / len(made))
        p = _split(made, wanted)
        parts.append(made.assign(share=made["people"] / made["people"].sum(), planned=made["variant"].map(shares),
                                 p=p, even=not p < SUSPECT))
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


@measure(shape="table", unit="people", better="neither", reads="exposures", finish=_as_splits)
def sample_ratio(data: Data, *, experiment: str | None = None) -> Table:
    """People exposed to each variant, and how probable so uneven a split is if they were dealt out as planned.

    Parameters
    ----------
    data
        Reads `exposures`.
    experiment
        Which one; None for all.

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
    _chosen(data, experiment)
    seen = data.exposures if experiment is None else data.exposures.filter(_.experiment == experiment)
    people = seen.group_by("experiment", "user_id").aggregate(variant=_.variant.min(), variants=_.variant.nunique())
    people = people.mutate(variant=(people.variants > 1).ifelse(ibis.null("string"), people.variant))
    return people.group_by("experiment", "variant").aggregate(people=_.count().cast("int64"))


def _as_exposed(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    frame = frame.sort_values(["experiment", "variant", "period"], ignore_index=True)
    frame["complete"] = shapes.complete(frame["period"], data, parameters["grain"])
    return frame[["experiment", "variant", "period", "value", "complete"]]


@measure(shape="table", unit="people", better="neither", reads="exposures", finish=_as_exposed)
def exposed(data: Data, *, experiment: str | None = None, grain: Grain = "week") -> Table:
    """People who see a variant for the first time, over time.

    Parameters
    ----------
    data
        Reads `exposures`.
    experiment
        Which one; None for all.
    grain
        Length of a period.

    Returns
    -------
    One row per experiment, variant and period in which anybody came: experiment, variant, period, value
    (people; who saw several variants stands with the first by name), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> exposed(samples.tiny(), grain="month")[["variant", "period", "value"]]
      variant     period  value
    0  guided 2025-01-01      2
    1   plain 2025-01-01      2
    """
    parts = [first_exposures(data, name).mutate(experiment=ibis.literal(name)) for name in _chosen(data, experiment)]
    people = ibis.union(*parts) if len(parts) > 1 else parts[0] if parts else _nobody(data)
    people = people.mutate(period=data.period(data.local(people.exposed_at).date(), grain))
    return people.group_by("experiment", "variant", "period").aggregate(value=_.count().cast("int64"))


def _nobody(data: Data) -> Table:
    return data.exposures.filter(ibis.literal(False)).select("user_id", "variant", "experiment", "exposed_at")
