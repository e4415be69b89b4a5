"""Two groups side by side: differences, lifts, and whether chance alone could do it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from plgkit.errors import BadParameter
from plgkit.stats.intervals import Floats, as_floats, newcombe


class Comparison(NamedTuple):
    """The first group against the second: difference and relative lift, each with interval."""

    difference: float
    low: float
    high: float
    p: float
    lift: float
    lift_low: float
    lift_high: float


def shares(x1: float, n1: float, x2: float, n2: float, *, level: float = 0.95) -> Comparison:
    """Compare the share `x1 / n1` with the share `x2 / n2` (the control).

    The interval of the difference is Newcombe's, that of the lift Koopman's; p is that of
    the two-sided score test, which the lift's interval agrees with.

    Examples
    --------
    >>> found = shares(56, 70, 48, 80)
    >>> round(found.difference, 3), round(found.low, 3), round(found.lift, 3), round(found.p, 4)
    (0.2, 0.052, 0.333, 0.008)

    References
    ----------
    Koopman, "Confidence intervals for the ratio of two binomial proportions",
    Biometrics 40 (1984), 513-517.
    """
    if not (n1 and n2):
        return Comparison(*[np.nan] * 7)
    share1, share2 = x1 / n1, x2 / n2
    low, high = newcombe(x1, n1, x2, n2, level=level)
    lift = share1 / share2 - 1 if share2 else np.nan
    lift_low, lift_high = _koopman(x1, n1, x2, n2, level)
    p = _tail(_score(1.0, x1, n1, x2, n2))
    return Comparison(share1 - share2, low, high, p, lift, lift_low, lift_high)


def means(
    mean1: float,
    deviation1: float,
    n1: float,
    mean2: float,
    deviation2: float,
    n2: float,
    *,
    level: float = 0.95,
) -> Comparison:
    """Compare a mean with another (the control), spreads unequal; the lift by the delta method.

    Examples
    --------
    >>> found = means(11.0, 2.0, 100, 10.0, 2.0, 100)
    >>> round(found.low, 3), round(found.high, 3), round(found.lift, 3)
    (0.442, 1.558, 0.1)

    References
    ----------
    Welch, "The generalization of 'Student's' problem when several different population
    variances are involved", Biometrika 34 (1947), 28-35.
    """
    from scipy.special import stdtr, stdtrit

    error1, error2 = deviation1**2 / n1, deviation2**2 / n2
    difference = mean1 - mean2
    error = float(np.sqrt(error1 + error2))
    if not error > 0:
        return Comparison(difference, *[np.nan] * 6)
    freedom = (error1 + error2) ** 2 / (error1**2 / (n1 - 1) + error2**2 / (n2 - 1))
    t = float(stdtrit(freedom, (1 + level) / 2))
    p = float(2 * stdtr(freedom, -abs(difference / error)))
    lift = lift_half = np.nan
    if mean2:
        lift = difference / mean2
        lift_half = t * float(np.sqrt(error1 / mean2**2 + error2 * mean1**2 / mean2**4))
    low, high = difference - t * error, difference + t * error
    return Comparison(difference, low, high, p, lift, lift - lift_half, lift + lift_half)


def sample_ratio(observed: Mapping[str, int], expected: Mapping[str, float] | None = None) -> float:
    """How probable so uneven a split is, if people were dealt out as planned (chi-square p).

    Parameters
    ----------
    observed
        People per variant.
    expected
        Share planned for each variant; equal shares by default.

    Examples
    --------
    >>> round(sample_ratio({"a": 500, "b": 500}), 3)
    1.0
    >>> sample_ratio({"a": 5000, "b": 4500}) < 0.001
    True
    """
    from scipy.stats import chi2

    planned = dict(expected) if expected else dict.fromkeys(observed, 1.0)
    if set(planned) != set(observed) or min(planned.values(), default=0) <= 0:
        names = ", ".join(sorted(observed))
        raise BadParameter("expected", expected, expected=f"a share above 0 for each of {names}")
    seen = np.array([observed[name] for name in planned], dtype=float)
    due = np.array(list(planned.values())) / sum(planned.values()) * seen.sum()
    if not seen.sum() or len(seen) < 2:
        return 1.0
    return float(chi2.sf(((seen - due) ** 2 / due).sum(), len(seen) - 1))


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjust p-values for how many were looked at, holding the share of false finds.

    Missing ones stay missing and count for nothing.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]

    References
    ----------
    Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995), 289-300.
    """
    found = as_floats(p)
    adjusted = np.full(found.shape, np.nan)
    known = np.flatnonzero(~np.isnan(found))
    order = known[np.argsort(found[known], kind="stable")]
    scaled = found[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def holm(p: ArrayLike) -> Floats:
    """Adjust p-values for how many were looked at, holding the chance of a single false find.

    Missing ones stay missing and count for nothing.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, np.nan]).round(4).tolist()
    [0.03, 0.06, 0.06, nan]

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979), 65-70.
    """
    found = as_floats(p)
    adjusted = np.full(found.shape, np.nan)
    known = np.flatnonzero(~np.isnan(found))
    order = known[np.argsort(found[known], kind="stable")]
    scaled = found[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def differ(values: ArrayLike, errors: ArrayLike) -> float:
    """How probable it is that values differ so much if all were estimates of one (Cochran's Q); NaN for fewer than two.

    Examples
    --------
    >>> round(differ([0.10, 0.00], [0.03, 0.04]), 3)
    0.046

    References
    ----------
    Cochran, "The combination of estimates from different experiments", Biometrics 10 (1954), 101-129.
    """
    from scipy.stats import chi2

    found, spreads = as_floats(values), as_floats(errors)
    used = np.isfinite(found) & (spreads > 0)
    if used.sum() < 2:
        return np.nan
    weights = 1 / spreads[used] ** 2
    middle = math.fsum(weights * found[used]) / math.fsum(weights)
    return float(chi2.sf(math.fsum(weights * (found[used] - middle) ** 2), used.sum() - 1))


def _score(ratio: float, x1: float, n1: float, x2: float, n2: float) -> float:
    """Pearson's chi-square of the two shares, were the first `ratio` times the second."""
    n = n1 + n2
    b = ratio * (n1 + x2) + x1 + n2
    share1 = (b - np.sqrt(max(b**2 - 4 * ratio * n * (x1 + x2), 0.0))) / (2 * n)
    return _away(x1, n1, share1) + _away(x2, n2, share1 / ratio)


def _away(x: float, n: float, share: float) -> float:
    if abs(x - n * share) < 1e-12 * n:
        return 0.0
    share = min(max(share, 1e-300), 1 - 1e-16)
    return float((x - n * share) ** 2 / (n * share * (1 - share)))


def _koopman(x1: float, n1: float, x2: float, n2: float, level: float) -> tuple[float, float]:
    from scipy.optimize import brentq
    from scipy.stats import chi2

    if not x2:
        return np.nan, np.nan
    limit = chi2.ppf(level, 1)
    centre = np.log(x1 / n1 / (x2 / n2)) if x1 else np.log(0.5 / n1 / (x2 / n2))

    def excess(log_ratio: float) -> float:
        return _score(np.exp(log_ratio), x1, n1, x2, n2) - limit

    low = np.exp(brentq(excess, centre - 25, centre)) - 1 if x1 else -1.0
    start = centre if x1 else centre - 25
    return float(low), float(np.exp(brentq(excess, start, centre + 25)) - 1)


def _tail(statistic: float) -> float:
    from scipy.stats import chi2

    return float(chi2.sf(statistic, 1))
