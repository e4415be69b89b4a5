"""The groups of an experiment from sums over their people: means, ratios of sums, both with what people did before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from plgkit.stats.compare import Comparison
from plgkit.stats.intervals import Floats, as_floats

Sums = Mapping[str, Any]
"""Of a group: `n` people, and sums over them of `x`, what is counted, and `xx`, its square; for a ratio also of `y`, what stands
below the line; for what was done before of `a` (as `x`) and `b` (as `y`); and of all their products, such as `xa`. Numbers or arrays."""
TERMS = ("x", "y", "a", "b")
_MEANS = Comparison(*[np.nan] * 7)


class Estimate(NamedTuple):
    """A group's value, how much it varies from draw to draw, and its people."""

    value: Any
    variance: Any
    n: Any


def products(terms: str) -> list[str]:
    """The names of all sums of some terms.

    Examples
    --------
    >>> products("xa")
    ['x', 'a', 'xx', 'xa', 'aa']
    """
    return [*terms, *(one + other for place, one in enumerate(terms) for other in terms[place:])]


def estimates(control: Sums, treated: Sums, *, adjusted: bool = False) -> tuple[Estimate, Estimate]:
    """The values of two groups, adjusted for what their people did before where that is asked and known.

    Examples
    --------
    >>> one, other = estimates({"n": 4, "x": 11, "xx": 39}, {"n": 4, "x": 11, "xx": 39})
    >>> float(one.value), round(float(one.variance), 4)
    (2.75, 0.7292)
    """
    slope = coefficient(control, treated) if adjusted else 0.0
    both = _added(control, treated) if adjusted else control
    return tuple(_estimate(each, slope, both) for each in (control, treated))


def coefficient(control: Sums, treated: Sums) -> Any:
    """By how much what is counted rises with what was done before (theta of CUPED); 0 where nobody did anything before.

    Examples
    --------
    >>> before, after = [0.3, 0.5, 0.9, 22], [2, 1, 5, 3]
    >>> arm = {"n": 4, "x": 11, "a": 23.7, "xx": 39, "xa": 71.6, "aa": 485.15}
    >>> round(float(coefficient(arm, arm)), 5)
    0.01864

    References
    ----------
    Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online controlled experiments by utilizing pre-experiment
    data", WSDM (2013), 123-132.
    """
    both = _added(control, treated)
    if "a" not in both:
        return 0.0
    spread = _products(both, "ab", "ab")
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = _products(both, "xy", "ab") / spread
    return np.where(spread > 1e-12 * np.maximum(as_floats(both["aa"]) / both["n"], 1e-300), slope, 0.0)[()]


def compared(control: Sums, treated: Sums, *, adjusted: bool = False, level: float = 0.95) -> Comparison:
    """Compare a group's mean, or ratio of sums, with the control's: Welch's interval, that of the lift on the logarithmic scale.

    Examples
    --------
    >>> control, treated = {"n": 100, "x": 1000, "xx": 10396}, {"n": 100, "x": 1100, "xx": 12496}
    >>> found = compared(control, treated)
    >>> round(found.low, 3), round(found.high, 3), round(found.lift_low, 3), round(found.lift_high, 3)
    (0.442, 1.558, 0.043, 0.16)

    References
    ----------
    Deng, Knoblich and Lu, "Applying the delta method in metric analytics", KDD (2018), 233-242.
    """
    from tea_tasting import RatioOfMeans

    one, other = estimates(control, treated, adjusted=adjusted)
    if not (min(one.n, other.n) >= 2 and one.variance + other.variance > 0):
        return _MEANS
    before = {"numer_covariate": "a", "denom_covariate": "b" if "b" in control else None} if adjusted and "a" in control else {}
    asked = RatioOfMeans("x", "y" if "y" in control else None, confidence_level=level, **before)
    if not (one.value > 0 and other.value > 0):
        return _without_lift(control, treated, adjusted, level)
    found = asked.analyze_aggregates(aggregates(control), aggregates(treated))
    return Comparison(found.effect_size, found.effect_size_ci_lower, found.effect_size_ci_upper, found.pvalue, found.rel_effect_size,
                      found.rel_effect_size_ci_lower, found.rel_effect_size_ci_upper)


def no_worse(control: Sums, treated: Sums, margin: float, *, better: str = "higher", adjusted: bool = False,
             level: float = 0.95) -> tuple[float, float]:
    """Interval of how far a group is from being worse than the control by the margin, a part of the control's value.

    Above 0 on both sides: it is not that much worse. Below on both: it is. The margin moves with the control's value, which is
    itself known only so well.

    Examples
    --------
    >>> control, treated = {"n": 100, "x": 1000, "xx": 10396}, {"n": 100, "x": 980, "xx": 10000}
    >>> [round(float(each), 2) for each in no_worse(control, treated, 0.1)]
    [0.27, 1.33]
    """
    sign = 1 if better == "higher" else -1
    one, other = estimates(control, treated, adjusted=adjusted)
    part = 1 - sign * margin
    scaled = Estimate(part * one.value, part**2 * one.variance, one.n)
    low, high = welch(scaled, other, level)
    return (low, high) if sign == 1 else (-high, -low)


def p_of(one: Estimate, other: Estimate) -> Any:
    """Welch's two-sided p of two estimates, or of many at once.

    Examples
    --------
    >>> round(float(p_of(Estimate(10.0, 0.04, 100), Estimate(11.0, 0.04, 100))), 5)
    0.00051
    """
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        error = error_of(one, other)
        return 2 * stdtr(_freedom(one, other), -np.abs((other.value - one.value) / error))


