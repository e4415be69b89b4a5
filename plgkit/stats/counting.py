"""How often something has happened to a person by an age, on average, where the young were watched for less long."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from plgkit.stats.intervals import _z, as_floats


def mean_number(
    day: ArrayLike,
    happened: ArrayLike,
    leaving: ArrayLike,
    groups: ArrayLike,
    *,
    upto: int,
    level: float = 0.95,
) -> pd.DataFrame:
    """Mean number of times by each day of age, with an interval by how much groups of people differ.

    Parameters
    ----------
    day, happened, leaving
        Rows that say how often it happened on a day of age (0 is the first), and how many people were watched for
        so many days and no longer.
    groups
        What the people of a row belong to; people of different groups are independent.
    upto
        The last age, in days.
    level
        How often such intervals hold the true number.

    Returns
    -------
    One row per age: x (0 to the last that anybody was watched), value, low, high, at_risk (people watched for the
    whole day before x).

    Examples
    --------
    Two people, one watched for a day and one for two days, to whom it happens on the second:

    >>> mean_number([1, 1, 2], [1, 0, 0], [0, 1, 1], ["b", "a", "b"], upto=3)[["x", "value", "at_risk"]]
       x  value  at_risk
    0  0    0.0        2
    1  1    0.0        2
    2  2    1.0        1

    References
    ----------
    Lawless and Nadeau, "Some simple robust methods for the analysis of recurrent events", Technometrics 37 (1995),
    158-168.
    """
    codes, names = pd.factorize(pd.Series(np.asarray(groups)), sort=True)
    ages = as_floats(day).astype(int)
    shape = (len(names), upto + 1)
    cell = codes * shape[1] + np.minimum(ages, upto)
    times = np.bincount(cell, as_floats(happened), shape[0] * shape[1]).reshape(shape)[:, :upto]
    gone = np.bincount(cell, as_floats(leaving), shape[0] * shape[1]).reshape(shape)
    still = gone[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    people = still.sum(axis=0)
    watched = people > 0
    times, still, people = times[:, watched], still[:, watched], people[watched]
    step = times.sum(axis=0) / people
    value = np.cumsum(step)
    apart = np.cumsum((times - still * step) / people, axis=1)
    many = len(names) / (len(names) - 1) if len(names) > 1 else np.nan
    error = np.sqrt(many * (apart**2).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        margin = np.exp(_z(level) * np.where(error > 1e-12, error, np.nan) / value)
    made = pd.DataFrame({"x": np.arange(1, len(value) + 1), "value": value, "low": value / margin, "high": value * margin,
                         "at_risk": people.astype("int64")})
    start = pd.DataFrame({"x": [0], "value": [0.0], "low": [0.0], "high": [0.0], "at_risk": [int(gone.sum())]})
    return pd.concat([start, made], ignore_index=True) if len(made) else start
