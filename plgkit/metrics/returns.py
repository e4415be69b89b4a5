"""Who comes back at which age: the question, and the rows behind its answer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import AlwaysBack, BadParameter
from plgkit.metrics import families
from plgkit.metrics.funnels import steps
from plgkit.metrics.funnels.steps import AnyStep, Choice
from plgkit.metrics.people import NONE, segmented
from plgkit.sources import engine, properties, rollups
from plgkit.sources.data import Data

Rule = Literal["on", "on_or_after", "bracket"]
Unit = Literal["hour", "day", "week", "month"]
Clock = Literal["calendar", "rolling"]
Entry = Literal["first", "first_matching", "recurring"]
Reference = Literal["cohort", "previous"]
Names = AnyStep
Brackets = list[tuple[int, int]] | list[int]
DAYS = {"hour": 1 / 24, "day": 1, "week": 7, "month": 30}
HORIZON = {"hour": 48, "day": 30, "week": 12, "month": 12}
SIZE = -1
_HOUR = 3_600_000_000
_CHOICES = {
    "rule": ("on", "on_or_after", "bracket"), "unit": ("hour", "day", "week", "month"),
    "clock": ("calendar", "rolling"), "average": ("pooled", "mean"), "reference": ("cohort", "previous"),
    "entry": ("first", "first_matching", "recurring")}


@dataclass(frozen=True)
class Question:
    """Everything that has to be said before retention is a number; see `retention.cohorts`."""

    start: Names | None
    back: Names | None
    entry: Entry
    rule: Rule
    unit: Unit
    clock: Clock
    brackets: Brackets | None
    min_events: int
    reference: Reference
    first_age: int
    horizon: int | None
    by: str | None
    breakdown: str | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Question:
        """The question in a measure's parameters."""
        return cls(**{each.name: parameters[each.name] for each in fields(cls) if each.name in parameters})

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The brackets as pairs of their first and last age; none where the rule has none."""
        given = self.brackets or []
        if given and isinstance(given[0], int):
            return [(low, high - 1) for low, high in itertools.pairwise(given)]
        return [tuple(each) for each in given]

    @property
    def lowest(self) -> int:
        """The first age looked at."""
        return self.spans[0][0] if self.spans else self.first_age

    @property
    def highest(self) -> int | None:
        """The last age looked at, None for the last there is."""
        if self.spans:
            return self.spans[-1][1]
        return HORIZON[self.unit] if self.horizon is None and self.rule == "on_or_after" else self.horizon

    @property
    def keys(self) -> list[str]:
        """What names a cohort."""
        return ["cohort", *([self.segment] if self.segment else [])]

    @property
    def segment(self) -> str | None:
        """The column that cuts, of people or of the start event."""
        return self.by or self.breakdown


def check(data: Data, asked: Question, **more: Any) -> None:
    """Refuse what cannot be asked.

    Raises
    ------
    BadParameter
        If a choice is none of those there are, or a number is below the least there is.
    AlwaysBack
        If the start itself would count as coming back.
    """
    for name in ("entry", "rule", "unit", "clock", "reference"):
        check_choice(name, getattr(asked, name))
    for name, value in more.items():
        check_choice(name, value)
    if not _whole(asked.min_events, 1):
        raise BadParameter("min_events", asked.min_events, expected="a whole number, 1 or more")
    if not _whole(asked.first_age, 0):
        raise BadParameter("first_age", asked.first_age, expected="a whole number, 0 or more")
    if asked.horizon is not None and not _whole(asked.horizon, asked.first_age):
        raise BadParameter("horizon", asked.horizon, expected=f"a whole number, {asked.first_age} or more")
    _check_brackets(asked)
    if asked.breakdown is not None:
        if asked.by is not None or (asked.start is None and asked.entry != "recurring"):
            raise BadParameter("breakdown", asked.breakdown, expected="a start event whose property it is, and no by")
        properties.check(data, asked.breakdown)
    if asked.lowest == 0 and asked.min_events == 1:
        _check_start(data, asked)


def check_choice(name: str, value: object) -> None:
    """Refuse a word that is none of those to choose from."""
    if value not in _CHOICES[name]:
        raise BadParameter(name, value, expected=f"one of {', '.join(_CHOICES[name])}")


def _check_brackets(asked: Question) -> None:
    if (asked.rule == "bracket") != bool(asked.brackets):
        raise BadParameter("brackets", asked.brackets, expected=(
            "brackets such as [(0, 0), (1, 7), (8, 14)] or their first ages [0, 1, 8, 15], as the rule is 'bracket'"
            if asked.rule == "bracket" else f"none, as the rule is {asked.rule!r} and not 'bracket'"))
    spans = asked.spans
    ends = [age for span in spans for age in span]
    fine = all(len(span) == 2 and span[0] <= span[1] for span in spans) and all(_whole(age, 0) for age in ends)
    if asked.brackets and not (spans and fine and all(a[1] < b[0] for a, b in itertools.pairwise(spans))):
        raise BadParameter("brackets", asked.brackets, expected="ages in rising order that do not overlap")


def _check_start(data: Data, asked: Question) -> None:
    """Refuse a start that is its own return."""
    if asked.entry == "recurring" and asked.start is None and asked.back is None:
        raise AlwaysBack(None)
    if asked.start is None:
        return
    start, rules = steps.step(asked.start).choices, data.playbook.activity
    if asked.back is None:
        counts = [each.event is not None and (rules.events is None or each.event in rules.events)
                  and each.event not in rules.except_ for each in start]
        if all(counts):
            raise AlwaysBack(str(start[0]))
        return
    back = steps.step(asked.back).choices
    for each in sorted(start, key=str):
        if any(_covers(other, each) for other in back):
            raise AlwaysBack(str(each))


def _covers(wide: Choice, narrow: Choice) -> bool:
    """Whether every event of one choice is an event of the other."""
    return wide.event in (None, narrow.event) and set(wide.where) <= set(narrow.where)


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def rows(data: Data, asked: Question, *, dealt: bool = False) -> Table:
    """Rows per cohort and age: `people` who came back; at age -1 everybody in the cohort.

    By the rule "on_or_after" a person stands at the last age they came back, and the frame adds up. With the
    reference "previous", `both` counts those who were also back at the age before. People may be
    `dealt` out to 256 groups, families together, named by that column.
    """
    if _from_rollup(data, asked) and not dealt:
        people, seen, unique = _from_firsts(data, asked.unit)
    else:
        people = starters(data, asked)
        people = families.dealt(data, people, always=True) if dealt else people
        seen, unique = aged(data, people, asked)
    keys = [*asked.keys, *(["dealt"] if dealt else [])]
    sizes = people.group_by(*keys).aggregate(people=_.count().cast("int64"))
    back = _back(seen.filter(_.age >= asked.lowest), asked, keys, unique=unique)
    if "both" in back.columns:
        sizes = sizes.mutate(both=ibis.literal(0, "int64"))
    columns = [*keys, "age", *[name for name in ("people", "both") if name in back.columns]]
    return sizes.mutate(age=ibis.literal(SIZE, "int64")).select(*columns).union(back.select(*columns))


def _back(seen: Table, asked: Question, keys: list[str], *, unique: bool) -> Table:
    """Count who is back at each age, of the events of each person and age."""
    if asked.highest is not None:
        seen = seen.filter(seen.age <= asked.highest)
    if asked.spans:
        places = [((seen.age >= low) & (seen.age <= high), ibis.literal(low, "int64")) for low, high in asked.spans]
        seen = seen.mutate(age=ibis.cases(*places, else_=ibis.null("int64"))).filter(_.age.notnull())
        unique = False
    person = ["user_id", *keys]
    if asked.rule == "on_or_after" and asked.min_events == 1:
        seen = seen.group_by(person).aggregate(age=_.age.max())
    else:
        seen = seen if unique else seen.group_by(*person, "age").aggregate(n=_.n.sum().cast("int64"))
        if asked.rule == "on_or_after":
            later = ibis.cumulative_window(group_by=[seen[name] for name in person], order_by=seen.age.desc())
            seen = seen.mutate(n=seen.n.sum().over(later))
        seen = seen.filter(seen.n >= asked.min_events) if asked.min_events > 1 else seen
        seen = seen.group_by(person).aggregate(age=_.age.max()) if asked.rule == "on_or_after" else seen
    if asked.reference == "cohort" or asked.rule == "on_or_after":
        return seen.group_by(*keys, "age").aggregate(people=_.count().cast("int64"))
    order = ibis.window(group_by=[seen[name] for name in person], order_by=seen.age)
    seen = seen.mutate(last_seen=seen.age.lag().over(order))
    too = (seen.last_seen == _age_before(seen.age, asked)).fill_null(False)
    return seen.mutate(too=too.ifelse(1, 0)).group_by(*keys, "age").aggregate(
        people=_.count().cast("int64"), both=_.too.sum().cast("int64"))


def _age_before(age: ibis.Value, asked: Question) -> ibis.Value:
    pairs = list(itertools.pairwise(asked.spans))
    if not pairs:
        return age - 1
    return ibis.cases(*[(age == here[0], ibis.literal(before[0], "int64")) for before, here in pairs],
                      else_=ibis.null("int64"))


def starters(data: Data, asked: Question) -> Table:
    """One row per person: `user_id`, `started_at`, and `cohort`, the period of the sign-up or first start event.

    With the entry "recurring" there is one row per person and period with a start event (any activity,
    where none is named).
    """
    if asked.entry == "recurring":
        rows = events(data, asked.start)
        rows = rows.mutate(cohort=period(data, rows.day, rows.occurred_at, asked.unit))
        people = rows.group_by("user_id", "cohort").aggregate(started_at=_.occurred_at.min())
        return _cut(data, people, rows, asked)
    if asked.start is None:
        rows, people = None, data.users.select("user_id", "day", started_at=_.signed_up_at)
    else:
        rows, people = events(data, asked.start), firsts(data, asked.start, asked.entry)
    people = people.mutate(cohort=period(data, people.day, people.started_at, asked.unit)).drop("day")
    return _cut(data, people, rows, asked)


def _cut(data: Data, people: Table, rows: Table | None, asked: Question) -> Table:
    """Add the column that cuts: of the people, or the property that their start event had."""
    if asked.breakdown is None or rows is None:
        return segmented(data, people, asked.by)
    keys = [name for name in ("user_id", "cohort") if name in rows.columns]
    known = rows.select(*keys, occurred_at=rows.occurred_at, found=properties.value(rows, asked.breakdown))
    known = known.inner_join(people.select(*keys, "started_at"), keys)
    known = known.filter(known.occurred_at == known.started_at).group_by(keys).aggregate(found=_.found.min())
    joined = people.inner_join(known, keys)
    return joined.mutate(**{asked.breakdown: joined.found.fill_null(NONE)}).drop("found")


def events(data: Data, names: Names | None) -> Table:
    """The events meant, or all that make a person active."""
    if names is None:
        return rollups.active_events(data.events, data.playbook)
    return _matching(data, steps.step(names))


def _matching(data: Data, step: steps.Step) -> Table:
    steps.check(data, (step,))
    if not step.keys:
        return data.event(sorted(step.events))
    return data.events.filter(steps.matches(data.events, step))


def firsts(data: Data, names: Names | None, entry: Entry) -> Table:
    """One row per person: `user_id`, `started_at` and `day` of the first of these events.

    With the entry "first" only of those whose first event of these names meets the conditions set on it.
    """
    found = events(data, names).group_by("user_id").aggregate(day=_.day.min(), started_at=_.occurred_at.min())
    step = None if names is None else steps.step(names)
    if step is None or not step.keys or entry != "first":
        return found
    named = data.events if None in step.events else data.event(sorted(step.events))
    named = named.group_by("user_id").aggregate(first_at=_.occurred_at.min())
    return found.inner_join(named, "user_id").filter(_.started_at == _.first_at).drop("first_at")


def period(data: Data, day: ibis.Value, time: ibis.Value, unit: Unit) -> ibis.Value:
    """The first day of a day's period; of a time the hour on the clock of the product's zone."""
    return data.local(time).truncate("h") if unit == "hour" else data.period(day, unit)


def aged(data: Data, people: Table, asked: Question) -> tuple[Table, bool]:
    """The columns of `people`, `age` and `n`: when each came back, by how many events; and whether once per age."""
    unit, back = asked.unit, asked.back
    if asked.clock == "rolling":
        return _aged_by_the_clock(data, people, asked), False
    if back is None and unit != "hour":
        # Days serve months as well: a month is new where the active day before lies in another.
        rows, at = (data.activity_week, "week") if unit == "week" else (data.activity, "day")
        rows = rows.mutate(at=data.period(rows[at], unit))
        unique = unit != "month"
        if unit == "month" and asked.min_events == 1:
            rows, unique = _first_of_month(data, rows), True
        seen = people.drop("started_at").inner_join(rows.select("user_id", "n", "at"), "user_id")
        return seen.mutate(age=between(seen["at"], seen.cohort, unit)).filter(_.age >= 0), unique
    rows = events(data, back)
    rows = rows.select("user_id", "occurred_at", at=period(data, rows.day, rows.occurred_at, unit))
    if asked.entry == "recurring" and asked.lowest > 0:
        rows = rows.group_by("user_id", "at").aggregate(n=_.count().cast("int64"))
        seen = people.drop("started_at").inner_join(rows, "user_id")
        return seen.mutate(age=between(seen["at"], seen.cohort, unit)).filter(_.age >= 0), True
    seen = people.inner_join(rows, "user_id")
    seen = seen.filter(seen.occurred_at >= seen.started_at)
    return seen.mutate(age=between(seen["at"], seen.cohort, unit), n=1).drop("started_at", "occurred_at"), False


def _first_of_month(data: Data, rows: Table) -> Table:
    before = data.period(rows.prev_day, "month")
    return rows.filter(before.isnull() | (before != rows["at"]))


def _aged_by_the_clock(data: Data, people: Table, asked: Question) -> Table:
    """Ages in blocks of an hour, 24 hours, 7 days or 30 days from each person's own start."""
    seen = people.inner_join(events(data, asked.back).select("user_id", "occurred_at"), "user_id")
    seen = seen.filter(seen.occurred_at >= seen.started_at)
    block = round(DAYS[asked.unit] * 24) * _HOUR
    age = (seen.occurred_at.delta(seen.started_at, unit="microsecond") // block).cast("int64")
    return seen.mutate(age=age, n=1).drop("started_at", "occurred_at")


def between(later: ibis.Value, earlier: ibis.Value, unit: Unit) -> ibis.Value:
    """How many periods lie between the first days (or hours) of two."""
    if unit == "month":
        return ((later.year() - earlier.year()) * 12 + later.month() - earlier.month()).cast("int64")
    if unit == "hour":
        return (later.delta(earlier, unit="microsecond") // _HOUR).cast("int64")
    days = engine.days_between(later, earlier)
    return days if unit == "day" else (days // DAYS[unit]).cast("int64")


def _from_rollup(data: Data, asked: Question) -> bool:
    """Whether the first active period of a person is the start itself, so that nothing has to be joined."""
    rules = data.playbook.activity
    return ("users" in data.derived and rules.events is None and not rules.except_ and asked.by is None
            and asked.start is None and asked.back is None and asked.entry != "recurring"
            and asked.clock == "calendar" and asked.unit in ("day", "week"))


def _from_firsts(data: Data, unit: Unit) -> tuple[Table, Table, bool]:
    rows = data.activity_week if unit == "week" else data.activity
    rows = rows.select("user_id", "n", cohort=rows[f"first_{unit}"], at=rows[unit])
    seen = rows.mutate(age=between(rows["at"], rows.cohort, unit))
    return seen.filter(_.age == 0), seen, True


def span(data: Data, people: Table, first: int, last: int, clock: Clock) -> tuple[Table, ibis.Value]:
    """Who of `people` is active again within a span of days after `started_at` (`back_id`), and for whom it is over."""
    if clock == "rolling":
        rows = rollups.active_events(data.events, data.playbook).select("user_id", "occurred_at")
        seen = people.select("user_id", "started_at").inner_join(rows, "user_id")
        inside = (seen.occurred_at >= seen.started_at + ibis.interval(days=first)) & (
            seen.occurred_at < seen.started_at + ibis.interval(days=last + 1))
        over = people.started_at + ibis.interval(days=last + 1) <= data.end_literal
    else:
        rows = data.activity.select("user_id", at=_.day)
        seen = people.select("user_id", "day").inner_join(rows, "user_id")
        inside = (seen["at"] >= engine.shift(seen.day, first)) & (seen["at"] <= engine.shift(seen.day, last))
        over = engine.shift(people.day, last) <= ibis.date(data.as_of.isoformat())
    return seen.filter(inside).select(back_id=_.user_id).distinct(), over
