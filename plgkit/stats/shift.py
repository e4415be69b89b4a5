"""How far the make-up of a crowd has shifted from an earlier one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats.intervals import as_floats


def stability(before: ArrayLike, now: ArrayLike, *, level: float = 0.95) -> tuple[float, float]:
    """Population stability index of two crowds counted in the same bins, and how large it gets by chance alone.

    Parameters
    ----------
    before, now
        How many people of either crowd are in each bin. Half a person is added to each, so that an empty bin is no infinity.
    level
        How often chance stays below the second number, where nothing has shifted.

    Examples
    --------
    >>> [round(each, 3) for each in stability([500, 500], [60, 40])]
    [0.04, 0.042]

    References
    ----------
    Yurdakul and Naranjo, "Statistical properties of the population stability index", Journal of Risk Model Validation 14 (2020),
    89-100: without a shift it is a chi-squared number times the sum of both crowds' reciprocal sizes.
    """
    from scipy.stats import chi2

    first, second = as_floats(before), as_floats(now)
    if not first.sum() or not second.sum():
        return np.nan, np.nan
    p, q = ((each + 0.5) / (each.sum() + 0.5 * len(each)) for each in (first, second))
    chance = chi2.ppf(level, max(len(first) - 1, 1)) * (1 / first.sum() + 1 / second.sum())
    return math.fsum((q - p) * np.log(q / p)), float(chance)
