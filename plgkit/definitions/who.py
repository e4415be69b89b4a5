"""How each person is counted by one definition, in words: what `compare` holds side by side."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from typing import Any

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import actives, returns
from plgkit.metrics.funnels.paths import depth, paths
from plgkit.metrics.funnels.plan import interval, plan
from plgkit.metrics.returns import Question
from plgkit.sources import engine
from plgkit.sources.data import Data


def retention(data: Data, parameters: Mapping[str, Any], *, age: int) -> Table:
    """Who is in a cohort that is old enough, and how often each was back at the age."""
    asked = Question.of({**parameters, "by": None, "reference": "cohort"})
    people = returns.starters(data, asked)
    seen, _unique = returns.aged(data, people, asked)
    low, high = next((span for span in asked.spans if span[0] <= age <= span[1]), (age, age))
    high = asked.highest if asked.rule == "on_or_after" else high
    seen = seen.filter(seen.age >= low, seen.age <= high)
    seen = seen.group_by("user_id", "cohort").aggregate(n=_.n.sum()).filter(_.n >= asked.min_events)
    old = people.filter(people.cohort < ibis.date(_first_open(data, asked, high).isoformat())).select("user_id", "cohort")
    both = old.left_join(seen, ["user_id", "cohort"])
    counts = both.group_by("user_id").aggregate(times=_.count(), back=both.n.notnull().ifelse(1, 0).sum())
    counted = ibis.cases(
        ((counts.times == 1) & (counts.back == 1), "back"), (counts.times == 1, "not back"),
        (counts.back == 0, "back after none of several starts"),
        (counts.back == counts.times, "back after all of several starts"), else_="back after some of several starts")
    return counts.select("user_id", counted=counted)


def _first_open(data: Data, asked: Question, age: int) -> dt.date:
    """The first cohort for which the age is not over for everybody in it."""
    zone, start = data.playbook.product.time_zone, data.playbook.product.week_start
    if asked.clock == "rolling":
        block = dt.timedelta(days=returns.DAYS[asked.unit])
        local = (data.end - (age + 1) * block).replace(tzinfo=dt.UTC).astimezone(zoneinfo.ZoneInfo(zone))
        return engine.period_of(local.date(), asked.unit, start)
    found = engine.period_of(data.as_of + engine.DAY, asked.unit, start)
    for _back in range(age):
        found = engine.period_of(found - engine.DAY, asked.unit, start)
    return found


def funnel(data: Data, parameters: Mapping[str, Any]) -> Table:
    """How far each person who entered gets; who still has time to go further is said to be open."""
    asked = plan(**{**parameters, "by": None, "grain": None, "breakdown": None, "attribution": None, "top": None})
    found = paths(data, asked)
    far = ibis.literal("step ") + depth(found, asked).cast("string") + f" of {asked.n}"
    open_yet = found.at_1 + interval(asked.window) >= data.end_literal
    return found.select("user_id", counted=open_yet.ifelse("still open", far))


def lifecycle(data: Data, parameters: Mapping[str, Any]) -> Table:
    """What each person was in the last whole period: new, retained, resurrected or churned."""
    grain, start = parameters["grain"], data.playbook.product.week_start
    period = engine.period_of(engine.period_of(data.as_of + engine.DAY, grain, start) - engine.DAY, grain, start)
    before = engine.period_of(period - engine.DAY, grain, start)
    rows = actives.periods(data, grain, event=parameters["event"])
    now = rows.filter(rows.period == ibis.date(period.isoformat()))
    stayed = now.prev == ibis.date(before.isoformat())
    here = now.select("user_id", counted=ibis.cases((now.prev.isnull(), "new"), (stayed, "retained"), else_="resurrected"))
    there = rows.filter(rows.period == ibis.date(before.isoformat()))
    gone = there.anti_join(now, "user_id").select("user_id", counted=ibis.literal("churned"))
    return here.union(gone)


def stickiness(data: Data, parameters: Mapping[str, Any]) -> Table:
    """On how many days of the window that ends with `as_of` each person was active."""
    days = parameters["trailing_days"]
    rows = data.activity.filter(_.day > ibis.date((data.as_of - days * engine.DAY).isoformat()))
    counts = rows.group_by("user_id").aggregate(days=_.count())
    return counts.select("user_id", counted=counts.days.cast("string") + " days")
