"""Renewals whose odds change with age too: the beta-discrete-Weibull model.

As the shifted-beta-geometric, with one parameter more: above 1 a customer leaves the easier the longer it has been
there, below 1 the harder. It fits churn that first rises; it needs more periods than the plainer model to be told.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats.intervals import Floats, as_floats
from plgkit.stats.likelihood import maximise


class Fit(NamedTuple):
    """The parameters and the log-likelihood there."""

    alpha: float
    beta: float
    power: float
    loglik: float


def survival(alpha: float, beta: float, power: float, periods: int) -> Floats:
    """Share still there at ages 0, 1, ... up to `periods`.

    Examples
    --------
    >>> survival(1.0, 1.0, 1.0, 3).round(4)  # with power 1, the shifted-beta-geometric
    array([1.    , 0.5   , 0.3333, 0.25  ])
    """
    from scipy.special import betaln

    return np.exp(betaln(alpha, beta + np.arange(periods + 1.0) ** power) - betaln(alpha, beta))


def fit(at_risk: ArrayLike, leaving: ArrayLike) -> Fit:
    """The parameters under which what was seen (see `sbg.of_survivors`) is likeliest.

    Examples
    --------
    >>> from plgkit.stats import sbg
    >>> found = fit(*sbg.of_survivors([100, 86.9, 74.3, 65.3, 59.3]))
    >>> round(found.alpha, 2), round(found.beta, 2), round(found.power, 2)
    (0.26, 1.72, 1.58)

    References
    ----------
    Fader, Hardie, Liu, Davin and Steenburgh, "How to project customer retention revisited: the role of duration
    dependence", Journal of Interactive Marketing 43 (2018), 1-16.
    """
    seen, left = as_floats(at_risk), as_floats(leaving)

    def loglik(alpha: float, beta: float, power: float) -> float:
        there = survival(alpha, beta, power, len(seen))
        kept = np.clip(there[1:] / there[:-1], 1e-300, 1 - 1e-15)
        return float((left * np.log1p(-kept) + (seen - left) * np.log(kept)).sum())

    found = maximise(loglik, (1.0, 3.0, 1.0))
    return Fit(*found.parameters, found.loglik)
