"""Intervals by resampling people or accounts, drawn as counts of alike ones."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from plgkit.stats.intervals import Floats, _z, as_floats

# Beyond so many unlike people a draw is slow and the normal law is as good.
_MOST_CELLS = 5_000
_CELLS_AT_ONCE = 4_000_000


def ratio(
    numerators: ArrayLike,
    denominators: ArrayLike,
    counts: ArrayLike | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
    draws: int = 1000,
    most_kinds: int = _MOST_CELLS,
) -> tuple[float, float, float]:
    """Ratio of two sums over people or accounts, with an interval: value, low, high.

    Parameters
    ----------
    numerators, denominators
        What each person (or each kind of alike people) adds to either sum.
    counts
        How many people each row stands for; one each by default.
    seed
        Same seed, same interval.
    level
        Share of the draws that the interval holds.
    draws
        How many samples of as many people are drawn with replacement.
    most_kinds
        Beyond so many kinds of alike people the interval is the normal one.

    Notes
    -----
    Alike people are drawn together, by the multinomial law, so that the cost follows the
    number of distinct rows and not of people. Beyond `most_kinds` of distinct rows the
    interval is the normal one by linearisation, which resampling then only repeats.

    Examples
    --------
    >>> value, low, high = ratio([1, 0], [1, 1], [36, 64])
    >>> value, round(low, 2), round(high, 2)
    (0.36, 0.26, 0.45)
    """
    top, bottom, people = _distinct(as_floats(numerators), as_floats(denominators), counts)
    below = _total(people, bottom)
    if not below:
        return np.nan, np.nan, np.nan
    value = _total(people, top) / below
    if len(people) > most_kinds:
        return _linearised(top, bottom, people, value, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = np.concatenate([(batch @ top) / (batch @ bottom) for batch in _samples(people, draws, seed)])
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return value, min(float(low), value), max(float(high), value)


def mean(
    values: ArrayLike,
    counts: ArrayLike | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
    draws: int = 1000,
) -> tuple[float, float, float]:
    """Mean over people or accounts, with an interval: value, low, high.

    Examples
    --------
    >>> mean([2.0, 2.0, 2.0])
    (2.0, 2.0, 2.0)
    """
    numbers = as_floats(values)
    ones = np.ones(numbers.shape)
    return ratio(numbers, ones, counts, seed=seed, level=level, draws=draws)


def grouped(
    cells: pd.DataFrame,
    by: str | list[str],
    *,
    numerator: str = "numerator",
    denominator: str = "denominator",
    count: str | None = "count",
    seed: int = 0,
    level: float = 0.95,
    draws: int = 1000,
    most_kinds: int = _MOST_CELLS,
) -> pd.DataFrame:
    """Ratios of sums for every group of `by`: the keys, numerator, denominator, value, low, high.

    `cells` has one row per group and kind of alike people, with what one of them adds to
    either sum and how many they are. Each group draws from the same seed, so that a new
    period leaves the older ones as they were.

    Examples
    --------
    >>> cells = pd.DataFrame({"week": [1, 1, 2], "numerator": [1, 3, 2],
    ...                       "denominator": [1, 1, 1], "count": [10, 10, 5]})
    >>> grouped(cells, "week")[["week", "numerator", "denominator", "value"]]
       week  numerator  denominator  value
    0     1       40.0         20.0    2.0
    1     2       10.0          5.0    2.0
    """
    keys = [by] if isinstance(by, str) else list(by)
    rows = []
    for key, part in cells.groupby(keys, sort=True, dropna=False):
        people = np.ones(len(part)) if count is None else as_floats(part[count])
        top, bottom = as_floats(part[numerator]), as_floats(part[denominator])
        found = ratio(top, bottom, people, seed=seed, level=level, draws=draws, most_kinds=most_kinds)
        rows.append((*key, _total(people, top), _total(people, bottom), *found))
    columns = [*keys, "numerator", "denominator", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _total(people: Floats, each: Floats) -> float:
    """What all add up to, the same to the last bit on every run: a scalar product depends on where it lies in memory."""
    return math.fsum(people * each)


def _distinct(top: Floats, bottom: Floats, counts: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    people = np.ones(top.shape) if counts is None else as_floats(counts)
    used = (people > 0) & ~np.isnan(top) & ~np.isnan(bottom)
    cells = pd.DataFrame({"top": top[used], "bottom": bottom[used], "people": people[used]})
    cells = cells.groupby(["top", "bottom"], as_index=False, sort=True)["people"].sum()
    return tuple(cells[name].to_numpy(dtype=float) for name in ("top", "bottom", "people"))


def _samples(people: Floats, draws: int, seed: int) -> Iterator[Floats]:
    random = np.random.default_rng(seed)
    size = round(people.sum())
    at_once = max(1, _CELLS_AT_ONCE // len(people))
    for start in range(0, draws, at_once):
        yield random.multinomial(size, people / people.sum(), min(at_once, draws - start))


def _linearised(
    top: Floats, bottom: Floats, people: Floats, value: float, level: float
) -> tuple[float, float, float]:
    size = people.sum()
    residual = (top - value * bottom) / (people @ bottom / size)
    half = _z(level) * np.sqrt(people @ residual**2) / size
    return value, float(value - half), float(value + half)
