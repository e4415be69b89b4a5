"""The calendar of the made-up company: 18 months of New York days, with their weekly rhythm."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

ZONE = "America/New_York"
FIRST_DAY = date(2025, 1, 1)
LAST_DAY = date(2026, 6, 30)
DAYS = (LAST_DAY - FIRST_DAY).days + 1

MINUTE, HOUR, DAY, WEEK = 60, 3_600, 86_400, 604_800
NEVER = 10**11
"""A time, in seconds, after everything that happens here."""


def _midnight(number: int) -> int:
    day = FIRST_DAY + timedelta(days=number)
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONE)).timestamp())


MIDNIGHTS = np.array([_midnight(number) for number in range(DAYS + 1)], dtype=np.int64)
START, END = int(MIDNIGHTS[0]), int(MIDNIGHTS[-1])
WEEKDAY = (np.arange(DAYS) + FIRST_DAY.weekday()) % 7

_WORKING = np.array([1.24, 1.34, 1.32, 1.26, 1.14, 0.36, 0.34])
# The nights are not empty: the afternoon of India and the morning of Europe fall into them.
_HOURS = np.array(
    [16, 14, 13, 14, 16, 18, 22, 30, 58, 80, 84, 76, 60, 68, 78, 76, 66, 48, 32, 28, 28, 24, 20, 18]
)


def number_of(day: date) -> int:
    """Count the days from the first day to `day`."""
    return (day - FIRST_DAY).days


def _holidays() -> np.ndarray:
    factor = np.ones(DAYS)
    for first, last in (
        ((2025, 7, 4), (2025, 7, 5)),
        ((2025, 11, 27), (2025, 11, 30)),
        ((2025, 12, 24), (2026, 1, 1)),
    ):
        factor[number_of(date(*first)) : number_of(date(*last)) + 1] = 0.6
    return factor


RHYTHM = _WORKING[WEEKDAY] * _holidays()
"""How busy each day is; an ordinary week has the mean 1."""


def day_of(times: np.ndarray) -> np.ndarray:
    """Number the days on which `times` (seconds since 1970, UTC) fall in New York."""
    return np.searchsorted(MIDNIGHTS, times, side="right") - 1


def times_of_day(rng: np.random.Generator, days: np.ndarray) -> np.ndarray:
    """Draw a time on each of the days: mostly working hours, a few through the night."""
    cumulated = np.cumsum(_HOURS) / _HOURS.sum()
    hours = np.searchsorted(cumulated, rng.random(len(days)))
    part = (hours + rng.random(len(days))) / 24
    # A day with a change of clocks has 23 or 25 hours; the parts stretch with it.
    length = MIDNIGHTS[days + 1] - MIDNIGHTS[days]
    return MIDNIGHTS[days] + (part * length).astype(np.int64)


def growing_days(
    rng: np.random.Generator, n: int, monthly_growth: float, factor: np.ndarray | float = 1.0
) -> np.ndarray:
    """Draw the days on which `n` people arrive, more of them every month, `factor` times as many."""
    weight = (1 + monthly_growth) ** (np.arange(DAYS) / 30.44) * (0.35 + 0.65 * RHYTHM) * factor
    return np.searchsorted(np.cumsum(weight) / weight.sum(), rng.random(n))


def delays(rng: np.random.Generator, n: int, median: float, spread: float) -> np.ndarray:
    """Draw lognormal waits in seconds around `median`."""
    return np.exp(np.log(median) + spread * rng.standard_normal(n)).astype(np.int64)
