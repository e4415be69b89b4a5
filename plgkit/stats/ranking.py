"""How good a ranking is: who is found at the top of it, and how surely, where the same accounts are ranked many times."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats.intervals import Floats, as_floats


def top(people: ArrayLike, hits: ArrayLike, most: float) -> tuple[Floats, Floats]:
    """How many of the best `most` there are, and how many of them are hits.

    Parameters
    ----------
    people, hits
        How many there are of each score, and how many of them are hits: the best score first, along the last axis.
    most
        How many are taken. Of equal scores at the border the part that still fits is taken, with its part of the hits:
        what a blind choice among them gives in the mean.

    Examples
    --------
    >>> top([2, 4], [2, 1], 4)  # both of the best, and two of the four next
    (4.0, 2.5)
    """
    people, hits = as_floats(people), as_floats(hits)
    before = np.cumsum(people, axis=-1) - people
    taken = np.clip(most - before, 0, people)
    with np.errstate(divide="ignore", invalid="ignore"):
        won = np.where(people > 0, hits * taken / people, 0.0)
    return _plain(taken.sum(axis=-1)), _plain(won.sum(axis=-1))


def concordance(people: ArrayLike, hits: ArrayLike) -> Floats:
    """How often a hit stands above another that is none, ties counting a half; 0.5 is chance, and NaN where one kind is missing.

    This is the area under the receiver operating characteristic. Scores are along the last axis, the best first.

    Examples
    --------
    >>> concordance([1, 2], [1, 0])
    1.0
    >>> concordance([3], [1])
    0.5
    """
    hits = as_floats(hits)
    others = as_floats(people) - hits
    below = others.sum(axis=-1, keepdims=True) - np.cumsum(others, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _plain((hits * (below + others / 2)).sum(axis=-1) / (hits.sum(axis=-1) * others.sum(axis=-1)))


def crowds(groups: int, *, draws: int = 500, seed: int = 0) -> Floats:
    """How often each group of accounts comes in crowds drawn anew, one draw per row; first the crowd as it is.

    Examples
    --------
    >>> drawn = crowds(4, draws=2)
    >>> drawn.shape, drawn[0].tolist(), drawn.sum(axis=1).tolist()
    ((3, 4), [1.0, 1.0, 1.0, 1.0], [4.0, 4.0, 4.0])
    """
    if not groups:
        return np.ones((draws + 1, 0))
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), draws)
    return np.vstack([np.ones(groups), drawn])


def _plain(values: Floats) -> Floats | float:
    return float(values) if np.ndim(values) == 0 else values
