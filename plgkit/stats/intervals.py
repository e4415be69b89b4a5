"""Intervals for shares, differences of shares, counts, means and quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def wilson(numerator: ArrayLike, denominator: ArrayLike, *, level: float = 0.95) -> tuple[Any, Any]:
    """Interval of a share by Wilson's score method.

    Parameters
    ----------
    numerator, denominator
        Hits and trials: numbers, arrays or Series, row by row. Nothing out of
        nothing is no share, so a denominator of 0 gives NaN.
    level
        How often such intervals hold the true share.

    Returns
    -------
    low, high
        Numbers for numbers, arrays for arrays. The observed share always lies within,
        and 0 and 1 are met exactly when nobody or everybody is a hit.

    Examples
    --------
    >>> low, high = wilson(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927), 209-212.
    """
    hits, trials = as_floats(numerator), as_floats(denominator)
    z = _z(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = hits / trials
        centre = (hits + z**2 / 2) / (trials + z**2)
        half = z * np.sqrt(hits * (trials - hits) / trials + z**2 / 4) / (trials + z**2)
    # Rounding must not push a bound past the share it belongs to.
    low = np.where(hits == 0, share, np.minimum(centre - half, share))
    high = np.where(hits == trials, share, np.maximum(centre + half, share))
    return _plain(low), _plain(high)


def newcombe(
    x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, *, level: float = 0.95
) -> tuple[Any, Any]:
    """Interval of the difference of two shares, `x1 / n1` less `x2 / n2`.

    Examples
    --------
    >>> low, high = newcombe(56, 70, 48, 80)
    >>> round(low, 4), round(high, 4)
    (0.0524, 0.3339)

    References
    ----------
    Newcombe, "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17 (1998), 873-890, method 10.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share1 = as_floats(x1) / as_floats(n1)
        share2 = as_floats(x2) / as_floats(n2)
    low1, high1 = wilson(x1, n1, level=level)
    low2, high2 = wilson(x2, n2, level=level)
    difference = share1 - share2
    low = difference - np.hypot(share1 - low1, high2 - share2)
    high = difference + np.hypot(high1 - share1, share2 - low2)
    return _plain(low), _plain(high)


def poisson(count: ArrayLike, *, level: float = 0.95) -> tuple[Any, Any]:
    """Exact interval of the mean of a count that varies as Poisson's law says.

    Examples
    --------
    >>> low, high = poisson(10)
    >>> round(low, 2), round(high, 2)
    (4.8, 18.39)

    References
    ----------
    Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28 (1936), 437-442.
    """
    from scipy.special import chdtri

    counts = as_floats(count)
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(counts > 0, chdtri(2 * np.maximum(counts, 0.5), 1 - tail) / 2, counts)
    high = chdtri(2 * (counts + 1), tail) / 2
    return _plain(low), _plain(high)


def mean_interval(
    mean: ArrayLike, deviation: ArrayLike, n: ArrayLike, *, level: float = 0.95
) -> tuple[Any, Any]:
    """Student's interval of a mean, from the mean, the sample's standard deviation and n.

    One value alone says nothing of the spread, so n below 2 gives NaN.

    Examples
    --------
    >>> low, high = mean_interval(5.0, 2.0, 16)
    >>> round(low, 3), round(high, 3)
    (3.934, 6.066)
    """
    from scipy.special import stdtrit

    means, deviations, sizes = as_floats(mean), as_floats(deviation), as_floats(n)
    known = sizes >= 2
    freedom = np.where(known, sizes - 1, 1.0)
    half = stdtrit(freedom, (1 + level) / 2) * deviations / np.sqrt(freedom + 1)
    half = np.where(known, half, np.nan)
    return _plain(means - half), _plain(means + half)


def quantile(
    values: ArrayLike, q: float = 0.5, *, counts: ArrayLike | None = None, level: float = 0.95
) -> tuple[float, float, float]:
    """A quantile of a sample and its interval by ranks: value, low, high.

    The ranks are those that resampling the same people without end would settle on, so
    nothing is drawn. Where the sample is too small to bound one side, that side is NaN.

    Examples
    --------
    >>> quantile(range(1, 101))
    (50.0, 40.0, 61.0)
    """
    from scipy.stats import binom

    numbers = as_floats(values)
    weights = np.ones(numbers.shape) if counts is None else as_floats(counts)
    used = ~np.isnan(numbers) & (weights > 0)
    order = np.argsort(numbers[used], kind="stable")
    numbers, upto = numbers[used][order], np.cumsum(weights[used][order])
    if not len(numbers):
        return np.nan, np.nan, np.nan
    n = round(upto[-1])
    tail = (1 - level) / 2
    below, above = binom.ppf(tail, n, q), binom.ppf(1 - tail, n, q) + 1
    ranks = (max(np.ceil(q * n), 1), below, above)
    return tuple(_at_rank(numbers, upto, rank, n) for rank in ranks)


def as_floats(values: ArrayLike) -> Floats:
    """Turn numbers, Series with missing values or decimals into floats, missing as NaN."""
    if isinstance(values, pd.Series):
        return values.to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(values, dtype=float)


def _at_rank(sorted_values: Floats, upto: Floats, rank: float, n: int) -> float:
    if not 1 <= rank <= n:
        return np.nan
    return float(sorted_values[np.searchsorted(upto, rank - 1e-9)])


def _z(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def _plain(values: Any) -> Any:
    return float(values) if np.ndim(values) == 0 else values
