"""Steps: which events count as one, by their name and by conditions on their properties."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis
from ibis.expr.types import BooleanValue, Table

from plgkit.errors import BadParameter
from plgkit.sources import properties
from plgkit.sources.data import Data

COMPARED = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
OPERATORS = ("eq", "ne", "in", "not_in", "contains", "set", *COMPARED)
SIGNS = {"eq": "=", "ne": "is not", "in": "in", "not_in": "not in", "contains": "contains"}


@dataclass(frozen=True)
class Condition:
    """What a property of an event must be."""

    key: str
    sign: str
    value: Any

    def __str__(self) -> str:
        if self.sign == "set":
            return f"{self.key} is {'set' if self.value else 'missing'}"
        said = ", ".join(map(_text, self.value)) if isinstance(self.value, tuple) else _text(self.value)
        return f"{self.key} {SIGNS.get(self.sign, self.sign)} {said}"


@dataclass(frozen=True)
class Choice:
    """Events of one name (None: of any name) that meet all conditions."""

    event: str | None
    where: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        name = "any event" if self.event is None else self.event
        return f"{name} ({', '.join(map(str, self.where))})" if self.where else name


@dataclass(frozen=True)
class Step:
    """A step: any of several choices. It reads as its name."""

    choices: tuple[Choice, ...]
    label: str | None = None

    def __str__(self) -> str:
        return self.label or " or ".join(map(str, self.choices))

    @property
    def events(self) -> frozenset[str | None]:
        """The names of its events; None where any name will do."""
        return frozenset(each.event for each in self.choices)

    @property
    def keys(self) -> set[str]:
        """The properties that its conditions ask for."""
        return {condition.key for choice in self.choices for condition in choice.where}


AnyStep = str | list | dict | Step


def step(event: AnyStep | None = None, where: Mapping[str, Any] | None = None, name: str | None = None) -> Step:
    """A step of a funnel, or any moment that is an event with a condition.

    Parameters
    ----------
    event
        The event's name; a list of names or steps of which any counts; None for an event of any name.
    where
        Property = what it must be: a value, a list of values, or operators: `{">": 10, "<=": 20}`. They are eq, ne,
        in, not_in, contains (whatever the case), set (True: it is there; False: it is missing), and >, >=, <, <= for
        numbers. All of them must be met. In a list of steps it holds for each.
    name
        What to call it; by default its events and conditions.

    Raises
    ------
    BadParameter
        If it cannot be read as a step.

    Examples
    --------
    >>> print(step("paid", where={"plan": ["team", "business"], "seats": {">=": 5}}))
    paid (plan in team, business, seats >= 5)
    >>> print(step(["paid", {"event": "invoiced", "where": {"amount": {">": 0}}}], name="money came in"))
    money came in
    """
    if isinstance(event, Step):
        choices = event.choices
        name = name or (event.label if not where else None)
    elif isinstance(event, Mapping):
        return step(_from_mapping(event), where, name)
    elif isinstance(event, (list, tuple)) and event:
        choices = tuple(choice for each in event for choice in step(each).choices)
    elif event is None or (isinstance(event, str) and event):
        choices = (Choice(event),)
    else:
        raise BadParameter("step", event, expected="an event, a list of events, or a mapping with event, where and name")
    if where is not None and not isinstance(where, Mapping):
        raise BadParameter("where", where, expected='properties and what they must be, such as {"plan": "team"}')
    if name is not None and not (isinstance(name, str) and name):
        raise BadParameter("name", name, expected="what to call the step, as text")
    more = tuple(_condition(key, rule) for key, rule in (where or {}).items())
    flat = tuple(each for rules in more for each in rules)
    found = Step(tuple(Choice(each.event, (*each.where, *flat)) for each in choices), name)
    if any(each.event is None and not each.where for each in found.choices):
        raise BadParameter("step", event, expected="an event, or a condition in where for events of any name")
    return found


def _from_mapping(given: Mapping[str, Any]) -> Step:
    unknown = sorted(set(given) - {"event", "where", "name"})
    if unknown:
        raise BadParameter("step", dict(given), expected=f"the keys event, where and name, not {unknown[0]!r}")
    return step(given.get("event"), given.get("where"), given.get("name"))


def _condition(key: str, rule: Any) -> tuple[Condition, ...]:
    if not isinstance(key, str) or not key:
        raise BadParameter("where", {key: rule}, expected="the name of a property before each value")
    if rule is None or (isinstance(rule, (list, tuple, set, Mapping)) and not rule):
        raise BadParameter(f"where[{key!r}]", rule, expected='a value, a list of values or operators; {"set": False} where it is missing')
    if isinstance(rule, (list, tuple, set)):
        return (Condition(key, "in", tuple(rule)),)
    if not isinstance(rule, Mapping):
        return (Condition(key, "eq", rule),)
    unknown = [sign for sign in rule if sign not in OPERATORS]
    if unknown:
        raise BadParameter(f"where[{key!r}]", rule, expected=f"operators out of {', '.join(OPERATORS)}")
    for sign, value in rule.items():
        if sign in COMPARED and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise BadParameter(f"where[{key!r}]", rule, expected=f"a number after {sign}")
        if sign == "set" and not isinstance(value, bool):
            raise BadParameter(f"where[{key!r}]", rule, expected="True or False after set")
        if sign in ("in", "not_in") and not isinstance(value, (list, tuple, set)):
            raise BadParameter(f"where[{key!r}]", rule, expected=f"a list of values after {sign}")
    return tuple(Condition(key, sign, tuple(value) if isinstance(value, (list, tuple, set)) else value)
                 for sign, value in rule.items())


def read_steps(steps: Any) -> tuple[Step, ...]:
    """A list of steps as given by a caller or by a playbook.

    Raises
    ------
    BadParameter
        If it is no list of steps.
    """
    whole = isinstance(steps, (list, tuple)) and bool(steps)
    if not whole or not all(isinstance(each, (str, list, tuple, Mapping, Step)) and each for each in steps):
        raise BadParameter("steps", steps, expected="a list of steps, each an event, a list of events or an event with conditions")
    return tuple(step(each) for each in steps)


def check(data: Data, steps: tuple[Step, ...]) -> None:
    """Make sure that every event and property named is there: a misspelt one would read as never done.

    Raises
    ------
    UnknownEvent, UnknownProperty
        With the nearest that there is.
    """
    for name in sorted({event for each in steps for event in each.events if event is not None}):
        data.event(name)
    for key in sorted({key for each in steps for key in each.keys}):
        properties.check(data, key)


def matches(rows: Table, of: Step) -> BooleanValue:
    """Whether each event counts as the step; never NULL."""
    plain = sorted(choice.event for choice in of.choices if not choice.where)
    found = [rows.event.isin(plain) if len(plain) > 1 else rows.event == plain[0]] if plain else []
    found += [_matches_choice(rows, choice) for choice in of.choices if choice.where]
    return functools.reduce(operator.or_, found)


def _matches_choice(rows: Table, choice: Choice) -> BooleanValue:
    met = [_met(properties.value(rows, each.key), each) for each in choice.where]
    if choice.event is not None:
        met.insert(0, rows.event == choice.event)
    return functools.reduce(operator.and_, met)


def _met(found: ibis.Value, condition: Condition) -> BooleanValue:
    sign, value = condition.sign, condition.value
    if sign == "set":
        return found.notnull() if value else found.isnull()
    if sign in COMPARED:
        return COMPARED[sign](properties.number(found), float(value)).fill_null(False)
    if sign == "contains":
        return properties.contains(found, str(value)).fill_null(False)
    equal = _equal(found, value if isinstance(value, tuple) else (value,)).fill_null(False)
    return ~equal if sign in ("ne", "not_in") else equal


def _equal(found: ibis.Value, values: tuple) -> BooleanValue:
    """Equal to any of the values: numbers as numbers, all else as text."""
    numbers = [float(each) for each in values if isinstance(each, (int, float)) and not isinstance(each, bool)]
    texts = [_text(each) for each in values if isinstance(each, (str, bool))]
    parts = [found.isin(texts)] if texts or not numbers else []
    return functools.reduce(operator.or_, [*parts, *([properties.number(found).isin(numbers)] if numbers else [])])


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def relevant(rows: Table, steps: tuple[Step, ...]) -> Table:
    """Only the events that can count as any of the steps."""
    named = {event for each in steps for event in each.events}
    return rows if None in named else rows.filter(rows.event.isin(sorted(named)))
