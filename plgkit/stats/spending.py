"""What a purchase is worth, customer by customer: the Gamma-Gamma model, and value from purchases still to come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from plgkit.stats.intervals import as_floats
from plgkit.stats.likelihood import maximise


class Fit(NamedTuple):
    """The parameters, the log-likelihood there, and the covariance of the parameters' logarithms."""

    p: float
    q: float
    v: float
    loglik: float = np.nan
    covariance: Any = None


def fit(x: ArrayLike, mean: ArrayLike, counts: ArrayLike | None = None) -> Fit:
    """The parameters under which what customers spent per purchase is likeliest.

    Parameters
    ----------
    x, mean
        Purchases of each customer and what they were worth on average; those without any, or worth nothing, are left
        out. The model takes it that how often somebody buys says nothing of how much: see that the two do not go
        together.
    counts
        How many customers each row stands for; one each by default.

    Examples
    --------
    >>> found = fit([1, 2, 1, 4, 2], [20.0, 30.0, 45.0, 25.0, 60.0], [9, 9, 9, 9, 9])
    >>> round(found.p * found.v / (found.q - 1))  # the mean over all customers
    36

    References
    ----------
    Fader and Hardie, "The Gamma-Gamma model of monetary value" (2013), brucehardie.com/notes/025.
    """
    from scipy.special import gammaln

    people = np.ones(np.shape(x)) if counts is None else as_floats(counts)
    cells = pd.DataFrame({"x": as_floats(x), "mean": as_floats(mean), "people": people})
    cells = cells[(cells["x"] > 0) & (cells["mean"] > 0)].groupby(["x", "mean"], as_index=False)["people"].sum()
    n, spent, people = (cells[name].to_numpy(dtype=float) for name in ("x", "mean", "people"))
    unit = float(np.average(spent, weights=people))
    spent = spent / unit

    def loglik(p: float, q: float, v: float) -> float:
        each = (gammaln(p * n + q) - gammaln(p * n) - gammaln(q) + q * np.log(v) + (p * n - 1) * np.log(spent)
                + p * n * np.log(n) - (p * n + q) * np.log(v + n * spent))
        return float(people @ each)

    found = maximise(loglik, (2.0, 3.0, 1.0))
    p, q, v = found.parameters
    return Fit(p, q, v * unit, found.loglik - float(people.sum() * np.log(unit)), found.covariance)


def expected(model: Fit, x: ArrayLike, mean: ArrayLike) -> Any:
    """What the next purchase of a customer is worth: its own mean, drawn to that of all the more the fewer there are.

    Examples
    --------
    >>> model = Fit(6.25, 3.74, 15.44)
    >>> [round(float(expected(model, x, 22.35)), 2) for x in (0, 2, 50)]
    [35.22, 24.66, 22.46]
    """
    p, q, v = model[:3]
    n, spent = as_floats(x), as_floats(mean)
    return p * (v + n * np.where(n > 0, spent, 0.0)) / (p * n + q - 1)


def value(purchases: Callable[[float], Any], worth: ArrayLike, *, periods: int, length: float, discount: float) -> Any:
    """What purchases still to come are worth today, over so many periods of a length.

    Parameters
    ----------
    purchases
        Purchases expected within a time from now.
    worth
        What one of them is worth.
    periods, length
        How many periods to count, and how long each is in the unit of time of the model. A model fitted in weeks has
        months of 4.345, not of 30.
    discount
        By how much a purchase is worth less per period that it comes later.

    Examples
    --------
    >>> round(float(value(lambda time: 2.0 * time, 10.0, periods=2, length=1.0, discount=0.25)), 4)  # 20 / 1.25 + 20 / 1.25^2
    28.8
    """
    upto = [purchases(length * each) for each in range(periods + 1)]
    later = sum((upto[each] - upto[each - 1]) / (1 + discount) ** each for each in range(1, periods + 1))
    return as_floats(worth) * later
