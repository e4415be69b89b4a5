"""People exposed, and what each of them did after and before: everything an experiment is judged by, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import BooleanValue, IntegerValue, Table

from plgkit.metrics.experiments import plans
from plgkit.metrics.people import activated, closed, segmented
from plgkit.playbook.trial import Experiment, Metric
from plgkit.sources import engine, properties
from plgkit.sources.data import Data
from plgkit.stats import arms

MINOR = 100
NEVER = -1
SUMS, CELL, SLOT = -1, "cell", "slot"
Keys = Callable[[Table], dict[str, ibis.Value]]


def first_exposures(data: Data, experiment: str) -> Table:
    """One row per person exposed: `user_id`, `variant` (NULL for who saw several), `exposed_at`."""
    seen = data.exposures.filter(data.exposures.experiment == experiment)
    rows = seen.group_by("user_id").aggregate(variant=_.variant.min(), other=_.variant.max(), exposed_at=_.exposed_at.min())
    return rows.select("user_id", "exposed_at", variant=(rows.variant == rows.other).ifelse(rows.variant, ibis.null("string")))


def counted(data: Data, name: str, people: Table, *, slots: Sequence[int] | None = None, keys: Keys | None = None,
            by: str | None = None, cells: bool = True, padded: Sequence[str] = ()) -> Table:
    """Count people and add up what they did, per variant and key.

    Parameters
    ----------
    people
        One row per person: `user_id`, `variant`, `exposed_at`.
    slots
        Which metrics of the experiment, by their places; all of them by default.
    keys
        Further keys, made of the people's columns.
    cells
        Whether metrics that no sums tell come too, as rows of how many people have which value.
    padded
        Columns of other experiments, to stand beside.
    """
    wanted, all_of = plans.plan(data, name), plans.metrics(data, name)
    chosen = {slot: all_of[slot] for slot in (range(len(all_of)) if slots is None else slots)}
    rows = segmented(data, _with_doings(data, name, people, chosen, wanted), by)
    names = ["variant", *([by] if by else [])]
    if keys:
        made = keys(rows)
        rows, names = rows.mutate(**made), [*names, *made]
    summed = rows.mutate(**_flagged(data, rows, chosen, wanted))
    sums = {column: summed[column].sum().cast("float64") for column in _terms(chosen)}
    made = summed.group_by(*names).aggregate(people=_.count().cast("int64"), **_products(summed, chosen), **sums)
    made = _labelled(made, name, names, SUMS, padded)
    parts = [_cells(data, rows, slot, metric, wanted, name, names, padded) for slot, metric in chosen.items()
             if cells and metric.kind in plans.RANKED]
    return ibis.union(made, *parts) if parts else made


def over_on(data: Data, name: str, slot: int, rows: Table) -> ibis.Value:
    """The day on which each person's days are over."""
    days = plans.days(plans.plan(data, name), plans.metrics(data, name)[slot])
    return data.local(rows.exposed_at + ibis.interval(days=days)).date()


def alike(data: Data, name: str, people: Table, slots: Sequence[int]) -> list[Table]:
    """How many people did alike, per metric and day on which their days were over: `x`, `y`, `a`, `b`, `people`."""
    wanted, all_of = plans.plan(data, name), plans.metrics(data, name)
    rows = _with_doings(data, name, people.filter(_.variant.notnull()), {slot: all_of[slot] for slot in slots}, wanted)
    parts = []
    for slot in slots:
        ripe = rows.filter(closed(data, rows.exposed_at, plans.days(wanted, all_of[slot])))
        used = letters(all_of[slot])
        terms = {each: ripe[f"m{slot}_{each}"].fill_null(0).cast("int64") if each in used else ibis.literal(0, "int64") for each in arms.TERMS}
        cells = ripe.select(**terms, day=over_on(data, name, slot, ripe)).group_by("day", *arms.TERMS)
        parts.append(cells.aggregate(people=_.count().cast("int64")).mutate(experiment=ibis.literal(name), slot=ibis.literal(slot, "int64")))
    return parts


def columns(data: Data, experiments: Sequence[str], slots: Callable[[str], Sequence[int]] | None = None) -> list[str]:
    """The columns of sums that any of some experiments has."""
    found: dict[str, None] = {}
    for name in experiments:
        all_of = plans.metrics(data, name)
        for slot in slots(name) if slots else range(len(all_of)):
            found.update(dict.fromkeys(_sums_of(slot, all_of[slot])))
    return list(found)


