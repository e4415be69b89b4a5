"""The common funnel, fast: people, in order, from their first entry, steps that share no event.

Each step is then reached at its earliest event after the step before. Where the engine has lists, one pass over
the events gathers the times of every step for each person; elsewhere each step is one more join.
"""

from __future__ import annotations

import functools

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, Table

from plgkit.metrics.funnels.plan import Plan, interval
from plgkit.metrics.funnels.steps import check, matches, relevant
from plgkit.sources.data import Data


def reached(data: Data, plan: Plan) -> Table:
    """One row per person who entered: `user_id`, `day`, `at_1` to `at_n`."""
    check(data, plan.steps)
    rows = relevant(data.events, plan.steps)
    flags = [matches(rows, each) for each in plan.steps]
    return _listed(rows, flags, plan) if data.connection.name == "duckdb" else _joined(rows, flags, plan)


def _enters(rows: Table, flag: BooleanValue, plan: Plan) -> BooleanValue:
    if plan.start is not None:
        flag = flag & (rows.day >= ibis.date(plan.start.isoformat()))
    if plan.end is not None:
        flag = flag & (rows.day <= ibis.date(plan.end.isoformat()))
    return flag


def _listed(rows: Table, flags: list[BooleanValue], plan: Plan) -> Table:
    enters = _enters(rows, flags[0], plan)
    times = {f"times_{k}": rows.occurred_at.collect(where=flag) for k, flag in enumerate(flags[1:], start=2)}
    people = rows.group_by("user_id").aggregate(
        day=rows.day.min(where=enters), at_1=rows.occurred_at.min(where=enters), **times)
    people = people.filter(people.at_1.notnull())
    last = people.at_1 + interval(plan.window)
    for k in range(2, plan.n + 1):
        fits = functools.partial(_between, low=people[f"at_{k - 1}"], high=last)
        people = people.mutate(**{f"at_{k}": people[f"times_{k}"].filter(fits).mins()})
        last = people.at_1 + interval(plan.window)
    return people.drop(*times)


def _between(time: ibis.Value, *, low: ibis.Value, high: ibis.Value) -> BooleanValue:
    return (time >= low) & (time <= high)


def _joined(rows: Table, flags: list[BooleanValue], plan: Plan) -> Table:
    marked = rows.select("user_id", "occurred_at", "day", **{f"is_{k}": flag for k, flag in enumerate(flags, start=1)})
    entered = marked.filter(_enters(marked, marked.is_1, plan)).group_by("user_id").aggregate(
        day=_.day.min(), at_1=_.occurred_at.min())
    found, so_far = entered, entered.drop("day")
    for k in range(2, plan.n + 1):
        there = marked.filter(marked[f"is_{k}"]).select("user_id", "occurred_at")
        after = so_far.inner_join(there, "user_id")
        after = after.filter(after.occurred_at >= after[f"at_{k - 1}"], after.occurred_at <= after.at_1 + interval(plan.window))
        so_far = after.group_by("user_id", "at_1").aggregate(**{f"at_{k}": _.occurred_at.min()})
        found = found.left_join(so_far.select("user_id", f"at_{k}"), "user_id").drop("user_id_right")
    return found
