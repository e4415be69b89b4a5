"""The share of people who succeed with each variant, against the control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import shapes
from plgkit.metrics.experiments import doings, plans
from plgkit.metrics.people import Moment, activated, closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.playbook.trial import Experiment
from plgkit.sources.data import Data
from plgkit.stats import compare

COLUMNS = ["n", "conversions", "value", "low", "high", "difference", "difference_low", "difference_high", "lift", "lift_low", "lift_high",
           "p", "split_p", "immature", "set_aside", "verdict"]


def _succeeded(data: Data, people: Table, event: Moment, days: int) -> Table:
    """People with `hit`, whether they succeeded within the days after their first exposure."""
    if isinstance(event, list) and event and not isinstance(event[0], str):
        done = activated(data, event).select(doer=_.user_id, at=_.activated_at)
    else:
        done = data.event(event).select(doer=_.user_id, at=_.occurred_at)
    rows = people.left_join(done, people.user_id == done.doer)
    rows = rows.mutate(soon=within(rows["at"], rows.exposed_at, days).ifelse(1, 0))
    return rows.group_by("user_id", "variant", "exposed_at").aggregate(hit=_.soon.max())


def _counts(data: Data, name: str, within_days: int | None, by: str | None) -> Table:
    days = within_days or plans.days(plans.plan(data, name), plans.metrics(data, name)[0])
    people = _succeeded(data, doings.first_exposures(data, name), plans.primary_event(data, name), days)
    people = segmented(data, people, by)
    ripe = closed(data, people.exposed_at, days)
    people = people.mutate(counted=ripe.ifelse(1, 0), reached=ripe.ifelse(people.hit, 0))
    return doings.labelled(people.group_by("variant", *([by] if by else [])).aggregate(
        people=_.count().cast("int64"), n=_.counted.sum().cast("int64"), conversions=_.reached.sum().cast("int64")), name)


def _as_comparison(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Each variant with its share, and against the control unless the split is suspect."""
    by = parameters["by"]
    parts = [_one(name, rows, plans.plan(data, name), by, parameters["level"]) for name, rows in frame.groupby("experiment", sort=True)]
    columns = ["experiment", *([by] if by else []), "variant", *COLUMNS]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _one(name: str, rows: pd.DataFrame, wanted: Experiment, by: str | None, level: float) -> pd.DataFrame:
    several = rows["variant"].isna()
    made = rows[~several].rename(columns={"conversions": "numerator", "n": "denominator"})
    made = shapes.with_share(made, level).rename(columns={"numerator": "conversions", "denominator": "n"})
    people = made.groupby("variant")["people"].sum()
    split_p = plans.split(people, wanted)
    refused = plans.refused(split_p, list(people.index), wanted)
    made = made.assign(experiment=name, immature=made["people"] - made["n"], set_aside=int(rows.loc[several, "people"].sum()), split_p=split_p)
    made = plans.control_first(made, wanted)
    if by:
        made = made.sort_values(by, kind="stable")
    controls = made[made["variant"] == wanted.control]
    found = [_against(row, controls if not by else controls[controls[by] == getattr(row, by)], refused, wanted, level)
             for row in made.itertuples()]
    return made.assign(**pd.DataFrame(found, index=made.index))


def _against(row: Any, control: pd.DataFrame, refused: str, wanted: Experiment, level: float) -> dict[str, Any]:
    found = compare.Comparison(*[np.nan] * 7)
    if refused:
        verdict = refused
    elif row.variant == wanted.control:
        verdict = "control"
    elif control.empty or not row.n or not control["n"].iloc[0]:
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
def comparison(data: Data, *, experiment: str | None = None, within_days: int | None = None, by: str | None = None) -> Table:
    """Share of the people exposed to each variant who succeed, and how it differs from the control's.

    Each person counts once, from the first exposure, and only when the person's days are over.
    Who saw several variants is set aside. The split is checked before anything else: where it is not
    the planned one (p below 0.001), the differences are withheld, because who is missing is not known.
    One metric, one look, nothing corrected: `results` has the rest.

    Parameters
    ----------
    data
        Reads `exposures` and `events`.
    experiment
        Which one; None for all. Success, control and planned shares are those of the playbook.
    within_days
        Days of 24 hours from the first exposure; as the playbook says by default.
    by
        Column of people or accounts to cut by.

    Returns
    -------
    One row per experiment and variant, the control first: experiment, variant, n and conversions
    (people), value, low, high (Wilson), difference to the control with difference_low and
    difference_high (Newcombe), lift (relative) with lift_low and lift_high (Koopman), p (score test),
    split_p (of the whole split), immature, set_aside (people who saw several variants), verdict.

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
    parts = [_counts(data, name, within_days, by) for name in plans.chosen(data, experiment)]
    return doings.together(parts or [doings.nobody(data, by=by, n="int64", conversions="int64")])
