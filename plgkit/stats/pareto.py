"""Buying again without a contract, where a customer may be lost at any time: the Pareto/NBD model.

The older sibling of the BG/NBD model (see `plgkit.stats.bgnbd`, also for `x`, `t_x` and `t`): there a customer can be
lost only with a purchase. Both say much the same; this one is slower to fit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats.bgnbd import distinct
from plgkit.stats.intervals import Floats, as_floats
from plgkit.stats.likelihood import maximise


class Fit(NamedTuple):
    """The parameters and the log-likelihood there; `r` and `alpha` are of buying, `s` and `beta` of being lost."""

    r: float
    alpha: float
    s: float
    beta: float
    loglik: float = np.nan


def fit(x: ArrayLike, t_x: ArrayLike, t: ArrayLike, counts: ArrayLike | None = None) -> Fit:
    """The parameters under which what was bought is likeliest.

    Examples
    --------
    >>> found = fit([0, 0, 1, 3], [0.0, 0.0, 9.0, 25.0], [30.0, 38.0, 30.0, 38.0], [30, 30, 20, 20])
    >>> found.r > 0, found.loglik < 0
    (True, True)

    References
    ----------
    Schmittlein, Morrison and Colombo, "Counting your customers: who are they and what will they do next?", Management
    Science 33 (1987), 1-24. Fader and Hardie, "A note on deriving the Pareto/NBD model" (2005): the form used here.
    """
    n, last, known, people = distinct(x, t_x, t, counts)
    unit = float(known.max())

    def loglik(r: float, alpha: float, s: float, beta: float) -> float:
        return float(people @ _each(r, alpha, s, beta, n, last / unit, known / unit))

    found = maximise(loglik, (0.5, 0.3, 0.5, 0.3))
    r, alpha, s, beta = found.parameters
    return Fit(r, alpha * unit, s, beta * unit, found.loglik - float(people @ n * np.log(unit)))


def alive(model: Fit, x: ArrayLike, t_x: ArrayLike, t: ArrayLike) -> Any:
    """Probability that a customer is still one.

    Examples
    --------
    >>> round(float(alive(Fit(0.5534, 10.5802, 0.6061, 11.6562), 26, 30.86, 31)), 4)
    0.9979
    """
    r, alpha, s, beta = model[:4]
    n, last, known = map(as_floats, (x, t_x, t))
    staying = -(r + n) * np.log(alpha + known) - s * np.log(beta + known)
    return 1 / (1 + np.exp(_leaving(r, alpha, s, beta, n, last, known) - staying))


def expected(model: Fit, time: ArrayLike) -> Any:
    """Purchases after the first that a customer, of whom nothing else is known, makes in the time after it.

    Examples
    --------
    >>> round(float(expected(Fit(0.55, 10.56, 0.61, 11.64), 9)), 4)
    0.3891
    """
    r, alpha, s, beta = model[:4]
    return r / alpha * _years(s, beta, as_floats(time))


def expected_more(model: Fit, time: ArrayLike, x: ArrayLike, t_x: ArrayLike, t: ArrayLike) -> Any:
    """Purchases that a customer makes in so much time from now, by what it bought until now.

    Examples
    --------
    >>> round(float(expected_more(Fit(0.5534, 10.5802, 0.6061, 11.6562), 52, x=26, t_x=30.86, t=31)), 1)
    25.5
    """
    r, alpha, s, beta = model[:4]
    rate = (r + as_floats(x)) / (alpha + as_floats(t))
    return alive(model, x, t_x, t) * rate * _years(s, beta + as_floats(t), as_floats(time))


def _years(s: float, beta: Any, time: Floats) -> Any:
    """Time for which a customer who is one now is expected to be one, within a time from now."""
    s = s if abs(s - 1) > 1e-6 else 1 + 1e-6
    return beta / (s - 1) * (1 - (beta / (beta + time)) ** (s - 1))


def _each(r: float, alpha: float, s: float, beta: float, n: Floats, last: Floats, known: Floats) -> Floats:
    from scipy.special import gammaln

    staying = -(r + n) * np.log(alpha + known) - s * np.log(beta + known)
    both = np.logaddexp(staying, _leaving(r, alpha, s, beta, n, last, known))
    return gammaln(r + n) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + both


def _leaving(r: float, alpha: float, s: float, beta: float, n: Floats, last: Floats, known: Floats) -> Floats:
    """Logarithm of the part of the likelihood in which the customer was lost between the last purchase and now."""
    from scipy.special import hyp2f1

    whole, wider, narrower = r + s + n, max(alpha, beta), min(alpha, beta)
    second = s + 1 if alpha >= beta else r + n

    def part(time: Floats) -> tuple[Floats, Floats]:
        value = hyp2f1(whole, second, whole + 1, (wider - narrower) / (wider + time))
        return np.log(value), -whole * np.log(wider + time)

    (early, scale), (late, other) = part(last), part(known)
    more = early + scale + np.log(np.maximum(-np.expm1(np.minimum(late + other - early - scale, 0.0)), 1e-300))
    return np.log(s / whole) + more
