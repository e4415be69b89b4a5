"""Funnels worked out again by trying every way, event by event, slowly and in the open."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

Row = tuple[float, str, str | None]          # when, which event, its property
ALWAYS = float("inf")


@dataclass
class Asked:
    """A funnel's parameters in the plainest form; a step is a list of (event or None, property or None)."""

    steps: list[list[tuple[str | None, str | None]]]
    order: str = "ordered"
    window: float = ALWAYS
    step_windows: list[float] = field(default_factory=list)
    entry: str = "first"
    exclude: list[tuple[str, int, int, str]] = field(default_factory=list)
    hold: bool = False
    optional: set[int] = field(default_factory=set)
    tie: float = 0
    end: float = ALWAYS

    @property
    def n(self) -> int:
        return len(self.steps)


Found = dict[int, tuple[float, int, float]]   # step -> when first reached, the step before, when that was


def fits(row: Row, step: list[tuple[str | None, str | None]]) -> bool:
    return any(event in (None, row[1]) and value in (None, row[2]) for event, value in step)


def best(rows: list[Row], asked: Asked) -> tuple[float, Found] | None:
    """The attempt of one person that counts: when it began, and the steps it reached; None for who never enters."""
    rows = tied(rows, asked)
    firsts = asked.steps if asked.order == "any" else asked.steps[:1]
    tries = {(row[0], row[2] if asked.hold else None) for row in rows if any(fits(row, step) for step in firsts)}
    if not tries:
        return None
    first = min(entry for entry, _ in tries)
    if asked.entry == "first":
        tries = {each for each in tries if each[0] == first}
    else:
        closed = first + asked.window < asked.end
        tries = {each for each in tries if (each[0] + asked.window < asked.end) == closed}
    found = [(entry, held, reached(rows, entry, held, asked)) for entry, held in tries]
    clean = [(entry, held, steps) for entry, held, steps in found if steps is not None]
    if not clean:
        return None

    def place(each: tuple[float, str | None, Found]) -> tuple:
        entry, held, steps = each
        depth = max(steps, default=1)
        when = steps[depth][0] if depth in steps else entry
        return (-depth, when, -entry, held or "") if asked.entry == "any" else (-depth, entry, held or "")

    entry, _held, steps = min(clean, key=place)
    return entry, steps


def tied(rows: list[Row], asked: Asked) -> list[Row]:
    """Events that follow one another within the seconds of a tie, moved to the first of them; the others left out."""
    wanted = [*asked.steps, *[[(event, None)] for event, *_ in asked.exclude]]
    kept = sorted((row for row in rows if asked.order == "strict" or any(fits(row, step) for step in wanted)), key=lambda row: row[0])
    made: list[Row] = []
    start = last = -ALWAYS
    for when, event, value in kept:
        start = start if when - last <= asked.tie else when
        last = when
        made.append((start, event, value))
    return made


def reached(rows: list[Row], entry: float, held: str | None, asked: Asked) -> Found | None:
    """The steps that some way from this entry reaches; None if an exclusion puts the attempt out of the funnel."""
    inside = [row for row in rows if entry <= row[0] <= entry + asked.window]
    if asked.order == "any":
        return _any_order(inside, held, asked)
    found = _collected(_ways(inside, entry, held, asked, asked.exclude))
    staying = [each for each in asked.exclude if each[3] != "leave"]
    free = _collected(_ways(inside, entry, held, asked, staying))
    return None if set(free) != set(found) else found


def _collected(ways: Iterator[list[tuple[int, float]]]) -> Found:
    """For each step the first moment, then the last of the steps before it, then the earliest moment of that."""
    found: dict[int, tuple] = {}
    for way in ways:
        for (before, since), (step, when) in itertools.pairwise(way):
            found[step] = min(found.get(step, (ALWAYS,)), (when, -before, since))
    return {step: (when, -before, since) for step, (when, before, since) in found.items()}


