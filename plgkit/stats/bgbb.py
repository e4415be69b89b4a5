"""Giving or buying at set occasions (a yearly appeal, a conference), with no contract: the BG/BB model.

At each occasion a customer buys with a probability of its own, until it is lost for good. `x` is how many of the
occasions it took, `t_x` the last of them (0 for none), `n` how many there were.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats.intervals import Floats, as_floats
from plgkit.stats.likelihood import maximise


class Fit(NamedTuple):
    """The parameters and the log-likelihood there; `alpha` and `beta` are of buying, `gamma` and `delta` of being lost."""

    alpha: float
    beta: float
    gamma: float
    delta: float
    loglik: float = np.nan


def fit(x: ArrayLike, t_x: ArrayLike, n: ArrayLike, counts: ArrayLike | None = None) -> Fit:
    """The parameters under which what was seen is likeliest.

    Examples
    --------
    >>> found = fit([0, 1, 1, 2], [0, 1, 2, 2], [2, 2, 2, 2], [40, 25, 15, 20])
    >>> found.alpha > 0, found.loglik < 0
    (True, True)

    References
    ----------
    Fader, Hardie and Shang, "Customer-base analysis in a discrete-time noncontractual setting", Marketing Science 29
    (2010), 1086-1108.
    """
    from scipy.special import betaln

    taken, last, upto = map(as_floats, (x, t_x, n))
    people = np.ones(taken.shape) if counts is None else as_floats(counts)
    idle = np.arange(int((upto - last).max()))

    def loglik(alpha: float, beta: float, gamma: float, delta: float) -> float:
        alive = betaln(alpha + taken, beta + upto - taken) + betaln(gamma, delta + upto)
        gone = betaln(alpha + taken[:, None], beta + (last - taken)[:, None] + idle) + betaln(
            gamma + 1, delta + last[:, None] + idle)
        gone = np.where(idle < (upto - last)[:, None], gone, -np.inf)
        each = np.logaddexp(alive, np.logaddexp.reduce(gone, axis=1)) if len(idle) else alive
        return float(people @ (each - betaln(alpha, beta) - betaln(gamma, delta)))

    found = maximise(loglik, (1.0, 1.0, 1.0, 2.0))
    return Fit(*found.parameters, found.loglik)


def chance(model: Fit, x: ArrayLike, n: int) -> Any:
    """Probability that a customer takes so many of `n` occasions.

    Examples
    --------
    >>> shares = chance(Fit(1.2, 0.75, 0.66, 2.78), [0, 1, 2], 2)
    >>> round(float(shares.sum()), 6)
    1.0
    """
    from scipy.special import betaln, binom

    alpha, beta, gamma, delta = model[:4]

    def upto(occasions: Floats, taken: Any) -> Any:
        left = np.maximum(occasions - taken, 0)
        return np.where(occasions >= taken, binom(occasions, taken) * np.exp(
            betaln(alpha + taken, beta + left) - betaln(alpha, beta)), 0.0)

    taken, lost = as_floats(x), np.arange(float(n))
    alive = upto(np.float64(n), taken) * np.exp(betaln(gamma, delta + n) - betaln(gamma, delta))
    gone = upto(lost, taken[..., None]) * np.exp(betaln(gamma + 1, delta + lost) - betaln(gamma, delta))
    return alive + gone.sum(axis=-1)