def share_p(control: Sums, treated: Sums) -> Any:
    """The score test's two-sided p of two shares, or of many at once.

    Examples
    --------
    >>> round(float(share_p({"n": 80, "x": 48}, {"n": 70, "x": 56})), 4)
    0.008
    """
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (control["x"] + treated["x"]) / (control["n"] + treated["n"])
        error = np.sqrt(pooled * (1 - pooled) * (1 / np.asarray(control["n"], dtype=float) + 1 / np.asarray(treated["n"], dtype=float)))
        return 2 * ndtr(-np.abs(np.true_divide(treated["x"], treated["n"]) - np.true_divide(control["x"], control["n"])) / error)


def welch(one: Estimate, other: Estimate, level: float = 0.95) -> tuple[Any, Any]:
    """Welch's interval of the difference of two estimates, or of many at once; missing where nothing varies.

    Examples
    --------
    >>> low, high = welch(Estimate(10.0, 0.04, 100), Estimate(11.0, 0.04, 100))
    >>> round(float(low), 3), round(float(high), 3)
    (0.442, 1.558)
    """
    from scipy.special import stdtrit

    error = error_of(one, other)
    with np.errstate(divide="ignore", invalid="ignore"):
        known = (np.minimum(one.n, other.n) >= 2) & (error > 0)
        half = np.where(known, stdtrit(np.where(known, _freedom(one, other), 1.0), (1 + level) / 2) * error, np.nan)
        difference = other.value - one.value
    return (difference - half)[()], (difference + half)[()]


def error_of(one: Estimate, other: Estimate, *, lift: bool = False) -> Any:
    """Standard error of the difference of two estimates, or of the logarithm of their ratio."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if lift:
            return np.sqrt(one.variance / one.value**2 + other.variance / other.value**2)
        return np.sqrt(one.variance + other.variance)


def spread(sums: Sums, *, adjusted: bool = False) -> float:
    """Variance between the people of one group of what is compared.

    Examples
    --------
    >>> round(spread({"n": 4, "x": 11, "xx": 39}), 4)
    2.9167
    """
    slope = coefficient(sums, _none(sums)) if adjusted else 0.0
    return float(_estimate(sums, slope, sums).variance * sums["n"])


def value(sums: Sums) -> Any:
    """The mean, or the ratio of sums, of a group as it was counted."""
    return _ratio(sums, "xy")


def aggregates(sums: Sums) -> Any:
    """The sums as tea-tasting takes them."""
    from tea_tasting.aggr import Aggregates

    terms = [each for each in TERMS if each in sums]
    pairs = [(one, other) for place, one in enumerate(terms) for other in terms[place + 1:]]
    return Aggregates(int(sums["n"]), {each: sums[each] / sums["n"] for each in terms},
                      {each: float(_between(sums, each, each)) for each in terms},
                      {pair: float(_between(sums, *pair)) for pair in pairs})


def _estimate(sums: Sums, slope: Any, both: Sums) -> Estimate:
    with np.errstate(divide="ignore", invalid="ignore"):
        value, variance = _ratio(sums, "xy"), _products(sums, "xy", "xy")
        if "a" in sums and np.any(slope):
            value = value - slope * (_ratio(sums, "ab") - _ratio(both, "ab"))
            variance = variance + slope**2 * _products(sums, "ab", "ab") - 2 * slope * _products(sums, "xy", "ab")
        return Estimate(value, variance / sums["n"], sums["n"])


def _ratio(sums: Sums, pair: str) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.true_divide(sums[pair[0]], sums[pair[1]] if pair[1] in sums else sums["n"])


def _products(sums: Sums, left: str, right: str) -> Any:
    """Covariance between people of two ratios of sums, linear around their values (delta method)."""
    terms = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for top, bottom in (left, right):
            below = np.true_divide(sums[bottom], sums["n"]) if bottom in sums else 1.0
            terms.append([(top, 1 / below), *([(bottom, -_ratio(sums, top + bottom) / below)] if bottom in sums else [])])
        return sum(one * other * _between(sums, first, second) for first, one in terms[0] for second, other in terms[1])


def _between(sums: Sums, one: str, other: str) -> Any:
    """Covariance between people of two terms."""
    product = sums[one + other] if one + other in sums else sums[other + one]
    with np.errstate(divide="ignore", invalid="ignore"):
        return (product - np.true_divide(sums[one] * sums[other], sums["n"])) / (sums["n"] - 1)


def _added(one: Sums, other: Sums) -> dict[str, Any]:
    return {name: one[name] + other[name] for name in one}


def _none(sums: Sums) -> dict[str, Any]:
    return dict.fromkeys(sums, 0)


def _freedom(one: Estimate, other: Estimate) -> Floats:
    return (one.variance + other.variance) ** 2 / (one.variance**2 / (one.n - 1) + other.variance**2 / (other.n - 1))


def _without_lift(control: Sums, treated: Sums, adjusted: bool, level: float) -> Comparison:
    """Where a value is not above 0, there is a difference and no lift."""
    one, other = estimates(control, treated, adjusted=adjusted)
    low, high = welch(one, other, level)
    return Comparison(float(other.value - one.value), low, high, float(p_of(one, other)), *[np.nan] * 3)
