"""Keeping revenue: what those who paid before pay now, and what of it is lost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import ledger
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import intervals, retained

SHARE = "Wilson, of as many accounts as they are worth by their size"
KEPT = f"of what is lost {SHARE}; of what is gained logarithmic; both together (MOVER)"
_ODDS = f"{SHARE}, as odds"
Of = Literal["revenue", "accounts"]


def _cells(rows: Table, by: str | None) -> Table:
    """Alike accounts together: how many share a period, a segment, a numerator and a denominator."""
    return rows.group_by("period", *([by] if by else []), "numerator", "denominator").aggregate(
        count=_.count().cast("int64"))


@measure(shape="rate", unit="share of revenue a year before", better="higher", reads="subscriptions",
         finish=partial(ledger.as_money_ratio, by=retained.kept), interval=KEPT)
def nrr(data: Data, *, months: int = 12, by: str | None = None, grain: Grain = "month") -> Table:
    """Net revenue retention: what those who paid `months` months ago pay now, for each unit they paid then.

    Who has left is in it with nothing; who came since is not. Before there is such a base it is
    missing, not 0.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    months
        How far back the base lies.
    by
        Column to cut by; plan and motion are those of the base.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, numerator (their revenue now) and denominator (then; both in currency),
    value, low, high (none below five accounts), immature (0), n (accounts of the base), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> nrr(samples.tiny(), months=1)[["period", "numerator", "denominator", "value", "n"]]
          period  numerator  denominator     value  n
    0 2025-01-01        0.0          0.0       NaN  0
    1 2025-02-01       30.0         70.0  0.428571  2

    References
    ----------
    The base is that of public filings: all who paid twelve months before, also those lost since.
    """
    rows = segmented(data, ledger.then_and_now(data, grain, months=whole_months(months)), by, unit="account_id")
    return _cells(rows.mutate(numerator=rows.now_minor, denominator=rows.then_minor), by)


@measure(shape="rate", unit="share of revenue a year before", better="higher", reads="subscriptions",
         finish=partial(ledger.as_money_ratio, by=retained.not_lost), interval=SHARE)
def grr(data: Data, *, months: int = 12, by: str | None = None, grain: Grain = "month") -> Table:
    """Gross revenue retention: as net, over `months` months, but no account counts for more than it paid then.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    months
        How far back the base lies.
    by
        Column to cut by; plan and motion are those of the base.
    grain
        Length of a period.

    Returns
    -------
    As of `nrr`; the numerator takes the smaller of now and then, account by account.

    Examples
    --------
    >>> from plgkit import samples
    >>> grr(samples.tiny(), months=1)[["period", "numerator", "denominator", "n"]]
          period  numerator  denominator  n
    0 2025-01-01        0.0          0.0  0
    1 2025-02-01       20.0         70.0  2
    """
    rows = segmented(data, ledger.then_and_now(data, grain, months=whole_months(months)), by, unit="account_id")
    kept = (rows.now_minor < rows.then_minor).ifelse(rows.now_minor, rows.then_minor)
    return _cells(rows.mutate(numerator=kept, denominator=rows.then_minor), by)


def whole_months(months: int) -> int:
    """The number of months, if it is one."""
    if isinstance(months, bool) or not isinstance(months, int) or months < 1:
        raise BadParameter("months", months, expected="a whole number of months, 1 or more")
    return months


def _as_churn(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any], *, of_money: Any, of_accounts: Any) -> pd.DataFrame:
    accounts = parameters["of"] == "accounts"
    made = ledger.as_money_ratio(frame, data, parameters, by=of_accounts if accounts else of_money)
    if accounts:
        counts = (made[["numerator", "denominator"]] * ledger.MINOR).round().astype("int64")
        made[["numerator", "denominator"]] = counts
    return made


def _share(lost: np.ndarray, base: np.ndarray, counts: np.ndarray, *, level: float) -> tuple[float, float, float]:
    left, there = int(lost @ counts), int(base @ counts)
    return (left / there, *intervals.wilson(left, there, level=level)) if there else (np.nan,) * 3


def _net(lost: np.ndarray, base: np.ndarray, counts: np.ndarray, *, level: float) -> tuple[float, float, float]:
    value, low, high = retained.kept(base - lost, base, counts, level=level)
    return 1 - value, 1 - high, 1 - low


def _net_share(lost: np.ndarray, base: np.ndarray, counts: np.ndarray, *, level: float) -> tuple[float, float, float]:
    left, back, there = (int(each @ counts) for each in (lost > 0, lost < 0, base))
    if not there:
        return (np.nan,) * 3
    return ((left - back) / there, *intervals.newcombe(left, there, min(back, there), there, level=level))


@measure(shape="rate", unit="share of what was there at the start", better="lower", reads="subscriptions",
         finish=partial(_as_churn, of_money=retained.lost, of_accounts=_share), interval=f"{SHARE}; of accounts Wilson")
def gross_churn(data: Data, *, of: Of = "revenue", by: str | None = None, grain: Grain = "month") -> Table:
    """Share of the `of` of a period's start that is lost by its end, through churn and contraction.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    of
        "revenue", or "accounts" (logos): then only those that pay nothing any more are lost.
    by
        Column to cut by; plan and motion are those at the start.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, numerator (lost) and denominator (at the start; currency or accounts),
    value, low, high (of revenue none below five accounts), immature (0), n (accounts at the start), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> gross_churn(samples.tiny())[["period", "numerator", "denominator"]]
          period  numerator  denominator
    0 2025-01-01        0.0          0.0
    1 2025-02-01       50.0         70.0
    >>> gross_churn(samples.tiny(), of="accounts")[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-01-01          0            0    NaN
    1 2025-02-01          1            2    0.5
    """
    rows = segmented(data, ledger.then_and_now(data, grain), by, unit="account_id")
    lost = (rows.now_minor < rows.then_minor).ifelse(rows.then_minor - rows.now_minor, 0)
    if of == "accounts":
        return _cells(rows.mutate(numerator=(rows.now_minor == 0).ifelse(1, 0), denominator=1), by)
    return _cells(rows.mutate(numerator=lost, denominator=rows.then_minor), by)


@measure(shape="rate", unit="share of what was there at the start", better="lower", reads="subscriptions",
         finish=partial(_as_churn, of_money=_net, of_accounts=_net_share), interval=f"{KEPT}; of accounts Newcombe")
def net_churn(data: Data, *, of: Of = "revenue", by: str | None = None, grain: Grain = "month") -> Table:
    """Share of the `of` of a period's start that is lost by its end, less what expansion and reactivation bring.

    Below 0 those who paid before bring more than is lost; new accounts are not in it.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    of
        "revenue", or "accounts": lost ones less those that came back.
    by
        Column to cut by; plan and motion are the account's last ones.
    grain
        Length of a period.

    Returns
    -------
    As of `gross_churn`; the numerator can be below 0.

    Examples
    --------
    >>> from plgkit import samples
    >>> net_churn(samples.tiny())[["period", "numerator", "denominator"]]
          period  numerator  denominator
    0 2025-01-01        0.0          0.0
    1 2025-02-01       40.0         70.0
    """
    there = ledger.then_and_now(data, grain)
    back = ledger.moves(data, grain).filter(_.reactivation > 0)
    if of == "accounts":
        there = there.mutate(numerator=(there.now_minor == 0).ifelse(1, 0).cast("int64"), denominator=_one())
        back = back.mutate(numerator=-_one(), denominator=_one() * 0)
    else:
        there = there.mutate(numerator=there.then_minor - there.now_minor, denominator=there.then_minor)
        back = back.mutate(numerator=-back.reactivation, denominator=_one() * 0)
    columns = ["account_id", "period", "numerator", "denominator"]
    return _cells(segmented(data, there.select(columns).union(back.select(columns)), by, unit="account_id"), by)


def _one() -> Any:
    return ibis.literal(1, "int64")


@measure(shape="rate", unit="ratio", better="higher", reads="subscriptions",
         finish=partial(ledger.as_money_ratio, by=retained.against), interval=_ODDS)
def revenue_quick_ratio(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Revenue gained for each unit of revenue lost: (new + reactivation + expansion) / (contraction + churn).

    Parameters
    ----------
    data
        Reads `subscriptions`.
    by
        Column to cut by; plan and motion are the account's last ones.
    grain
        Length of a period.

    Returns
    -------
    One row per period with a change: period, numerator (gained) and denominator (lost; both in currency),
    value (missing where nothing was lost), low, high (none below five accounts; high is missing where it has no bound),
    immature (0), n (accounts that changed), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> revenue_quick_ratio(samples.tiny())[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-01-01       70.0          0.0    NaN
    1 2025-02-01       10.0         50.0    0.2
    """
    rows = segmented(data, ledger.moves(data, grain), by, unit="account_id")
    return _cells(rows.mutate(numerator=rows.new + rows.reactivation + rows.expansion,
                              denominator=rows.contraction + rows.churn), by)
