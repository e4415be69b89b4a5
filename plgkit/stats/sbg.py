"""How long customers under contract stay: the shifted-beta-geometric model of renewals.

Each customer leaves with a probability of its own per period, the same in every period; over customers it varies by a
beta law. Who leaves easily leaves soon, so that churn falls with age though nobody changes. The model is two
parameters, and numpy and scipy fit it: the package lifetimes has seen no release since 2020, and PyMC-Marketing brings a
sampler for Bayesian models along.

A cohort is told by two numbers for each period of life: how many came to its end or left in it ("at risk"), and how
many of them left. So cohorts of any age, and customers still there, are counted alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats.intervals import Floats, as_floats

_NEAR, _LEAST = 0.02, 1e-7
_BOUNDS = ((-16.0, 16.0), (float(np.log(_NEAR)), 9.0))
_STEPS = 80
_RAYS = 256


class Fit(NamedTuple):
    """The model's parameters: `alpha` and `beta` of the law of leaving, and the log-likelihood there.

    `churn` is the mean probability to leave in the first period; `spread`, 1 / (alpha + beta), says how unlike
    customers are: at 0 all are alike, and churn does not fall with age. Then alpha and beta have no end; they are
    given as the largest that can be told from it.
    """

    alpha: Any
    beta: Any
    loglik: Any

    @property
    def churn(self) -> Any:
        """Mean probability to leave in the first period."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def spread(self) -> Any:
        """How unlike customers are."""
        return 1 / (self.alpha + self.beta)


def of_survivors(*cohorts: Sequence[float]) -> tuple[Floats, Floats]:
    """At risk and leaving per period of life, from how many of each cohort were there at ages 0, 1, 2 ...

    Examples
    --------
    >>> of_survivors([1000, 631, 468], [500, 300])
    (array([1500.,  631.]), array([569., 163.]))
    """
    longest = max((len(each) for each in cohorts), default=1) - 1
    at_risk, leaving = np.zeros(longest), np.zeros(longest)
    for each in cohorts:
        there = as_floats(each)
        at_risk[: len(there) - 1] += there[:-1]
        leaving[: len(there) - 1] += there[:-1] - there[1:]
    return at_risk, leaving


def hazard(alpha: ArrayLike, beta: ArrayLike, periods: int) -> Floats:
    """Probability to leave in period 1, 2, ... of those who are there at its start.

    Examples
    --------
    >>> hazard(1.0, 3.0, 3)
    array([0.25      , 0.2       , 0.16666667])
    """
    a, b = as_floats(alpha)[..., None], as_floats(beta)[..., None]
    return a / (a + b + np.arange(periods))


def survival(alpha: ArrayLike, beta: ArrayLike, periods: int) -> Floats:
    """Share still there at ages 0, 1, ... up to `periods`.

    Examples
    --------
    >>> survival(1.0, 1.0, 3).round(4)  # one half, one third, one quarter
    array([1.    , 0.5   , 0.3333, 0.25  ])
    """
    staying = np.cumsum(np.log1p(-hazard(alpha, beta, periods)), axis=-1)
    return np.exp(np.concatenate([np.zeros((*staying.shape[:-1], 1)), staying], axis=-1))


def loglik(alpha: ArrayLike, beta: ArrayLike, at_risk: ArrayLike, leaving: ArrayLike) -> Any:
    """Log-likelihood of what was seen.

    Examples
    --------
    >>> round(float(loglik(1.0, 1.0, *of_survivors([1000, 631, 468]))), 1)
    -1062.0
    """
    seen, left = as_floats(at_risk), as_floats(leaving)
    chance = hazard(alpha, beta, seen.shape[-1])
    return (left * np.log(chance) + (seen - left) * np.log1p(-chance)).sum(axis=-1)


def fit(at_risk: ArrayLike, leaving: ArrayLike) -> Fit:
    """The parameters under which what was seen is likeliest; several samples, one per row, are fitted at once.

    Where nobody left, or all at once, or only one age was seen, no curve can be told: NaN.

    Examples
    --------
    >>> high_end = fit(*of_survivors([1000, 869, 743, 653, 593, 551, 517, 491]))
    >>> round(float(high_end.alpha), 3), round(float(high_end.beta), 3)
    (0.668, 3.806)

    References
    ----------
    Fader and Hardie, "How to project customer retention", Journal of Interactive Marketing 21 (2007), 76-90.
    """
    seen, left = np.atleast_2d(as_floats(at_risk)), np.atleast_2d(as_floats(leaving))
    known = (left.sum(axis=1) > 0) & ((seen - left).sum(axis=1) > 0) & ((seen > 0).sum(axis=1) > 1)
    point = _climb(seen[known], left[known])
    alpha, beta = (np.full(len(seen), np.nan) for _ in range(2))
    alpha[known], beta[known] = _natural(point)
    with np.errstate(invalid="ignore"):
        found = Fit(alpha, beta, loglik(alpha, beta, seen, left))
    return found if np.ndim(at_risk) > 1 else Fit(*(float(each[0]) for each in found))


def lifetime(alpha: ArrayLike, beta: ArrayLike, periods: int, *, age: int = 0, discount: float = 0.0) -> Any:
    """Payments expected within so many periods of a customer who is there at an age, the one due now first.

    Parameters
    ----------
    alpha, beta
        The model's parameters.
    periods
        How many periods to count.
    age
        Periods that the customer has been there: 0 is one just won.
    discount
        By how much a payment is worth less per period that it comes later.

    Examples
    --------
    >>> round(float(lifetime(1.0, 1.0, 3)), 4)  # 1 + 1/2 + 1/3
    1.8333
    >>> round(float(lifetime(1.0, 1.0, 3, age=1)), 4)  # 1 + 2/3 + 2/4
    2.1667
    """
    staying = survival(alpha, as_floats(beta) + age, periods - 1)
    return (staying / (1 + discount) ** np.arange(periods)).sum(axis=-1)


