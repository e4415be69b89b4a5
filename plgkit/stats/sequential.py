"""Intervals that hold however often they are looked at, and whenever one stops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats.intervals import _plain, as_floats

TUNED_FOR = 5_000
ENOUGH = 100
"""With fewer people in all, the normal law that the interval leans on is not there yet, and there is none."""


def always_valid(
    difference: ArrayLike,
    error: ArrayLike,
    n: ArrayLike,
    *,
    level: float = 0.95,
    tuned_for: float = TUNED_FOR,
) -> tuple[Any, Any]:
    """Interval of a difference that holds the true one at all looks together with the stated chance.

    Parameters
    ----------
    difference, error
        The difference found so far and its standard error.
    n
        People in both groups so far.
    level
        Chance that not one of all the intervals, at any time, misses.
    tuned_for
        The number of people at which it is to be narrowest; to be chosen before the start, valid whatever it is.

    Examples
    --------
    Half as wide again as the one for a single look:

    >>> low, high = always_valid(0.05, 0.02, 5000)
    >>> round(low, 3), round(high, 3)
    (-0.011, 0.111)
    >>> always_valid(0.05, 0.02, 60)
    (nan, nan)

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
    sequences", Annals of Statistics 52 (2024), 2613-2640: theorem 2.2, and the tuning of its appendix B.2.
    """
    found, half = as_floats(difference), as_floats(error) * _width(n, 1 - level, tuned_for)
    return _plain(found - half), _plain(found + half)


def always_p(difference: ArrayLike, error: ArrayLike, n: ArrayLike, *, level: float = 0.95, tuned_for: float = TUNED_FOR) -> Any:
    """The smallest chance of missing at which the always-valid interval leaves out no difference.

    Examples
    --------
    >>> round(always_p(0.05, 0.02, 5000), 2), always_p(0.0, 0.02, 5000)
    (0.19, 1.0)
    """
    mixed = _mixed(n, 1 - level, tuned_for)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = as_floats(difference) / as_floats(error)
        p = np.sqrt(mixed + 1) * np.exp(-(z**2) / 2 * mixed / (mixed + 1))
    return _plain(np.where(np.isnan(p), np.nan, np.minimum(p, 1.0)))


def _mixed(n: ArrayLike, alpha: float, tuned_for: float) -> Any:
    """People times the square of the mixture's width; missing below the fewest."""
    people, spread = as_floats(n), -2 * np.log(alpha)
    return np.where(people >= ENOUGH, people, np.nan) * (spread + np.log(spread + 1)) / tuned_for


def _width(n: ArrayLike, alpha: float, tuned_for: float) -> Any:
    """How many standard errors lie between the difference and a bound."""
    mixed = _mixed(n, alpha, tuned_for)
    return np.sqrt(2 * (mixed + 1) / mixed * np.log(np.sqrt(mixed + 1) / alpha))
