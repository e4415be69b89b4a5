"""Shares compared many at a time, over all people or among alike ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from plgkit.stats.intervals import Floats, _plain, _z, as_floats

ENOUGH = 5
"""With fewer expected in a cell the score test is too sure, and the exact one is asked."""


def share_p(x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike) -> Any:
    """How probable so large a difference of two shares is, were they the same (two-sided), row by row.

    The score test; where fewer than five are expected in a cell, Fisher's exact test with half the chance of what was
    seen (mid-p). Nobody in one of the groups, or all alike in both, is no test: NaN.

    Examples
    --------
    >>> round(share_p(56, 70, 48, 80), 4)
    0.008
    >>> round(share_p(1, 1, 10, 99), 2)
    0.11

    References
    ----------
    Cochran, "Some methods for strengthening the common chi-square tests", Biometrics 10 (1954), 417-451: the rule of five.
    """
    from scipy.stats import chi2, hypergeom

    hits1, size1, hits2, size2 = (np.atleast_1d(as_floats(each)) for each in (x1, n1, x2, n2))
    n, hits = size1 + size2, hits1 + hits2
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = hits / n
        variance = pooled * (1 - pooled) * (1 / size1 + 1 / size2)
        p = chi2.sf((hits1 / size1 - hits2 / size2) ** 2 / variance, 1)
        least = np.minimum(size1, size2) * np.minimum(pooled, 1 - pooled)
    few = np.flatnonzero((least > 0) & (least < ENOUGH))
    of = (hits1[few], n[few], hits[few], size1[few])
    half = hypergeom.pmf(*of) / 2
    p[few] = np.minimum(2 * (half + np.minimum(hypergeom.sf(*of), hypergeom.cdf(of[0] - 1, *of[1:]))), 1)
    return _plain(p if np.ndim(x1) else p[0])


def correlation(x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, *, level: float = 0.95) -> tuple[Any, Any, Any]:
    """Correlation (phi) of being in the first group and being a hit, row by row: value, low, high.

    Unlike a difference, it is small for what nearly all or hardly anybody is in. The interval is Fisher's.

    Examples
    --------
    >>> [round(each, 3) for each in correlation(56, 70, 48, 80)]
    [0.216, 0.058, 0.364]

    References
    ----------
    Fisher, "On the 'probable error' of a coefficient of correlation", Metron 1 (1921), 3-32.
    """
    hits1, size1, hits2, size2 = (as_floats(each) for each in (x1, n1, x2, n2))
    n, hits = size1 + size2, hits1 + hits2
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (hits1 * size2 - hits2 * size1) / np.sqrt(size1 * size2 * hits * (n - hits))
        half = _z(level) / np.sqrt(np.maximum(n - 3, 1))
        middle = np.arctanh(np.clip(value, -1 + 1e-9, 1 - 1e-9))
        low, high = np.tanh(middle - half), np.tanh(middle + half)
    return _plain(value), _plain(np.minimum(low, value)), _plain(np.maximum(high, value))


def mantel_haenszel(cells: pd.DataFrame, by: str | list[str], *, level: float = 0.95) -> pd.DataFrame:
    """Difference of two shares among alike people: within strata, weighted by how much each stratum can tell.

    Parameters
    ----------
    cells
        One row per group of `by` and stratum: x1 hits of n1 people, and x2 of n2.
    by
        The columns that name a group.
    level
        Share that intervals cover.

    Returns
    -------
    One row per group: difference (first less second), low, high (Sato's variance), p (Cochran, Mantel and Haenszel's
    test, two-sided). Missing where the strata that have people on both sides have fewer than five on one of them.

    Examples
    --------
    >>> cells = pd.DataFrame({"event": ["tour", "tour"], "x1": [80, 10], "n1": [100, 50], "x2": [40, 20], "n2": [50, 100]})
    >>> mantel_haenszel(cells, "event").round(3)
      event  difference    low   high    p
    0  tour         0.0 -0.096  0.096  1.0

    References
    ----------
    Mantel and Haenszel, Journal of the National Cancer Institute 22 (1959), 719-748. Greenland and Robins, "Estimation of a common effect parameter from sparse follow-up data", Biometrics 41 (1985),
    55-68. Sato, "On the variance estimator for the Mantel-Haenszel risk difference", Biometrics 45 (1989), 1323-1324.
    """
    from scipy.stats import chi2

    keys = [by] if isinstance(by, str) else list(by)
    x1, n1, x2, n2 = (as_floats(cells[name]) for name in ("x1", "n1", "x2", "n2"))
    sums = cells[keys].assign(**_terms(x1, n1, x2, n2)).groupby(keys, as_index=False, sort=True).sum()
    weight = sums["weight"].where((sums["first"] >= ENOUGH) & (sums["second"] >= ENOUGH))
    difference = sums["above"] / weight
    half = _z(level) * np.sqrt((difference * sums["p"] + sums["q"]).clip(lower=0)) / weight
    p = chi2.sf(sums["above"] ** 2 / sums["chance"].where(weight.notna() & (sums["chance"] > 0)), 1)
    return sums[keys].assign(difference=difference, low=difference - half, high=difference + half, p=p)


def _terms(x1: Floats, n1: Floats, x2: Floats, n2: Floats) -> dict[str, Floats]:
    with np.errstate(divide="ignore", invalid="ignore"):
        n, hits = n1 + n2, x1 + x2
        found = {
            "first": n1,
            "second": n2,
            "weight": n1 * n2 / n,
            "above": (x1 * n2 - x2 * n1) / n,
            "chance": n1 * n2 * hits * (n - hits) / (n**2 * np.maximum(n - 1, 1)),
            "p": (n1**2 * x2 - n2**2 * x1 + n1 * n2 * (n2 - n1) / 2) / n**2,
            "q": (x1 * (n2 - x2) + x2 * (n1 - x1)) / (2 * n),
        }
    both = (n1 > 0) & (n2 > 0)
    return {name: np.where(both, value, 0.0) for name, value in found.items()}
