"""The events that a funnel looks at, with whose they are and what they count as; and the attempts they begin."""

from __future__ import annotations

import functools
import operator

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, StringValue, Table

from plgkit.metrics.funnels.plan import Plan, interval
from plgkit.metrics.funnels.steps import check, matches, relevant
from plgkit.metrics.people import NONE
from plgkit.sources import properties
from plgkit.sources.data import Data


def events(data: Data, plan: Plan) -> Table:
    """One row per event that matters: the unit's keys, `at`, `day`, `is_<kind>`, `out_<exclusion>`, `held` and `told`.

    In strict order every event of a unit matters. `told` is the value to cut by.
    """
    steps = (*plan.steps, *(each.step for each in plan.exclude))
    check(data, steps)
    for key in (*plan.hold, *plan.breakdown):
        properties.check(data, key)
    rows = with_unit(data, plan)
    if plan.order != "strict":
        rows = relevant(rows, steps)
    flags = {f"is_{kind}": matches(rows, plan.steps[plan.kinds.index(kind)]) for kind in sorted(set(plan.kinds))}
    flags |= {f"out_{number}": matches(rows, each.step) for number, each in enumerate(plan.exclude)}
    texts = {}
    if plan.breakdown:
        texts["told"] = together(rows, plan.breakdown)
    if plan.breakdown and plan.attribution == "all":
        texts["held"] = together(rows, plan.breakdown).fill_null(NONE)
    elif plan.hold:
        texts["held"] = together(rows, plan.hold)
    rows = rows.select(*plan.keys, "day", at=rows.occurred_at, **flags, **texts)
    if plan.order != "strict" and any(each.keys for each in steps):
        rows = rows.filter(functools.reduce(operator.or_, [rows[name] for name in flags]))
    return _tied(rows, plan) if plan.tie_seconds else rows


def together(rows: Table, keys: tuple[str, ...]) -> StringValue:
    """The values of properties as one text, NULL where none of them is there."""
    values = [properties.value(rows, key) for key in keys]
    if len(values) == 1:
        return values[0]
    said = functools.reduce(lambda one, other: one.concat(" / ", other), [each.fill_null(NONE) for each in values])
    return ibis.coalesce(*values).isnull().ifelse(ibis.null("string"), said)


def with_unit(data: Data, plan: Plan) -> Table:
    """All events, with the columns that name their unit."""
    rows = data.events
    if plan.count == "accounts" and data.has("users"):
        own = data.users.select("user_id", own_account=_.account_id)
        joined = rows.left_join(own, "user_id")
        joined = joined.drop(*[name for name in joined.columns if name.endswith("_right")])
        rows = joined.mutate(account_id=ibis.coalesce(joined.account_id, joined.own_account, joined.user_id))
    elif plan.count == "accounts":
        rows = rows.mutate(account_id=rows.account_id.fill_null(rows.user_id))
    if plan.count == "sessions":
        rows = _with_session(data, rows)
    return rows


def _with_session(data: Data, rows: Table) -> Table:
    """Add `session`: the source's own, else the moment at which it began after a pause."""
    times = rows.filter(rows.session_id.isnull()).select("user_id", "occurred_at").distinct()
    begun = _begun(times, "occurred_at", ["user_id"], 60 * data.playbook.sessions.gap_minutes)
    begun = begun.select(owner="user_id", moment="occurred_at", pause_id=begun.begun_at.cast("string"))
    joined = rows.left_join(begun, [rows.user_id == begun.owner, rows.occurred_at == begun.moment])
    return joined.mutate(session=joined.session_id.fill_null(joined.pause_id)).drop("owner", "moment", "pause_id")


def _begun(times: Table, time: str, keys: list[str], gap: float) -> Table:
    """Add `begun_at` to the distinct times of a unit: the first of those that follow one another within a gap."""
    by_time = ibis.window(group_by=keys, order_by=time)
    rows = times.mutate(earlier=times[time].lag().over(by_time))
    length = ibis.interval(seconds=int(gap)) if gap == int(gap) else ibis.interval(microseconds=int(gap * 1_000_000))
    close = rows[time] <= rows.earlier + length
    rows = rows.mutate(begins=close.fill_null(False).ifelse(ibis.null("timestamp(6)"), rows[time]))
    upto = ibis.window(group_by=keys, order_by=time, preceding=None, following=0)
    return rows.mutate(begun_at=rows.begins.max().over(upto)).drop("earlier", "begins")


