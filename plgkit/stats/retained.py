"""Ratios of money, to which few accounts matter most: what is lost of a sum, what is kept of it, gained against lost, means.

Few accounts leave, and one in ten may hold most of the money. Resampling then sees too little: as long as no large
account has left, no draw loses one, and of intervals of 95 % only 70 to 90 hold the truth (docs/coverage.md). Each account
of the base says how much would be lost with it, whether it left or not, and that is what these intervals use.

Cells are alike accounts: what one of them adds, and `counts`, how many they are.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from plgkit.stats import intervals
from plgkit.stats.intervals import Floats, as_floats

FEWEST = 5
"""With fewer accounts there is no interval: what one more would do is anybody's guess."""
_NONE_AT_ALL = 1e-9
Spanned = tuple[float, float, float]
_NONE: Spanned = (np.nan, np.nan, np.nan)


def lost(parts: ArrayLike, base: ArrayLike, counts: ArrayLike, *, level: float = 0.95) -> Spanned:
    """Share lost of a sum, each account between nothing and all it had: value, low, high.

    Wilson's interval, with as many accounts as they are worth by their size (Kish), or fewer where large ones lost
    otherwise than small ones. An account that loses a part counts for that part.

    Examples
    --------
    Of a hundred accounts alike five left; and of ten, one of which has half of all, a small one:

    >>> [round(each, 3) for each in lost([10, 0], [10, 10], [5, 95])]
    [0.05, 0.022, 0.112]
    >>> [round(each, 3) for each in lost([10, 0, 0], [10, 10, 90], [1, 8, 1])]
    [0.056, 0.003, 0.567]

    References
    ----------
    Kish, *Survey Sampling* (1965): how many of equal size unequal ones are worth.
    """
    part, whole, people = (as_floats(each) for each in (parts, base, counts))
    bottom = _sum(whole, people)
    if not bottom:
        return _NONE
    value = _sum(part, people) / bottom
    if _sum(people) < FEWEST:
        return value, np.nan, np.nan
    shares = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    # Who loses, loses this much of it; one more that loses all keeps a few small losses from saying that all are small.
    severity = max((_sum(shares, shares, people) + 1) / (_sum(shares, people) + 1), value)
    likely, apart = value / severity, 1 / _worth(whole, people)
    seen = _variance(part, whole, people, value)
    if 0 < likely < 1:
        apart = max(apart, (apart + seen / (severity**2 * likely * (1 - likely))) / 2)
    low, high = intervals.wilson(likely / apart, 1 / apart, level=level)
    return value, min(severity * low, value), max(severity * high, value)


def not_lost(now: ArrayLike, then: ArrayLike, counts: ArrayLike, *, level: float = 0.95) -> Spanned:
    """What a base still pays for each unit it paid then, no account more than it did: the rest of what is lost.

    Examples
    --------
    >>> [round(each, 3) for each in not_lost([0, 10], [10, 10], [5, 95])]
    [0.95, 0.888, 0.978]
    """
    value, low, high = lost(as_floats(then) - as_floats(now), then, counts, level=level)
    return 1 - value, 1 - high, 1 - low


def gained(parts: ArrayLike, base: ArrayLike, counts: ArrayLike, *, level: float = 0.95) -> Spanned:
    """What is gained for each unit of a sum, by accounts of the base or others: value, low, high.

    Symmetric on the logarithmic scale, by Student's t with as many accounts as they are worth. Where nothing was gained,
    as many accounts as might have doubled unseen are the upper bound.

    Examples
    --------
    >>> [round(each, 3) for each in gained([5, 0], [10, 10], [20, 80])]
    [0.1, 0.067, 0.149]
    """
    part, whole, people = (as_floats(each) for each in (parts, base, counts))
    bottom = _sum(whole, people)
    if not bottom:
        return _NONE
    value, worth = _sum(part, people) / bottom, _worth(whole, people)
    if _sum(people) < FEWEST:
        return value, np.nan, np.nan
    if not value:
        return value, 0.0, float(intervals.wilson(0, worth, level=level)[1])
    margin = math.exp(_student(worth - 1, level) * math.sqrt(_variance(part, whole, people, value)) / value)
    return value, value / margin, value * margin


def kept(now: ArrayLike, then: ArrayLike, counts: ArrayLike, *, level: float = 0.95) -> Spanned:
    """What a base pays now for each unit it paid then, growth included: value, low, high.

    What is lost and what is gained have an interval each, by `lost` and `gained`; a bound of the two together lies as far off as
    theirs do, added up as right angles are. Accounts without a base, which came back, may be among them.

    Examples
    --------
    Of a hundred accounts five left and twenty grew by half:

    >>> [round(each, 3) for each in kept([0, 15, 10], [10, 10, 10], [5, 20, 75])]
    [1.05, 0.98, 1.107]

    References
    ----------
    Zou and Donner, "Construction of confidence limits about effect measures: a general approach", Statistics in Medicine
    27 (2008), 1693-1702.
    """
    after, before, people = (as_floats(each) for each in (now, then, counts))
    base = before > 0
    less = lost(np.maximum(before - after, 0)[base], before[base], people[base], level=level)
    more = gained(np.maximum(after - before, 0), before, people, level=level)
    if np.isnan(less[0]):
        return _NONE
    value = _sum(after, people) / _sum(before, people)
    return (value, value - math.hypot(less[2] - less[0], more[0] - more[1]),
            value + math.hypot(less[0] - less[1], more[2] - more[0]))


