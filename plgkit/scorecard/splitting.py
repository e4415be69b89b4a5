"""Split a change into parts by segment: what its own rate did, and what the mix of segments did."""

from __future__ import annotations

import numpy as np
import pandas as pd

from plgkit.stats.intervals import Floats

_Z = 1.959963984540054
FEWEST = 5
"""Of fewer people than this in either period, no segment is said to be unlike the others."""
RATE, MIX, COUNT = "rate", "mix", "count"


def of_rate(then: pd.DataFrame, now: pd.DataFrame, *, people: tuple[float, float]) -> pd.DataFrame:
    """The parts of a change of a rate, two per segment, which add up to the whole change.

    With the weight w of a segment (its share of the denominator) and its rate r, means over both periods barred, a
    segment's rate effect is w̄ (r₁ - r₀), its mix effect (w₁ - w₀)(r̄ - R̄); R̄ is the mean of the two whole rates and
    drops out of the sum, as weights add up to 1 in both. A segment that is in one of the periods only has no change of
    its rate: all of it is mix.

    Parameters
    ----------
    then, now
        One row per segment, in the same order: numerator, denominator, low, high.
    people
        How many people the weights of each period are drawn from; infinite where weights are no sample.

    Returns
    -------
    Two rows per segment: place, effect, before, now, value, below, above (the margins of its interval), apart (how much more
    the rate changed than that of all others), apart_error.

    References
    ----------
    Kitagawa, "Components of a difference between two rates", Journal of the American Statistical Association 50 (1955),
    1168-1194.
    """
    sizes = [each["denominator"].to_numpy(dtype=float) for each in (then, now)]
    hits = [each["numerator"].to_numpy(dtype=float) for each in (then, now)]
    weights = [each / each.sum() for each in sizes]
    whole = [hit.sum() / size.sum() for hit, size in zip(hits, sizes, strict=True)]
    seen = [np.divide(hit, size, out=np.full(len(hit), np.nan), where=size > 0) for hit, size in zip(hits, sizes, strict=True)]
    # Who is in one period only has the same rate in both: nothing about it has changed but that it is there.
    rates = [np.where(np.isnan(one), other, one) for one, other in (seen, seen[::-1])]
    (low0, high0), (low1, high1) = (_margins(each, rate) for each, rate in zip((then, now), seen, strict=True))
    moved, weight = rates[1] - rates[0], (weights[0] + weights[1]) / 2
    shifted, height = weights[1] - weights[0], (rates[0] + rates[1]) / 2 - (whole[0] + whole[1]) / 2
    drawn = [each * (1 - each) / count for each, count in zip(weights, people, strict=True)]
    of_weight = moved**2 * (drawn[0] + drawn[1]) / 4
    below, above = (np.sqrt(weight**2 * (one**2 + other**2) + _Z**2 * of_weight) for one, other in ((low1, high0), (high1, low0)))
    falls, rises = np.hypot(high1, low0) / _Z, np.hypot(low1, high0) / _Z
    margin = _Z * np.sqrt(height**2 * (drawn[0] + drawn[1]) + shifted**2 * _mean_error(low0, high0, low1, high1, seen))
    both = ~np.isnan(seen[0]) & ~np.isnan(seen[1])
    apart, apart_error = _apart(moved, falls, rises, np.where(both, weight, 0.0))
    told = both & ~np.isnan(rises[both]).any() & (np.minimum(*sizes) >= FEWEST)
    apart, apart_error = np.where(both, apart, np.nan), np.where(told, apart_error, np.nan)
    rate = _rows(RATE, *seen, weight * moved, below, above, apart, apart_error)
    return pd.concat([rate, _rows(MIX, *weights, shifted * height, margin, margin)], ignore_index=True)


def of_total(then: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """The parts of a change of a total, one per segment: by how much it counts more, and beyond its part of the whole."""
    values = [each["value"].to_numpy(dtype=float) for each in (then, now)]
    (low0, high0), (low1, high1) = (_margins(each, value) for each, value in zip((then, now), values, strict=True))
    below, above = np.hypot(low1, high0), np.hypot(high1, low0)
    sums = [each.sum() for each in values]
    parts = [np.clip(each / total, 0, 1) if total else np.full(len(each), np.nan) for each, total in zip(values, sums, strict=True)]
    pooled = (values[0] + values[1]) / (sums[0] + sums[1]) if sums[0] + sums[1] else np.full(len(values[0]), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = pooled * (1 - pooled) * (1 / np.float64(sums[0]) + 1 / np.float64(sums[1]))
        error = np.where(np.isnan(below), np.nan, np.sqrt(spread))
    return _rows(COUNT, *values, values[1] - values[0], below, above, parts[1] - parts[0], error)


def probability(value: Floats, below: Floats, above: Floats) -> Floats:
    """Two-sided p of no effect at all, as the interval has it on the side of zero; missing where nothing is sampled."""
    from scipy.special import ndtr

    error = np.where(value > 0, below, above) / _Z
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error > 0, 2 * ndtr(-np.abs(value / error)), np.nan)


def _margins(frame: pd.DataFrame, value: Floats) -> tuple[Floats, Floats]:
    return value - frame["low"].to_numpy(dtype=float), frame["high"].to_numpy(dtype=float) - value


def _mean_error(low0: Floats, high0: Floats, low1: Floats, high1: Floats, seen: list[Floats]) -> Floats:
    """Variance of a segment's mean rate; of one period alone where it is in one alone."""
    first, second = (((low + high) / 2 / _Z) ** 2 for low, high in ((low0, high0), (low1, high1)))
    alone = np.where(np.isnan(seen[0]), second, first)
    return np.where(np.isnan(seen[0]) | np.isnan(seen[1]), alone, (first + second) / 4)


def _apart(moved: Floats, falls: Floats, rises: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """How much more each segment's rate moved than that of all others together, and its error on the side of none."""
    rest = weight.sum() - weight
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = moved - ((weight * moved).sum() - weight * moved) / rest
        falls, rises = (np.nan_to_num(each) for each in (falls, rises))
        others = [np.maximum((weight**2 * each**2).sum() - weight**2 * each**2, 0.0) / rest**2 for each in (falls, rises)]
    error = np.where(apart > 0, np.sqrt(rises**2 + others[0]), np.sqrt(falls**2 + others[1]))
    return np.where(rest > 1e-12, apart, np.nan), error


def _rows(effect: str, before: Floats, now: Floats, value: Floats, below: Floats, above: Floats, apart: Floats | float = np.nan,
          error: Floats | float = np.nan) -> pd.DataFrame:
    return pd.DataFrame({"place": np.arange(len(value)), "effect": effect, "before": before, "now": now, "value": value,
                         "below": below, "above": above, "apart": apart, "apart_error": error})
