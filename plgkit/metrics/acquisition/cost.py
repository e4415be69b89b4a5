"""What a sign-up and a customer cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import UnknownSegment
from plgkit.metrics import shapes
from plgkit.metrics.acquisition import buying
from plgkit.metrics.acquisition.buying import Lag
from plgkit.metrics.people import NONE
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import intervals


def _cost(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    frame = shapes.every_period(frame, data, parameters, ["minor", "signups"])
    low, high = intervals.poisson(frame["signups"], level=parameters["level"])
    spend, most = frame["minor"] / 100, np.where(low > 0, low, np.nan)
    frame = frame.assign(
        spend=spend, value=spend / frame["signups"].where(frame["signups"] > 0), low=spend / high, high=spend / most,
        complete=shapes.complete(frame["period"], data, parameters["grain"]))
    return shapes.ordered(frame, parameters, ["spend", "signups", "value", "low", "high", "complete"])


@measure(shape="table", unit="currency", better="lower", reads="spend users", finish=_cost,
         interval="exact Poisson interval of the sign-ups")
def cost_per_signup(data: Data, *, by: str | None = "channel", grain: Grain = "month") -> Table:
    """Spend divided by sign-ups of the same period.

    By channel, or blended: with `by=None` all spend is divided by all sign-ups, paid or not.

    Parameters
    ----------
    data
        Reads `spend` and `users` (channel).
    by
        "channel", or None for all channels together.
    grain
        Length of a period.

    Returns
    -------
    One row per period and channel: period, channel, spend (currency), signups, value (currency per sign-up;
    missing where nobody signed up), low, high (the sign-ups taken as Poisson), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> cost_per_signup(samples.tiny()).query("channel == 'paid_search'")[["period", "spend", "signups", "value"]]
          period  spend  signups  value
    2 2025-01-01  100.0        1  100.0
    5 2025-02-01    0.0        0    NaN
    >>> cost_per_signup(samples.tiny(), by=None)[["period", "spend", "signups", "value"]].head(1)
          period  spend  signups  value
    0 2025-01-01  100.0        4   25.0
    """
    if by not in ("channel", None):
        raise UnknownSegment(by, ["channel"])
    keys = ["period", *([by] if by else [])]
    spent = data.spend.select(period=data.period(_.day, grain), channel=_.channel.fill_null(NONE),
                              minor=_.amount_minor, signups=ibis.literal(0, "int64"))
    came = data.users.select(period=data.period(_.day, grain), channel=_.channel.fill_null(NONE),
                             minor=ibis.literal(0, "int64"), signups=ibis.literal(1, "int64"))
    return spent.union(came).group_by(*keys).aggregate(
        minor=_.minor.sum().cast("int64"), signups=_.signups.sum().cast("int64"))


def _cac(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = buying.per_period(frame, data, parameters)
    low, high = intervals.poisson(made["customers"], level=parameters["level"])
    customers = made["customers"].where(made["customers"] > 0).astype("float64")
    made = made.assign(value=made["spend"] / customers, low=made["spend"] / np.where(customers.notna(), high, np.nan),
                       high=made["spend"] / np.where(low > 0, low, np.nan))
    return buying.finished(made, data, parameters, ["spend", "customers", "value", "low", "high", "complete"])


@measure(shape="table", unit="currency", better="lower", reads="spend users subscriptions", finish=_cac,
         settings={"within_days": "conversion.within_days"}, interval="exact Poisson interval of the customers")
def cac(data: Data, *, lag: Lag = "none", lag_days: int | None = None, within_days: int | None = None,
        by: str | None = "channel", grain: Grain = "quarter") -> Table:
    """Spend divided by the accounts that became paying (lag: `lag`): what a customer costs.

    By channel, or blended: with `by=None` all spend is divided by all new customers, whatever brought them. An
    account has the channel of the first of its people who signed up. Where nobody became paying, what a customer
    costs is not known.

    Parameters
    ----------
    data
        Reads `spend`, `users` (channel), `subscriptions`, and `accounts` where it is there.
    lag
        "none": spend of the period over first payments of the same period; looks dear while spend grows, as people
        pay later than they are won. "shift": spend of `lag_days` days earlier. "cohort", the fully lagged one:
        spend of the period over the accounts created in it that paid within `within_days` days; complete once all
        of them have had their days.
    lag_days
        Days by which "shift" moves spend; None is the median time from an account's start to its first payment.
    within_days
        Days of 24 hours from an account's creation for "cohort"; the last instant counts.
    by
        "channel", or None for all channels together.
    grain
        Length of a period.

    Returns
    -------
    One row per period and channel: period, channel, spend (currency), customers, value (currency per customer;
    missing without any, or where spend is not known), low, high (the customers taken as Poisson), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> cac(samples.tiny(), by=None)[["period", "spend", "customers", "value"]]
          period  spend  customers  value
    0 2025-01-01  100.0          2   50.0
    >>> cac(samples.tiny()).query("channel == 'paid_search'")[["spend", "customers", "value"]]
       spend  customers  value
    1  100.0          1  100.0
    """
    return buying.bought(data, lag=lag, lag_days=lag_days, within_days=within_days, by=by, grain=grain)
