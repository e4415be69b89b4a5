"""Who comes back at which age: the rows behind cohorts, and the cohort table they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import AlwaysBack, BadParameter
from plgkit.metrics import shapes
from plgkit.metrics.people import segmented
from plgkit.sources import engine, rollups
from plgkit.sources.data import Data

Rule = Literal["on", "on_or_after"]
Unit = Literal["day", "week", "month"]
Clock = Literal["calendar", "rolling"]
Names = str | list[str]
DAYS = {"day": 1, "week": 7, "month": 30}
HORIZON = {"day": 30, "week": 12, "month": 12}
SIZE = -1
_CHOICES = {"rule": ("on", "on_or_after"), "unit": ("day", "week", "month"), "clock": ("calendar", "rolling"),
            "average": ("pooled", "mean")}


def check(**parameters: Any) -> None:
    """Refuse what cannot be asked.

    Raises
    ------
    BadParameter
        If a choice is none of those there are, or a number is below the least there is.
    AlwaysBack
        If the start itself would count as coming back.
    """
    for name in _CHOICES.keys() & parameters.keys():
        check_choice(name, parameters[name])
    first, horizon = parameters["first_age"], parameters["horizon"]
    if not _whole(parameters["min_events"], 1):
        raise BadParameter("min_events", parameters["min_events"], expected="a whole number, 1 or more")
    if not _whole(first, 0):
        raise BadParameter("first_age", first, expected="a whole number, 0 or more")
    if horizon is not None and not _whole(horizon, first):
        raise BadParameter("horizon", horizon, expected=f"a whole number, {first} or more")
    start, back = _listed(parameters["start"]), _listed(parameters["back"])
    if first == 0 and set(start) & set(back):
        raise AlwaysBack(sorted(set(start) & set(back))[0])


def check_choice(name: str, value: object) -> None:
    """Refuse a word that is none of those to choose from."""
    if value not in _CHOICES[name]:
        raise BadParameter(name, value, expected=f"one of {', '.join(_CHOICES[name])}")


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _listed(names: Names | None) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else list(names)


def starters(data: Data, start: Names | None, unit: Unit, by: str | None) -> Table:
    """One row per person: `user_id`, `started_at`, and `cohort`, the period of the sign-up or first start event."""
    if start is None:
        people = data.users.select("user_id", "day", started_at=_.signed_up_at)
    else:
        people = data.event(start).group_by("user_id").aggregate(day=_.day.min(), started_at=_.occurred_at.min())
    people = people.mutate(cohort=data.period(people.day, unit)).drop("day")
    return segmented(data, people, by)


def aged(data: Data, people: Table, back: Names | None, unit: Unit, clock: Clock) -> Table:
    """One row per person and age at which they came back: the columns of `people`, `age`, `n` (events)."""
    if clock == "rolling":
        events = rollups.active_events(data.events, data.playbook) if back is None else data.event(back)
        seen = people.inner_join(events.select("user_id", "occurred_at"), "user_id")
        seen = seen.filter(seen.occurred_at >= seen.started_at)
        block = DAYS[unit] * 86_400_000_000
        seen = seen.mutate(age=seen.occurred_at.delta(seen.started_at, unit="microsecond") // block, n=1)
    elif back is None:
        rows = data.activity_week if unit == "week" else data.activity
        rows = rows.select("user_id", "n", at=data.period(rows[unit if unit == "week" else "day"], unit))
        seen = people.inner_join(rows, "user_id")
        seen = seen.mutate(age=between(seen.at, seen.cohort, unit)).filter(_.age >= 0)
    else:
        events = data.event(back)
        events = events.select("user_id", "occurred_at", at=data.period(events.day, unit))
        seen = people.inner_join(events, "user_id")
        seen = seen.filter(seen.occurred_at >= seen.started_at)
        seen = seen.mutate(age=between(seen.at, seen.cohort, unit), n=1)
    keys = [name for name in people.columns if name != "started_at"]
    return seen.group_by(*keys, age=seen.age.cast("int64")).aggregate(n=_.n.sum().cast("int64"))


def between(later: ibis.Value, earlier: ibis.Value, unit: Unit) -> ibis.Value:
    """How many periods lie between the first days of two."""
    if unit == "month":
        return (later.year() - earlier.year()) * 12 + later.month() - earlier.month()
    return engine.days_between(later, earlier) // DAYS[unit]


def rows(data: Data, *, start: Names | None, back: Names | None, rule: Rule, unit: Unit, clock: Clock,
         min_events: int, first_age: int, horizon: int | None, by: str | None) -> Table:
    """Rows per cohort and age: `people` who came back; at age -1 everybody in the cohort.

    By the rule "on_or_after" a person stands at the last age they came back, and the frame adds up.
    """
    horizon = HORIZON[unit] if horizon is None and rule == "on_or_after" else horizon
    people = starters(data, start, unit, by)
    seen = aged(data, people, back, unit, clock).filter(_.age >= first_age)
    if horizon is not None:
        seen = seen.filter(seen.age <= horizon)
    keys = ["cohort", *([by] if by else [])]
    if rule == "on_or_after":
        later = ibis.cumulative_window(group_by=seen.user_id, order_by=seen.age.desc())
        seen = seen.mutate(n=seen.n.sum().over(later)) if min_events > 1 else seen
        seen = seen.filter(seen.n >= min_events).group_by("user_id", *keys).aggregate(age=_.age.max())
    else:
        seen = seen.filter(seen.n >= min_events)
    back_again = seen.group_by(*keys, "age").aggregate(people=_.count().cast("int64"))
    sizes = people.group_by(*keys).aggregate(people=_.count().cast("int64"))
    sizes = sizes.mutate(age=ibis.literal(SIZE, "int64"))
    return sizes.select(*keys, "age", "people").union(back_again.select(*keys, "age", "people"))


def as_cohorts(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Every cohort at every age that has begun by `as_of`, with what is mature."""
    by, unit, first = parameters["by"], parameters["unit"], parameters["first_age"]
    keys = ["cohort", *([by] if by else [])]
    sizes = frame[frame["age"] == SIZE].rename(columns={"people": "denominator"}).drop(columns="age")
    horizon = parameters["horizon"]
    if horizon is None and parameters["rule"] == "on_or_after":
        horizon = HORIZON[unit]
    begun, over = _ages(sizes["cohort"], data, unit, parameters["clock"])
    last = begun if horizon is None else np.minimum(begun, horizon)
    sizes = sizes.assign(over=over)
    grid = sizes.loc[sizes.index.repeat(np.maximum(last - first + 1, 0))]
    grid = grid.assign(age=first + grid.groupby(level=0).cumcount().to_numpy())
    made = grid.merge(frame[frame["age"] != SIZE], on=[*keys, "age"], how="left")
    made["numerator"] = made["people"].fillna(0).astype("int64")
    if parameters["rule"] == "on_or_after":
        backwards = made.sort_values([*keys, "age"], ascending=False)
        made["numerator"] = backwards.groupby(keys)["numerator"].cumsum()
        made["mature"] = made["over"] >= horizon
    else:
        made["mature"] = made["age"] <= made["over"]
    return shapes.as_cohort(made, data, parameters)


