"""How far each unit gets: one row per person, account, session or attempt that entered."""

from __future__ import annotations

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics.funnels import quick, ways
from plgkit.metrics.funnels.events import any_step, attempts, events, groups, moments
from plgkit.metrics.funnels.plan import Plan, interval
from plgkit.metrics.people import NONE, segmented
from plgkit.sources.data import Data

OTHER = "(other)"


def paths(data: Data, plan: Plan) -> Table:
    """One row per unit that entered.

    The unit's keys, `day` of the entry, `at_1` to `at_n` (NULL where a step was not reached), and where they are cut
    `segment`, with grain `period`. `from_2` to `from_n` are the moments of the step before, where they can be others
    than those at which it was first reached.
    """
    if plan.plain:
        found = quick.reached(data, plan)
        found = _told(found, events(data, plan), plan) if plan.breakdown else found
    else:
        rows = events(data, plan)
        tries = attempts(data, rows, plan)
        found = ways.reached(moments(rows, tries, plan), tries.columns, plan)
        found = _chosen(found, plan)
        found = _told(found, rows, plan) if plan.breakdown else found
        found = found.drop("entry", *(["held"] if "held" in found.columns else []))
    if plan.grain and "period" not in found.columns:
        found = found.mutate(period=data.period(found.day, plan.grain))
    if plan.by:
        unit = "account_id" if plan.count == "accounts" else "user_id"
        found = segmented(data, found, plan.by, unit=unit).rename(segment=plan.by)
    return _largest(found, plan) if plan.cut and plan.top else found


def depth(found: Table, plan: Plan) -> ibis.Value:
    """The number of the last step reached."""
    return ibis.cases(*[(found[f"at_{k}"].notnull(), k) for k in range(plan.n, 0, -1)], else_=1)


def _chosen(found: Table, plan: Plan) -> Table:
    """Of a unit's attempts the one that counts."""
    if plan.count == "attempts" or (plan.entry == "first" and "held" not in found.columns):
        return found
    order = {"reached": depth(found, plan)}
    held = found.held.fill_null("") if "held" in found.columns else ibis.literal("")
    marks = found.mutate(**order, value=held)
    last = ibis.coalesce(*[marks[f"at_{k}"] for k in range(plan.n, 0, -1)])
    by = [marks.reached.desc(), *([last, marks.entry.desc()] if plan.entry == "any" else [marks.entry]), marks["value"]]
    place = ibis.row_number().over(ibis.window(group_by=groups(marks, plan), order_by=by))
    return marks.mutate(place=place).filter(_.place == 0).drop("place", "reached", "value")


def _told(found: Table, rows: Table, plan: Plan) -> Table:
    """Add `segment`: the value that the events of the way tell, "(none)" where they tell none."""
    if plan.attribution == "all":
        return found.mutate(segment=found.held)
    numbers = [plan.attribution] if isinstance(plan.attribution, int) else list(range(1, plan.n + 1))
    numbers = numbers[::-1] if plan.attribution == "last" else numbers
    theirs = rows.drop("day").rename(**{f"row_{name}": name for name in (*plan.keys, "held") if name in rows.columns})
    theirs = theirs.filter(theirs.told.notnull())
    joined = found.left_join(theirs, [*[found[key] == theirs[f"row_{key}"] for key in plan.keys],
                                      theirs["at"] >= found.at_1, theirs["at"] <= found.at_1 + interval(plan.window)])
    held = (joined.held == joined.row_held).fill_null(False) if "held" in found.columns else True
    told = {}
    for k in numbers:
        counts = any_step(joined, plan) if plan.order == "any" else joined[f"is_{plan.kinds[k - 1]}"]
        there = ((joined["at"] == joined[f"at_{k}"]) & counts & held).fill_null(False)
        told[f"told_{k}"] = there.ifelse(joined.told, ibis.null("string")).min()
    made = joined.group_by(*found.columns).aggregate(**told)
    said = ibis.coalesce(*[made[f"told_{k}"] for k in numbers]).fill_null(NONE)
    return made.mutate(segment=said).drop(*told)


def _largest(found: Table, plan: Plan) -> Table:
    """Only the groups that most entered, the rest in "(other)"; who has no value stays apart."""
    sizes = found.filter(found.segment != NONE).group_by("segment").aggregate(entered=_.count())
    place = ibis.row_number().over(ibis.window(order_by=[sizes.entered.desc(), sizes.segment]))
    kept = sizes.mutate(place=place).filter(_.place < plan.top).select(kept="segment")
    joined = found.left_join(kept, found.segment == kept.kept)
    named = joined.kept.notnull() | (joined.segment == NONE)
    return joined.mutate(segment=named.ifelse(joined.segment, OTHER)).drop("kept")
