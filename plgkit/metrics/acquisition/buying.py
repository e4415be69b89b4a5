"""Spend set against the accounts it bought: in the same period, later, or by the cohort they came in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import UnknownSegment
from plgkit.metrics import ledger, shapes
from plgkit.metrics.accounts import first_payments, openings
from plgkit.metrics.people import NONE, segmented, within
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

Lag = Literal["none", "shift", "cohort"]
SPENT, BOUGHT = "spent", "bought"
_KINDS = {"minor": "int64", "accounts": "int64"}


def bought(data: Data, *, lag: Lag, lag_days: int | None, within_days: int, by: str | None, grain: Grain) -> Table:
    """Rows of `kind`, `period`, the channel where asked for, `minor` and `accounts`.

    "spent": `minor` is money, `accounts` 0. "bought": so many `accounts` whose first payment was `minor` a month.
    """
    if by not in ("channel", None):
        raise UnknownSegment(by, ["channel"])
    keys = ["period", *([by] if by else [])]
    spent = data.spend.select(day=engine.shift(_.day, days_later(data, lag, lag_days)), minor=_.amount_minor,
                              channel=_.channel.fill_null(NONE))
    spent = spent.filter(spent.day <= ibis.date(data.as_of.isoformat()))
    spent = spent.mutate(period=data.period(spent.day, grain)).group_by(*keys).aggregate(minor=_.minor.sum())
    paid = first_payments(data).select("account_id", "paid_at", "paid_day", "paid_minor")
    if lag == "cohort":
        begun = openings(data).select("account_id", "created_at", "day")
        paid = paid.inner_join(begun, "account_id")
        paid = paid.filter(within(paid.paid_at, paid.created_at, within_days)).mutate(day=paid.day)
    else:
        paid = paid.mutate(day=paid.paid_day)
    paid = segmented(data, paid.mutate(period=data.period(paid.day, grain)), by, unit="account_id")
    paid = paid.group_by(*keys, "paid_minor").aggregate(accounts=_.count())
    return rows_of(SPENT, spent.mutate(accounts=ibis.literal(0)), keys).union(
        rows_of(BOUGHT, paid.mutate(minor=paid.paid_minor), keys))


def rows_of(kind: str, rows: Table, keys: list[str]) -> Table:
    """Rows of one kind, in the columns that all kinds share."""
    return rows.select(**{name: rows[name] for name in keys}, kind=ibis.literal(kind),
                       **{name: rows[name].cast(as_kind) for name, as_kind in _KINDS.items()})


def days_later(data: Data, lag: Lag, lag_days: int | None) -> int:
    """By how many days spend is moved: the median time to pay unless it is said."""
    if lag != "shift":
        return 0
    if lag_days is not None:
        return lag_days
    from plgkit.metrics import conversion

    found = conversion.time_to_paid(data)
    median = found["median_among"].iloc[0] if len(found) else float("nan")
    return 0 if pd.isna(median) else max(round(median), 0)


def per_period(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """One row per period (and channel): spend in the currency, customers, and whether the period is settled.

    Where no spend is known of a period at all, or only of part of it, what a customer cost is not known.
    """
    keys = ["period", *([parameters["by"]] if parameters["by"] else [])]
    spent = frame[frame["kind"] == SPENT].groupby(keys)["minor"].sum().rename("spend")
    paid = frame[frame["kind"] == BOUGHT].groupby(keys)["accounts"].sum().rename("customers")
    made = pd.concat([spent, paid], axis=1).reset_index()
    made = made.assign(spend=made["spend"].fillna(0) / ledger.MINOR, customers=made["customers"].fillna(0).astype("int64"))
    known = made["period"].isin(frame.loc[frame["kind"] == SPENT, "period"])
    made["spend"] = made["spend"].where(known)
    made["complete"] = settled(made["period"], data, parameters)
    return made.sort_values(keys, ignore_index=True)


def settled(periods: pd.Series, data: Data, parameters: Mapping[str, Any]) -> pd.Series:
    """Whether all that belongs to a period had happened by `as_of`, its spend included."""
    grain, lag = parameters["grain"], parameters["lag"]
    wait = parameters["within_days"] if lag == "cohort" else 0
    after = data.as_of + engine.DAY
    over = periods.map(lambda start: engine.next_period(start.date(), grain) + wait * engine.DAY <= after).astype("bool")
    moved = days_later(data, lag, parameters["lag_days"])
    if not moved or periods.empty:
        return over
    first = data.run(data.spend.aggregate(first=_.day.min()))["first"].iloc[0]
    if pd.isna(first):
        return over
    whole = engine.period_of(first.date(), grain, data.playbook.product.week_start)
    begun = (pd.Timestamp(whole) + pd.Timedelta(days=moved)).date()
    return over & (periods >= pd.Timestamp(begun))


def finished(made: pd.DataFrame, data: Data, parameters: Mapping[str, Any], columns: list[str]) -> pd.DataFrame:
    """The columns in order; the days by which spend was moved stand in the frame's attributes."""
    kinds = {"period": "datetime64[us]", "customers": "int64", "complete": "bool"} | {
        name: "float64" for name in columns if name not in ("customers", "churned", "complete")}
    made = shapes.ordered(made.astype(kinds), parameters, columns)
    made.attrs["lag_days"] = days_later(data, parameters["lag"], parameters["lag_days"])
    return made
