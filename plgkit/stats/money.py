"""Sums of money over crowds whose size is chance too: every account comes again as often as Poisson's law says."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plgkit.stats.intervals import as_floats

Floats = NDArray[np.float64]


def resampled(
    amounts: ArrayLike, counts: ArrayLike, *, seed: int = 0, draws: int = 1000
) -> tuple[Floats, Floats]:
    """Sums of the amounts and numbers of accounts in resampled crowds, one of each per draw.

    Parameters
    ----------
    amounts, counts
        The distinct amounts, and how many accounts have each.

    Examples
    --------
    >>> sums, accounts = resampled([10.0, 20.0], [5, 5], draws=4)
    >>> sums.shape, bool((sums >= 10 * accounts).all())
    ((4,), True)
    """
    values, people = as_floats(amounts), as_floats(counts)
    order = np.lexsort((people, values))
    values, people = values[order], people[order]
    drawn = np.random.default_rng(seed).poisson(people, (draws, len(people)))
    return drawn @ values, drawn.sum(axis=1).astype(float)


def span(drawn: Floats, value: float, level: float) -> tuple[float, float]:
    """The range that holds so large a part of the draws, and the value; a side without a bound is NaN.

    Examples
    --------
    >>> span(np.array([1.0, 2.0, np.inf]), 2.0, 0.95)
    (1.0, nan)
    """
    if np.isnan(value):
        return np.nan, np.nan
    known = np.nan_to_num(drawn, nan=np.inf, posinf=np.inf)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    return (min(float(low), value) if np.isfinite(low) else np.nan,
            max(float(high), value) if np.isfinite(high) else np.nan)
