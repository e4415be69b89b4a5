"""The ledger of recurring revenue: what each account paid at the end of each period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import shapes
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import bootstrap

MINOR = 100
"""Minor units of money in one of the currency."""
BY_ACCOUNT = "bootstrap over accounts"
_NEVER = "9999-12-31"


def spans(data: Data) -> Table:
    """One row per change of what an account pays, with `next_day`, the day of the account's next change.

    An account pays what the last row says whose day is before the moment asked for. Of two
    changes at one instant the larger counts.
    """
    rows = data.subscriptions
    by_time = ibis.window(group_by=rows.account_id, order_by=[rows.changed_at, rows.mrr_minor])
    return rows.mutate(next_day=rows.day.lead().over(by_time).fill_null(ibis.date(_NEVER)))


def ends(data: Data, grain: Grain, *, months: int | None = None, since: Table | None = None) -> Table:
    """The periods since the first payment: `period`, `until` (the day after its last day counted), `before`.

    `before` is so many months before `until`; without `months` it is the period's first day. With
    `since`, the periods begin with the first `day` of that table.
    """
    untils = ibis.array([ibis.date(each.isoformat()) for each in _untils(data, grain, since)])
    rows = untils.unnest().name("until").as_table()
    rows = rows.mutate(period=data.period(engine.shift(rows.until, -1), grain))
    if months is None:
        return rows.mutate(before=rows.period)
    return rows.mutate(before=(rows.until - ibis.interval(months=months)).cast("date"))


def _untils(data: Data, grain: Grain, since: Table | None = None) -> list[Any]:
    rows = data.subscriptions if since is None else since
    first = engine.run(rows.aggregate(day=_.day.min())).day[0]
    last = data.as_of + engine.DAY
    start = data.as_of if pd.isna(first) else first.date()
    start, found = engine.period_of(start, grain, data.playbook.product.week_start), []
    while start < last:
        start = engine.next_period(start, grain)
        found.append(min(start, last))
    return found


def standing(data: Data, grain: Grain) -> Table:
    """One row per account and period at whose end it pays: `mrr_minor`, plan, seats, motion."""
    changes, periods = spans(data), ends(data, grain)
    held = (changes.day < periods.until) & (changes.next_day >= periods.until)
    return changes.filter(_.mrr_minor > 0).inner_join(periods, held).select(
        "account_id", "period", "mrr_minor", "plan", "seats", "motion")


def then_and_now(data: Data, grain: Grain, *, months: int | None = None) -> Table:
    """One row per account and period that paid at `before`: `then_minor`, `now_minor`, plan and motion then."""
    changes, periods = spans(data), ends(data, grain, months=months)
    near = (changes.day < periods.until) & (changes.next_day >= periods.before)
    rows = changes.inner_join(periods, near)
    then = (rows.day < rows.before) & (rows.next_day >= rows.before)
    now = rows.next_day >= rows.until
    pairs = rows.group_by("account_id", "period").aggregate(
        then_minor=then.ifelse(rows.mrr_minor, 0).max(), now_minor=now.ifelse(rows.mrr_minor, 0).max(),
        plan=then.ifelse(rows.plan, ibis.null("string")).max(),
        motion=then.ifelse(rows.motion, ibis.null("string")).max())
    return pairs.filter(_.then_minor > 0)


def moves(data: Data, grain: Grain, *, brief: str = "ignore") -> Table:
    """One row per account and period with a change: opening, closing and the five movements, in minor units.

    An account that paid nothing at either end of a period, but something inside it, is left out
    where `brief` is "ignore". Where it is "both", its highest payment both came and went.
    """
    last = _last_of_periods(data, grain)
    by_time = ibis.window(group_by=last.account_id, order_by=last.period)
    last = last.mutate(opening=last.closing.lag().over(by_time).fill_null(0))
    seen = last.peak if brief == "both" else last.closing
    earlier = ibis.window(group_by=last.account_id, order_by=last.period, preceding=(None, 1), following=None)
    rows = last.mutate(paid_before=(seen.max().over(earlier).fill_null(0) > 0))
    gone = (rows.opening == 0) & (rows.closing == 0)
    passing = gone.ifelse(rows.peak, 0) if brief == "both" else ibis.literal(0, "int64")
    gain, loss = rows.closing - rows.opening, rows.opening - rows.closing
    came = (rows.opening == 0).ifelse(rows.closing + passing, 0)
    return rows.select(
        "account_id", "period", "opening", "closing",
        new=rows.paid_before.ifelse(0, came), reactivation=rows.paid_before.ifelse(came, 0),
        expansion=((rows.opening > 0) & (gain > 0)).ifelse(gain, 0),
        contraction=((rows.closing > 0) & (loss > 0)).ifelse(loss, 0),
        churn=(rows.closing == 0).ifelse(rows.opening + passing, 0))


def _last_of_periods(data: Data, grain: Grain) -> Table:
    """What each account paid at the end of each period in which that changed, and the most within it."""
    rows = data.subscriptions.mutate(period=data.period(_.day, grain))
    inside = ibis.window(group_by=[rows.account_id, rows.period])
    latest = ibis.window(group_by=[rows.account_id, rows.period],
                         order_by=[rows.changed_at.desc(), rows.mrr_minor.desc()])
    rows = rows.mutate(peak=rows.mrr_minor.max().over(inside), place=ibis.row_number().over(latest))
    return rows.filter(_.place == 0).select("account_id", "period", "peak", closing=_.mrr_minor)


def as_money_ratio(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Cells of alike accounts as a ratio of money: value with an interval by resampling accounts.

    Periods without a base are there, with a missing value.
    """
    keys = _keys(parameters)
    made = _all_periods(resampled(frame, keys, parameters["level"]), keys, data, parameters["grain"])
    made[["numerator", "denominator"]] = made[["numerator", "denominator"]] / MINOR
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    made["immature"] = 0
    return made[[*keys, "numerator", "denominator", "value", "low", "high", "immature", "n", "complete"]]


