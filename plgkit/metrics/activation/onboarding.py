"""The way through onboarding, and the first use of features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import families, features, funnels
from plgkit.metrics.people import closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources import rollups
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import intervals

ONBOARDING = {"steps": "onboarding.steps", "within_days": "onboarding.within_days"}


@measure(shape="rate", unit="share of people who start", better="higher", reads="users events", settings=ONBOARDING,
         interval=families.WIDENED)
def onboarding_completion(data: Data, *, steps: list[str] | None = None, within_days: int | None = None,
                          by: str | None = None, grain: Grain = "week") -> Table:
    """Share of people who start onboarding and get through all its steps (`steps`) in `within_days` days.

    The first time of the first step counts as the start; the steps must be done in their order.

    Parameters
    ----------
    data
        Reads `events`, and `users` to cut by.
    steps
        The steps in order.
    within_days
        Days of 24 hours from the first step to the last; the last instant counts.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of the start: period, numerator and denominator (people), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> onboarding_completion(samples.tiny())[["period", "numerator", "denominator", "immature"]].head(1)
          period  numerator  denominator  immature
    0 2025-01-06          2            3         0
    """
    people = funnels.reached(data, steps, within_days=within_days)
    people = segmented(data, people.mutate(period=data.period(_.day, grain)), by)
    return families.rate(data, people, by=by, hit=~people[f"at_{len(steps)}"].isnull(),
                         mature=closed(data, people.at_1, within_days))


@measure(shape="funnel", unit="people", better="higher", reads="users events", settings=ONBOARDING,
         finish=funnels.as_funnel)
def onboarding_drop_off(data: Data, *, steps: list[str] | None = None, within_days: int | None = None,
                        by: str | None = None) -> Table:
    """Where people stop in onboarding: the funnel through `steps`, within `within_days` days of the first.

    Parameters
    ----------
    data
        Reads `events`, and `users` to cut by.
    steps
        The steps in order.
    within_days
        Days of 24 hours from the first step; the last instant counts.
    by
        Column to cut by.

    Returns
    -------
    One row per step and segment, as in `plgkit.metrics.funnels.funnel`: the drop-off is 1 less
    share_of_entry of the last step.

    Examples
    --------
    >>> from plgkit import samples
    >>> onboarding_drop_off(samples.tiny())[["step", "people", "share_of_previous", "lost"]].round(3)
                 step  people  share_of_previous  lost
    0  profile_filled       3              1.000     0
    1  data_connected       2              0.667     1
    2  report_created       2              1.000     0
    """
    people = funnels.reached(data, steps, within_days=within_days)
    return funnels.counted(data, people, steps, within_days=within_days, by=by)


def _as_instead(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = [parameters["by"]] if parameters["by"] else []
    after = parameters["after"] or _largest_loss(frame)
    rows = frame[frame["position"] == after].copy()
    rows["step"] = str(parameters["steps"][after - 1])
    for name, other in (("people", "share"), ("people_on", "share_on")):
        whole = rows.groupby(keys)[name].transform("sum") if keys else rows[name].sum()
        rows[f"all_{name}"] = whole
        rows[other] = rows[name] / rows[f"all_{name}"].where(rows[f"all_{name}"] > 0)
    rows["difference"] = rows["share"] - rows["share_on"]
    rows["low"], rows["high"] = intervals.newcombe(
        rows["people"], rows["all_people"], rows["people_on"], rows["all_people_on"], level=parameters["level"])
    rows = rows.assign(most=-rows["people"], next=-rows["people_on"]).sort_values([*keys, "most", "next", "event"], ignore_index=True)
    return rows[["position", "step", *keys, "event", "people", "share", "people_on", "share_on", "difference", "low", "high"]]


def _largest_loss(frame: pd.DataFrame) -> int:
    """The step after which the largest share of those who got there stops."""
    sums = frame.groupby("position")[["people", "people_on"]].sum()
    return 1 if sums.empty else int((sums["people"] / sums.sum(axis=1)).idxmax())


@measure(shape="table", unit="share of people", better="neither", reads="users events", settings=ONBOARDING, finish=_as_instead,
         interval="Newcombe interval of the difference")
def onboarding_instead(data: Data, *, steps: list[str] | None = None, within_days: int | None = None,
                       after: int | None = None, by: str | None = None) -> Table:
    """What people did next who went no further in onboarding (`steps`, `within_days` days), against those who went on.

    The next thing is the first activity at a later instant than the step, while the person's days last. People whose days
    are not over are left out.

    Parameters
    ----------
    data
        Reads `events`, and `users` to cut by.
    steps
        The steps in order.
    within_days
        Days of 24 hours from the first step; the last instant counts.
    after
        The number of the step after which they stopped or went on, from 1; None takes the one after which most stop.
    by
        Column to cut by.

    Returns
    -------
    One row per event, the commonest among those who stopped first: position and step (where they stopped), event
    ("(nothing)" where there was none), people and share (of those who stopped), people_on and share_on (of those who
    went on), difference of the shares, low, high.

    Raises
    ------
    BadParameter
        If there is no step after that one.

    Examples
    --------
    >>> from plgkit import samples
    >>> onboarding_instead(samples.tiny())[["step", "event", "people", "share", "people_on"]]
                 step           event  people  share  people_on
    0  profile_filled  report_created       1    1.0          0
    1  profile_filled  data_connected       0    0.0          2
    """
    if after is not None and not 1 <= after < len(steps):
        raise BadParameter("after", after, expected=f"the number of a step that another follows, 1 to {len(steps) - 1}")
    people = funnels.reached(data, steps, within_days=within_days)
    people = segmented(data, people.filter(closed(data, people.at_1, within_days)), by)
    keys = [by] if by else []
    stops = ibis.union(*[
        people.filter(people[f"at_{k}"].notnull()).select(
            "user_id", *keys, position=ibis.literal(k, "int64"), here=people[f"at_{k}"], went_on=people[f"at_{k + 1}"].notnull())
        for k in range(1, len(steps))])
    events = rollups.active_events(data.events, data.playbook).select("user_id", "event", "occurred_at")
    done = events.inner_join(people.select("user_id", "at_1"), "user_id")
    done = done.filter(within(done.occurred_at, done.at_1, within_days)).select(doer=_.user_id, event=_.event, at=_.occurred_at)
    nexts = stops.left_join(done, [stops.user_id == done.doer, done["at"] > stops.here])
    first = ibis.window(group_by=[nexts.user_id, nexts.position], order_by=[nexts["at"], nexts.event])
    nexts = nexts.mutate(place=ibis.row_number().over(first)).filter(_.place == 0)
    return nexts.group_by(*keys, "position", event=nexts.event.fill_null("(nothing)")).aggregate(
        people=nexts.went_on.ifelse(0, 1).sum().cast("int64"), people_on=nexts.went_on.ifelse(1, 0).sum().cast("int64"))


@measure(shape="table", unit="share of sign-ups", better="higher", reads="users events", finish=features.as_adoption,
         interval=families.WIDENED,
         settings={"core": "features.core", "within_days": "activation.within_days"})
def core_feature_adoption(data: Data, *, core: list[str] | None = None, within_days: int | None = None,
                          by: str | None = None, grain: Grain | None = None) -> Table:
    """Share of sign-ups who use each core feature (`core`) within `within_days` days of signing up.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    core
        One event per feature.
    within_days
        Days of 24 hours from the second of sign-up; the last instant counts.
    by
        Column to cut by.
    grain
        Length of the period of sign-up to cut by; None takes all sign-ups together.

    Returns
    -------
    One row per period, segment and feature, and one "(any)" for who used any of them: feature, numerator and denominator (people whose days are over),
    value, low, high, times_per_person (mean, among those who used it), immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> core_feature_adoption(samples.tiny())[["feature", "numerator", "denominator", "value"]]
              feature  numerator  denominator  value
    0           (any)          2            4   0.50
    1  report_created          2            4   0.50
    2   report_shared          1            4   0.25
    """
    people = data.users if grain is None else data.users.mutate(period=data.period(_.day, grain))
    people = segmented(data, people, by)
    people = people.mutate(old=closed(data, people.signed_up_at, within_days))
    keys = features.keys(by, grain)
    done = data.event(core).select("user_id", "event", "occurred_at")
    done = people.filter(people.old).select("user_id", "signed_up_at", *keys).inner_join(done, "user_id")
    done = done.filter(within(done.occurred_at, done.signed_up_at, within_days))
    done = done.select("user_id", "event", *keys)
    return features.counted(data, people.select("user_id", *keys, counted=people.old.ifelse(1, 0)), done, keys, any_of_them=True)
