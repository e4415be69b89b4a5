"""Draws of crowds: how often alike accounts come again, how many of a crowd stay, what customers may buy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats import bgnbd
from plgkit.stats.intervals import Floats, as_floats

_CELLS_AT_ONCE = 2_000_000
_MOST = 2_000


def weights(counts: ArrayLike, *, seed: int = 0, draws: int = 500) -> Iterator[Floats]:
    """How often each kind of alike accounts comes in crowds drawn anew (Poisson), some draws at a time, one per row.

    Examples
    --------
    >>> [each.shape for each in weights([3, 2, 1], draws=4)]
    [(4, 3)]
    """
    random, people = np.random.default_rng(seed), as_floats(counts)
    at_once = max(1, _CELLS_AT_ONCE // max(len(people), 1))
    for start in range(0, draws, at_once):
        yield random.poisson(people, (min(at_once, draws - start), len(people))).astype(float)


def staying(shares: Floats, size: int, *, seed: int = 0) -> Floats:
    """Share of so many who are there at each of several times, drawn: each row has one piece of luck for all its times.

    So who has left by one time has left by the next.

    Examples
    --------
    >>> drawn = staying(np.array([[1.0, 0.8, 0.5]] * 3), 10)
    >>> drawn.shape, bool((np.diff(drawn) <= 0).all())
    ((3, 3), True)
    """
    from scipy.stats import binom

    luck = np.random.default_rng(seed).random((len(shares), 1))
    return binom.ppf(luck, size, np.clip(shares, 0.0, 1.0)) / size


def buying(model: bgnbd.Fit, times: Floats, x: Floats, t_x: Floats, t: Floats, people: Floats, *, seed: int = 0,
           draws: int = 200) -> tuple[Floats, Floats]:
    """Purchases per customer by each of several times from now: what is expected, and draws of what may come.

    The draws differ by what the fit leaves open and by the chance of so many customers; they are missing where the fit
    has no covariance.

    Examples
    --------
    >>> model = bgnbd.Fit(0.243, 4.414, 0.793, 2.426, covariance=np.eye(4) / 1000)
    >>> one = (np.array([2.0]), np.array([30.43]), np.array([38.86]), np.array([500.0]))
    >>> expected, drawn = buying(model, np.array([13.0, 39.0]), *one)
    >>> expected.round(2), drawn.shape
    (array([0.46, 1.23]), (200, 2))
    """
    def mean(*point: float) -> Floats:
        return bgnbd.expected_more(bgnbd.Fit(*point), times[:, None], x, t_x, t) @ people / people.sum()

    expected = mean(*model[:4])
    if np.isnan(model.covariance).any() or not (expected > 0).all():
        return expected, np.full((draws, len(times)), np.nan)
    random, centre = np.random.default_rng(seed), np.log(model[:4])
    steps = np.eye(4) * 1e-4
    slopes = np.transpose([np.log(mean(*np.exp(centre + step)) / mean(*np.exp(centre - step))) / 2e-4 for step in steps])
    unsure = random.multivariate_normal(np.zeros(4), model.covariance, draws) @ slopes.T
    return expected, expected * np.exp(unsure) + _luck(random, model, times, x, t_x, t, people, draws)


def _luck(random: np.random.Generator, model: bgnbd.Fit, times: Floats, x: Floats, t_x: Floats, t: Floats, people: Floats,
          draws: int) -> Floats:
    """By how much customers buy more or less than the model expects of them, per customer."""
    some = int(min(people.sum(), _MOST))
    chosen = random.choice(len(people), some, p=people / people.sum())
    x, t_x, t = (each[chosen] for each in (x, t_x, t))
    expected = bgnbd.expected_more(model, times[:, None], x, t_x, t).sum(axis=1)
    alive, lengths = bgnbd.alive(model, x, t_x, t), np.diff(times, prepend=0.0)
    found = []
    for _ in range(draws):
        rate = random.gamma(model.r + x) / (model.alpha + t)
        until = random.geometric(np.clip(random.beta(model.a, model.b + x), 1e-9, 1.0)) * (random.random(some) < alive)
        bought = np.minimum(random.poisson(rate[:, None] * lengths).cumsum(axis=1), until[:, None])
        found.append((bought.sum(axis=0) - expected) / some)
    return np.array(found) * np.sqrt(some / people.sum())
