"""How soon people do a thing again, when some have been watched for too short a time to tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from plgkit.stats.bootstrap import _samples
from plgkit.stats.intervals import as_floats

Floats = NDArray[np.float64]


def curves(
    durations: ArrayLike,
    reached: ArrayLike,
    counts: ArrayLike,
    *,
    horizon: int,
    seed: int = 0,
    draws: int = 1000,
) -> tuple[Floats, Floats, Floats]:
    """Share of people that has repeated by each whole time up to `horizon`: all, resampled, and at risk.

    Parameters
    ----------
    durations, reached
        Kinds of alike people: the time until they repeated (1), or for which they were watched in vain (0).
    counts
        How many people each kind holds.
    horizon
        The last time looked at.

    Returns
    -------
    The Kaplan-Meier shares at the times 0 to `horizon`; the same of every resampled crowd, one row each;
    and how many were watched just before each time.

    Examples
    --------
    >>> share, drawn, watched = curves([1, 2, 3], [1, 1, 0], [2, 1, 1], horizon=3, draws=10)
    >>> share.tolist(), drawn.shape, watched.tolist()
    ([0.0, 0.5, 0.75, 0.75], (10, 4), [4.0, 4.0, 2.0, 1.0])
    """
    times = np.minimum(as_floats(durations), horizon).astype(int)
    came = (as_floats(reached) > 0) & (as_floats(durations) <= horizon)
    people = as_floats(counts)
    drawn = [_kaplan_meier(times, came, batch, horizon)[0] for batch in _samples(people, draws, seed)]
    share, watched = _kaplan_meier(times, came, people[None, :], horizon)
    return share[0], np.concatenate(drawn), watched[0]


def _kaplan_meier(times: NDArray, came: NDArray, people: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Kaplan-Meier shares of many crowds at once, one per row of `people`."""
    events, leaving = np.zeros((len(people), horizon + 1)), np.zeros((len(people), horizon + 1))
    for place, (time, is_event) in enumerate(zip(times, came, strict=True)):
        leaving[:, time] += people[:, place]
        if is_event:
            events[:, time] += people[:, place]
    watched = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1]
    hazard = np.divide(events, watched, out=np.zeros_like(events), where=watched > 0)
    return 1 - np.cumprod(1 - hazard, axis=1), watched


def soonest(share: Floats, part: float) -> float:
    """The first time by which so large a part has repeated of those who do within the horizon; NaN if nobody does.

    Examples
    --------
    >>> soonest(np.array([0.0, 0.2, 0.4, 0.5]), 0.8)
    2.0
    """
    last = share[-1]
    return float(np.argmax(share >= part * last - 1e-12)) if last > 0 else np.nan


def span(values: Floats, level: float) -> tuple[float, float]:
    """The range that holds so large a part of resampled values; NaN where there are none."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def of_frame(cells: pd.DataFrame, *, horizon: int) -> tuple[Floats, Floats, Floats]:
    """`curves` of a frame with duration, reached and people, in an order of its own."""
    cells = cells.sort_values(["duration", "reached"])
    return curves(cells["duration"], cells["reached"], cells["people"], horizon=horizon)
