"""What a projection of renewals would have said some months ago, against what then happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics.expansion import lives
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.stats import draws, sbg
from plgkit.stats.intervals import Floats

_COLUMNS = ["x", "value", "low", "high", "at_risk", "actual"]


def _against(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, months, level, parts = parameters["by"], parameters["months"], parameters["level"], []
    frame = frame.sort_values(["closed_then", "ended", "closed", "accounts"], kind="stable")
    for name, cells in frame.groupby(by or (lambda _: 0), sort=True):
        cells = cells.reset_index(drop=True).assign(minor=0)
        there = cells[(cells["ended"] == 0) | (cells["ended"] > cells["closed_then"])]
        if there.empty:
            continue
        made = _forecast(cells, there, months, level).assign(actual=_actual(there, months))
        parts.append(made.assign(**{by: name}) if by else made)
    columns = [*([by] if by else []), *_COLUMNS]
    made = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    made = made.astype({"x": "int64", "at_risk": "int64"} | dict.fromkeys(("value", "low", "high", "actual"), "float64"))
    made.attrs["x_unit"] = "months"
    return made


def _forecast(cells: pd.DataFrame, there: pd.DataFrame, months: int, level: float) -> pd.DataFrame:
    """Share of those there then who were to be there after each month, and what range so many accounts leave plausible."""
    ages, people = there["closed_then"].to_numpy(), there["accounts"].to_numpy(dtype=float)
    one, many = (each(cells, closed="closed_then") for each in (lives.seen, lives.drawn))
    value = _shares(sbg.fit(one.at_risk, one.leaving), ages, people, months)[0]
    drawn = _shares(sbg.fit(many.at_risk, many.leaving), ages, people, months)
    drawn[many.leaving.sum(axis=1) == 0] = 1.0
    size = int(people.sum())
    drawn = drawn[~np.isnan(drawn).any(axis=1)]
    low = high = np.full(months + 1, np.nan)
    if len(drawn) and not np.isnan(value).any():
        low, high = np.quantile(draws.staying(drawn, size, seed=1), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return pd.DataFrame({"x": np.arange(months + 1), "value": value, "low": np.minimum(low, value),
                         "high": np.maximum(high, value), "at_risk": size})


def _shares(found: sbg.Fit, ages: Floats, people: Floats, months: int) -> Floats:
    """Mean over accounts of the share still there after 0, 1, ... months, by the age of each; one row per fit."""
    made = np.full((len(found.alpha), months + 1), np.nan)
    known = np.flatnonzero(~np.isnan(found.alpha))
    if len(known):
        there = sbg.survival(found.alpha[known], found.beta[known], int(ages.max()) + months)
        after = ages[:, None] + np.arange(months + 1)
        made[known] = np.einsum("kam,a->km", there[:, after] / there[:, ages][:, :, None], people / people.sum())
    return made


def _actual(there: pd.DataFrame, months: int) -> Floats:
    """Share of those there then who were there after each month; missing where not everybody's month is over."""
    ended, then, people = (there[name].to_numpy() for name in ("ended", "closed_then", "accounts"))
    after = np.arange(months + 1)
    still = (ended == 0)[:, None] | (ended[:, None] > then[:, None] + after)
    known = (there["closed"].to_numpy()[:, None] >= then[:, None] + after).all(axis=0)
    return np.where(known, people @ still / people.sum(), np.nan)


@measure(shape="curve", unit="share of accounts", better="higher", reads="subscriptions", finish=_against,
         interval="bootstrap over accounts of the fit, and chance of so many accounts")
def forecast(data: Data, *, months: int = 6, by: str | None = None) -> Table:
    """Share of paying accounts still paying month by month, as it was to be expected `months` months ago and as it came.

    The shifted-beta-geometric model is fitted to what was known on that day; each account that then paid is projected
    from its own age on. The interval holds what was to come for so many accounts if the model is right: where the
    actual line leaves it, do not believe the projection of today either.

    Parameters
    ----------
    data
        Reads `subscriptions`. Lives and their months are those of `lifetime_value`; accounts are followed from the
        last month of their life that was over on that day.
    months
        How long ago to stand, and how far to look from there.
    by
        Column of accounts to cut by; plan and motion are the last ones, which may not have been known then.

    Returns
    -------
    One row per segment and month: x (months from then, from 0), value (share expected; missing where too little was
    known for a curve), low, high, at_risk (accounts followed), actual (share that was there).

    Examples
    --------
    >>> from plgkit import samples
    >>> forecast(samples.tiny(), months=1)[["x", "value", "at_risk", "actual"]]  # of two accounts one is left
       x  value  at_risk  actual
    0  0    NaN        2     1.0
    1  1    NaN        2     0.5
    """
    if isinstance(months, bool) or months < 1:
        raise BadParameter("months", months, expected="a whole number of months, 1 or more")
    then = (pd.Timestamp(data.as_of) - pd.DateOffset(months=months)).date()
    rows = segmented(data, lives.rows(data, then=then), by, unit="account_id")
    return rows.group_by(*([by] if by else []), "closed_then", "ended", "closed").aggregate(accounts=_.count().cast("int64"))
