"""Shares of people who come in families: the interval follows how families differ, not single people."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats import intervals
from plgkit.stats.intervals import Floats, as_floats


def wilson(
    numerator: ArrayLike,
    denominator: ArrayLike,
    squares: ArrayLike,
    products: ArrayLike,
    sizes: ArrayLike,
    *,
    level: float = 0.95,
) -> tuple[Any, Any]:
    """Wilson's interval of a share, with as many people as they are worth when they come in families.

    Parameters
    ----------
    numerator, denominator
        Hits and people, as in `intervals.wilson`.
    squares, products, sizes
        Sums over families: of the square of its hits, of its hits times its people, of the square of its people.
    level
        How often such intervals hold the true share.

    Examples
    --------
    Forty people, of whom each is a family, and the same in pairs who do alike, which is worth a little less than half
    as many people:

    >>> [round(each, 3) for each in wilson(10, 40, squares=10, products=10, sizes=40)]
    [0.142, 0.402]
    >>> [round(each, 3) for each in wilson(10, 40, squares=20, products=20, sizes=80)]
    [0.104, 0.49]

    References
    ----------
    Kish, *Survey Sampling* (1965): the design effect, and so many families of equal size. Dean and Pagano, "Evaluating confidence interval methods for
    binomial proportions in clustered surveys", Journal of Survey Statistics and Methodology 3 (2015), 484-503.
    """
    worth = 1 / design_effect(numerator, denominator, squares, products, sizes, level=level)
    return intervals.wilson(as_floats(numerator) * worth, as_floats(denominator) * worth, level=level)


def design_effect(
    numerator: ArrayLike,
    denominator: ArrayLike,
    squares: ArrayLike,
    products: ArrayLike,
    sizes: ArrayLike,
    *,
    level: float = 0.95,
) -> Floats:
    """How many times more a share varies because people come in families; never less than once.

    It is more where the families are few, from which how much they differ is known less well.

    Examples
    --------
    Twice as much for pairs who do alike, and a fifth more for being only twenty pairs:

    >>> round(float(design_effect(10, 40, squares=20, products=20, sizes=80)), 3)
    2.401
    """
    hits, people = as_floats(numerator), as_floats(denominator)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = hits / people
        spread = as_floats(squares) - 2 * share * as_floats(products) + share**2 * as_floats(sizes)
        effect = spread / (people * share * (1 - share)) * _few(people, as_floats(sizes), level)
    return np.where(effect > 1, effect, 1.0)


def _few(people: Floats, sizes: Floats, level: float) -> Floats:
    """What few families add to a variance: the square of Student's t over the normal's, and n over n - 1.

    They are as many as families of equal size that would vary alike, and five at least. Strangers add nothing.
    """
    from scipy.special import stdtrit

    with np.errstate(divide="ignore", invalid="ignore"):
        families = np.maximum(people**2 / sizes, 5.0)
    wider = (stdtrit(families - 1, (1 + level) / 2) / intervals._z(level)) ** 2 * families / (families - 1)
    return np.where(sizes > people, wider, 1.0)


def logarithmic(
    numerator: ArrayLike,
    denominator: ArrayLike,
    squares: ArrayLike,
    products: ArrayLike,
    sizes: ArrayLike,
    *,
    level: float = 0.95,
) -> tuple[Any, Any]:
    """Interval of a ratio of two sums over families, symmetric on the logarithmic scale; NaN where nothing differs.

    A ratio of small counts leans: it may be twice as large more easily than half as large, and so does its interval.

    Examples
    --------
    Of a hundred people twenty bring one each:

    >>> low, high = logarithmic(20, 100, squares=20, products=20, sizes=100)
    >>> round(float(low), 3), round(float(high), 3)
    (0.135, 0.296)

    References
    ----------
    Cochran, *Sampling Techniques* (1977), section 6.3: the variance of a ratio.
    """
    top, bottom = as_floats(numerator), as_floats(denominator)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = top / bottom
        spread = as_floats(squares) - 2 * value * as_floats(products) + value**2 * as_floats(sizes)
        # Rounding may leave a trace of a spread that is none.
        spread = np.where(spread > 1e-9 * as_floats(squares), spread, np.nan) * _few(bottom, as_floats(sizes), level)
        margin = np.exp(intervals._z(level) * np.sqrt(spread) / top)
        return value / margin, value * margin
