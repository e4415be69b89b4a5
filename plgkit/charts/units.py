"""How a number is written, by its unit: shares, times, money, counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0}
# A time is told in the largest unit of which it has enough.
_SPANS = (("days", "d", 86400.0, 172800.0), ("hours", "h", 3600.0, 5400.0), ("minutes", "min", 60.0, 90.0))
_THOUSANDS = ((1e9, "bn"), (1e6, "M"), (1e3, "k"))


class Scale(NamedTuple):
    """An axis for a unit: what values are multiplied by, its label, and how a tick is written."""

    kind: str
    times: float
    label: str
    tick: Callable[[float, object], str]


def kind(unit: str | None) -> str:
    """Tell what a unit measures: "share", "time", "money" or "number".

    Examples
    --------
    >>> kind("share of sign-ups"), kind("seconds"), kind("currency"), kind("people")
    ('share', 'time', 'money', 'number')
    """
    word = (unit or "").strip().lower().split(" ")[0].rstrip(",")
    if word in ("share", "shares"):
        return "share"
    if word.removesuffix("s") in _SECONDS:
        return "time"
    return "money" if word == "currency" else "number"


def number(value: float, unit: str | None = None, *, currency: str = "") -> str:
    """Write a number as a reader says it.

    Examples
    --------
    >>> number(0.3618, "share of sign-ups"), number(111600, "seconds"), number(41286, "people")
    ('36.2%', '31 h', '41,286')
    >>> number(1250.0, "currency", currency="USD"), number(float("nan"), "seconds")
    ('1,250 USD', 'not reached')
    """
    family = kind(unit)
    if value is None or pd.isna(value):
        return "not reached" if family == "time" else "not known"
    if math.isinf(value):
        return "without bound"
    if family == "share":
        return f"{value:.1%}"
    if family == "time":
        return humane(value * seconds_in(unit))
    text = f"{value:,.0f}" if (unit or "").startswith("points") else _counted(value)
    return f"{text} {currency}".strip() if family == "money" else text


def humane(seconds: float) -> str:
    """Write a time in seconds, minutes, hours or days, whichever says most.

    Examples
    --------
    >>> [humane(each) for each in (0, 45, 540, 111600, 190080)]
    ['0 s', '45 s', '9 min', '31 h', '2.2 d']
    """
    for _, short, size, enough in _SPANS:
        if abs(seconds) >= enough:
            return f"{_few_digits(seconds / size)} {short}"
    return f"{_few_digits(seconds)} s"


def seconds_in(unit: str | None) -> float:
    """How many seconds one of a unit of time has."""
    return _SECONDS[(unit or "").strip().lower().split(" ")[0].rstrip(",").removesuffix("s")]


def compact(value: float, _: object = None) -> str:
    """Write a tick: thousands as k, millions as M.

    Examples
    --------
    >>> compact(0), compact(1500), compact(2e6), compact(0.25), compact(-40000)
    ('0', '1.5k', '2M', '0.25', '-40k')
    """
    for size, letter in _THOUSANDS:
        if abs(value) >= size:
            return f"{value / size:.6g}{letter}"
    return f"{value:.6g}"


def scale(unit: str | None, largest: float, *, currency: str = "") -> Scale:
    """Choose the axis for values up to `largest`."""
    family = kind(unit)
    if family == "share":
        return Scale(family, 1.0, unit or "", _percent)
    if family == "time":
        own = seconds_in(unit)
        for name, _, size, enough in _SPANS:
            if largest * own >= enough:
                return Scale(family, own / size, name, compact)
        return Scale(family, own, "seconds", compact)
    return Scale(family, 1.0, (currency or unit or "") if family == "money" else unit or "", compact)


def _percent(value: float, _: object = None) -> str:
    return f"{round(value * 100, 2):g}%"


def _few_digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}".removesuffix(".0")


def _counted(value: float) -> str:
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:,.2f}"