def _tied(rows: Table, plan: Plan) -> Table:
    """Events that follow one another within the seconds of a tie happen at one moment: the first of them."""
    times = _begun(rows.select(*plan.keys, "at").distinct(), "at", plan.keys, plan.tie_seconds)
    times = times.rename(**{f"tied_{key}": key for key in plan.keys}, tied_at="at")
    joined = rows.inner_join(times, [rows["at"] == times.tied_at, *[rows[key] == times[f"tied_{key}"] for key in plan.keys]])
    return joined.mutate(at=joined.begun_at).select(rows.columns)


def attempts(data: Data, rows: Table, plan: Plan) -> Table:
    """One row per attempt: the unit's keys, `entry`, `day` of it, `held` where a property must hold, `period`.

    Of several attempts of a unit only those whose window has closed are tried; those of a unit
    that has no such attempt are all tried, and the unit is immature.
    """
    enters = any_step(rows, plan) if plan.order == "any" else rows[f"is_{plan.kinds[0]}"]
    if plan.start is not None:
        enters = enters & (rows.day >= ibis.date(plan.start.isoformat()))
    if plan.end is not None:
        enters = enters & (rows.day <= ibis.date(plan.end.isoformat()))
    held = ["held"] if "held" in rows.columns else []
    found = rows.filter(enters).group_by(*plan.keys, *held, entry=rows["at"]).aggregate(day=_.day.min())
    if plan.count == "attempts":
        return found
    if plan.grain and plan.entry != "first":
        found = found.mutate(period=data.period(found.day, plan.grain))
    first = found.entry.min().over(ibis.window(group_by=groups(found, plan)))
    if plan.entry == "first":
        return found.mutate(first=first).filter(_.entry == _.first).drop("first")
    found = found.mutate(first=first)
    old, first_old = (each + interval(plan.window) < data.end_literal for each in (found.entry, found["first"]))
    return found.filter(old == first_old).drop("first")


def groups(found: Table, plan: Plan) -> list[str]:
    """The columns within which one attempt is chosen."""
    value = ["held"] if plan.breakdown and plan.attribution == "all" else []
    return [*plan.keys, *value, *(["period"] if "period" in found.columns else [])]


def any_step(rows: Table, plan: Plan) -> BooleanValue:
    """Whether an event counts as any of the steps."""
    return functools.reduce(operator.or_, [rows[f"is_{kind}"] for kind in sorted(set(plan.kinds))])


def moments(rows: Table, tries: Table, plan: Plan) -> Table:
    """One row per attempt and moment up to the end of its window at which something happened.

    Beside the attempt's columns: `at`; `n_<kinds>`, how many events are of any of those kinds; `out_<exclusion>`
    (0, or more where it happened); in strict order `size`, the number of all events.
    """
    own = tries.columns
    theirs = rows.drop("day", *(["told"] if "told" in rows.columns else []))
    theirs = theirs.rename(**{f"row_{name}": name for name in (*plan.keys, "held") if name in theirs.columns})
    joined = tries.inner_join(theirs, [tries[key] == theirs[f"row_{key}"] for key in plan.keys])
    joined = joined.filter(joined["at"] >= joined.entry, joined["at"] <= joined.entry + interval(plan.window))
    fits = (joined.held == joined.row_held).fill_null(False) if "held" in own else None
    counts = {}
    for kinds in kind_sets(plan):
        flag = functools.reduce(operator.or_, [joined[f"is_{kind}"] for kind in kinds])
        counts[count_name(kinds)] = _number(flag if fits is None else flag & fits)
    counts |= {f"out_{number}": _number(joined[f"out_{number}"]) for number in range(len(plan.exclude))}
    if plan.order == "strict":
        counts["size"] = joined.count().cast("int64")
    return joined.group_by(*own, "at").aggregate(**counts)


def _number(flag: BooleanValue) -> ibis.Value:
    return flag.ifelse(1, 0).sum().cast("int64")


def kind_sets(plan: Plan) -> list[tuple[int, ...]]:
    """The sets of kinds whose events together must suffice for the steps that ask for them."""
    found = []
    for family in plan.families:
        for mask in range(1, 2 ** len(family)):
            found.append(tuple(kind for place, kind in enumerate(family) if mask >> place & 1))
    return found


def count_name(kinds: tuple[int, ...]) -> str:
    """The column that counts the events of any of these kinds."""
    return "n_" + "_".join(map(str, kinds))