def sums(row: pd.Series | pd.DataFrame, slot: int, metric: Metric) -> dict[str, float]:
    """The sums of a row (or of many) for one metric, as `stats.arms` takes them; amounts in whole units."""
    row = row.to_dict("series") if isinstance(row, pd.DataFrame) else row
    found = {"n": np.asarray(row[f"m{slot}_n"])[()]}
    for name in arms.products(letters(metric)):
        stored = name[0] if metric.kind == "share" and len(set(name)) == 1 else name
        scale = MINOR ** sum(letter in "xa" for letter in name) if metric.amount else 1
        found[name] = np.asarray(row[f"m{slot}_{stored}"], dtype=float)[()] / scale
    return found


def letters(metric: Metric) -> str:
    """The terms whose sums tell a metric."""
    return "xyab" if metric.kind == "ratio" else "xa"


def _sums_of(slot: int, metric: Metric) -> list[str]:
    if metric.kind in plans.RANKED:
        return [f"m{slot}_n"]
    names = [each for each in arms.products(letters(metric)) if metric.kind != "share" or len(each) == 1 or each == "xa"]
    return [f"m{slot}_{each}" for each in ("n", *names)]


def _terms(chosen: dict[int, Metric]) -> list[str]:
    """The columns that are added up as they are."""
    return [each for slot, metric in chosen.items() for each in _sums_of(slot, metric) if len(each.partition("_")[2]) == 1]


def _products(rows: Table, chosen: dict[int, Metric]) -> dict[str, ibis.Value]:
    found = {}
    for slot, metric in chosen.items():
        for column in _sums_of(slot, metric):
            pair = column.partition("_")[2]
            if len(pair) == 2:
                found[column] = (rows[f"m{slot}_{pair[0]}"] * rows[f"m{slot}_{pair[1]}"]).sum().cast("float64")
    return found


def _flagged(data: Data, rows: Table, chosen: dict[int, Metric], wanted: Experiment) -> dict[str, IntegerValue]:
    """What each person adds to the sums: nothing while the days are not over."""
    found = {}
    for slot, metric in chosen.items():
        ripe = closed(data, rows.exposed_at, plans.days(wanted, metric))
        found[f"m{slot}_n"] = ripe.ifelse(1, 0)
        if metric.kind not in plans.RANKED:
            for letter in letters(metric):
                column = f"m{slot}_{letter}"
                found[column] = ripe.ifelse(rows[column].fill_null(0), 0)
    return found


def _with_doings(data: Data, name: str, people: Table, chosen: dict[int, Metric], wanted: Experiment) -> Table:
    """The people, each with what was done after and before; NULL where nothing was."""
    done = _done(data, name, chosen)
    since = max(each.before_days for each in chosen.values())
    until = max(plans.days(wanted, each) for each in chosen.values())
    starts = people.select(person=_.user_id, start=_.exposed_at)
    rows = done.inner_join(starts, done.doer == starts.person)
    rows = rows.filter((rows["at"] >= rows.start - ibis.interval(days=since)) & (rows["at"] <= rows.start + ibis.interval(days=until)))
    found = {}
    for slot, metric in chosen.items():
        days = plans.days(wanted, metric)
        # All rows lie within the longest spans: to ask again would cost every row a comparison.
        after = rows["at"] >= rows.start
        after = after if days == until else after & (rows["at"] <= rows.start + ibis.interval(days=days))
        before = rows["at"] < rows.start
        before = before if metric.before_days == since else before & (rows["at"] >= rows.start - ibis.interval(days=metric.before_days))
        found |= _of_person(rows, slot, metric, after, before, several=len(_events(chosen)) > 1)
    each = rows.group_by("person").aggregate(**found)
    return people.left_join(each, people.user_id == each.person).drop("person")


def _events(chosen: dict[int, Metric]) -> list[str]:
    """The events that any metric counts."""
    return sorted({event for each in chosen.values() for event in (each.event, each.over) if event})


