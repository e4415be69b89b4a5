"""Revenue by cohort and by size: what becomes of the money of those who began together, and on whom it rests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import ledger, shapes
from plgkit.metrics.accounts import first_payments
from plgkit.metrics.expansion.keeping import KEPT, SHARE
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import retained

Kept = Literal["net", "gross"]
_SPANS = {"net": retained.kept, "gross": retained.not_lost}
_TOPS = {"top_1": 0.01, "top_5": 0.05, "top_10": 0.1}
_BOUNDS = [f"{name}_{side}" for name in _TOPS for side in ("low", "high")]


def _cells(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """How many accounts of each cohort are alike at each age: in what they paid at first, and in what they pay then."""
    keys = ["cohort", *([parameters["by"]] if parameters["by"] else []), "then_minor"]
    starts = _starts(frame["cohort"].min().date(), data, parameters["grain"])
    place = pd.Series(range(len(starts)), index=pd.DatetimeIndex(starts))
    base = frame[frame["period"].isna()].groupby(keys, as_index=False, sort=True)["accounts"].sum()
    there = frame[frame["period"].notna()]
    there = there.assign(age=there["period"].map(place) - there["cohort"].map(place))
    ages = base.loc[base.index.repeat(len(starts) - base["cohort"].map(place))]
    ages = ages.assign(age=ages.groupby(level=0).cumcount())
    seen = there.groupby([*keys, "age"], as_index=False)["accounts"].sum().rename(columns={"accounts": "seen"})
    gone = ages.merge(seen, on=[*keys, "age"], how="left")
    gone = gone.assign(accounts=gone["accounts"] - gone["seen"].fillna(0).astype("int64"), now_minor=0)
    columns = [*keys, "age", "now_minor", "accounts"]
    cells = pd.concat([there[columns], gone.loc[gone["accounts"] > 0, columns]], ignore_index=True)
    end = cells["cohort"].map(place) + cells["age"]
    over = np.array([engine.next_period(each, parameters["grain"]) <= data.as_of + engine.DAY for each in starts])
    now = np.minimum(cells["now_minor"], cells["then_minor"]) if parameters["of"] == "gross" else cells["now_minor"]
    return cells.assign(numerator=now, denominator=cells["then_minor"], count=cells["accounts"], mature=over[end])


def _starts(first: dt.date, data: Data, grain: Grain) -> list[dt.date]:
    """The first days of the periods from one on."""
    found = [first]
    while engine.next_period(found[-1], grain) <= data.as_of:
        found.append(engine.next_period(found[-1], grain))
    return found


def _nothing(columns: list[str]) -> pd.DataFrame:
    kinds = {"cohort": "datetime64[us]", "mature": "bool", **dict.fromkeys(("age", "x", "n", "at_risk", "cohorts"), "int64")}
    return pd.DataFrame({name: pd.Series(dtype=kinds.get(name, "float64")) for name in columns})


def _as_cohorts(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    keys = ["cohort", *([by] if by else [])]
    columns = [*keys, "age", "numerator", "denominator", "value", "low", "high", "mature", "n"]
    if frame.empty:
        return _nothing(columns)
    cells = _cells(frame, data, parameters)
    made = ledger.spanned(cells, [*keys, "age"], parameters["level"], by=_SPANS[parameters["of"]]).drop(columns="n")
    made = made.merge(cells.drop_duplicates([*keys, "age"])[[*keys, "age", "mature"]], on=[*keys, "age"], how="left")
    began = frame[frame["period"].isna()].groupby(keys)["accounts"].sum().rename("n")
    made = made.merge(began, left_on=keys, right_index=True, how="left")
    made["cohort"] = made["cohort"].astype("datetime64[us]")
    made.loc[made["age"] == 0, ["low", "high"]] = np.nan
    made[["numerator", "denominator"]] /= ledger.MINOR
    made = made.astype({"age": "int64", "n": "int64", "mature": "bool"})
    return made.sort_values([*keys, "age"], ignore_index=True)[columns]


@measure(shape="cohort", unit="share of revenue at first", better="higher", reads="subscriptions", finish=_as_cohorts,
         interval=f"{KEPT}; gross: {SHARE}")
def revenue_cohorts(data: Data, *, of: Kept = "net", by: str | None = None, grain: Grain = "month") -> Table:
    """Revenue that accounts of one cohort pay at each age, for each unit they paid at the end of their first period.

    A cohort is the accounts that first paid in a period; its age 0 is the end of that period. Net revenue retention
    of a cohort at twelve months is its value at age 12. One in ten accounts may hold most of the money, so that
    cohorts differ by luck: the interval says how much. Accounts that began and left within their first period pay nothing
    at its end: they are counted in n, but their revenue is in neither sum, so that a cohort loses more than it shows, and
    the more the longer the periods are.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    of
        "net", all they pay, or "gross": no account counts for more than it paid at age 0.
    by
        Column to cut by; plan and motion are those of the first payment.
    grain
        Length of a period, of the cohort as of the age.

    Returns
    -------
    One row per cohort and age: cohort (its first day), age (periods), numerator (revenue then) and denominator (at age
    0; both currency a month), value, low, high (none at age 0 and below five accounts), mature (the period is over), n
    (accounts that first paid in it, also those that had left by its end).

    Examples
    --------
    >>> from plgkit import samples
    >>> revenue_cohorts(samples.tiny())[["cohort", "age", "numerator", "denominator", "value", "n"]]
          cohort  age  numerator  denominator     value  n
    0 2025-01-01    0       70.0         70.0  1.000000  2
    1 2025-01-01    1       30.0         70.0  0.428571  2

    References
    ----------
    Filings show it as layers of revenue by the year in which customers first bought.
    """
    began = first_payments(data).mutate(cohort=data.period(_.paid_day, grain))
    began = segmented(data, began, by, unit="account_id").select("account_id", "cohort", *([by] if by else []))
    paid = ledger.spans(data).filter(_.mrr_minor > 0)
    paid = paid.select("account_id", now_minor=_.mrr_minor, since=data.period(_.day, grain), left=data.period(_.next_day, grain))
    held = began.inner_join(paid, "account_id")
    at_first = held.filter((_.since <= _.cohort) & (_.left > _.cohort)).select("account_id", then_minor=_.now_minor)
    whole = began.left_join(at_first, "account_id").drop("account_id_right").mutate(then_minor=_.then_minor.fill_null(0))
    keys = ["cohort", *([by] if by else []), "then_minor"]
    alike = whole.inner_join(paid, "account_id").group_by(*keys, "now_minor", "since", "left").aggregate(n=_.count())
    periods = ledger.ends(data, grain).select("period")
    rows = alike.inner_join(periods, (alike.since <= periods.period) & (alike.left > periods.period))
    later = rows.group_by(*keys, "period", "now_minor").aggregate(accounts=_.n.sum().cast("int64"))
    base = whole.group_by(*keys).aggregate(accounts=_.count().cast("int64"))
    base = base.mutate(period=ibis.null("date"), now_minor=ibis.literal(0, "int64"))
    return later.union(base.select(later.columns))


def _as_curve(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    keys = [*([by] if by else []), "x"]
    columns = [*keys, "value", "low", "high", "at_risk", "cohorts"]
    cells = frame if frame.empty else _cells(frame, data, parameters)
    if frame.empty or not cells["mature"].any():
        return _nothing(columns)
    cells = cells[cells["mature"]].rename(columns={"age": "x"})
    made = ledger.spanned(cells, keys, parameters["level"], by=_SPANS[parameters["of"]]).rename(columns={"n": "at_risk"})
    made = made.merge(cells.groupby(keys, as_index=False).agg(cohorts=("cohort", "nunique")), on=keys, how="left")
    made.loc[made["x"] == 0, ["low", "high"]] = np.nan
    made = made.astype({"x": "int64", "at_risk": "int64", "cohorts": "int64"})
    return made.sort_values(keys, ignore_index=True)[columns]


@measure(shape="curve", unit="share of revenue at first", better="higher", reads="subscriptions", finish=_as_curve,
         interval=f"{KEPT}; gross: {SHARE}")
def revenue_curve(data: Data, *, of: Kept = "net", by: str | None = None, grain: Grain = "month") -> Table:
    """Revenue that accounts pay at each age, for each unit they paid at first, over all cohorts old enough.

    The cohorts of `revenue_cohorts` together, by money and not by number: large accounts weigh more. At a high age
    only the oldest cohorts are left, so that a turn of the curve there may be theirs alone.

    Parameters
    ----------
    data, of, by, grain
        As in `revenue_cohorts`.

    Returns
    -------
    One row per age: x (the age in periods), value, low, high (none at age 0 and below five accounts), at_risk (accounts in the cohorts
    for which the period is over), cohorts (how many those are).

    Examples
    --------
    >>> from plgkit import samples
    >>> revenue_curve(samples.tiny())[["x", "value", "at_risk", "cohorts"]].round(3)
       x  value  at_risk  cohorts
    0  0  1.000        2        1
    1  1  0.429        2        1
    """
    return revenue_cohorts.query(data, of=of, by=by, grain=grain)


def _as_concentration(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    keys = ["period", *([by] if by else [])]
    rows = []
    for key, cells in frame.groupby(keys, sort=True):
        rows.append(dict(zip(keys, key, strict=True)) | _tops(cells, parameters["level"]))
    made = pd.DataFrame(rows, columns=[*keys, "accounts", "revenue", "largest", *_TOPS, *_BOUNDS])
    made["period"] = made["period"].astype("datetime64[us]")
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    return made


def _tops(cells: pd.DataFrame, level: float) -> dict[str, float]:
    """How many accounts pay how much in all, and which part of it the largest of them."""
    amounts, counts = cells["mrr_minor"].to_numpy(), cells["accounts"].to_numpy()
    whole, n = int(amounts @ counts), int(counts.sum())
    found = {"accounts": n, "revenue": whole / ledger.MINOR, "largest": float(amounts.max() / whole)}
    for name, share in _TOPS.items():
        value, low, high = retained.largest(amounts, counts, share, level=level)
        found |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return found


@measure(shape="table", unit="share of revenue", better="lower", reads="subscriptions", finish=_as_concentration,
         interval="logistic, Student's t, from what each account moves the share by")
def concentration(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Share of recurring revenue that rests on the largest accounts, at the end of the period.

    The largest tenth of accounts is rounded up to whole ones, so that of few accounts it is always at least one.

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
    One row per period with revenue: period, accounts (paying), revenue (currency a month), largest (the share of
    the largest account), top_1, top_5, top_10 (those of the largest 1, 5 and 10 % of accounts), each with an interval (top_1_low,
    top_1_high and so on; none where the largest are fewer than five accounts), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> concentration(samples.tiny())[["accounts", "revenue", "largest", "top_10"]].round(3)  # 50 of 70, then 30 of 30
       accounts  revenue  largest  top_10
    0         2     70.0    0.714   0.714
    1         1     30.0    1.000   1.000
    """
    rows = segmented(data, ledger.standing(data, grain), by, unit="account_id")
    return rows.group_by("period", *([by] if by else []), "mrr_minor").aggregate(accounts=_.count().cast("int64"))
