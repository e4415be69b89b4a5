"""Before the start: how many people come in so many weeks, and which effect they could find."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter, UnknownExperiment
from plgkit.metrics.experiments import doings, plans
from plgkit.metrics.registry import measure
from plgkit.playbook.trial import Experiment, Metric
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import arms, power

WEEK, _MOST_WEEKS = 7, 104
COLUMNS = ["experiment", "metric", "weeks", "role", "kind", "people", "value", "smallest", "smallest_lift", "adjusted_lift", "worth", "found",
           "needed", "enough"]


def _planned(data: Data, experiment: str | None) -> dict[str, dt.date]:
    """The experiments that are written down or running, with the day on which each began or could."""
    seen = data.exposures.group_by("experiment").aggregate(first=_.day.min()) if data.has("exposures") else None
    began = {} if seen is None else {row.experiment: row.first.date() for row in data.run(seen).itertuples()}
    known = {name: began.get(name, data.as_of + engine.DAY) for name in sorted({*began, *data.playbook.experiments})}
    if experiment is not None and experiment not in known:
        raise UnknownExperiment(experiment, known)
    return known if experiment is None else {experiment: known[experiment]}


def _span(data: Data, name: str, start: dt.date, weeks: int) -> tuple[dt.date, int]:
    """The first day and the number of the last whole weeks before a start whose people's days were over by then."""
    longest = max(plans.days(plans.plan(data, name), each) for each in plans.metrics(data, name))
    end = start - (longest + 1) * engine.DAY
    there = max((end - data.span[0]).days // WEEK, 0)
    used = min(weeks, there)
    return end - used * WEEK * engine.DAY, used


def _would_be(data: Data, name: str, first: dt.date, weeks: int) -> Table:
    """Whom the experiment would have exposed had it run in these weeks, as if all had seen one variant."""
    zone = data.playbook.product.time_zone
    begin, end = (ibis.timestamp(engine.to_utc(day, zone).isoformat(sep=" ")) for day in (first, first + weeks * WEEK * engine.DAY))
    if plans.plan(data, name).exposes == "signups":
        rows = data.users.select("user_id", exposed_at=_.signed_up_at)
    else:
        rows = data.events.filter(_.event.notin(data.playbook.activity.except_)) if data.playbook.activity.except_ else data.events
        rows = rows.filter((rows.occurred_at >= begin) & (rows.occurred_at < end))
        rows = rows.group_by("user_id").aggregate(exposed_at=_.occurred_at.min())
    rows = rows.filter((rows.exposed_at >= begin) & (rows.exposed_at < end))
    return rows.mutate(variant=ibis.literal("all"))


def _as_power(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    parts = []
    for name, rows in frame.groupby("experiment", sort=True):
        metrics, wanted = plans.metrics(data, name), plans.plan(data, name)
        sums = [each for each in rows.columns if each.startswith("m")]
        upto = rows.groupby("week")[sums].sum().sort_index()
        upto = upto.reindex(range(int(upto.index.max()) + 1), fill_value=0).cumsum()
        variants = max(len(wanted.shares or ()) - 1, 1)
        for slot, metric in enumerate(metrics):
            if metric.kind not in plans.RANKED:
                alike = 1 if metric.role == "guardrail" else variants * sum(each.role == metric.role for each in metrics)
                alpha = (1 - parameters["level"]) / alike
                seen = doings.sums(upto.iloc[-1], slot, metric)
                found = [_row(seen, n, metric, wanted, _shares(wanted), alpha, parameters["power"]) for n in upto[f"m{slot}_n"]]
                parts.append(pd.DataFrame(found).assign(experiment=name, metric=metric.name, role=metric.role, kind=metric.kind,
                                                        weeks=upto.index.to_numpy() + 1))
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _shares(wanted: Experiment) -> dict[str, float]:
    """The planned shares, the control's first; two halves where none are planned."""
    shares = wanted.shares or {wanted.control: 0.5, "the other": 0.5}
    return {wanted.control: shares[wanted.control]} | shares


def _row(sums: arms.Sums, n: float, metric: Metric, wanted: Experiment, shares: Mapping[str, float], alpha: float, asked: float) -> dict[str, Any]:
    control, *others = shares.values()
    least = min(others, default=control)
    ratio, paired = least / control, n * (control + least)
    value = float(arms.value(sums)) if sums["n"] else np.nan
    varies, left = (arms.spread(sums, adjusted=each) if sums["n"] > 1 else np.nan for each in (False, True))
    given = {"ratio": ratio, "alpha": alpha}
    smallest, adjusted = (power.smallest(each, paired, power=asked, **given) for each in (varies, left))
    worth = (wanted.worth if metric.role == "primary" else metric.margin) or np.nan
    needed = power.people(left, worth * value, power=asked, **given) / (control + least) if value > 0 and worth == worth else np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        lifts = [float(np.divide(each, value)) for each in (smallest, adjusted)]
    found = power.chance(left, paired, worth * value, **given) if value > 0 and worth == worth else np.nan
    return {"people": int(n), "value": value, "smallest": smallest, "smallest_lift": lifts[0], "adjusted_lift": lifts[1], "worth": worth,
            "found": found, "needed": float(np.ceil(needed)), "enough": bool(n >= needed)}


@measure(shape="table", unit="people", better="neither", reads="events users exposures", finish=_as_power)
def power_before(data: Data, *, experiment: str | None = None, weeks: int = 12, power: float = 0.8) -> Table:
    """How many people an experiment would have met in each number of weeks up to `weeks`, and which effect they could have found.

    The people, their values and how much these vary are those of the last weeks before the start whose days were over
    by then; for an experiment that has not begun, before the day after the last one counted. Nothing seen in the experiment
    is in it. The chance of a false find is shared out over variants, and over secondary metrics, as the result is corrected.

    Parameters
    ----------
    data
        Reads `users` for experiments that newcomers meet, `events`, and `exposures` for when an experiment began.
    experiment
        Which one; None for all that are in the playbook or in the data.
    weeks
        The most weeks to look at; fewer where the data do not reach back so far.
    power
        Chance of finding an effect that is there.

    Returns
    -------
    One row per experiment, metric (but quantiles and times) and number of weeks: role, kind, people, value (as it was),
    smallest (difference that would be found), smallest_lift (the same, relative), adjusted_lift (once what people did before is
    taken out), worth (the change that the playbook says would be worth having; of guardrails the margin), found (chance to
    find it), needed (people it takes), enough.

    Examples
    --------
    >>> from plgkit import samples
    >>> power_before(samples.tiny())[["experiment", "metric", "weeks"]]  # no week before its start
    Empty DataFrame
    Columns: [experiment, metric, weeks]
    Index: []

    References
    ----------
    Lachin, "Introduction to sample size determination and power analysis for clinical trials", Controlled Clinical Trials 2
    (1981), 93-113.
    """
    if weeks < 1 or weeks > _MOST_WEEKS:
        raise BadParameter("weeks", weeks, expected=f"a whole number between 1 and {_MOST_WEEKS}")
    if not 0 < power < 1:
        raise BadParameter("power", power, expected="a chance between 0 and 1, such as 0.8")
    planned = {name: _span(data, name, start, weeks) for name, start in _planned(data, experiment).items()}
    padded = doings.columns(data, list(planned))
    parts = []
    for name, (first, used) in planned.items():
        if used:
            people = _would_be(data, name, first, used)
            parts.append(doings.counted(data, name, people, cells=False, padded=padded, keys=lambda rows, first=first: {
                "week": _week(data, rows, first)}))
    return doings.together(parts or [doings.nobody(data, week="int64")])


def _week(data: Data, rows: Table, first: dt.date) -> ibis.Value:
    days = engine.days_between(data.local(rows.exposed_at).date(), ibis.date(first.isoformat()))
    return ((days - days % WEEK) / WEEK).cast("int64")