def _all_periods(frame: pd.DataFrame, keys: list[str], data: Data, grain: Grain) -> pd.DataFrame:
    """Rows for the periods since the first payment in which nothing is at hand."""
    start = data.playbook.product.week_start
    periods = [engine.period_of(each - engine.DAY, grain, start) for each in _untils(data, grain)]
    index = pd.Index(periods, dtype="datetime64[us]", name="period")
    if len(keys) > 1:
        index = pd.MultiIndex.from_product([index, sorted(frame[keys[1]].unique())], names=keys)
    made = frame.set_index(keys).reindex(index).reset_index()
    counts = ["numerator", "denominator", "n"]
    return made.assign(**made[counts].fillna(0)).astype({"n": "int64"})


def as_mean(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Cells of alike accounts as a mean of money per account, with an interval by resampling accounts."""
    keys = _keys(parameters)
    made = resampled(frame, keys, parameters["level"])
    made[["value", "low", "high"]] /= MINOR
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    return made[[*keys, "value", "low", "high", "n", "complete"]]


def resampled(cells: pd.DataFrame, keys: list[str], level: float) -> pd.DataFrame:
    """Ratios of sums per key with an interval, and n, how many accounts or people they rest on.

    Where all are alike, or there is but one, resampling sees no spread, and there is no interval.
    """
    made = bootstrap.grouped(cells, keys, level=level)
    sizes = cells.groupby(keys, sort=True)["count"].sum().rename("n")
    made = made.merge(sizes, left_on=keys, right_index=True, how="left") if len(made) else made.assign(n=0)
    made["period"] = made["period"].astype("datetime64[us]")
    made.loc[(made["n"] < 2) | (made["low"] == made["high"]), ["low", "high"]] = np.nan
    return made.astype({"n": "int64"}).sort_values(keys, ignore_index=True)


def _keys(parameters: Mapping[str, Any]) -> list[str]:
    return ["period", *([parameters["by"]] if parameters.get("by") else [])]
