"""Points learned from data: a logistic regression held back from believing too much, made into whole points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from plgkit.stats.intervals import Floats

FOLDS = 16
"""Parts of the accounts, each left out once to see how much the points rest on it."""
_STRENGTHS = 10.0 ** np.arange(-4, 2.01, 0.5)
_JUDGES = 4


class Learned(NamedTuple):
    """What each sign adds to the log-odds of paying, and how much that varies with the accounts it is learned from."""

    weights: Floats
    error: Floats
    strength: float


def learn(signs: Floats, people: Floats, hits: Floats, folds: np.ndarray) -> Learned:
    """Learn what each sign adds to the log-odds of a hit.

    Parameters
    ----------
    signs
        One row per kind of alike people, one column per sign: 1 where they show it.
    people, hits
        How many of each kind there are, and how many of them are hits.
    folds
        The part, from 0, of 16, to which the people of a row belong: all rows of one account are in one.

    Notes
    -----
    The weights are shrunk towards nothing (ridge); how much is what foretells the left-out quarters of the accounts best.
    Signs that would take points away add nothing instead, and the others are learned again without them. The error is the
    delete-a-group jackknife's over the 16 parts.

    Examples
    --------
    >>> signs = np.array([[1.0, 0], [0, 0], [1, 1], [0, 1]] * 16)
    >>> found = learn(signs, np.full(64, 50.0), np.tile([20.0, 5, 20, 5], 16), np.repeat(np.arange(16), 4))
    >>> found.weights.round(1)  # log-odds of 20 in 50 less those of 5 in 50, and nothing
    array([1.8, 0. ])

    References
    ----------
    Kott, "The delete-a-group jackknife", Journal of Official Statistics 17 (2001), 521-526.
    """
    signs = np.asarray(signs, dtype=float)
    nothing = Learned(np.full(signs.shape[1], np.nan), np.full(signs.shape[1], np.nan), np.nan)
    parts = np.unique(folds)
    if hits.sum() < 2 * _JUDGES or (people - hits).sum() < 2 * _JUDGES or len(parts) < _JUDGES:
        return nothing
    strength = _strength(signs, people, hits, folds)
    whole = _positive(signs, people, hits, strength)
    left = np.array([_positive(signs[folds != part], people[folds != part], hits[folds != part], strength) for part in parts])
    k = len(parts)
    error = np.sqrt((k - 1) / k * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    return Learned(whole.round(6), error.round(6), float(strength))


def _strength(signs: Floats, people: Floats, hits: Floats, folds: np.ndarray) -> float:
    """How far the weights may go: what foretells accounts best that they were not learned from."""
    quarter = folds % _JUDGES
    losses = []
    for strength in _STRENGTHS:
        loss = 0.0
        for each in range(_JUDGES):
            out = quarter == each
            if not hits[~out].sum():
                return float(_STRENGTHS[0])
            weights, start = _fitted(signs[~out], people[~out], hits[~out], strength)
            odds = signs[out] @ weights + start
            loss += float((people[out] * np.logaddexp(0, odds) - hits[out] * odds).sum())
        losses.append(round(loss, 6))
    return float(_STRENGTHS[int(np.argmin(losses))])


def _positive(signs: Floats, people: Floats, hits: Floats, strength: float) -> Floats:
    """The weights where none may be below nothing: those that are, are left out one after the other."""
    weights, kept = np.zeros(signs.shape[1]), np.flatnonzero((signs * people[:, None]).sum(axis=0) > 0)
    while len(kept):
        found, _ = _fitted(signs[:, kept], people, hits, strength)
        if found.min() >= 0:
            weights[kept] = found
            break
        kept = np.delete(kept, found.argmin())
    return weights


def _fitted(signs: Floats, people: Floats, hits: Floats, strength: float) -> tuple[Floats, float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-9, max_iter=200)
    rows = np.vstack([signs, signs])
    outcome = np.repeat([1, 0], len(signs))
    counts = np.concatenate([hits, people - hits])
    used = counts > 0
    model.fit(rows[used], outcome[used], sample_weight=counts[used])
    return model.coef_[0], float(model.intercept_[0])


def scale(weights: Floats, signs: Floats, people: Floats, above: float, threshold: float) -> float:
    """How many points one unit of log-odds is, so that as many people reach the threshold in whole points as `above`.

    Examples
    --------
    >>> signs = np.array([[1.0, 0], [0, 1], [1, 1]])
    >>> times = scale(np.array([2.0, 1.0]), signs, np.array([10.0, 10, 5]), 5, 65)
    >>> times, whole(np.array([2.0, 1.0]), times)
    (21.6, array([43., 22.]))
    """
    if not (weights > 0).any():
        return np.nan
    tries = np.round(np.geomspace(1, 40 * threshold / weights.max(), 400), 1)
    reached = np.array([people[signs @ whole(weights, each) >= threshold - 1e-9].sum() for each in tries])
    return float(tries[int(np.argmin(np.abs(reached - above)))])


def whole(weights: Floats, times: float) -> Floats:
    """Weights as whole points; halves go up."""
    return np.floor(weights * times + 0.5 + 1e-9)
