"""What a funnel is asked: its parameters, read and checked once."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import ibis

from plgkit.errors import BadParameter, UnknownParameter
from plgkit.metrics.funnels.steps import Choice, Step, read_steps, step
from plgkit.sources.engine import GRAINS, Grain

Order = Literal["ordered", "strict", "any"]
Entry = Literal["first", "any", "furthest"]
Count = Literal["people", "accounts", "sessions", "attempts"]
Effect = Literal["stop", "leave"]
Window = int | str | dt.timedelta
UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
MOST_KINDS = 6


@dataclass(frozen=True)
class Exclusion:
    """Events that must not happen between two steps, and what becomes of who does them."""

    step: Step
    after: int
    before: int
    effect: Effect

    def __str__(self) -> str:
        return f"{self.step} between steps {self.after} and {self.before} ({self.effect})"


@dataclass(frozen=True)
class Plan:
    """A funnel's parameters as the queries need them; the steps are numbered from 1."""

    steps: tuple[Step, ...]
    order: Order = "ordered"
    window: dt.timedelta = dt.timedelta(days=14)
    step_windows: tuple[dt.timedelta | None, ...] = ()
    entry: Entry = "first"
    exclude: tuple[Exclusion, ...] = ()
    hold: tuple[str, ...] = ()
    optional: frozenset[int] = frozenset()
    count: Count = "people"
    breakdown: tuple[str, ...] = ()
    attribution: str | int = "first"
    top: int | None = None
    tie_seconds: float = 0
    by: str | None = None
    grain: Grain | None = None
    start: dt.date | None = None
    end: dt.date | None = None

    @property
    def n(self) -> int:
        """How many steps there are."""
        return len(self.steps)

    @property
    def keys(self) -> list[str]:
        """The columns that name a unit in the rows of events."""
        return {"accounts": ["account_id"], "sessions": ["user_id", "session"]}.get(self.count, ["user_id"])

    @property
    def cut(self) -> str | None:
        """The name of the column that cuts the units, in the frame."""
        return " / ".join(self.breakdown) or self.by

    @cached_property
    def kinds(self) -> tuple[int, ...]:
        """For each step the number of its kind: steps that ask for the same events are of one kind."""
        known: dict[frozenset[Choice], int] = {}
        return tuple(known.setdefault(frozenset(each.choices), len(known)) for each in self.steps)

    @cached_property
    def families(self) -> tuple[tuple[int, ...], ...]:
        """The kinds, grouped so that no event can serve steps of two groups."""
        events = {kind: each.events for kind, each in zip(self.kinds, self.steps, strict=True)}
        groups: list[set[int]] = []
        for kind in events:
            alike = [group for group in groups if any(_shared(events[kind], events[each]) for each in group)]
            groups = [group for group in groups if group not in alike] + [{kind}.union(*alike)]
        return tuple(tuple(sorted(group)) for group in sorted(groups, key=min))

    @property
    def apart(self) -> bool:
        """Whether no event can serve two steps."""
        return len(self.families) == self.n

    @property
    def plain(self) -> bool:
        """Whether each person has one way through, which the earliest event of each step tells."""
        return (self.order, self.entry, self.count, self.tie_seconds) == ("ordered", "first", "people", 0) and self.apart and not (
            any(self.step_windows) or self.exclude or self.hold or self.optional or self.attribution == "all")

    def window_of(self, number: int) -> dt.timedelta | None:
        """The time allowed for one step since the one before."""
        return self.step_windows[number - 2] if self.step_windows and number > 1 else None

    def required_before(self, number: int) -> int:
        """The last step before this one that may not be skipped; 0 where there is none."""
        return max((each for each in range(1, number) if each not in self.optional), default=0)


def _shared(one: frozenset[str | None], other: frozenset[str | None]) -> bool:
    return bool(one & other) or None in one or None in other


