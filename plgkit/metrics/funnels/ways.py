"""Every way through the steps: at which moments of an attempt each step can be reached.

Events at one moment keep no order, but each serves one step. So a way is a walk over moments: at each it takes
some of the steps to come at once. Whether the events of a moment suffice for them is Hall's condition: any set of
these steps must find as many events. Whatever limits a way (windows of steps, exclusions) is met the more easily
the later the steps before were done, and of two ways to the same step at the same moment the one that is later
at every step is a way too. It is enough therefore to carry forward, for each step, the latest moment at which it
was reached. The count is exact: `tests/test_funnels.py` tries every way in plain Python.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterator

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, Table

from plgkit.metrics.funnels.events import count_name, kind_sets
from plgkit.metrics.funnels.plan import Exclusion, Plan, interval

Taken = tuple[int, ...]


def reached(rows: Table, tries: list[str], plan: Plan) -> Table:
    """One row per attempt (the columns `tries`): `at_<k>`, the first moment at which step k is reached.

    Where it can be another than `at_<k-1>`, also `from_<k>`, the moment of the step before: of the last one done on
    a way there, at its earliest.
    An attempt that an exclusion puts out of the funnel is not there.
    """
    if plan.order == "any":
        return _in_any_order(rows, tries, plan)
    later = range(2, plan.n + 1)
    leaving = [each for each in plan.exclude if each.effect == "leave"]
    rules = {"r": plan.exclude} | ({"f": tuple(each for each in plan.exclude if each not in leaving)} if leaving else {})
    rows = _walked(rows, tries, plan, rules)
    ends = {f"at_{k}": _when(rows, rows[f"r_{k}"]) for k in later}
    got = {f"{mark}_{k}": _flag(rows[f"{mark}_{k}"]).max() for mark in "rf" for k in later} if leaving else {}
    if plan.order == "strict" or any(plan.step_windows) or plan.exclude or plan.optional:
        whole = ibis.window(group_by=tries)
        rows = rows.mutate(**{name: end.min().over(whole) for name, end in ends.items()})
        rows, before = _before(rows, tries, plan)
        found = rows.group_by(*tries).aggregate(at_1=_.entry.min(), **{name: rows[name].min() for name in ends}, **before, **got)
    else:
        found = rows.group_by(*tries).aggregate(at_1=_.entry.min(), **{name: end.min() for name, end in ends.items()})
    if not leaving:
        return found
    # Who gets as far without the exclusion as with it has nothing to leave for.
    return found.filter(functools.reduce(operator.and_, [found[f"f_{k}"] == found[f"r_{k}"] for k in later])).drop(*got)


def moves(plan: Plan, to: int) -> Iterator[tuple[int, Taken]]:
    """The ways to take steps at one moment that end with step `to`: the step stood at before (0: none) and those taken.

    A step is left out only if it may be skipped. Those that take the most steps come first.
    """
    for stood in range(to):
        between = range(stood + 1, to)
        free = [each for each in between if each in plan.optional]
        for skipped in itertools.chain.from_iterable(itertools.combinations(free, many) for many in range(len(free) + 1)):
            yield stood, (*[each for each in between if each not in skipped], to)


def enough(rows: Table, plan: Plan, taken: Taken) -> BooleanValue:
    """Whether the events of a moment suffice for these steps, each event serving one."""
    asked = [plan.kinds[each - 1] for each in taken]
    needs: dict[str, int] = {}
    for kinds in kind_sets(plan):
        # A set of kinds none of which is wanted beside the others says nothing new.
        if all(kind in asked for kind in kinds):
            needs[count_name(kinds)] = sum(kind in kinds for kind in asked)
    return functools.reduce(operator.and_, [rows[name] >= number for name, number in needs.items()])


def _walked(rows: Table, tries: list[str], plan: Plan, rules: dict[str, tuple[Exclusion, ...]]) -> Table:
    """Add `<mark>_<k>` for each mark of `rules`: whether step k can be reached at the moment, obeying its exclusions.

    With it come `<mark>_stood_<k>`, the latest moment before at which step k was reached, and what exclusions that
    span several steps must know: `<mark>_since_<i>_<k>`, when step i was done on the way there at the latest.
    """
    before = ibis.window(group_by=tries, order_by="at", preceding=(None, 1))
    by_time = ibis.window(group_by=tries, order_by="at")
    for k in range(1, plan.n + 1):
        carried: dict[str, ibis.Value] = {}
        for mark, exclude in rules.items():
            ways = {move: _open(rows, plan, move, exclude, mark) for move in moves(plan, k)}
            rows = rows.mutate(**{f"{mark}_{k}": functools.reduce(operator.or_, ways.values()).fill_null(False)})
            if plan.order == "strict":
                # To go on from a moment all its events must have been used, unless it is the entry's.
                whole = [way if stood == 0 else way & (rows["size"] == len(taken)) for (stood, taken), way in ways.items()]
                carried[f"{mark}_own_{k}"] = _flag(functools.reduce(operator.or_, whole).fill_null(False))
                continue
            carried[f"{mark}_own_{k}"] = _when(rows, rows[f"{mark}_{k}"])
            for since in _spanned(exclude, k):
                times = [(way, rows["at"] if since in taken else _since(rows, mark, since, stood))
                         for (stood, taken), way in ways.items()]
                carried[f"{mark}_own_{since}_{k}"] = ibis.cases(*times, else_=ibis.null("timestamp(6)"))
        if k == plan.n:
            break
        rows = rows.mutate(**carried)
        later = {name.replace(f"_own_{k}", f"_stood_{k}").replace("_own_", "_since_"): (
            rows[name].lag().over(by_time) if plan.order == "strict" else rows[name].max().over(before)) for name in carried}
        if k == 1 and plan.order == "strict":
            later["prior"] = rows["at"].lag().over(by_time)
        if k == 1:
            later |= {f"seen_{place}": _when(rows, rows[f"out_{place}"] > 0).max().over(before) for place in range(len(plan.exclude))}
        rows = rows.mutate(**later)
    return rows


def _since(rows: Table, mark: str, step: int, stood: int) -> ibis.Value:
    """When a step was done at the latest on a way to the step stood at."""
    return rows[f"{mark}_stood_{stood}" if step == stood else f"{mark}_since_{step}_{stood}"]


def _spanned(exclude: tuple[Exclusion, ...], k: int) -> list[int]:
    """The steps before k after which an exclusion has begun that does not end with the next step."""
    return sorted({each.after for each in exclude if each.after < k < each.before})


def _when(rows: Table, flag: BooleanValue) -> ibis.Value:
    return flag.ifelse(rows["at"], ibis.null("timestamp(6)"))


def _flag(value: BooleanValue) -> ibis.Value:
    return value.ifelse(1, 0)


def _open(rows: Table, plan: Plan, move: tuple[int, Taken], exclude: tuple[Exclusion, ...], mark: str) -> BooleanValue:
    """Whether steps can be taken at the moment, coming from a step done earlier."""
    stood, taken = move
    found = enough(rows, plan, taken)
    if stood == 0:
        return found & (rows["at"] == rows.entry)
    limit = plan.window_of(taken[0])
    if plan.order == "strict":
        found = found & (rows[f"{mark}_stood_{stood}"] == 1)
        return found & (rows["at"] <= rows.prior + interval(limit)) if limit else found
    last = rows[f"{mark}_stood_{stood}"]
    found = found & (last.notnull() if limit is None else rows["at"] <= last + interval(limit))
    for each in exclude:
        if each.after <= stood and each.before in taken:
            seen = rows[f"seen_{plan.exclude.index(each)}"]
            found = found & (seen.isnull() | (_since(rows, mark, each.after, stood) >= seen))
    return found


def _before(rows: Table, tries: list[str], plan: Plan) -> tuple[Table, dict[str, ibis.Value]]:
    """What `from_<k>` is, where it is not simply the first moment of the step before."""
    whole = ibis.window(group_by=tries)
    found, columns = {}, {}
    for k in range(2, plan.n + 1):
        here = rows["at"] == rows[f"at_{k}"]
        for place, each in enumerate(plan.exclude):
            if each.before == k:
                columns[f"seen_{place}_{k}"] = here.ifelse(rows[f"seen_{place}"], ibis.null("timestamp(6)")).max().over(whole)
    rows = rows.mutate(**columns) if columns else rows
    for k in range(2, plan.n + 1):
        here = (rows["at"] == rows[f"at_{k}"]).fill_null(False)
        options: dict[int, list[ibis.Value]] = {}
        for stood, taken in moves(plan, k):
            way = _open(rows, plan, (stood, taken), plan.exclude, "r").fill_null(False)
            if len(taken) > 1:
                options.setdefault(taken[-2], []).append((here & way).ifelse(rows["at"], ibis.null("timestamp(6)")))
            elif plan.order == "strict":
                options.setdefault(stood, []).append((here & way).ifelse(rows.prior, ibis.null("timestamp(6)")))
            elif stood:
                options.setdefault(stood, []).append(_when(rows, _leads(rows, plan, stood, k)))
        by_step = [ibis.least(*times) if len(times) > 1 else times[0] for times in
                   ([each.min() for each in options[stood]] for stood in sorted(options, reverse=True))]
        found[f"from_{k}"] = ibis.coalesce(*by_step)
    return rows, found


def _leads(rows: Table, plan: Plan, stood: int, k: int) -> BooleanValue:
    """Whether step k, at the first moment it is reached, can follow on a step done at this moment."""
    limit, at = plan.window_of(k), rows[f"at_{k}"]
    found = rows[f"r_{stood}"] & (rows["at"] < at)
    if limit is not None:
        found = found & (rows["at"] + interval(limit) >= at)
    for place, each in enumerate(plan.exclude):
        if each.before == k and each.after <= stood:
            since = rows["at"] if each.after == stood else rows[f"r_own_{each.after}_{stood}"]
            seen = rows[f"seen_{place}_{k}"]
            found = found & (seen.isnull() | (since >= seen))
    return found.fill_null(False)


def _in_any_order(rows: Table, tries: list[str], plan: Plan) -> Table:
    """`at_<k>` is the first moment by which k of the steps have been done, each by an event of its own."""
    earlier = ibis.window(group_by=tries, order_by="at", preceding=None, following=0)
    rows = rows.mutate(**{count_name(kinds): rows[count_name(kinds)].sum().over(earlier) for kinds in kind_sets(plan)})
    done = ibis.literal(0)
    for family in plan.families:
        size = sum(kind in family for kind in plan.kinds)
        inside = [kinds for kinds in kind_sets(plan) if set(kinds) <= set(family)]
        # Koenig: the most steps that find events is the least number of steps given up and events left.
        done = done + ibis.least(*[rows[count_name(kinds)] + (size - sum(kind in kinds for kind in plan.kinds)) for kinds in inside],
                                 ibis.literal(size))
    rows = rows.mutate(done=done)
    found = rows.group_by(*tries).aggregate(at_1=_.entry.min(), **{
        f"at_{k}": _when(rows, rows.done >= k).min() for k in range(2, plan.n + 1)})
    return found