def _done(data: Data, name: str, chosen: dict[int, Metric]) -> Table:
    """Every event that any metric counts: `doer`, `what`, `at`, and the amounts."""
    events = [each for each in _events(chosen) if each != plans.ACTIVATION]
    parts = []
    amounts = {f"amount{slot}": each.amount for slot, each in chosen.items() if each.amount}
    if any(each.event == plans.ACTIVATION for each in chosen.values()):
        moment = plans.success(data, name)
        if isinstance(moment, list) and moment and not isinstance(moment[0], str):
            met = activated(data, moment).select(doer=_.user_id, at=_.activated_at)
        else:
            met = data.event(moment).select(doer=_.user_id, at=_.occurred_at)
        parts.append(met.select("doer", "at", what=ibis.literal(plans.ACTIVATION), **dict.fromkeys(amounts, ibis.literal(0, "int64"))))
    if events:
        rows = data.event(events)
        worth = {column: _minor(rows, key) for column, key in amounts.items()}
        parts.append(rows.select(doer=rows.user_id, at=rows.occurred_at, what=rows.event, **worth))
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def _minor(rows: Table, key: str) -> IntegerValue:
    return (properties.number(properties.value(rows, key)).fill_null(0.0) * MINOR).round().cast("int64")


def _of_person(rows: Table, slot: int, metric: Metric, after: BooleanValue, before: BooleanValue, *, several: bool) -> dict[str, ibis.Value]:
    """What a person adds to a metric after the exposure (x, y) and what to the same before it (a, b); of one event or of `several`."""
    def added(event: str, when: BooleanValue, amount: str | None) -> IntegerValue:
        hit = (rows.what == event) & when if several else when
        if amount:
            worth = hit.ifelse(rows[f"amount{slot}"], 0)
            return (worth.max() if metric.kind == "share" else worth.sum()).cast("int64")
        # A count stays a whole number of 64 bits where a sum of ones becomes a wider one, whose products are slow.
        often = hit.ifelse(1, ibis.null("int64")).count()
        return ((often > 0).ifelse(1, 0) if metric.kind == "share" else often).cast("int64")

    if metric.kind == "time":
        hit = (rows.what == metric.event) & after if several else after
        first = hit.ifelse(rows["at"], ibis.null("timestamp(6)")).min()
        return {f"m{slot}_x": first}
    found = {f"m{slot}_x": added(metric.event, after, metric.amount)}
    if metric.kind != "quantile":
        found[f"m{slot}_a"] = added(metric.event, before, metric.amount)
    if metric.kind == "ratio":
        found |= {f"m{slot}_y": added(metric.over, after, None), f"m{slot}_b": added(metric.over, before, None)}
    return found


def _cells(data: Data, rows: Table, slot: int, metric: Metric, wanted: Experiment, name: str, names: list[str],
           padded: Sequence[str]) -> Table:
    """How many people whose days are over have which value."""
    ripe = rows.filter(closed(data, rows.exposed_at, plans.days(wanted, metric)))
    value = ripe[f"m{slot}_x"]
    if metric.kind == "time":
        value = _to_three_digits(engine.seconds_between(value, ripe.exposed_at).floor().cast("int64")).fill_null(NEVER)
    cells = ripe.select(*names, cell=value.fill_null(0).cast("int64")).group_by(*names, CELL).aggregate(people=_.count().cast("int64"))
    return _labelled(cells, name, names, slot, padded)


def _to_three_digits(seconds: IntegerValue) -> IntegerValue:
    """Rounded down, so that a time says no more than its first three digits and there are few of them."""
    return ibis.cases((seconds < 1000, seconds), *[(seconds < 10 ** (3 + zeros), seconds - seconds % 10**zeros) for zeros in (1, 2, 3)],
                      else_=seconds - seconds % 10_000)


def _labelled(made: Table, name: str, names: list[str], slot: int, padded: Sequence[str]) -> Table:
    """All columns of all parts, with 0 for what a part does not have."""
    present = set(made.columns)
    cell = made[CELL] if CELL in present else ibis.literal(0, "int64")
    filled = {column: made[column] if column in present else ibis.literal(0.0, "float64") for column in padded}
    return made.select(*names, "people", experiment=ibis.literal(name), slot=ibis.literal(slot, "int64"), cell=cell.cast("int64"), **filled)


def labelled(made: Table, name: str) -> Table:
    """The rows with the experiment's name."""
    return made.mutate(experiment=ibis.literal(name))


def together(parts: list[Table]) -> Table:
    """All parts as one."""
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def nobody(data: Data, *, by: str | None = None, **keys: str) -> Table:
    """No row, with the columns that parts have."""
    rows = segmented(data, data.exposures.filter(ibis.literal(False)), by)
    zero = ibis.literal(0, "int64")
    return rows.select("variant", "experiment", *([by] if by else []), people=zero, slot=zero, cell=zero,
                       **{name: ibis.null(kind) for name, kind in keys.items()})
