"""Quantiles of two groups side by side, from how many people have which value."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats.compare import Comparison
from plgkit.stats.intervals import Floats, as_floats


def quantiles(values1: ArrayLike, counts1: ArrayLike, values2: ArrayLike, counts2: ArrayLike, *, q: float = 0.5, level: float = 0.95,
              seed: int = 0, draws: int = 10_000) -> Comparison:
    """Compare a quantile of the first group with that of the second (the control); infinite values are values, too.

    Resampling people moves the rank at which the quantile stands by the binomial law, so that only ranks are drawn. Where a
    bound falls among the infinite ones (who have not done it), it is missing.

    Examples
    --------
    >>> found = quantiles(range(1, 101), [5] * 100, range(11, 111), [5] * 100)
    >>> found.difference, found.low < -10 < found.high
    (-10.0, True)

    References
    ----------
    Schultzberg and Ankargren, "Resampling-free bootstrap inference for quantiles", Future of Information and Communication
    Conference (2022), 548-562.
    """
    one, other = _sorted(values1, counts1), _sorted(values2, counts2)
    if not (one[1][-1:].sum() and other[1][-1:].sum()):
        return Comparison(*[np.nan] * 7)
    random = np.random.default_rng(seed)
    drawn1, drawn2 = _drawn(*one, q, random, draws), _drawn(*other, q, random, draws)
    value1, value2 = (_at(*each, max(np.ceil(q * each[1][-1]), 1)) for each in (one, other))
    with np.errstate(invalid="ignore", divide="ignore"):
        moved, lifts = np.sort(drawn1 - drawn2), np.sort(drawn1 / drawn2 - 1)
        difference, lift = value1 - value2, value1 / value2 - 1
    low, high = _ends(moved, level)
    lift_low, lift_high = _ends(lifts, level) if value2 > 0 else (np.nan, np.nan)
    known = moved[~np.isnan(moved)]
    p = min(2 * (1 + min((known <= 0).sum(), (known >= 0).sum())) / (1 + len(known)), 1.0) if len(known) else np.nan
    made = [_finite(each) for each in (difference, low, high, p, lift if value2 > 0 else np.nan, lift_low, lift_high)]
    return Comparison(*made) if np.isfinite(difference) else Comparison(*[np.nan] * 7)


def _sorted(values: ArrayLike, counts: ArrayLike) -> tuple[Floats, Floats]:
    numbers, people = as_floats(values), as_floats(counts)
    order = np.argsort(numbers, kind="stable")
    return numbers[order], np.cumsum(people[order])


def _drawn(values: Floats, upto: Floats, q: float, random: np.random.Generator, draws: int) -> Floats:
    n = round(upto[-1])
    return _at(values, upto, np.clip(random.binomial(n + 1, q, draws), 1, n))


def _at(values: Floats, upto: Floats, rank: ArrayLike) -> Floats:
    return values[np.searchsorted(upto, np.asarray(rank) - 1e-9)]


def _ends(ordered: Floats, level: float) -> tuple[float, float]:
    known = ordered[~np.isnan(ordered)]
    if len(known) < 0.99 * len(ordered):
        return np.nan, np.nan
    last = len(known) - 1
    return float(known[int((1 - level) / 2 * last)]), float(known[int(np.ceil((1 + level) / 2 * last))])


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else np.nan