def interval(length: dt.timedelta) -> ibis.Value:
    """A length of time in a query."""
    seconds = int(length.total_seconds())
    return ibis.interval(days=seconds // 86400) if seconds % 86400 == 0 else ibis.interval(seconds=seconds)


def read_window(value: Any, name: str = "window") -> dt.timedelta:
    """A length of time: days as a whole number, words such as "15 seconds", or a timedelta.

    Examples
    --------
    >>> read_window(14), read_window("90 minutes")
    (datetime.timedelta(days=14), datetime.timedelta(seconds=5400))
    """
    found = None
    if isinstance(value, dt.timedelta):
        found = value
    elif isinstance(value, int) and not isinstance(value, bool):
        found = dt.timedelta(days=value)
    elif isinstance(value, str):
        words = re.fullmatch(r"\s*(\d+)\s*(second|minute|hour|day|week)s?\s*", value)
        found = dt.timedelta(seconds=int(words[1]) * UNITS[words[2]]) if words else None
    if found is None or found < dt.timedelta(seconds=1) or found.microseconds:
        raise BadParameter(name, value, expected='days as a whole number, or a length of time such as "15 seconds", "36 hours", "2 weeks"')
    return found


def said_window(value: Any) -> str:
    """A window in words.

    Examples
    --------
    >>> said_window(14), said_window("90 minutes"), said_window(dt.timedelta(hours=1))
    ('14 days', '90 minutes', '1 hour')
    """
    seconds = int(read_window(value).total_seconds())
    unit = next(each for each in ("day", "hour", "minute", "second") if seconds % UNITS[each] == 0)
    many = seconds // UNITS[unit]
    return f"{many} {unit}{'s' if many > 1 else ''}"


def plan(steps: Any, *, within_days: int | None = None, **asked: Any) -> Plan:
    """Read and check the parameters of a funnel.

    Raises
    ------
    BadParameter, UnknownParameter
        If one cannot be used, with what is expected.
    """
    known = {name for name in Plan.__dataclass_fields__ if name != "steps"} | {"within_days", "exclude_effect"}
    for name in asked:
        if name not in known:
            raise UnknownParameter(name, known, of="funnel")
    asked = {name: value for name, value in asked.items() if value is not None}
    if within_days is not None and "window" in asked:
        raise BadParameter("window", asked["window"], expected="one of window and within_days, not both")
    read, effect = read_steps(steps), asked.pop("exclude_effect", "stop")
    if effect not in get_args(Effect):
        raise BadParameter("exclude_effect", effect, expected=f"one of {', '.join(get_args(Effect))}")
    found: dict[str, Any] = {"steps": read}
    for name, value in (asked | ({} if within_days is None else {"window": within_days})).items():
        found[name] = _READ[name](name, value, read, effect) if name in _READ else value
    made = Plan(**found)
    _check(made)
    return made


def _one_of(*choices: str):
    def read(name: str, value: Any, *_rest: Any) -> Any:
        if value not in choices:
            raise BadParameter(name, value, expected=f"one of {', '.join(choices)}")
        return value
    return read


def _read_step_windows(name: str, value: Any, steps: tuple[Step, ...], _effect: Any) -> tuple:
    if isinstance(value, Mapping):
        value = [value.get(number, value.get(str(number))) for number in range(2, len(steps) + 1)]
    if not isinstance(value, (list, tuple)) or len(value) != len(steps) - 1:
        raise BadParameter(name, value, expected=f"a list of {len(steps) - 1} windows, one for each step after the first (None: no limit)")
    return tuple(None if each is None else read_window(each, name) for each in value)


def _read_exclude(name: str, value: Any, steps: tuple[Step, ...], effect: Effect) -> tuple[Exclusion, ...]:
    found = []
    for each in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(each, Exclusion):
            found.append(each)
            continue
        if not isinstance(each, (str, list, tuple, Mapping, Step)) or not each:
            raise BadParameter(name, value, expected='events that must not happen, such as {"event": "logged_out", "after": 1, "before": 2}')
        if not isinstance(each, Mapping):
            each = {"event": each}
        what = step({key: rest for key, rest in each.items() if key not in ("after", "before", "effect")})
        one = Exclusion(what, each.get("after", 1), each.get("before", len(steps)), each.get("effect", effect))
        if one.effect not in get_args(Effect):
            raise BadParameter("effect", one.effect, expected=f"one of {', '.join(get_args(Effect))}")
        numbers = range(1, len(steps) + 1)
        if one.after not in numbers or one.before not in numbers or one.after >= one.before:
            raise BadParameter(name, dict(each), expected=f"after and before as numbers of steps, 1 to {len(steps)}, in this order")
        found.append(one)
    return tuple(found)


def _read_numbers(name: str, value: Any, steps: tuple[Step, ...], _effect: Any) -> frozenset[int]:
    names = [str(each) for each in steps]
    given = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
    found = frozenset(names.index(each) + 1 if each in names else each for each in given)
    if not found <= set(range(2, len(steps) + 1)):
        raise BadParameter(name, value, expected=f"numbers of steps, 2 to {len(steps)}: who skips the first never enters")
    return found


def _read_texts(name: str, value: Any, *_rest: Any) -> tuple[str, ...]:
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else ()
    if not found or not all(isinstance(each, str) and each for each in found):
        raise BadParameter(name, value, expected="a property of events, or a list of them")
    return found


def _read_attribution(name: str, value: Any, steps: tuple[Step, ...], _effect: Any) -> str | int:
    if value in ("first", "last", "all") or (isinstance(value, int) and value in range(1, len(steps) + 1)):
        return value
    raise BadParameter(name, value, expected=f"first, last, all, or the number of a step, 1 to {len(steps)}")


def _read_day(name: str, value: Any, *_rest: Any) -> dt.date:
    if isinstance(value, dt.date):
        return value.date() if isinstance(value, dt.datetime) else value
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadParameter(name, value, expected="a day such as 2025-01-31") from None


def _read_count(name: str, value: Any, *_rest: Any) -> int | float:
    least = 1 if name == "top" else 0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < least or (name == "top" and value != int(value)):
        raise BadParameter(name, value, expected="a whole number, 1 or more" if name == "top" else "seconds, 0 or more")
    return value


_READ = {
    "order": _one_of(*get_args(Order)), "entry": _one_of(*get_args(Entry)), "count": _one_of(*get_args(Count)),
    "grain": _one_of(*GRAINS), "window": lambda name, value, *_rest: read_window(value, name),
    "step_windows": _read_step_windows, "exclude": _read_exclude, "hold": _read_texts, "optional": _read_numbers,
    "breakdown": _read_texts, "attribution": _read_attribution, "top": _read_count, "tie_seconds": _read_count,
    "start": _read_day, "end": _read_day,
}


def _check(made: Plan) -> None:
    """Refuse what means nothing together."""
    if made.order == "any":
        for name in ("step_windows", "exclude", "optional"):
            if getattr(made, name):
                raise BadParameter("order", made.order, expected=f"ordered or strict with {name}: in any order there is no step before")
    if made.order == "strict" and made.exclude:
        raise BadParameter("order", made.order, expected="ordered with exclude: strictly, nothing can happen between two steps")
    if made.start and made.end and made.start > made.end:
        raise BadParameter("start", str(made.start), expected=f"a day up to end, which is {made.end}")
    if made.by and made.breakdown:
        raise BadParameter("breakdown", list(made.breakdown), expected="one of by and breakdown, not both")
    if made.attribution == "all" and made.hold:
        raise BadParameter("attribution", "all", expected="first, last or a step with hold: all holds the property of the breakdown itself")
    for one, number in itertools.product(made.exclude, made.optional):
        if number in (one.after, one.before):
            raise BadParameter("exclude", str(one), expected="steps that may not be skipped as its ends")
    if any(len(family) > MOST_KINDS for family in made.families):
        raise BadParameter("steps", [str(each) for each in made.steps], expected=f"at most {MOST_KINDS} different steps that share events")
