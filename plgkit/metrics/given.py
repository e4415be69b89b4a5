"""Whether a value is of the kind that a measure's parameter takes, as its annotation says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin

from plgkit.errors import BadParameter

LEAST = {"gap_minutes": 1, "sessions": 1, "top": 1, "depth": 1, "ways": 1, "full_actions": 1}
_NAMES = ("list[str]", "str | list[str]", "Moment", "Names")


def check(function: Callable[..., Any], name: str, annotation: str, value: object) -> None:
    """Refuse a value of another kind; what a number or a name must be besides, the measure itself says.

    Raises
    ------
    BadParameter
        With what is expected.
    """
    kind = annotation.removesuffix(" | None")
    if value is None and kind != annotation:
        return
    expected = _expected(function, name, kind, value)
    if expected:
        open_too = kind != annotation and expected.startswith(("one of", "the name of one"))
        raise BadParameter(name, value, expected=f"{expected}, or None" if open_too else expected)


def _expected(function: Callable[..., Any], name: str, kind: str, value: object) -> str | None:
    if name == "by" and kind == "str":
        return None if isinstance(value, str) and value else "the name of one column of people or accounts"
    if kind == "bool":
        return None if isinstance(value, bool) else "True or False"
    if kind == "float":
        return None if _number(value) else "a number"
    if kind == "int":
        whole = isinstance(value, int) and not isinstance(value, bool)
        return None if whole and value >= LEAST.get(name, value) else _whole(name)
    if kind in ("Sequence[int]", "list[int]"):
        fine = isinstance(value, (list, tuple)) and value and all(isinstance(each, int) and not isinstance(each, bool) for each in value)
        return None if fine else "a list of whole numbers"
    if kind == "dict[str, float]":
        return None if isinstance(value, Mapping) else "a name and a number for each part"
    if kind in _NAMES:
        return _names(name, kind, value)
    choices = () if name == "by" and isinstance(value, str) else _choices(function, kind)
    if choices and not (isinstance(value, str) and value in choices):
        return f"one of {', '.join(choices)}"
    return None


def _whole(name: str) -> str:
    of = " of days" if name.endswith("_days") or name in ("day", "until") else " of months" if name.endswith("months") else ""
    return f"a whole number{of}, {0 if name == 'first_age' else 1} or more"


def _names(name: str, kind: str, value: object) -> str | None:
    if kind == "list[str]":
        fine = isinstance(value, (list, tuple)) and all(isinstance(each, str) and each for each in value)
        # No channel need cost money; of all else an empty list asks for nothing.
        return None if fine and (value or name == "paid") else "a list of names"
    fine = isinstance(value, (str, list, tuple)) or (kind != "str | list[str]" and isinstance(value, Mapping)) or hasattr(value, "choices")
    whole = fine and bool(value) and (kind != "str | list[str]" or isinstance(value, str) or all(isinstance(each, str) for each in value))
    return None if whole else "the name of an event, or a list of names"


def _choices(function: Callable[..., Any], kind: str) -> tuple[str, ...]:
    """The words of a Literal, also one that has a name; none for any other kind."""
    meant = eval(kind, function.__globals__) if kind.startswith("Literal[") else function.__globals__.get(kind)
    return get_args(meant) if get_origin(meant) is Literal else ()


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
