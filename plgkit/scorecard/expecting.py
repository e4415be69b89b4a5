"""What a series was to be expected to do, from nothing but its own past, and how far off it usually is."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd

from plgkit.stats.intervals import Floats

WEEK, WEEKS, YEAR = 7, 8, 364
STEPS = 12
FEWEST_ERRORS, MOST_ERRORS = 28, 182
SHORTEST = {True: WEEK * WEEKS + FEWEST_ERRORS, False: STEPS + FEWEST_ERRORS}
"""The fewest periods before the first that can be judged: days, and longer periods."""
# Of a scale taken from the median of absolute errors, so large a part of the errors counts as degrees of freedom.
_WORTH = 0.37
_SHIFT = 0.375


class Expected(NamedTuple):
    """What was expected of each period, its interval, and how far the value lay from it, in usual errors."""

    value: Floats
    low: Floats
    high: Floats
    error: Floats
    freedom: Floats


def expect(values: Floats, sizes: Floats | None = None, *, weekdays: bool, level: float = 0.95) -> Expected:
    """Expect each value of a series by those before it.

    Of days, by the eight weeks before: a robust line through the weeks, times the usual part of the weekday; where two years
    are known, with what the same weeks were off their line a year ago, as far as such a thing has repeated itself until then.
    Of longer periods, by a robust line through the twelve before.

    Parameters
    ----------
    values
        Counts (or amounts), one per period without a gap; with `sizes` the hits among so many.
    sizes
        Of a rate, the people of each period: its rate is expected, and the hits are judged.
    weekdays
        Whether the periods are days.
    level
        Share of values that the interval should hold.

    Examples
    --------
    >>> weeks = np.tile([10.0, 12, 12, 12, 10, 4, 4], 14)
    >>> found = expect(weeks, weekdays=True)
    >>> found.value[-7:].round(1).tolist()
    [10.0, 12.0, 12.0, 12.0, 10.0, 4.0, 4.0]
    """
    seen = values if sizes is None else _rates(values, sizes)
    mean = _daily(seen) if weekdays else _stepwise(seen)
    expected = _judged(values, mean if sizes is None else mean * sizes, level)
    if sizes is None:
        return expected
    with np.errstate(invalid="ignore", divide="ignore"):
        return expected._replace(value=mean, low=expected.low / sizes, high=np.minimum(expected.high / sizes, 1.0) if _is_share(values, sizes)
                                 else expected.high / sizes)


def _rates(values: Floats, sizes: Floats) -> Floats:
    """Rates, with the usual one where there is nobody: nothing out of nothing tells nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = pd.Series(np.where(sizes > 0, values / sizes, np.nan))
    return rates.fillna(rates.rolling(4 * WEEK, min_periods=1).median()).fillna(0.0).to_numpy()


def _is_share(values: Floats, sizes: Floats) -> bool:
    return bool((values <= sizes).all())


def _daily(values: Floats) -> Floats:
    mean = np.full(len(values), np.nan)
    if len(values) > WEEK * WEEKS:
        windows = np.lib.stride_tricks.sliding_window_view(values[:-1], WEEK * WEEKS).reshape(-1, WEEKS, WEEK)
        mean[WEEK * WEEKS:] = _by_weeks(windows)
    return _seasoned(values, mean)


def _stepwise(values: Floats) -> Floats:
    mean = np.full(len(values), np.nan)
    if len(values) > STEPS:
        middle, slope = _line(np.lib.stride_tricks.sliding_window_view(values[:-1], STEPS))
        mean[STEPS:] = np.maximum(middle + slope * (STEPS + 1) / 2, 0.0)
    return mean


def probability(expected: Expected) -> Floats:
    """Two-sided p of lying so far from what was expected, by Student's law."""
    from scipy.special import stdtr

    known = ~np.isnan(expected.error) & (expected.freedom > 0)
    freedom, error = np.where(known, expected.freedom, 1.0), np.where(known, expected.error, 0.0)
    return np.where(known, 2 * stdtr(freedom, -np.abs(error)), np.nan)


