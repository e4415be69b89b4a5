"""What was known of every account on many days, and whether it paid afterwards."""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import IntegerValue, Table

from plgkit.metrics import ledger, signals
from plgkit.metrics.accounts import first_payments, openings
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.digests import Digest
from plgkit.sources.engine import Grain
from plgkit.stats import ranking
from plgkit.stats.intervals import Floats

DRAWS = 500
BY_ACCOUNT = "bootstrap over accounts, all dates of an account together"


def snapshots(data: Data, within_days: int, grain: Grain) -> Table:
    """One row per account and date on which it had not paid yet: `account_id`, `date`, `until`, `hit`, `dealt`.

    Dates are the last days of periods of which the `within_days` days after are over. `hit` is whether the account first
    pays in those days, `until` the day after the date, `dealt` one of 256 groups to which an account always belongs.
    """
    accounts, paid = openings(data).select("account_id", "day"), first_payments(data).select("account_id", "paid_day")
    ends = ledger.ends(data, grain, since=accounts).select("until")
    last = data.as_of + engine.DAY - dt.timedelta(days=within_days)
    ends = ends.filter(_.until <= ibis.date(last.isoformat()))
    rows = accounts.left_join(paid, "account_id").drop("account_id_right")
    rows = rows.inner_join(ends, (rows.day < ends.until) & (rows.paid_day.isnull() | (rows.paid_day >= ends.until)))
    hit = (rows.paid_day < engine.shift(rows.until, within_days)).fill_null(False)
    return rows.select("account_id", "until", date=engine.shift(rows.until, -1), hit=hit.ifelse(1, 0),
                       dealt=Digest(rows.account_id).to_expr().substr(0, 2))


def scored(data: Data, rows: Table, lifespan_days: int | None) -> Table:
    """The rows with `score`: the points of what had happened before `until`, in tenths, or where points fade in whole ones."""
    met = signals.moments(data).rename(whose="account_id")
    held = rows.select("account_id", "until").inner_join(
        met, (_.account_id == met.whose) & signals.held(met, rows.until))
    sums = held.mutate(worth=signals.worth(held, held.until, lifespan_days)).group_by("account_id", "until").aggregate(
        points=_.worth.sum())
    found = rows.left_join(sums, ["account_id", "until"]).drop("account_id_right", "until_right")
    return found.mutate(score=_whole(found.points.fill_null(0.0), 1 if lifespan_days else 10))


def _whole(points: ibis.Value, times: int) -> ibis.Value:
    # The slack keeps sums that differ in their last bit, by the order of adding, in one cell.
    return (points * times + 0.5 + 1e-6).floor().cast("float64") / float(times)


def cells(rows: Table, *keys: str) -> Table:
    """How many accounts are alike in the keys, and how many of them pay afterwards: `accounts`, `hits`."""
    return rows.group_by(*keys).aggregate(accounts=_.count().cast("int64"), hits=_.hit.sum().cast("int64"))


def spread(frame: pd.DataFrame, weights: Floats, score: str) -> tuple[Floats, Floats]:
    """Accounts and hits of cells per date and score, the best score first, in every crowd: arrays of crowd x date x score."""
    dates, scores = (np.unique(frame[name]) for name in ("date", score))
    groups = np.unique(frame["dealt"])
    shape = (len(groups), len(dates), len(scores))
    found = []
    where = (np.searchsorted(groups, frame["dealt"]), np.searchsorted(dates, frame["date"]),
             len(scores) - 1 - np.searchsorted(scores, frame[score]))
    for name in ("accounts", "hits"):
        sums = np.zeros(shape)
        np.add.at(sums, where, frame[name].to_numpy(dtype=float))
        found.append((weights @ sums.reshape(len(groups), len(dates) * len(scores))).reshape(len(weights), *shape[1:]))
    return found[0], found[1]


def crowds(frame: pd.DataFrame, draws: int = DRAWS) -> Floats:
    """Crowds of the groups of accounts in the cells; the first is the one that was seen."""
    return ranking.crowds(frame["dealt"].nunique(), draws=draws)


def span(drawn: Floats, value: float, level: float) -> tuple[float, float]:
    """The range of so large a part of the draws, and of the value; missing where most draws have none."""
    known = drawn[np.isfinite(drawn)]
    if np.isnan(value) or len(known) < len(drawn) / 2:
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return min(float(low), value), max(float(high), value)


def number_of(places: dict[str, int], name: ibis.Value) -> IntegerValue:
    """The number that a name stands for; 0 for any other."""
    return ibis.cases(*[(name == each, ibis.literal(number, "int64")) for each, number in places.items()],
                      else_=ibis.literal(0, "int64"))