def likely(found: Fit, at_risk: ArrayLike, leaving: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Pairs of alpha and beta around the region that what was seen leaves plausible, by the likelihood's profile.

    The interval of a number that follows from the parameters is its range over these pairs.

    Examples
    --------
    >>> seen = of_survivors([1000, 631, 468, 382, 326])
    >>> alpha, beta = likely(fit(*seen), *seen)
    >>> months = lifetime(alpha, beta, 12)
    >>> round(float(months.min()), 2), round(float(months.max()), 2)
    (4.04, 4.64)

    References
    ----------
    Venzon and Moolgavkar, "A method for computing profile-likelihood-based confidence intervals", Applied Statistics 37
    (1988), 87-94.
    """
    from scipy.special import ndtri

    seen, left = as_floats(at_risk), as_floats(leaving)
    centre = _inside(found.alpha, found.beta)
    turn = np.linspace(0, 2 * np.pi, _RAYS, endpoint=False)
    ways = np.column_stack([np.cos(turn), np.sin(turn)])
    below = found.loglik - float(ndtri((1 + level) / 2)) ** 2 / 2
    near, far = np.zeros(_RAYS), np.full(_RAYS, 40.0)
    for _ in range(50):
        middle = (near + far) / 2
        alpha, beta = _natural(np.clip(centre + middle[:, None] * ways, *np.transpose(_BOUNDS)))
        good = loglik(alpha, beta, seen, left) >= below
        near, far = np.where(good, middle, near), np.where(good, far, middle)
    around = np.clip(centre + near[:, None] * ways, *np.transpose(_BOUNDS))
    alpha, beta = _natural(np.vstack([around, centre]))
    return alpha, beta


def misfit(found: Fit, at_risk: ArrayLike, leaving: ArrayLike) -> float:
    """How often chance alone would set what was seen so far from the model (Pearson's test over the periods of life).

    Periods in which fewer than five would leave are taken together with those after them. NaN where no three are left.

    Examples
    --------
    >>> seen = of_survivors([1000, 869, 743, 653, 593, 551, 517, 491])
    >>> round(misfit(fit(*seen), *seen), 2)
    0.03
    """
    from scipy.stats import chi2

    seen, left = as_floats(at_risk), as_floats(leaving)
    chance = hazard(found.alpha, found.beta, len(seen))
    groups = np.minimum(np.floor(np.cumsum(seen * chance) / 5 - 1e-9), np.floor((seen * chance).sum() / 5) - 1)
    codes = np.unique(groups, return_inverse=True)[1] if len(groups) else groups.astype(int)
    more, wide = (np.bincount(codes, each) for each in (left - seen * chance, seen * chance * (1 - chance)))
    freedom = int((wide > 0).sum()) - 2
    if freedom < 1:
        return np.nan
    return float(chi2.sf((more[wide > 0] ** 2 / wide[wide > 0]).sum(), freedom))


def _natural(point: Floats) -> tuple[Floats, Floats]:
    """Alpha and beta from the log-odds of the first churn and a logarithm of the spread that has a place for 0."""
    churn, whole = 1 / (1 + np.exp(-point[..., 0])), 1 / (np.exp(point[..., 1]) - _NEAR + _LEAST)
    return churn * whole, (1 - churn) * whole


def _inside(alpha: float, beta: float) -> Floats:
    return np.array([np.log(alpha / beta), np.log(np.maximum(1 / (alpha + beta) - _LEAST, 0) + _NEAR)])


def _climb(seen: Floats, left: Floats) -> Floats:
    """Fisher scoring with halved steps, for all samples at once; a spread that would be below 0 stays at 0."""
    churn = np.clip(left.sum(axis=1) / np.maximum(seen.sum(axis=1), 1e-300), 1e-6, 1 - 1e-6)
    point = np.column_stack([np.log(churn / (1 - churn)), np.full(len(seen), -1.5)])
    best = loglik(*_natural(point), seen, left)
    for _ in range(_STEPS):
        step, before = _step(point, seen, left), best
        for _ in range(12):
            tried = np.clip(point + step, *np.transpose(_BOUNDS))
            value = loglik(*_natural(tried), seen, left)
            better = value > best
            point, best = np.where(better[:, None], tried, point), np.where(better, value, best)
            step = np.where(better[:, None], 0.0, step / 2)
            if better.all():
                break
        if not (best > before + 1e-11 * np.abs(before)).any():
            break
    return point


def _step(point: Floats, seen: Floats, left: Floats) -> Floats:
    mean, spread = 1 / (1 + np.exp(-point[:, :1])), np.exp(point[:, 1:])
    ages = np.arange(seen.shape[1])
    shrink = 1 / (1 + (spread - _NEAR + _LEAST) * ages)
    chance = mean * shrink
    slope = np.stack([chance * (1 - mean), -chance * shrink * ages * spread])
    weight = 1 / (chance * (1 - chance))
    gain = ((left - seen * chance) * weight * slope).sum(axis=2)
    a, b, c = ((seen * weight * slope[i] * slope[j]).sum(axis=1) for i, j in ((0, 0), (0, 1), (1, 1)))
    stuck = (point[:, 1] <= _BOUNDS[1][0]) & (gain[1] <= 0)
    both = np.column_stack([c * gain[0] - b * gain[1], a * gain[1] - b * gain[0]]) / (a * c * (1 + 1e-9) - b**2)[:, None]
    alone = np.column_stack([gain[0] / a, np.zeros(len(a))])
    return np.clip(np.where(stuck[:, None], alone, both), -2, 2)