def against(gains: ArrayLike, losses: ArrayLike, counts: ArrayLike, *, level: float = 0.95) -> Spanned:
    """Gains for each unit of loss, account by account the one or the other: value, low, high.

    The odds of Wilson's interval of the share of gains in all that moved, with as many accounts as they are worth. It
    has no upper bound (infinite) where all of it may be gains.

    Examples
    --------
    >>> [round(each, 2) for each in against([10, 0], [0, 10], [30, 10])]
    [3.0, 1.48, 6.1]
    """
    more, less, people = (as_floats(each) for each in (gains, losses, counts))
    moved = more + less
    whole, bottom = _sum(moved, people), _sum(less, people)
    if not bottom:
        return _NONE
    value, share = _sum(more, people) / bottom, _sum(more, people) / whole
    if _sum(people) < FEWEST:
        return value, np.nan, np.nan
    worth = _worth(moved, people)
    if share:
        worth = min(worth, share * (1 - share) / (_variance(more, moved, people, share)))
    low, high = intervals.wilson(share * worth, worth, level=level)
    return value, min(float(low / (1 - low)), value), max(float(high / (1 - high)), value)


def mean(sums: ArrayLike, of: ArrayLike, counts: ArrayLike, *, level: float = 0.95) -> Spanned:
    """Money for each one of something, where a few accounts bring most of it: value, low, high.

    Symmetric on the logarithmic scale, by Student's t: where few accounts bring most, the spread itself is known poorly (see
    `_freedom`).

    Examples
    --------
    >>> [round(each, 1) for each in mean([10, 20, 100], [1, 1, 1], [40, 40, 4])]
    [19.0, 14.9, 24.4]
    """
    top, bottom, people = (as_floats(each) for each in (sums, of, counts))
    whole = _sum(bottom, people)
    if not whole:
        return _NONE
    value = _sum(top, people) / whole
    spread = _variance(top, bottom, people, value) if _sum(people) >= FEWEST and value > 0 else 0.0
    if not spread:
        return value, np.nan, np.nan
    freedom = _freedom(top, top - value * bottom, people)
    margin = math.exp(_student(freedom, level) * math.sqrt(spread) / value)
    return value, value / margin, value * margin


def total(amounts: ArrayLike, counts: ArrayLike, *, level: float = 0.95) -> Spanned:
    """Sum of what accounts bring, of whom there might as well have been more or fewer (Poisson): value, low, high.

    Logarithmic and by Student's t, as `mean`.

    Examples
    --------
    >>> [round(each) for each in total([10, 20, 100], [40, 40, 4])]
    [1600, 1146, 2233]
    """
    value, people = as_floats(amounts), as_floats(counts)
    whole = _sum(value, people)
    if _sum(people) < FEWEST or not whole > 0:
        return whole, np.nan, np.nan
    margin = math.exp(_student(_freedom(value, value, people), level) / math.sqrt(_worth(value, people)))
    return whole, whole / margin, whole * margin


def largest(amounts: ArrayLike, counts: ArrayLike, share: float, *, level: float = 0.95) -> Spanned:
    """Part of all money that the largest accounts bring, such as the largest tenth of them: value, low, high.

    The part of accounts is rounded up to whole ones. The interval is symmetric in the logarithm of the odds, by Student's t,
    from what each account moves the part by. Below five of the largest there is none: on them everything hangs.

    Examples
    --------
    >>> [round(each, 3) for each in largest([100.0, 10.0], [5, 95], 0.1)]
    [0.379, 0.212, 0.581]

    References
    ----------
    Cowell and Flachaire, "Income distribution and inequality measurement: the problem of extreme values", Journal of Econometrics
    141 (2007), 1044-1072: why resampling is too sure of what the largest have.
    """
    order = np.argsort(-as_floats(amounts), kind="stable")
    value, people = as_floats(amounts)[order], as_floats(counts)[order]
    size = round(_sum(people))
    most = -(-size * round(share * 10_000) // 10_000)
    whole, before = _sum(value, people), np.cumsum(people) - people
    part = _sum(value, np.clip(most - before, 0, people)) / whole
    if most < FEWEST or part >= 1:
        return part, np.nan, np.nan
    last = value[np.searchsorted(np.cumsum(people), most)]
    moves = np.maximum(value - last, 0) + last * most / size - part * value
    spread = math.sqrt(_sum(moves, moves, people) * size / (size - 1)) / whole
    if spread < _NONE_AT_ALL:
        return part, np.nan, np.nan
    half = _student(_freedom(value, moves, people), level) * spread / (part * (1 - part))
    odds = part / (1 - part)
    return part, 1 / (1 + math.exp(half) / odds), 1 / (1 + math.exp(-half) / odds)


def _sum(*columns: Floats) -> float:
    """What products add up to, the same in whatever order they come."""
    return math.fsum(np.prod(columns, axis=0))


def _worth(sizes: Floats, people: Floats) -> float:
    """How many accounts of equal size tell as much."""
    return _sum(sizes, people) ** 2 / _sum(sizes, sizes, people)


def _variance(top: Floats, bottom: Floats, people: Floats, value: float) -> float:
    """Of a ratio of sums over accounts, as far as they differ from it."""
    away, n = top - value * bottom, _sum(people)
    return _sum(away, away, people) / _sum(bottom, people) ** 2 * n / (n - 1)


def _freedom(sizes: Floats, away: Floats, people: Floats) -> float:
    """Degrees of freedom of a spread that few large accounts make.

    Satterthwaite's are few where the tail is heavy, and are themselves too uncertain; as many as the sum is worth are too
    many. Two thirds of their geometric mean held what it promised, on heavy tails and on light ones (docs/coverage.md).

    References
    ----------
    Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics Bulletin 2 (1946), 110-114.
    """
    squares = away**2
    found = _sum(squares, people) ** 2 / _sum(squares, squares, people) - 1
    return math.sqrt(max(_worth(sizes, people) - 1, 1) * max(found, 1)) / 1.5


def _student(freedom: float, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(max(freedom, 1.0), (1 + level) / 2))
