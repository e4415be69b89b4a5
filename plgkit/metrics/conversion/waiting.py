"""How long it takes until an account first pays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from ibis.expr.types import Table

from plgkit.metrics import durations
from plgkit.metrics.accounts import before_paying, openings, trials
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between
from plgkit.stats import survival

DAY_SECONDS = 86_400.0


SHARES = ["paid_share", "paid_low", "paid_high"]


def _in_days(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = durations.as_distribution(frame, data, parameters, per=DAY_SECONDS)
    keys = [name for name in ("period", parameters["by"]) if name and name in frame.columns] or ["everyone"]
    found = [_paid_by_then(part, parameters) for _, part in frame.assign(everyone=0).groupby(keys, sort=True)]
    return made.assign(**dict(zip(SHARES, np.array(found, dtype=float).reshape(-1, 3).T, strict=True)))


def _paid_by_then(cells: pd.DataFrame, parameters: Mapping[str, Any]) -> tuple[float, float, float]:
    """The share that has paid after the days asked for; missing where nobody was watched so long."""
    day = parameters["within_days"] * DAY_SECONDS
    curve = survival.kaplan_meier(cells["duration"], cells["reached"], weights=cells["people"], level=parameters["level"])
    last = curve[curve["time"] <= day].iloc[-1]
    if cells["duration"].max() < day and last["survival"] > 0:
        return np.nan, np.nan, np.nan
    return 1 - last["survival"], 1 - last["high"], 1 - last["low"]


@measure(shape="distribution", unit="days", better="lower", reads="accounts users subscriptions", finish=_in_days,
         settings={"within_days": "conversion.within_days"})
def time_to_paid(data: Data, *, start: Literal["account", "trial"] = "account", within_days: int | None = None,
                 by: str | None = None, grain: Grain | None = None) -> Table:
    """Days from the start (`start`) to the first payment; who has not paid yet still counts.

    Most accounts never pay, so that the median over all is often missing: half do not get there.
    `median_among` is that of those who paid, which grows as slow ones come in.

    Parameters
    ----------
    data
        Reads `accounts` (or `users`) and `subscriptions`.
    start
        "account", when it was created, or "trial", for accounts that began one.
    within_days
        Days of 24 hours after which `paid_share` is read off the curve.
    by
        Column to cut by.
    grain
        Length of the period of the start to cut by; None takes all together.

    Returns
    -------
    One row per period and segment: n (accounts), events (paid), value (median days), low, high, q25, q75,
    median_among, among_low, among_high; paid_share with paid_low and paid_high: the share that has paid within_days
    after the start, by Kaplan and Meier, in which the young count for as long as they were watched (missing where nobody
    was so long).

    Examples
    --------
    >>> from plgkit import samples
    >>> time_to_paid(samples.tiny(), start="trial")[["n", "events", "median_among"]].round(2)
       n  events  median_among
    0  2       2         15.44
    """
    rows = _waits(data, start, by)
    if grain:
        rows = rows.mutate(period=data.period(rows.day, grain))
    return durations.counted(rows, by=by, period=grain is not None)


def _waits(data: Data, start: str, by: str | None) -> Table:
    """How long each account took to pay, or has not paid yet: `duration` in seconds and `reached`."""
    moment = "created_at" if start == "account" else "trial_started_at"
    rows = before_paying(data, openings(data) if start == "account" else trials(data), moment)
    rows = segmented(data, rows, by, unit="account_id")
    paid = rows.paid_at.notnull()
    return rows.mutate(reached=paid.ifelse(1, 0),
                       duration=seconds_between(paid.ifelse(rows.paid_at, data.end_literal), rows[moment]))


def _time_to_paid_curve(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return durations.as_curve(frame, data, parameters, per=DAY_SECONDS, upto=DAY_SECONDS * parameters["within_days"])


@measure(shape="curve", unit="share of new accounts", better="higher", reads="accounts users subscriptions",
         settings={"within_days": "conversion.within_days"}, finish=_time_to_paid_curve)
def time_to_paid_curve(data: Data, *, start: Literal["account", "trial"] = "account", within_days: int | None = None,
                       by: str | None = None) -> Table:
    """Share of accounts that have paid, by the days since the start (`start`).

    Kaplan-Meier: each account counts for as long as it was watched, so that young ones are in it too.

    Parameters
    ----------
    data
        Reads `accounts` (or `users`) and `subscriptions`.
    start
        As in `time_to_paid`.
    within_days
        Where the curve ends; later payments are not drawn.
    by
        Column to cut by.

    Returns
    -------
    One row per time at which an account first paid: x (days since the start), value (share that has paid by
    then), low, high, at_risk (accounts watched that had not paid just before).

    Examples
    --------
    >>> from plgkit import samples
    >>> time_to_paid_curve(samples.tiny(), start="trial")[["x", "value", "at_risk"]].round(2)
           x  value  at_risk
    0   0.00    0.0        2
    1  14.00    0.5        2
    2  16.88    1.0        1
    """
    return durations.counted(_waits(data, start, by), by=by, period=False)
