"""The rates that turn the flywheel, each with what the data leave open: one row per crowd drawn anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from plgkit.flywheel.counting import GROUPS, LAGS, Counts
from plgkit.stats.intervals import Floats

LONG = 12
"""Months behind what is rare or uneven: the trend of sign-ups, payments, money."""
AGES = (0, 1, 2, 3, 6)
"""First months of the ages at which accounts begin to pay at one rate."""

Summed = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Rates:
    """All rates; the first row of each is that of the data themselves.

    own: level and monthly step of the logarithm of sign-ups a day that nobody invited, and the spread around it.
    activates: share of sign-ups, not invited and invited. stays: share active, by activated (no, yes) and age in months.
    founds: share of sign-ups that are the first of their account. pays: first payments per active founder, by activated and
    age. invites: sent in a month per new and activated, new and not, older active person. accepted: share by months until
    then. first: what an account first pays, and its spread. grows, shrinks: share of revenue a month; swings: their spread.
    """

    own: Floats
    activates: Floats
    stays: Floats
    founds: Floats
    pays: Floats
    invites: Floats
    accepted: Floats
    first: Floats
    grows: Floats
    shrinks: Floats
    swings: Floats


def drawn_groups(draws: int, seed: int) -> Floats:
    """How often each group of accounts comes in each crowd drawn anew; in the first, once."""
    random = np.random.default_rng(seed)
    return np.vstack([np.ones(GROUPS), random.multinomial(GROUPS, np.full(GROUPS, 1 / GROUPS), draws)]).astype(float)


def fit(counts: Counts, *, recent: int = 6, draws: int = 400, seed: int = 0, horizon: int = 12) -> Rates:
    """Fit all rates to the last months: `recent` of them for what is frequent, twelve for what is rare."""
    weights = drawn_groups(draws, seed)
    long = min(LONG, len(counts.months))

    def summed(cells: Floats) -> Floats:
        return np.tensordot(weights, cells, axes=1)

    last = slice(-recent, None)
    judged, activated = (summed(each[:, last].sum(axis=1)) for each in (counts.judged, counts.activated))
    known = np.maximum(judged, 1e-9)
    activates = np.where(judged > 0, activated / known, (activated.sum(1) / np.maximum(judged.sum(1), 1e-9))[:, None])
    return Rates(
        own=_trend(counts, long, draws, seed), activates=activates, stays=_stays(counts, summed, recent, horizon),
        founds=_share(summed(counts.founders[:, last, :, 0].sum((1, 2))), summed(counts.active[:, last, :, 0].sum((1, 2)))),
        pays=_pays(counts, summed, long, horizon), **_inviting(counts, summed, recent), **_money(counts, summed, long, seed))


def _trend(counts: Counts, long: int, draws: int, seed: int) -> Floats:
    """A straight line through the logarithm of sign-ups a day: level after the last month, step, spread, for each draw."""
    days = counts.months.days_in_month.to_numpy(float)[-long:]
    came = counts.signups[:, -long:, 0].sum(axis=0)
    at = np.arange(-long, 0.0)
    x = np.column_stack([np.ones(long), at])
    y = np.log((came + 0.5) / days)
    weight = np.sqrt(came + 0.5)
    found, *_ = np.linalg.lstsq(x * weight[:, None], y * weight, rcond=None)
    free = long - 2
    # No month can be surer than the chance of so many people allows.
    spread = np.sqrt(max(float(((y - x @ found) ** 2).sum()) / free, 1 / float(came.mean() + 0.5)))
    inverse = np.linalg.inv((x * weight[:, None] ** 2 / (weight**2).mean()).T @ x)
    random = np.random.default_rng([seed, 1])
    wide = spread * np.sqrt(free / random.chisquare(free, draws))
    lines = found + random.standard_normal((draws, 2)) @ np.linalg.cholesky(inverse).T * wide[:, None]
    return np.vstack([[*found, spread], np.column_stack([lines, wide])])


def _stays(counts: Counts, summed: Summed, recent: int, horizon: int) -> Floats:
    """Share active by age, of all who reached that age in the last months; beyond the oldest the curve goes on falling."""
    t = len(counts.months)
    size, active = summed(counts.size), summed(counts.active)
    shares = np.zeros((len(size), 2, t + horizon))
    for age in range(t):
        born = slice(max(0, t - age - recent), t - age)
        shares[:, :, age] = _share(active[:, born, :, age].sum(axis=1), size[:, born].sum(axis=1))
    # The oldest ages are known of the few first cohorts only: the fall of the half before tells how it goes on.
    half = max(2, t // 3)
    late, later = shares[:, :, t - 2 * half:t - half].mean(axis=2), shares[:, :, t - half:t].mean(axis=2)
    slope = np.clip(_share(later, late), 0.3, 1.0) ** (1 / half)
    ahead = np.arange(1, horizon + 1) + (half - 1) / 2
    shares[:, :, t:] = later[:, :, None] * slope[:, :, None] ** ahead
    return shares


def _pays(counts: Counts, summed: Summed, long: int, horizon: int) -> Floats:
    """First payments per active founder by age, pooled over ages at which they are rare."""
    t = len(counts.months)
    month = np.arange(t)[:, None] + np.arange(t)[None, :]
    lately = ((month >= t - long) & (month < t)).astype(float)
    paid, there = (summed((cells * lately[:, None, :]).sum(axis=1)) for cells in (counts.payments, counts.founders))
    rates = np.zeros((len(paid), 2, t + horizon))
    for first, end in zip(AGES, (*AGES[1:], t + horizon), strict=True):
        rates[:, :, first:end] = _share(paid[:, :, first:end].sum(axis=2), there[:, :, first:end].sum(axis=2))[:, :, None]
    return rates


def _inviting(counts: Counts, summed: Summed, recent: int) -> dict[str, Floats]:
    last = slice(-recent, None)
    sent, taken = summed(counts.sent[:, last].sum(axis=1)), summed(counts.accepted)
    new = summed(counts.size[:, last].sum(axis=1))
    t = len(counts.months)
    older = np.zeros((GROUPS, t))
    for age in range(1, t):
        older[:, age:] += counts.active[:, :t - age, :, age].sum(axis=2)
    who = np.column_stack([new[:, 1], new[:, 0], summed(older[:, last].sum(axis=1))])
    lags = []
    whole = summed(counts.sent.sum(axis=2))
    for lag in range(LAGS):
        months = slice(max(0, t - lag - recent), t - lag)
        lags.append(_share(taken[:, months, lag].sum(axis=1), whole[:, months].sum(axis=1)))
    return {"invites": _share(sent, who), "accepted": np.column_stack(lags)}


def _money(counts: Counts, summed: Summed, long: int, seed: int) -> dict[str, Floats]:
    rows = len(summed(np.zeros(GROUPS)))
    if counts.money is None:
        none = np.zeros((rows, 2))
        return {"first": none, "grows": none, "shrinks": none, "swings": none[:, 0]}
    monthly = summed(counts.money)
    new, back, more, less, lost, started, firsts, moves, *fourths = np.moveaxis(monthly, -1, 0)
    closing = (new + back + more - less - lost).cumsum(axis=1)
    opening = (closing - (new + back + more - less - lost))[:, -long:]
    base = opening.sum(axis=1)
    n = np.maximum(started[:, -long:].sum(axis=1), 1)
    mean = new[:, -long:].sum(axis=1) / n
    spread = np.sqrt(np.maximum(firsts[:, -long:].sum(axis=1) / n - mean**2, 0))
    flows = {name: cells[:, -long:] for name, cells in (("back", back), ("more", more), ("less", less), ("lost", lost))}
    grows = np.column_stack([_share(flows[name].sum(axis=1), base) for name in ("more", "back")])
    shrinks = np.column_stack([_share(flows[name].sum(axis=1), base) for name in ("lost", "less")])
    # Swings weigh less as accounts become many: what is kept is the spread of one unit of revenue.
    swings = np.sqrt(_share(moves[:, -long:].sum(axis=1), base))
    few = [_few(square[0, -long:].sum(), fourth[0, -long:].sum(), rows, seed)
           for square, fourth in zip((firsts, moves), fourths, strict=True)]
    return {"first": np.column_stack([_wider(mean, few[0]), spread[0] * few[0]]), "grows": _wider(grows, few[1]),
            "shrinks": _wider(shrinks, few[1]), "swings": swings[0] * few[1]}


def _few(squares: float, fourths: float, rows: int, seed: int) -> Floats:
    """How much wider than a normal law each draw is, as a few large accounts tell little of the spread: Student's way.

    A sum of squares that few large terms rule has few degrees of freedom: as many as its own variance says.
    """
    free = max(2 * squares**2 / fourths, 3.0) if fourths > 0 else 3.0
    factor = np.sqrt(free / np.random.default_rng([seed, 3]).chisquare(free, rows))
    factor[0] = 1.0
    return factor


def _wider(cells: Floats, factor: Floats) -> Floats:
    """Draws of a rate, each so many times as far from that of the data."""
    return np.maximum(cells[:1] + (cells - cells[:1]) * factor.reshape(-1, *[1] * (cells.ndim - 1)), 0.0)


def _share(part: Floats, whole: Floats) -> Floats:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 0.0)
