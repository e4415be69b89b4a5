"""The positive parameters under which data are likeliest, and how surely they are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from plgkit.stats.intervals import Floats

_FAR = 25.0


class Maximum(NamedTuple):
    """Parameters, log-likelihood and, of the parameters' logarithms, the covariance (NaN where there is none)."""

    parameters: tuple[float, ...]
    loglik: float
    covariance: Floats


def maximise(loglik: Callable[..., float], start: Sequence[float]) -> Maximum:
    """Climb to the top of a log-likelihood, on the logarithms of its parameters.

    Examples
    --------
    >>> found = maximise(lambda rate: 12 * np.log(rate) - 4 * rate, [1.0])  # 12 events in 4 days
    >>> round(found.parameters[0], 4), round(float(found.covariance[0, 0]), 4)  # 3 a day; 1 / 12
    (3.0, 0.0833)
    """
    from scipy.optimize import minimize

    def cost(point: Floats) -> float:
        if (np.abs(point) > _FAR).any():
            return 1e300
        with np.errstate(all="ignore"):
            value = -loglik(*np.exp(point))
        return value if np.isfinite(value) else 1e300

    point = np.log(np.asarray(start, dtype=float))
    # The simplex needs no slopes and is started again where it stopped, until that no longer helps.
    for _ in range(6):
        before = cost(point)
        found = minimize(cost, point, method="Nelder-Mead",
                         options={"xatol": 1e-7, "fatol": 1e-10 * max(abs(before), 1.0), "maxiter": 4000, "maxfev": 8000})
        point = found.x
        if before - found.fun <= 1e-9 * max(abs(before), 1.0):
            break
    return Maximum(tuple(float(each) for each in np.exp(point)), -float(found.fun), _covariance(cost, point))


def _covariance(cost: Callable[[Floats], float], point: Floats) -> Floats:
    size, width = len(point), 1e-3
    steps = np.eye(size) * width
    curved = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            ahead, behind = steps[i] + steps[j], steps[i] - steps[j]
            curved[i, j] = curved[j, i] = (cost(point + ahead) - cost(point + behind) - cost(point - behind)
                                           + cost(point - ahead)) / (4 * width**2)
    missing = np.full((size, size), np.nan)
    if not np.isfinite(curved).all() or np.linalg.eigvalsh(curved).min() <= 0:
        return missing
    return np.linalg.inv(curved)