def _by_weeks(windows: Floats) -> Floats:
    """What eight whole weeks lead to expect of the day after them: windows of (place, week, day of the week)."""
    totals = np.median(windows, axis=2, keepdims=True)
    means = np.where(totals > 0, windows.mean(axis=2, keepdims=True), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        parts = np.nanmedian(windows / means, axis=1)
    parts = np.where(np.isnan(parts), 1.0, parts)
    parts = parts / np.where(parts.sum(axis=1, keepdims=True) > 0, parts.mean(axis=1, keepdims=True), 1.0)
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        levels = np.nanmedian(np.where(parts[:, None, :] > 0.05, windows / parts[:, None, :], np.nan), axis=2)
    level, slope = _line(np.nan_to_num(levels))
    # The day after is half a week and half a day past the middle of the last week.
    ahead = (WEEKS - 1) / 2 + (WEEK + 1) / 2 / WEEK
    return np.maximum(level + slope * ahead, 0.0) * parts[:, 0]


def _line(windows: Floats) -> tuple[Floats, Floats]:
    """Middle and slope of a robust line through each window (Theil 1950, Sen 1968)."""
    steps = windows.shape[1]
    first, last = np.triu_indices(steps, 1)
    slope = np.median((windows[:, last] - windows[:, first]) / (last - first), axis=1)
    middle = np.median(windows - slope[:, None] * (np.arange(steps) - (steps - 1) / 2), axis=1)
    return middle, slope


def _seasoned(values: Floats, mean: Floats) -> Floats:
    """The expectation with last year's week in it, as far as years have been alike until then."""
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.log((values + 0.5) / (mean + 0.5))
    smooth = pd.Series(off).rolling(WEEK, center=True, min_periods=4).median().to_numpy()
    if np.isfinite(off).sum() < YEAR + 180:
        return mean
    before = np.r_[np.full(YEAR, np.nan), smooth[:-YEAR]]
    both = np.isfinite(off) & np.isfinite(before)
    left, right = (np.cumsum(np.where(both, each, 0.0)) for each in (np.clip(off, -1, 1) * before, before**2))
    with np.errstate(invalid="ignore", divide="ignore"):
        alike = np.clip(np.where(np.cumsum(both) >= 180, left / right, 0.0), 0.0, 1.0)
    # What is alike until the day before says how much of last year to expect of this day.
    alike = np.r_[0.0, np.nan_to_num(alike)[:-1]]
    return mean * np.exp(np.nan_to_num(alike * before))


def _judged(values: Floats, mean: Floats, level: float) -> Expected:
    """Errors on the scale of square roots, on which counts small and large vary alike, by the usual error until then.

    The usual error is taken from the median of past ones, or from what nine in ten stay within, whichever is more; where
    few lie far out, Student's law has as few degrees of freedom as the far ones ask for.
    """
    from scipy.special import stdtrit

    off = _root(values) - _root(mean)
    past = pd.Series(np.abs(off)).shift(1).rolling(MOST_ERRORS, min_periods=FEWEST_ERRORS)
    known = past.count().to_numpy()
    half, most, far = (past.quantile(each).to_numpy() for each in (0.5, 0.9, 0.97))
    # Half a count is the least by which a count can be off.
    scale = np.where(known >= FEWEST_ERRORS, np.maximum(np.maximum(half / 0.6745, most / 1.645), 0.25), np.nan)
    freedom = np.minimum(_WORTH * known, _tail(far / scale))
    margin = stdtrit(np.where(known > 0, np.maximum(freedom, 1.0), 1.0), (1 + level) / 2) * scale
    low, high = (np.maximum(np.maximum(_root(mean) + each, 0.0) ** 2 - _SHIFT, 0.0) for each in (-margin, margin))
    return Expected(mean, low, high, off / scale, np.where(np.isnan(scale), np.nan, freedom))


def _root(values: Floats) -> Floats:
    return np.sqrt(values + _SHIFT)


def _tail(ratio: Floats) -> Floats:
    """Degrees of freedom at which 97 in 100 stay within so many usual errors; of the normal law 2.17."""
    from scipy.special import stdtrit

    freedoms = np.array([3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0, 20.0, 40.0, 80.0])
    bounds = stdtrit(freedoms, 0.985)
    return np.interp(np.nan_to_num(ratio, nan=2.0), bounds[::-1], freedoms[::-1])
