"""Expansion: does revenue from those who pay grow or leak away?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter, UnbalancedLedger
from plgkit.metrics import ledger, shapes
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

MOVEMENTS = ["new", "reactivation", "expansion", "contraction", "churn"]
_GAINS, _LOSSES = MOVEMENTS[:3], MOVEMENTS[3:]
Of = Literal["revenue", "accounts"]


def _as_money(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    frame = shapes.every_period(frame, data, parameters, ["value", "n"])
    frame["value"] = frame["value"] / ledger.MINOR
    frame["low"] = frame["high"] = np.nan
    frame["complete"] = shapes.complete(frame["period"], data, parameters["grain"])
    return shapes.ordered(frame, parameters, ["value", "low", "high", "n", "complete"])


@measure(shape="total", unit="currency", better="higher", reads="subscriptions", finish=_as_money,
         interval="none: it is no sample")
def mrr(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Monthly recurring revenue at the end of the period; a year's is twelve times as much.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    by
        Column to cut by; plan and motion are those at the period's end.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, value (currency), low and high (missing: it is no sample), n (paying
    accounts), complete. The last period counts what is known by `as_of`.

    Examples
    --------
    >>> from plgkit import samples
    >>> mrr(samples.tiny())[["period", "value", "n", "complete"]]
          period  value  n  complete
    0 2025-01-01   70.0  2      True
    1 2025-02-01   30.0  1      True
    """
    rows = segmented(data, ledger.standing(data, grain), by, unit="account_id")
    return rows.group_by("period", *([by] if by else [])).aggregate(
        value=_.mrr_minor.sum().cast("int64"), n=_.count().cast("int64"))


