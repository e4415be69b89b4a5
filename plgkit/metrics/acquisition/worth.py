"""What a customer costs against what it brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import ledger
from plgkit.metrics.acquisition import buying
from plgkit.metrics.acquisition.buying import BOUGHT, Lag
from plgkit.metrics.expansion import lives
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import money, retained
from plgkit.stats.intervals import Floats

_SETTINGS = {"within_days": "conversion.within_days", "margin": "product.gross_margin"}
PAYING, STAYED, LEFT, LIFE = "paying", "stayed", "left", "life"
Method = Literal["formula", "survival", "sbg"]


def _check(margin: float) -> None:
    if isinstance(margin, bool) or not isinstance(margin, (int, float)) or not 0 < margin <= 1:
        raise BadParameter("margin", margin, expected="a share above 0 and up to 1, such as 0.8")


def _parts(frame: pd.DataFrame, kind: str, keys: list[str]) -> dict[Any, pd.DataFrame]:
    """The rows of one kind, by period and channel."""
    return {key if isinstance(key, tuple) else (key,): part
            for key, part in frame[frame["kind"] == kind].groupby(keys)}


def _payback(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = ["period", *([parameters["by"]] if parameters["by"] else [])]
    made = buying.per_period(frame, data, parameters)
    cells = _parts(frame, BOUGHT, keys)
    found = [_months(row["spend"], cells.get(tuple(row[name] for name in keys)), parameters)
             for row in made.to_dict("records")]
    made[["arpa", "value", "low", "high"]] = np.array(found, dtype=float).reshape(-1, 4)
    made["cac"] = made["spend"] / made["customers"].where(made["customers"] > 0)
    columns = ["spend", "customers", "cac", "arpa", "value", "low", "high", "complete"]
    return buying.finished(made, data, parameters, columns)


def _months(spend: float, cells: pd.DataFrame | None, parameters: Mapping[str, Any]) -> tuple[float, ...]:
    """Mean first payment of new customers, and the months of its margin that the spend takes, with its interval."""
    if cells is None:
        return (np.nan,) * 4
    amounts, accounts = cells["minor"] / ledger.MINOR, cells["accounts"]
    monthly = float(amounts @ accounts)
    value = spend / (parameters["margin"] * monthly)
    _whole, low, high = (parameters["margin"] * each for each in retained.total(amounts, accounts, level=parameters["level"]))
    return monthly / accounts.sum(), value, spend / high, spend / low


@measure(shape="table", unit="months", better="lower", reads="spend users subscriptions", settings=_SETTINGS,
         finish=_payback, interval=f"{ledger.MEAN}, the number of which is chance too")
def cac_payback(data: Data, *, margin: float | None = None, lag: Lag = "none", lag_days: int | None = None,
                within_days: int | None = None, by: str | None = "channel",
                grain: Grain = "quarter") -> Table:
    """Months until new customers have earned back what they cost, by their first payments at a margin of `margin`.

    Spend divided by the monthly gross margin of the accounts it bought: as if they paid on as they began. It leaves
    out who stops before the money is back, so a month's payback with high churn is worse than it looks.

    Parameters
    ----------
    data
        Reads `spend`, `users` (channel), `subscriptions`, and `accounts` where it is there.
    margin
        Gross margin: the part of revenue that is left after serving the customer.
    lag, lag_days, within_days, by, grain
        As in `cac`.

    Returns
    -------
    One row per period and channel: period, channel, spend, customers, cac (currency per customer), arpa (first
    monthly payment of each, mean), value (months; missing without customers), low, high (none below five customers;
    the number of customers is chance too), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = cac_payback(samples.tiny(), by=None)  # 100 spent; 20 + 50 a month, of which 80 % is margin
    >>> found[["spend", "customers", "cac", "arpa", "value"]].round(3)
       spend  customers   cac  arpa  value
    0  100.0          2  50.0  35.0  1.786
    """
    _check(margin)
    return buying.bought(data, lag=lag, lag_days=lag_days, within_days=within_days, by=by, grain=grain)


def _ltv(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = ["period", *([parameters["by"]] if parameters["by"] else [])]
    made = buying.per_period(frame, data, parameters)
    standing, watched = _parts(frame, PAYING, keys), _parts(frame, LIFE, keys)
    months = frame[frame["kind"].isin([STAYED, LEFT])].pivot_table(
        index=keys, columns="kind", values="accounts", aggfunc="sum", fill_value=0)
    months = months.reindex(columns=[STAYED, LEFT], fill_value=0).reset_index()
    found = []
    for row in made.to_dict("records"):
        key = tuple(row[name] for name in keys)
        lately = _lately(months, row, data, parameters)
        paid = _payments(watched.get(key), *lately, parameters)
        found.append(_worth(row, standing.get(key), lately, paid, parameters))
    names = ["arpa", "churn", "churned", "lifetime_value", "value", "low", "high"]
    made[names] = np.array(found, dtype=float).reshape(-1, len(names))
    made["cac"] = made["spend"] / made["customers"].where(made["customers"] > 0)
    made["churned"] = made["churned"].astype("int64")
    columns = ["customers", "cac", "arpa", "churn", "churned", "lifetime_value", "value", "low", "high", "complete"]
    return buying.finished(made, data, parameters, columns)


def _lately(months: pd.DataFrame, row: Mapping[str, Any], data: Data, parameters: Mapping[str, Any]) -> tuple[int, int]:
    """How many accounts paid at the start of a month, and how many of those no more at its end, added up."""
    after = min(engine.next_period(row["period"].date(), parameters["grain"]), data.as_of + engine.DAY)
    until = pd.Timestamp(after).to_period("M").start_time
    since = until - pd.DateOffset(months=parameters["churn_months"])
    mine = months[(months["period"] >= since) & (months["period"] < until)]
    if parameters["by"]:
        mine = mine[mine[parameters["by"]] == row[parameters["by"]]]
    return int(mine[STAYED].sum() + mine[LEFT].sum()), int(mine[LEFT].sum())


def _payments(cells: pd.DataFrame | None, watched: int, left: int, parameters: Mapping[str, Any]) -> tuple[float, Floats]:
    """Monthly payments expected of an account, by the method asked for, and draws of them."""
    if parameters["method"] == "formula":
        if not left:
            return np.nan, np.array([np.nan])
        leaving = money.resampled([1.0], [left], seed=2)[1]
        return watched / left, np.divide(watched, leaving, out=np.full(len(leaving), np.inf), where=leaving > 0)
    if cells is None:
        return np.nan, np.array([np.nan])
    cells = cells.sort_values(["closed", "ended", "accounts"]).reset_index(drop=True)
    crowds = lives.seen(cells), lives.drawn(cells)
    if parameters["method"] == "sbg" and not crowds[0].leaving.sum():
        return np.nan, np.array([np.nan])
    there = lives.staying if parameters["method"] == "survival" else lambda crowd: lives.fitted(crowd, parameters["horizon"])
    one, many = (there(each)[:, : parameters["horizon"]].sum(axis=1) for each in crowds)
    return float(one[0]), many


def _worth(row: Mapping[str, Any], cells: pd.DataFrame | None, lately: tuple[int, int], paid: tuple[float, Floats],
           parameters: Mapping[str, Any]) -> tuple[float, ...]:
    """Revenue per account, monthly churn, who left, lifetime value, its ratio to the cost and the interval."""
    watched, left = lately
    churn, (expected, payments) = left / watched if watched else np.nan, paid
    if cells is None:
        return np.nan, churn, left, *(np.nan,) * 4
    amounts, accounts = cells["minor"] / ledger.MINOR, cells["accounts"]
    arpa = float(amounts @ accounts / accounts.sum())
    lifetime = parameters["margin"] * arpa * expected
    if not row["customers"] or not row["spend"] > 0:
        return arpa, churn, left, lifetime, *(np.nan,) * 3
    value = lifetime * row["customers"] / row["spend"]
    if min(row["customers"], accounts.sum()) < retained.FEWEST:
        return arpa, churn, left, lifetime, value, np.nan, np.nan
    draws = len(payments)
    sums, sizes = money.resampled(amounts, accounts, draws=draws)
    bought = money.resampled([1.0], [row["customers"]], seed=1, draws=draws)[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = parameters["margin"] * sums / sizes * payments * bought / row["spend"]
    return arpa, churn, left, lifetime, value, *money.span(drawn, value, parameters["level"])


@measure(shape="table", unit="ratio", better="higher", reads="spend users subscriptions", settings=_SETTINGS,
         finish=_ltv, interval="bootstrap over accounts: of revenue, of those won and of those lost, each for itself")
def ltv_to_cac(data: Data, *, method: Method = "formula", margin: float | None = None, churn_months: int = 12,
               horizon: int = 60, lag: Lag = "none", lag_days: int | None = None, within_days: int | None = None,
               by: str | None = "channel", grain: Grain = "quarter") -> Table:
    """Lifetime value of a paying account, by `method`, as a multiple of what a new one costs.

    Lifetime value is gross margin (`margin`) times revenue per paying account and month, times the months that an
    account is expected to pay. "formula": without end, 1 / churn of accounts over the last `churn_months` months; it is
    undefined while no account has left. It misleads where churn falls with age, which is usual: the mean churn of young
    accounts then understates how long old ones stay; where few have left, one more of them halves it, as the interval
    shows; and it counts money of years that nobody has seen yet. "survival": the months within `horizon` that accounts
    were seen to pay by the period's end, and nothing of what comes after the oldest. "sbg": the months within `horizon`
    that the shifted-beta-geometric model projects. `expansion.lifetime_value` shows the three side by side.

    Parameters
    ----------
    data
        Reads `spend`, `users` (channel), `subscriptions`, and `accounts` where it is there.
    method
        How long an account pays: "formula", "survival" or "sbg", as in `expansion.lifetime_value`.
    margin
        Gross margin: the part of revenue that is left after serving the customer.
    churn_months
        Whole months up to the period's end over which churn is taken.
    horizon
        Months of payments to count, by "survival" and "sbg".
    lag, lag_days, within_days, by, grain
        As in `cac`.

    Returns
    -------
    One row per period and channel: period, channel, customers (new), cac (currency), arpa (currency a month, of
    accounts paying at the period's end), churn (share of paying accounts lost per month), churned (how many),
    lifetime_value (currency), value (lifetime value over cac; missing where the method has none, without new customers
    or without spend), low, high (none below five accounts won or paying), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = ltv_to_cac(samples.tiny(), by=None, grain="quarter")  # 1 of 2 left in February; 30 a month is paid
    >>> found[["cac", "arpa", "churn", "lifetime_value", "value"]].round(2)
        cac  arpa  churn  lifetime_value  value
    0  50.0  30.0    0.5            48.0   0.96
    >>> found = ltv_to_cac(samples.tiny(), method="survival", by=None)  # 1.5 payments were seen, as half left after one
    >>> found[["lifetime_value", "value"]]
       lifetime_value  value
    0            36.0   0.72

    References
    ----------
    Skok, "SaaS Metrics 2.0" (2010): lifetime value as margin x ARPA / churn.
    """
    _check(margin)
    if isinstance(churn_months, bool) or not isinstance(churn_months, int) or churn_months < 1:
        raise BadParameter("churn_months", churn_months, expected="a whole number of months, 1 or more")
    if isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1:
        raise BadParameter("horizon", horizon, expected="a whole number of months, 1 or more")
    rows = buying.bought(data, lag=lag, lag_days=lag_days, within_days=within_days, by=by, grain=grain)
    keys = ["period", *([by] if by else [])]
    now = segmented(data, ledger.standing(data, grain).select("account_id", "period", "mrr_minor"), by, unit="account_id")
    now = now.group_by(*keys, minor=_.mrr_minor).aggregate(accounts=_.count())
    moved = segmented(data, ledger.then_and_now(data, "month"), by, unit="account_id")
    moved = moved.mutate(minor=(moved.now_minor > 0).ifelse(0, 1)).group_by(*keys, "minor").aggregate(accounts=_.count())
    stayed, left = moved.filter(_.minor == 0), moved.filter(_.minor == 1)
    rows = rows.union(buying.rows_of(PAYING, now, keys)).union(buying.rows_of(STAYED, stayed, keys)).union(
        buying.rows_of(LEFT, left, keys))
    if method == "formula":
        return rows
    none = ibis.literal(0, "int64")
    rows = rows.mutate(closed=none, ended=none)
    paid = segmented(data, lives.at_ends(data, grain), by, unit="account_id").group_by(*keys, "closed", "ended").aggregate(
        accounts=_.count().cast("int64"))
    return rows.union(paid.mutate(kind=ibis.literal(LIFE), minor=none).select(rows.columns))
