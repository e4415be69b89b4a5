"""How many times as large the mean of one group is as that of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats.bootstrap import _samples
from plgkit.stats.intervals import Floats, as_floats


def of_means(
    values: ArrayLike,
    counts: ArrayLike,
    base_values: ArrayLike,
    base_counts: ArrayLike,
    *,
    seed: int = 0,
    level: float = 0.95,
    draws: int = 1000,
) -> tuple[float, float, float]:
    """Mean of a group over the mean of a base group, with an interval: value, low, high.

    Parameters
    ----------
    values, counts
        The distinct values of people and how many have each.
    base_values, base_counts
        The same of the group compared with.

    Notes
    -----
    Both groups are drawn with replacement, each from its own people. Where a drawn base has a mean of 0 the
    ratio has no bound, and low and high are NaN if that is so in more draws than the interval leaves out.

    Examples
    --------
    >>> of_means([2, 4], [50, 50], [1, 2], [50, 50])[0]
    2.0
    """
    ours, theirs = (as_floats(values), as_floats(counts)), (as_floats(base_values), as_floats(base_counts))
    if not ours[1].sum() or not theirs[1].sum() or not theirs[0] @ theirs[1]:
        return np.nan, np.nan, np.nan
    value = _mean(*ours) / _mean(*theirs)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = _drawn(*ours, draws, seed) / _drawn(*theirs, draws, seed + 1)
    low, high = np.quantile(np.nan_to_num(drawn, nan=np.inf), [(1 - level) / 2, (1 + level) / 2], method="nearest")
    return value, min(float(low), value), max(float(high), value) if np.isfinite(high) else np.nan


def _mean(values: Floats, counts: Floats) -> float:
    return float(values @ counts / counts.sum())


def _drawn(values: Floats, counts: Floats, draws: int, seed: int) -> Floats:
    order = np.lexsort((counts, values))
    values, counts = values[order], counts[order]
    return np.concatenate([batch @ values for batch in _samples(counts, draws, seed)]) / counts.sum()
