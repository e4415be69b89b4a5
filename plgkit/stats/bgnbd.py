"""How often customers without a contract buy again, and whether they still do: the BG/NBD model.

Each customer buys at a rate of its own (gamma over customers) and after each purchase may be lost for good, with a
probability of its own (beta over customers). Nobody says goodbye: whether a customer is still one is a probability,
from how often it bought, how long before now the last time was, and how long it has been known. numpy and scipy fit the
four parameters: the package lifetimes has seen no release since 2020, and PyMC-Marketing brings a sampler along.

Throughout, `x` is the number of days with a purchase after the first, `t_x` the time from the first purchase to the
last, and `t` the time from the first purchase to now.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from plgkit.stats.intervals import Floats, as_floats
from plgkit.stats.likelihood import maximise


class Fit(NamedTuple):
    """The parameters, the log-likelihood there, and the covariance of the parameters' logarithms.

    `r` and `alpha` are those of the rate of buying, `a` and `b` those of being lost.
    """

    r: float
    alpha: float
    a: float
    b: float
    loglik: float = np.nan
    covariance: Any = None


def fit(x: ArrayLike, t_x: ArrayLike, t: ArrayLike, counts: ArrayLike | None = None, *, lost_at_once: bool = False) -> Fit:
    """The parameters under which what was bought is likeliest.

    Parameters
    ----------
    x, t_x, t
        Purchases after the first, time of the last, time known.
    counts
        How many customers each row stands for; one each by default.
    lost_at_once
        Whether a customer may be lost with its first purchase already (the MBG/NBD model). In the plain model whoever
        bought once only is still a customer, however long ago.

    Examples
    --------
    >>> found = fit([0, 0, 1, 3], [0.0, 0.0, 9.0, 25.0], [30.0, 38.0, 30.0, 38.0], [30, 30, 20, 20])
    >>> found.r > 0, found.loglik < 0
    (True, True)

    References
    ----------
    Fader, Hardie and Lee, "Counting your customers the easy way", Marketing Science 24 (2005), 275-284. Batislam,
    Denizel and Filiztekin, "Empirical validation and comparison of models for customer base analysis", International
    Journal of Research in Marketing 24 (2007), 201-209: the one with `lost_at_once`.
    """
    from scipy.special import betaln, gammaln

    n, last, known, people = distinct(x, t_x, t, counts)
    unit = float(known.max())
    more = 1.0 if lost_at_once else 0.0
    last, known = last / unit, known / unit

    def loglik(r: float, alpha: float, a: float, b: float) -> float:
        alive = betaln(a, b + n + more) - betaln(a, b) - (r + n) * np.log(alpha + known)
        lost = betaln(a + 1, b + n - 1 + more) - betaln(a, b) - (r + n) * np.log(alpha + last) if lost_at_once else np.where(
            n > 0, betaln(a + 1, b + np.maximum(n, 1) - 1) - betaln(a, b) - (r + n) * np.log(alpha + last), -np.inf)
        each = gammaln(r + n) - gammaln(r) + r * np.log(alpha) + np.logaddexp(alive, lost)
        return float(people @ each)

    found = maximise(loglik, (0.5, 0.3, 1.0, 2.0))
    r, alpha, a, b = found.parameters
    # Time was measured in units of the longest; a count of purchases at those times has a density in the other unit.
    return Fit(r, alpha * unit, a, b, found.loglik - float(people @ n * np.log(unit)), found.covariance)


def alive(model: Fit, x: ArrayLike, t_x: ArrayLike, t: ArrayLike, *, lost_at_once: bool = False) -> Any:
    """Probability that a customer is still one.

    Examples
    --------
    >>> model = Fit(0.243, 4.414, 0.793, 2.426)
    >>> [round(float(alive(model, 2, last, 38.86)), 2) for last in (2.0, 30.43)]
    [0.06, 0.73]
    """
    return 1 / (1 + _lost(model, *map(as_floats, (x, t_x, t)), more=1.0 if lost_at_once else 0.0))


def expected(model: Fit, time: ArrayLike) -> Any:
    """Purchases after the first that a customer, of whom nothing else is known, makes in the time after it.

    Examples
    --------
    >>> round(float(expected(Fit(0.243, 4.414, 0.793, 2.426), 39)), 2)
    1.2
    """
    r, alpha, a, b = model[:4]
    return _buying(r, alpha, a, b, as_floats(time))


def expected_more(model: Fit, time: ArrayLike, x: ArrayLike, t_x: ArrayLike, t: ArrayLike) -> Any:
    """Purchases that a customer makes in so much time from now, by what it bought until now.

    Examples
    --------
    >>> round(float(expected_more(Fit(0.243, 4.414, 0.793, 2.426), 39, x=2, t_x=30.43, t=38.86)), 2)
    1.23
    """
    r, alpha, a, b = model[:4]
    n, last, known = map(as_floats, (x, t_x, t))
    while_alive = _buying(r + n, alpha + known, a, b + n, as_floats(time))
    return while_alive / (1 + _lost(model, n, last, known))


def chance(model: Fit, x: ArrayLike, time: float) -> Any:
    """Probability that a customer makes so many purchases after the first in a time from it.

    Examples
    --------
    >>> round(float(chance(Fit(0.243, 4.414, 0.793, 2.426), 0, 39)), 4)
    0.5738
    """
    from scipy.special import betaln, gammaln

    r, alpha, a, b = model[:4]
    n = as_floats(x)
    share = alpha / (alpha + time)
    ways = gammaln(r + n) - gammaln(r) - gammaln(n + 1) + r * np.log(share) + n * np.log1p(-share)
    staying = np.exp(betaln(a, b + n) - betaln(a, b) + ways)
    fewer = np.vectorize(lambda many: _below(int(many), r, share))(n)
    leaving = np.exp(betaln(a + 1, b + np.maximum(n, 1) - 1) - betaln(a, b)) * (1 - fewer)
    return staying + np.where(n > 0, leaving, 0.0)


def distinct(x: ArrayLike, t_x: ArrayLike, t: ArrayLike, counts: ArrayLike | None) -> tuple[Floats, ...]:
    """Each kind of customers once, in order, with how many they are."""
    n, last, known = map(as_floats, (x, t_x, t))
    people = np.ones(n.shape) if counts is None else as_floats(counts)
    cells = pd.DataFrame({"x": n, "t_x": last, "t": known, "people": people})
    cells = cells.groupby(["x", "t_x", "t"], as_index=False, sort=True)["people"].sum()
    return tuple(cells[name].to_numpy(dtype=float) for name in cells)


def _below(many: int, r: float, share: float) -> float:
    """Probability that a rate alone makes fewer than so many purchases."""
    from scipy.special import gammaln

    j = np.arange(many)
    return float(np.exp(gammaln(r + j) - gammaln(r) - gammaln(j + 1) + r * np.log(share) + j * np.log1p(-share)).sum())


def _lost(model: Fit, n: Floats, last: Floats, known: Floats, *, more: float = 0.0) -> Floats:
    """Odds that a customer was lost with its last purchase."""
    r, alpha, a, b = model[:4]
    odds = a / np.maximum(b + n - 1 + more, 1e-12) * ((alpha + known) / (alpha + last)) ** (r + n)
    return np.where((n > 0) | bool(more), odds, 0.0)


def _buying(r: Any, alpha: Any, a: float, b: Any, time: Floats) -> Any:
    """Expected purchases in a time of a customer who is one at its start."""
    from scipy.special import hyp2f1

    # At a = 1 the two ends of the formula meet, and beside it they cancel each other.
    a = a if abs(a - 1) > 1e-6 else 1 + 1e-6
    kept = (alpha / (alpha + time)) ** r * hyp2f1(r, b, a + b - 1, time / (alpha + time))
    return (a + b - 1) / (a - 1) * (1 - kept)