def _can_serve(row: Row, step: int, held: str | None, asked: Asked) -> bool:
    return fits(row, asked.steps[step - 1]) and (not asked.hold or (held is not None and row[2] == held))


def _following(step: int, asked: Asked) -> Iterator[int]:
    """The steps that may come after one: the next, and beyond those that may be skipped."""
    for later in range(step + 1, asked.n + 1):
        yield later
        if later not in asked.optional:
            return


def _ways(rows: list[Row], entry: float, held: str | None, asked: Asked, exclude: list) -> Iterator[list[tuple[int, float]]]:
    """Every way from an entry, as (step, when) from the first step on."""
    if asked.order == "strict":
        yield from _strict_ways(rows, entry, held, asked)
        return

    def go(way: list[tuple[int, float]], used: set[int]) -> Iterator[list[tuple[int, float]]]:
        yield way
        step, last = way[-1]
        for later in _following(step, asked):
            for place, row in enumerate(rows):
                if place in used or row[0] < last or not _can_serve(row, later, held, asked):
                    continue
                if asked.step_windows and row[0] - last > asked.step_windows[later - 2]:
                    continue
                done = dict(way)
                if any(before == later and any(done[after] < other[0] < row[0] and other[1] == event for other in rows)
                       for event, after, before, _ in exclude):
                    continue
                yield from go([*way, (later, row[0])], {*used, place})

    for place, row in enumerate(rows):
        if row[0] == entry and _can_serve(row, 1, held, asked):
            yield from go([(1, row[0])], {place})


def _strict_ways(rows: list[Row], entry: float, held: str | None, asked: Asked) -> Iterator[list[tuple[int, float]]]:
    """Ways over neighbours, in every order that events at the same moment can have."""
    groups = [list(group) for _, group in itertools.groupby(sorted(rows, key=lambda row: row[0]), key=lambda row: row[0])]
    for arranged in itertools.product(*[itertools.permutations(group) for group in groups]):
        line = [row for group in arranged for row in group]

        def go(place: int, way: list[tuple[int, float]], line: list[Row] = line) -> Iterator[list[tuple[int, float]]]:
            yield way
            if place + 1 == len(line):
                return
            step, last = way[-1]
            row = line[place + 1]
            for later in _following(step, asked):
                if _can_serve(row, later, held, asked) and not (asked.step_windows and row[0] - last > asked.step_windows[later - 2]):
                    yield from go(place + 1, [*way, (later, row[0])])

        for place, row in enumerate(line):
            if row[0] == entry and _can_serve(row, 1, held, asked):
                yield from go(place, [(1, row[0])])


def _any_order(rows: list[Row], held: str | None, asked: Asked) -> Found:
    found: Found = {}
    times = sorted({row[0] for row in rows})
    entry, before = times[0], times[0]
    for when in times:
        done = _most([row for row in rows if row[0] <= when], held, asked)
        for number in range(max(found, default=1) + 1, done + 1):
            found[number] = (when, number - 1, before)
            before = when
        if done >= 1 and not found:
            before = entry
    return found


def _most(rows: list[Row], held: str | None, asked: Asked, step: int = 1, used: frozenset[int] = frozenset()) -> int:
    """How many steps can be done by as many events."""
    if step > asked.n:
        return 0
    skipped = _most(rows, held, asked, step + 1, used)
    taken = [1 + _most(rows, held, asked, step + 1, used | {place}) for place, row in enumerate(rows)
             if place not in used and _can_serve(row, step, held, asked)]
    return max([skipped, *taken])


def as_frame(people: dict[str, list[Row]], start: pd.Timestamp, unit: pd.Timedelta) -> pd.DataFrame:
    """The people's events as a table."""
    rows: list[dict[str, Any]] = [
        {"user_id": user, "event": event, "occurred_at": start + when * unit, "event_id": f"{user}-{number}",
         "properties": None if value is None else f'{{"p": "{value}"}}'}
        for user, done in people.items() for number, (when, event, value) in enumerate(done)]
    return pd.DataFrame(rows)
