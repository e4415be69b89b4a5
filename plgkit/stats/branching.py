"""How many people one becomes where everybody brings some more after a while."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats.intervals import Floats, as_floats

_STEPS_A_DAY = 8


def multiplied(k: ArrayLike, delays: ArrayLike, counts: ArrayLike | None = None, *, days: int = 365) -> Any:
    """People whom one person becomes within so many days, itself and all generations after it included.

    Parameters
    ----------
    k
        How many people each brings on average: a number or several.
    delays, counts
        Days from a person's start to that of a person brought, and how often each was seen.
    days
        For how long to look.

    Returns
    -------
    A number, or one for each of k: 1 where nobody is brought. Below 1 it never grows beyond 1 / (1 - k);
    from 1 on, it has no bound, and the shorter the delays, the more it is in the same time. It is infinite where
    1 or more are brought without any delay.

    Notes
    -----
    The mean of a branching process in which people bring others at an age (Bellman and Harris): what one becomes
    by time t is itself and, for each of the k it brings after a delay s, what that one becomes by t - s. The
    equation is solved on a grid of three hours, between whose points a delay is shared so that its mean stays.

    Examples
    --------
    >>> multiplied(0.5, [2], days=365), multiplied(0, [], days=365)
    (2.0, 1.0)
    >>> multiplied([1, 2], [10], days=30).tolist()  # who comes on the day asked for is in
    [4.0, 15.0]

    References
    ----------
    Harris, *The Theory of Branching Processes* (1963), chapter 6.
    """
    means = np.atleast_1d(as_floats(k))
    times = np.maximum(np.atleast_1d(as_floats(delays)), 0.0) * _STEPS_A_DAY
    weights = np.ones(len(times)) if counts is None else as_floats(counts)
    last = days * _STEPS_A_DAY
    shares = _on_grid(times, weights, last)
    own = means * shares[0]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = _solved(means, own, shares[1:], last)
    found = np.where(np.isnan(means), np.nan, np.where(own >= 1, np.inf, np.round(found, 9)))
    return float(found[0]) if np.ndim(k) == 0 else found


def _on_grid(times: Floats, weights: Floats, last: int) -> Floats:
    """The share of delays at each point of the grid, up to the last that matters; those later never count."""
    whole = float(weights.sum())
    shares = np.zeros(2)
    if not whole:
        return shares
    below = np.floor(times).astype(int)
    part = times - below
    inside = below <= last
    for places, given in ((below, weights * (1 - part)), (below + 1, weights * part)):
        added = np.bincount(places[inside], given[inside])
        shares = np.pad(shares, (0, max(len(added) - len(shares), 0)))
        shares[: len(added)] += added / whole
    return shares[: last + 1]


def _solved(means: Floats, own: Floats, shares: Floats, last: int) -> Floats:
    became = np.ones((last + 1, len(means)))
    reach = len(shares)
    for step in range(last + 1):
        before = became[max(step - reach, 0): step][::-1]
        brought = (shares[: len(before), None] * before).sum(axis=0)
        became[step] = (1 + means * brought) / np.where(own < 1, 1 - own, 1.0)
    return became[last]
