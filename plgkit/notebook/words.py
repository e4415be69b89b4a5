"""Numbers as people say them, for findings and tiles."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from plgkit.notebook.text import tame

UNKNOWN = "not known"
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_WITHOUT_CENTS = {"JPY", "KRW", "VND", "CLP", "ISK"}
_MINUS = "−"
_LONGEST_NAME = 48


def unknown(value: object) -> bool:
    """Whether a value is missing or not finite, or says already that it is not known.

    Examples
    --------
    >>> unknown(None), unknown(float("nan")), unknown("not known"), unknown(0)
    (True, True, True, False)
    """
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, str) and value == UNKNOWN):
        return True
    return isinstance(value, (int, float)) and not math.isfinite(value)


def number(value: float, digits: int = 1) -> str:
    """Write a number with a fixed number of digits.

    Examples
    --------
    >>> number(2.84), number(-1234.5, 0)
    ('2.8', '−1,234')
    """
    if unknown(value):
        return UNKNOWN
    shown = f"{abs(value):,.{digits}f}"
    return f"{_MINUS}{shown}" if value < 0 and shown.strip("0.,") else shown


def count(value: float) -> str:
    """Write a number of people or things.

    Examples
    --------
    >>> count(41286)
    '41,286'
    """
    return number(value, 0)


def counted(value: float, one: str, many: str | None = None) -> str:
    """Write a number with the word for what is counted, in the singular for one.

    Examples
    --------
    >>> counted(1, "account"), counted(1200, "person", "people")
    ('1 account', '1,200 people')
    """
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def share(value: float, digits: int = 0) -> str:
    """Write a share of one as a percentage.

    Examples
    --------
    >>> share(0.362), share(0.362, 1)
    ('36%', '36.2%')
    """
    return UNKNOWN if unknown(value) else f"{number(100 * value, digits)}%"


def points(value: float, digits: int = 1) -> str:
    """Write a difference of two shares, without its sign.

    Examples
    --------
    >>> points(-0.019)
    '1.9 points'
    """
    return UNKNOWN if unknown(value) else f"{number(abs(100 * value), digits)} points"


def duration(seconds: float) -> str:
    """Write a length of time in the unit people would use.

    Examples
    --------
    >>> duration(45), duration(480), duration(111600), duration(300000)
    ('45 s', '8 min', '31 h', '3.5 days')
    """
    if unknown(seconds):
        return UNKNOWN
    for limit, size, unit, digits in ((90, 1, "s", 0), (5400, 60, "min", 0), (172800, 3600, "h", 0)):
        if abs(seconds) < limit:
            return f"{number(seconds / size, digits)} {unit}"
    return f"{number(seconds / 86400, 1)} days"


def hours(value: float) -> str:
    """Write a number of hours in the unit people would use.

    Examples
    --------
    >>> hours(0.5)
    '30 min'
    """
    return UNKNOWN if unknown(value) else duration(3600 * value)


def money(minor: float, currency: str = "USD") -> str:
    """Write minor units (cents) as money; large sums without cents.

    Examples
    --------
    >>> money(184000), money(1250, "EUR"), money(500, "SEK")
    ('$1,840', '€12.50', '5.00 SEK')
    """
    if unknown(minor):
        return UNKNOWN
    whole = currency in _WITHOUT_CENTS
    amount = minor if whole else minor / 100
    shown = number(amount, 0 if whole or abs(amount) >= 100 else 2)
    sign = _SIGNS.get(currency)
    if not sign:
        return f"{shown} {currency}"
    return f"{_MINUS}{sign}{shown[1:]}" if shown.startswith(_MINUS) else f"{sign}{shown}"


def day(when: object) -> str:
    """Write a day.

    Examples
    --------
    >>> day("2026-06-28")
    '28 Jun 2026'
    """
    stamp = pd.Timestamp(when)
    return UNKNOWN if stamp is pd.NaT else f"{stamp.day} {stamp:%b %Y}"


def month(when: object) -> str:
    """Write a month.

    Examples
    --------
    >>> month("2026-06-28")
    'June 2026'
    """
    stamp = pd.Timestamp(when)
    return UNKNOWN if stamp is pd.NaT else f"{stamp:%B %Y}"


def listed(names: Iterable[object]) -> str:
    """Write names as a list within a sentence; a long one is cut.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *others, last = [tame(each, at_most=_LONGEST_NAME) for each in names] or ["none"]
    return f"{', '.join(others)} and {last}" if others else last


def show(value: float, unit: str = "", *, currency: str = "USD") -> str:
    """Write a value in the unit of its measure; money as measures give it, in whole units.

    Examples
    --------
    >>> show(0.362, "share of sign-ups"), show(31, "hours"), show(41286, "people"), show(2.84, "features")
    ('36.2%', '31 h', '41,286', '2.84')
    >>> show(1840, "currency", currency="EUR")
    '€1,840'
    """
    if unknown(value):
        return UNKNOWN
    kind = unit.split(" ")[0].lower().rstrip(",")
    if kind == "share":
        return share(value, 1)
    if kind in ("currency", "money", currency.lower()):
        return money(value if currency in _WITHOUT_CENTS else 100 * value, currency)
    if kind in _SECONDS:
        return duration(value * _SECONDS[kind])
    if kind == "points":
        return counted(round(value), "point")
    if kind in _THINGS:
        return count(value)
    if kind in ("days", "months"):
        return f"{number(value, 1)} {kind}"
    return number(value, 0 if float(value).is_integer() or abs(value) >= 100 else 2)


def gap(value: float, unit: str = "", *, currency: str = "USD") -> str:
    """Write the size of a difference in the unit of its measure.

    Examples
    --------
    >>> gap(-0.019, "share of sign-ups"), gap(14400, "seconds")
    ('1.9 points', '4 h')
    """
    if unit.lower().startswith("share"):
        return points(value)
    return UNKNOWN if unknown(value) else show(abs(value), unit, currency=currency)


def countable(unit: str) -> bool:
    """Whether a unit counts people or things, which are fewer and never less.

    Examples
    --------
    >>> countable("people"), countable("share of people"), countable("currency")
    (True, False, False)
    """
    return unit.partition(" ")[0].lower() in _THINGS


_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600}
_THINGS = {"people", "accounts", "invitations", "leads"}