def _as_movements(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Openings from the closings before them; every period is proved before money leaves minor units."""
    by = parameters.get("by")
    frame = shapes.every_period(frame, data, parameters, [*MOVEMENTS, "closing"])
    frame = frame.sort_values([*([by] if by else []), "period"], ignore_index=True)
    closings = frame.groupby(by)["closing"] if by else frame["closing"]
    frame["opening"] = closings.shift(1).fillna(0).astype("int64")
    _prove(frame)
    frame["complete"] = shapes.complete(frame["period"], data, parameters["grain"])
    money = ["opening", *MOVEMENTS, "closing"]
    frame[money] = frame[money] / ledger.MINOR
    return shapes.ordered(frame, parameters, [*money, "complete"])


def _prove(frame: pd.DataFrame) -> None:
    moved = frame["opening"] + frame[_GAINS].sum(axis=1) - frame[_LOSSES].sum(axis=1)
    wrong = frame[moved != frame["closing"]]
    if len(wrong):
        first = wrong.iloc[0]
        raise UnbalancedLedger(first["period"], opening=first["opening"] / ledger.MINOR,
                               moved=moved[wrong.index[0]] / ledger.MINOR, closing=first["closing"] / ledger.MINOR)


@measure(shape="table", unit="currency", better="higher", reads="subscriptions", finish=_as_movements)
def mrr_movements(data: Data, *, brief: Literal["ignore", "both"] = "ignore", by: str | None = None,
                  grain: Grain = "month") -> Table:
    """How recurring revenue came to be: opening + new + reactivation + expansion - contraction - churn = closing.

    New is an account's first revenue ever. Reactivation: it paid before, but not at the end of
    the last period. Expansion and contraction: it paid at both ends, more or less now. Churn: it
    paid at the start and nothing at the end. The sum is checked to the cent in every period.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    brief
        What becomes of an account that pays at neither end of a period but inside it: "ignore", as
        if it never had, or "both", its highest payment as new (or reactivation) and as churn.
    by
        Column of accounts to cut by; plan and motion are the account's last ones, so that no money
        moves between groups.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, opening, new, reactivation, expansion, contraction, churn, closing
    (currency; losses above 0), complete.

    Raises
    ------
    UnbalancedLedger
        If a period does not add up.

    Examples
    --------
    >>> from plgkit import samples
    >>> mrr_movements(samples.tiny())[["opening", "new", "expansion", "churn", "closing"]]
       opening   new  expansion  churn  closing
    0      0.0  70.0        0.0    0.0     70.0
    1     70.0   0.0       10.0   50.0     30.0

    References
    ----------
    ChartMogul help centre, "Lifecycle of a customer": the five movements.
    """
    keys = ["period", *([by] if by else [])]
    moves = segmented(data, ledger.moves(data, grain, brief=brief), by, unit="account_id")
    closings = ledger.standing(data, grain).select("account_id", "period", "mrr_minor")
    closings = segmented(data, closings, by, unit="account_id").group_by(*keys).aggregate(
        closing=_.mrr_minor.sum().cast("int64"), **{name: _.mrr_minor.min() * 0 for name in MOVEMENTS})
    summed = moves.group_by(*keys).aggregate(
        closing=_.opening.min() * 0, **{name: _[name].sum().cast("int64") for name in MOVEMENTS})
    both = closings.select(*keys, "closing", *MOVEMENTS).union(summed.select(*keys, "closing", *MOVEMENTS))
    return both.group_by(*keys).aggregate(
        **{name: both[name].sum().cast("int64") for name in ["closing", *MOVEMENTS]})


def _cells(rows: Table, by: str | None) -> Table:
    """Alike accounts together: how many share a period, a segment, a numerator and a denominator."""
    return rows.group_by("period", *([by] if by else []), "numerator", "denominator").aggregate(
        count=_.count().cast("int64"))


@measure(shape="rate", unit="share of revenue a year before", better="higher", reads="subscriptions",
         finish=ledger.as_money_ratio, interval=ledger.BY_ACCOUNT)
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
    value, low, high (resampled accounts), immature (0), n (accounts of the base), complete.

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
    rows = segmented(data, ledger.then_and_now(data, grain, months=_whole(months)), by, unit="account_id")
    return _cells(rows.mutate(numerator=rows.now_minor, denominator=rows.then_minor), by)


@measure(shape="rate", unit="share of revenue a year before", better="higher", reads="subscriptions",
         finish=ledger.as_money_ratio, interval=ledger.BY_ACCOUNT)
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
    rows = segmented(data, ledger.then_and_now(data, grain, months=_whole(months)), by, unit="account_id")
    kept = (rows.now_minor < rows.then_minor).ifelse(rows.now_minor, rows.then_minor)
    return _cells(rows.mutate(numerator=kept, denominator=rows.then_minor), by)


def _whole(months: int) -> int:
    if isinstance(months, bool) or not isinstance(months, int) or months < 1:
        raise BadParameter("months", months, expected="a whole number of months, 1 or more")
    return months


def _as_churn(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = ledger.as_money_ratio(frame, data, parameters)
    if parameters["of"] == "accounts":
        counts = (made[["numerator", "denominator"]] * ledger.MINOR).round().astype("int64")
        made[["numerator", "denominator"]] = counts
    return made


def _as_gross_churn(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = _as_churn(frame, data, parameters)
    return shapes.with_share(made, parameters["level"]) if parameters["of"] == "accounts" else made


@measure(shape="rate", unit="share of what was there at the start", better="lower", reads="subscriptions",
         finish=_as_gross_churn, interval=ledger.BY_ACCOUNT)
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
    value, low, high (resampled accounts; Wilson for accounts), immature (0), n (accounts at the start),
    complete.

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
         finish=_as_churn, interval=ledger.BY_ACCOUNT)
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


@measure(shape="rate", unit="ratio", better="higher", reads="subscriptions", finish=ledger.as_money_ratio,
         interval=ledger.BY_ACCOUNT)
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
    value (missing where nothing was lost), low, high (resampled accounts), immature (0), n (accounts
    that changed), complete.

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
