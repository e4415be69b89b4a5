"""Time until something happens, where some have not got there yet."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from plgkit.errors import BadParameter
from plgkit.stats.intervals import Floats, _z, as_floats

Band = Literal["log-log", "log"]
_STOPS = 200


def kaplan_meier(
    durations: ArrayLike,
    reached: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    band: Band = "log-log",
) -> pd.DataFrame:
    """Share of people who have not got there yet, over time since their start.

    Parameters
    ----------
    durations
        Time from the start to the event, or to the last moment a person was seen.
    reached
        Whether the event was seen; False for those still on the way (censored).
    weights
        How many people each row stands for; one each by default.
    entry
        Time since the start at which a person came under observation; 0 by default.
    groups
        What a row belongs to, where people are not independent: the band is widened by as much as groups differ more
        than so many single people would.
    level
        Level of the pointwise band.
    band
        Scale on which the band is symmetric.

    Returns
    -------
    One row per distinct time, after a first row at 0: time, at_risk (just before it),
    events, survival, low, high (Greenwood's variance). At a survival of 0 the upper
    bound is NaN, because the variance has none there.

    Examples
    --------
    >>> kaplan_meier([1, 2, 2, 3], [True, True, False, True])[["time", "at_risk", "survival"]]
       time  at_risk  survival
    0   0.0      4.0      1.00
    1   1.0      4.0      0.75
    2   2.0      3.0      0.50
    3   3.0      1.0      0.00

    References
    ----------
    Kaplan and Meier, Journal of the American Statistical Association 53 (1958), 457-481. Williams, "Product-limit
    survival functions with correlated survival times", Lifetime Data Analysis 1 (1995), 171-186: the groups.
    """
    times, seen, counts = _checked(durations, reached, weights)
    grid, place = np.unique(np.append(times, 0.0), return_inverse=True)
    place = place[:-1]
    leaving = np.bincount(place, counts, len(grid))
    events = np.bincount(place, counts * seen, len(grid))
    at_risk = _from_here_on(leaving)
    if entry is not None:
        at_risk = at_risk - _not_yet_in(as_floats(entry), counts, grid)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(np.where(at_risk > 0, 1 - events / at_risk, 1.0))
        variance = np.cumsum(np.where(events > 0, events / (at_risk * (at_risk - events)), 0.0))
    if groups is not None:
        variance = variance * _widening(place, seen * counts, counts, groups, at_risk, events, variance)
    low, high = _band(survival, np.sqrt(variance), level, band)
    return pd.DataFrame(
        {"time": grid, "at_risk": at_risk, "events": events, "survival": survival, "low": low, "high": high}
    )


def quantile(curve: pd.DataFrame, q: float = 0.5) -> tuple[float, float, float]:
    """Time by which the share `q` got there, with the interval that inverts the band.

    NaN says that so many had not got there when the data ended: "not reached".

    Examples
    --------
    >>> quantile(kaplan_meier([1, 2, 3, 4, 5], [True] * 5))[0]
    3.0
    >>> quantile(kaplan_meier([1, 2, 3], [True, False, False]))[0]
    nan
    """
    times = curve["time"].to_numpy()
    return tuple(_first_under(times, curve[name], 1 - q) for name in ("survival", "low", "high"))


def aalen_johansen(
    durations: ArrayLike,
    cause: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of people who ended by each cause, where one cause forestalls the others.

    Parameters
    ----------
    durations
        Time from the start to the first of the causes, or to the last moment seen.
    cause
        What ended it; missing (None, NaN) for those still on the way.
    weights
        How many people each row stands for; one each by default.
    level
        Level of the pointwise interval.

    Returns
    -------
    One row per cause and distinct time: cause, time, at_risk, events, value (the share who
    ended by this cause up to then), low, high.

    Examples
    --------
    >>> ends = aalen_johansen([1, 2, 3, 4], ["paid", "left", "paid", None])
    >>> ends.groupby("cause").value.last().to_dict()
    {'left': 0.25, 'paid': 0.5}

    References
    ----------
    Marubini and Valsecchi, *Analysing Survival Data from Clinical Trials and Observational
    Studies* (1995), chapter 10: the variance.
    """
    causes = pd.Series(np.asarray(cause, dtype=object))
    times, seen, counts = _checked(durations, causes.notna(), weights)
    grid, place = np.unique(np.append(times, 0.0), return_inverse=True)
    place = place[:-1]
    at_risk = _from_here_on(np.bincount(place, counts, len(grid)))
    events = np.bincount(place, counts * seen, len(grid))
    parts = []
    for name in sorted(causes.dropna().unique()):
        own = np.bincount(place, counts * (causes == name).to_numpy(), len(grid))
        value, error = _incidence(at_risk, events, own)
        low, high = _share_band(value, error, level)
        parts.append(
            pd.DataFrame(
                {
                    "cause": name,
                    "time": grid,
                    "at_risk": at_risk,
                    "events": own,
                    "value": value,
                    "low": low,
                    "high": high,
                }
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else _no_cause()


class LogRank(NamedTuple):
    """The outcome of a log-rank test; `groups` has observed and expected events."""

    statistic: float
    freedom: int
    p: float
    groups: pd.DataFrame


def logrank(
    durations: ArrayLike,
    reached: ArrayLike,
    groups: ArrayLike,
    *,
    weights: ArrayLike | None = None,
) -> LogRank:
    """Test whether groups get there at the same pace (log-rank, two-sided).

    Examples
    --------
    >>> logrank([1, 2, 3, 4], [1, 1, 1, 1], ["a", "b", "a", "b"]).groups
      group  people  observed  expected
    0     a     2.0       2.0  1.333333
    1     b     2.0       2.0  2.666667

    References
    ----------
    Mantel, "Evaluation of survival data", Cancer Chemotherapy Reports 50 (1966), 163-170.
    """
    times, seen, counts = _checked(durations, reached, weights)
    codes, names = pd.factorize(pd.Series(np.asarray(groups, dtype=object)), sort=True)
    grid, place = np.unique(times, return_inverse=True)
    shape = (len(grid), len(names))
    cell = place * len(names) + codes
    leaving = np.bincount(cell, counts, shape[0] * shape[1]).reshape(shape)
    events = np.bincount(cell, counts * seen, shape[0] * shape[1]).reshape(shape)
    at_risk = _from_here_on(leaving)
    happened = events.sum(axis=1) > 0
    at_risk, events = at_risk[happened], events[happened]
    n, d = at_risk.sum(axis=1), events.sum(axis=1)
    expected = (at_risk * (d / n)[:, None]).sum(axis=0)
    scale = d * (n - d) / (n**2 * np.maximum(n - 1, 1))
    covariance = np.diag((at_risk * (scale * n)[:, None]).sum(axis=0))
    covariance = covariance - at_risk.T @ (at_risk * scale[:, None])
    observed = events.sum(axis=0)
    statistic, freedom, p = _chi_square(observed - expected, covariance)
    people = np.bincount(codes, counts, len(names))
    table = {"group": names, "people": people, "observed": observed, "expected": expected}
    return LogRank(statistic, freedom, p, pd.DataFrame(table))


def _checked(durations: ArrayLike, reached: ArrayLike, weights: ArrayLike | None) -> Any:
    times = as_floats(durations)
    seen = np.asarray(reached).astype(bool)
    counts = np.ones(times.shape) if weights is None else as_floats(weights)
    wrong = times[~(times >= 0)]
    if len(wrong):
        raise BadParameter("durations", float(wrong[0]), expected="numbers of 0 or more")
    return times, seen, counts


def _from_here_on(leaving: Floats) -> Floats:
    return np.cumsum(leaving[::-1], axis=0)[::-1]


def _widening(place: Any, ending: Floats, counts: Floats, groups: ArrayLike, at_risk: Floats, events: Floats,
              variance: Floats) -> Floats:
    """By how much the variance between groups is larger than that of single people, over the times of the curve.

    What a group adds to the curve's error is known at a few of the times, and drawn through between them.
    """
    codes = pd.factorize(pd.Series(np.asarray(groups)), sort=True)[0]
    # Sums of fractions depend on their order, and the same people must give the same band to the last digit.
    order = np.lexsort((counts, ending, place, codes))
    codes, place, ending, counts = codes[order], place[order], ending[order], counts[order]
    stops = np.unique(np.linspace(0, len(at_risk) - 1, _STOPS).astype(int))
    upto = np.cumsum(events / at_risk**2)
    shape = (codes.max(initial=-1) + 1, len(stops))
    cell = codes * shape[1] + np.searchsorted(stops, place)
    done, gone = (np.bincount(cell, each, shape[0] * shape[1]).reshape(shape).cumsum(axis=1)
                  for each in (ending / at_risk[place] - counts * upto[place], counts))
    still = np.bincount(codes, counts, shape[0])[:, None] - gone
    between = ((done - upto[stops] * still) ** 2).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = between / variance[stops]
    return np.interp(np.arange(len(at_risk)), stops, np.where(np.isfinite(ratio) & (ratio > 1), ratio, 1.0))


def _not_yet_in(entry: Floats, counts: Floats, grid: Floats) -> Floats:
    order = np.argsort(entry)
    upto = np.append(0.0, np.cumsum(counts[order]))
    # Who comes in at a time is not yet at risk at that very time.
    return upto[-1] - upto[np.searchsorted(entry[order], grid, side="left")]


def _band(survival: Floats, error: Floats, level: float, band: Band) -> tuple[Floats, Floats]:
    z = _z(level)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if band == "log":
            low, high = survival * np.exp(-z * error), survival * np.exp(z * error)
        else:
            spread = z * error / -np.log(survival)
            low, high = survival ** np.exp(spread), survival ** np.exp(-spread)
    low = np.where(survival >= 1, 1.0, np.where(survival <= 0, 0.0, low))
    high = np.where(survival >= 1, 1.0, np.where(survival <= 0, np.nan, np.minimum(high, 1.0)))
    return low, high


def _share_band(value: Floats, error: Floats, level: float) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        spread = _z(level) * error / (value * -np.log(value))
        low, high = value ** np.exp(spread), value ** np.exp(-spread)
    edge = (value <= 0) | (value >= 1)
    return np.where(edge, value, low), np.where(edge, value, high)


def _incidence(at_risk: Floats, events: Floats, own: Floats) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(at_risk > 0, events / at_risk, 0.0)
        before = np.append(1.0, np.cumprod(1 - hazard)[:-1])
        value = np.cumsum(before * np.where(at_risk > 0, own / at_risk, 0.0))
        a = np.where(at_risk > events, events / (at_risk * (at_risk - events)), 0.0)
        b = np.where(at_risk > 0, before**2 * own * (at_risk - own) / at_risk**3, 0.0)
        c = np.where(at_risk > 0, before * own / at_risk**2, 0.0)
    # The sum of (value(t) - value(s))^2 a(s) + b(s) - 2 (value(t) - value(s)) c(s) over s <= t,
    # multiplied out so that it takes cumulative sums only.
    variance = (
        value**2 * np.cumsum(a)
        - 2 * value * np.cumsum(a * value)
        + np.cumsum(a * value**2)
        + np.cumsum(b)
        - 2 * value * np.cumsum(c)
        + 2 * np.cumsum(c * value)
    )
    return value, np.sqrt(np.maximum(variance, 0.0))


def _no_cause() -> pd.DataFrame:
    numbers = dict.fromkeys(("time", "at_risk", "events", "value", "low", "high"), "float64")
    return pd.DataFrame(
        {"cause": pd.Series(dtype=object)} | {name: pd.Series(dtype=kind) for name, kind in numbers.items()}
    )


def _first_under(times: Floats, values: pd.Series, limit: float) -> float:
    # A product of shares may miss one half by the last digit.
    under = values.to_numpy() <= limit + 1e-12
    return float(times[under.argmax()]) if under.any() else np.nan


def _chi_square(difference: Floats, covariance: Floats) -> tuple[float, int, float]:
    from scipy.stats import chi2

    freedom = len(difference) - 1
    if freedom < 1 or not covariance.any():
        return 0.0, max(freedom, 0), 1.0
    # The covariance has one rank less than groups: what rounding leaves of the last must not be inverted.
    statistic = float(difference @ np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ difference)
    return statistic, freedom, float(chi2.sf(statistic, freedom))
