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


def of_largest(amounts: ArrayLike, counts: ArrayLike, share: float, *, level: float = 0.95, seed: int = 0,
               draws: int = 1000) -> tuple[float, float, float]:
    """Part of all money that the largest accounts bring, such as the largest tenth of them: value, low, high.

    The part of accounts is rounded up to whole ones. Where there are too few kinds of amounts to differ, low and high are
    the value.

    Parameters
    ----------
    amounts, counts
        The distinct amounts, and how many accounts have each.
    share
        Part of the accounts that are the largest.

    Examples
    --------
    >>> value, low, high = of_largest([100.0, 10.0], [5, 95], 0.1)
    >>> round(value, 3), round(low, 2), round(high, 2)
    (0.379, 0.17, 0.5)
    """
    order = np.argsort(-as_floats(amounts), kind="stable")
    values, people = as_floats(amounts)[order], as_floats(counts)[order]
    size = round(people.sum())
    drawn = np.random.default_rng(seed).multinomial(size, people / people.sum(), draws).astype(float)
    most = -(-size * round(share * 10_000) // 10_000)
    value = _top(values, people[None, :], most)[0]
    low, high = np.quantile(_top(values, drawn, most), [(1 - level) / 2, (1 + level) / 2])
    return float(value), float(min(low, value)), float(max(high, value))


def _top(values: Floats, people: Floats, most: int) -> Floats:
    """What so many of the largest accounts of each crowd bring, as a part of all; values from the largest down."""
    before = np.cumsum(people, axis=1) - people
    return np.clip(most - before, 0, people) @ values / (people @ values)
