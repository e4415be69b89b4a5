"""Quantiles of what people do many times: the interval follows how people differ, not single rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats.intervals import _z, as_floats, quantile


def median(
    values: ArrayLike,
    counts: ArrayLike,
    below: ArrayLike,
    at: ArrayLike,
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
    below, at, sizes, people
        Kinds of alike people: how many of one person's values lie below the median of all and how many
        at it, how many values the person has, and how many such people there are.
    level
        How often such intervals hold the true median.

    Notes
    -----
    The share of values in the lower half is a ratio over people, whose spread is known; the interval is
    cut from the values at that share less and more its margin. Values at the median are in either half by
    the part that makes it a half.

    Examples
    --------
    >>> median([1, 2, 3], [30, 40, 30], below=[1, 0, 0], at=[0, 1, 0], sizes=[1, 1, 1], people=[30, 40, 30])
    (2.0, 2.0, 2.0)

    References
    ----------
    Woodruff, "Confidence intervals for medians and other position measures", Journal of the
    American Statistical Association 47 (1952), 635-646.
    """
    rows, weights = as_floats(sizes), as_floats(people)
    total, ties = float(weights @ rows), float(weights @ as_floats(at))
    if not total:
        return np.nan, np.nan, np.nan
    part = np.clip((total / 2 - weights @ as_floats(below)) / ties, 0, 1) if ties else 0.0
    hits = as_floats(below) + part * as_floats(at)
    share = float(weights @ hits) / total
    margin = _z(level) * float(np.sqrt(weights @ (hits - share * rows) ** 2)) / total
    value = quantile(values, 0.5, counts=counts)[0]
    if share - margin <= 0 or share + margin >= 1:
        return value, np.nan, np.nan
    low, high = (quantile(values, at, counts=counts)[0] for at in (share - margin, share + margin))
    return value, min(low, value), max(high, value)