def _ages(cohorts: pd.Series, data: Data, unit: Unit, clock: Clock) -> tuple[np.ndarray, np.ndarray]:
    """For each cohort the last age that has begun, and the last that is over for everybody in it (or -1)."""
    after = data.as_of + engine.DAY
    if clock == "rolling":
        block, zone = pd.Timedelta(days=DAYS[unit]), data.playbook.product.time_zone
        starts = cohorts.map(lambda day: pd.Timestamp(engine.to_utc(day.date(), zone)))
        ends = cohorts.map(lambda day: pd.Timestamp(engine.to_utc(engine.next_period(day.date(), unit), zone)))
        begun = -((starts - data.end) // block) - 1
        return begun.to_numpy("int64"), ((data.end - ends) // block - 1).clip(lower=-1).to_numpy("int64")
    current = engine.period_of(data.as_of, unit, data.playbook.product.week_start)
    begun = cohorts.map(lambda day: _steps(day.date(), current, unit)).to_numpy("int64")
    return begun, begun if engine.next_period(current, unit) <= after else begun - 1


def _steps(start: Any, end: Any, unit: Unit) -> int:
    if unit == "month":
        return (end.year - start.year) * 12 + end.month - start.month
    return (end - start).days // DAYS[unit]


def span(data: Data, people: Table, first: int, last: int, clock: Clock) -> tuple[Table, ibis.Value]:
    """Who is active again within a span of days after signing up (`back_id`), and for whom of `people` it is over."""
    if clock == "rolling":
        rows = rollups.active_events(data.events, data.playbook).select("user_id", "occurred_at")
        seen = data.users.select("user_id", "signed_up_at").inner_join(rows, "user_id")
        inside = (seen.occurred_at >= seen.signed_up_at + ibis.interval(days=first)) & (
            seen.occurred_at < seen.signed_up_at + ibis.interval(days=last + 1))
        over = people.signed_up_at + ibis.interval(days=last + 1) <= data.end_literal
    else:
        rows = data.activity.select("user_id", at=_.day)
        seen = data.users.select("user_id", "day").inner_join(rows, "user_id")
        inside = (seen["at"] >= engine.shift(seen.day, first)) & (seen["at"] <= engine.shift(seen.day, last))
        over = engine.shift(people.day, last) <= ibis.date(data.as_of.isoformat())
    return seen.filter(inside).select(back_id=_.user_id).distinct(), over
