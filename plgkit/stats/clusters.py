"""Quantiles of what people do many times: the interval follows how people differ, not single rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats.intervals import _z, as_floats, quantile


def median(
    values: ArrayLike,
    counts: ArrayLike,
    below: ArrayLike,
    sizes: ArrayLike,
    people: ArrayLike,
    *,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Median of values that come from people, several from each, with an interval: value, low, high.

    Parameters
    ----------
    values, counts
        The distinct values and how often each is there.
    below, sizes, people
        Kinds of alike people: how many of one person's values lie in the lower half of all, how many
        values the person has, and how many such people there are.
    level
        How often such intervals hold the true median.

    Notes
    -----
    The share of values below the median is a ratio over people, whose spread is known; the interval is
    cut from the values at that share less and more its margin.

    Examples
    --------
    >>> median([1, 2, 3, 4], [25, 25, 25, 25], below=[0, 1], sizes=[1, 1], people=[50, 50])
    (2.0, 2.0, 3.0)

    References
    ----------
    Woodruff, "Confidence intervals for medians and other position measures", Journal of the
    American Statistical Association 47 (1952), 635-646.
    """
    hits, rows, weights = as_floats(below), as_floats(sizes), as_floats(people)
    total = float(weights @ rows)
    if not total:
        return np.nan, np.nan, np.nan
    share = float(weights @ hits) / total
    margin = _z(level) * float(np.sqrt(weights @ (hits - share * rows) ** 2)) / total
    value = quantile(values, 0.5, counts=counts)[0]
    if share - margin <= 0 or share + margin >= 1:
        return value, np.nan, np.nan
    low, high = (quantile(values, at, counts=counts)[0] for at in (share - margin, share + margin))
    return value, min(low, value), max(high, value)
