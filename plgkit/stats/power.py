"""How many people it takes to find an effect, and which effect so many people can find."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def smallest(variance: float, n: float, *, ratio: float = 1.0, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest difference of two means that is found with the stated chance.

    Parameters
    ----------
    variance
        Of what is compared, between people of one group.
    n
        People in both groups together.
    ratio
        People in the treated group for each one of the control.
    alpha
        Chance of finding something where there is nothing.
    power
        Chance of finding the difference where it is there.

    Examples
    --------
    >>> round(smallest(0.25, 3140), 3)
    0.05
    """
    if not (variance > 0 and n >= 4):
        return math.nan
    return float(_solved("effect_size", variance, ratio, alpha=alpha, power=power, n_obs=int(n)).effect_size)


def findable(error: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest difference that is found with the stated chance where differences have this standard error.

    Examples
    --------
    >>> round(findable(0.01), 4)
    0.028
    """
    from scipy.special import ndtri

    return float((ndtri(1 - alpha / 2) + ndtri(power)) * error)


def people(variance: float, difference: float, *, ratio: float = 1.0, alpha: float = 0.05, power: float = 0.8,
           student: bool = False) -> float:
    """People in both groups together that it takes to find a difference of two means.

    With `student` the groups are small and their spread is not known beforehand.

    Examples
    --------
    >>> people(0.25, 0.05)
    3140.0
    """
    if not variance > 0 or not difference:
        return math.nan
    return float(_solved("n_obs", variance, ratio, student, alpha=alpha, power=power, effect_size=abs(difference)).n_obs)


def chance(variance: float, n: float, difference: float, *, ratio: float = 1.0, alpha: float = 0.05, student: bool = False) -> float:
    """The chance that so many people find a difference of two means.

    Examples
    --------
    >>> round(chance(0.25, 3140, 0.05), 3)
    0.8
    """
    if not (variance > 0 and n >= 4) or not difference:
        return math.nan
    return float(_solved("power", variance, ratio, student, alpha=alpha, n_obs=int(n), effect_size=abs(difference)).power)


def share_people(share1: float, share2: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """People in both groups together that it takes to tell two shares apart, by the score test.

    Examples
    --------
    >>> round(share_people(0.55, 0.5), 1)
    3129.3

    References
    ----------
    Fleiss, Levin and Paik, *Statistical Methods for Rates and Proportions* (2003), section 4.2.
    """
    from scipy.special import ndtri

    middle = (share1 + share2) / 2
    none, some = np.sqrt(2 * middle * (1 - middle)), np.sqrt(share1 * (1 - share1) + share2 * (1 - share2))
    return float(2 * ((ndtri(1 - alpha / 2) * none + ndtri(power) * some) / (share1 - share2)) ** 2)


def _solved(wanted: str, variance: float, ratio: float, student: bool = False, **given: Any) -> Any:
    from tea_tasting import Mean
    from tea_tasting.aggr import Aggregates

    alike = Aggregates(count_=2, mean_={"x": 1.0}, var_={"x": variance})
    asked = Mean("x", ratio=ratio, use_t=student, equal_var=True, **given)
    return asked.solve_power_from_aggregates(alike, wanted)[0]
