"""What the model of buying again would have said some time ago, against what was then bought."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics.conversion import orders
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import bgnbd, draws
from plgkit.stats.intervals import Floats

_COLUMNS = ["x", "value", "low", "high", "at_risk", "actual"]


def _against(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, level = parameters["by"], parameters["level"]
    weeks = np.arange(parameters["back_days"] // 7 + 1)
    frame = frame.sort_values(["week", "x", "t_x", "t", "people"], kind="stable")
    parts = []
    for name, rows in frame.groupby(by or (lambda _: 0), sort=True):
        cells, came = rows[rows["week"] < 0], rows[rows["week"] >= 0]
        size = int(cells["people"].sum())
        if not size:
            continue
        each = came.groupby("week")["people"].sum().reindex(weeks[1:] - 1, fill_value=0).to_numpy()
        made = pd.DataFrame({"x": weeks, "at_risk": size, "actual": np.concatenate([[0.0], np.cumsum(each) / size])})
        made[["value", "low", "high"]] = _expected(cells, weeks, level)
        parts.append(made.assign(**{by: name}) if by else made)
    columns = [*([by] if by else []), *_COLUMNS]
    made = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    made = made.astype({"x": "int64", "at_risk": "int64"} | dict.fromkeys(("value", "low", "high", "actual"), "float64"))
    made.attrs["x_unit"] = "weeks"
    return made


def _expected(cells: pd.DataFrame, weeks: Floats, level: float) -> Floats:
    """Purchases per customer by the end of each week, and the range that so many customers leave plausible."""
    made = np.full((len(weeks), 3), np.nan)
    people = cells["people"].to_numpy(dtype=float)
    if people[cells["x"].to_numpy() > 0].sum() < orders.FEWEST or not (cells["t"] > 0).any():
        return made
    history = tuple(cells[name].to_numpy(dtype=float) for name in ("x", "t_x", "t"))
    value, drawn = draws.buying(bgnbd.fit(*history, people), 7.0 * weeks[1:], *history, people)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    made[0], made[1:] = 0.0, np.transpose([value, np.clip(low, 0.0, value), np.maximum(high, value)])
    return made


@measure(shape="curve", unit="purchases per customer", better="higher", reads="users events", finish=_against,
         settings={"event": "conversion.checkout_finished"},
         interval="draws from the fit, and chance of so many customers")
def buying_forecast(data: Data, *, event: str | list[str] | None = None, back_days: int = 182,
                    by: str | None = None) -> Table:
    """Purchases (`event`) per customer week by week, as they were to be expected `back_days` days ago and as they came.

    The BG/NBD model of `repeat_buying` is fitted to what was known on that day, and each customer of that day is
    projected from its own history. The interval holds what was to come for so many customers if the model is right:
    where the actual line leaves it, do not believe the projection of today either.

    Parameters
    ----------
    data
        Reads `events`, and `users` for the column to cut by. Purchases of one person on one day are one.
    event
        The purchase: an event, or several of which any is one.
    back_days
        How long ago to stand, and how far to look from there, in whole weeks.
    by
        Column of people to cut by; each segment has a model of its own.

    Returns
    -------
    One row per segment and week: x (weeks from then, from 0), value (purchases per customer expected by then; missing
    with fewer than ten people who had bought again), low, high, at_risk (customers followed), actual.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = buying_forecast(samples.tiny(), event=["signed_in", "report_created"], back_days=28)
    >>> found[["x", "value", "at_risk", "actual"]]  # of four, Ann and Cho on 3 February, Ann again on the 28th
       x  value  at_risk  actual
    0  0    NaN        4    0.00
    1  1    NaN        4    0.50
    2  2    NaN        4    0.50
    3  3    NaN        4    0.50
    4  4    NaN        4    0.75
    """
    then = data.as_of - back_days * engine.DAY
    days = orders.bought(data, event, None)
    before = days.filter(days.day <= _date(then))
    customers = segmented(data, orders.histories(before, then), by)
    keys, none = [*([by] if by else [])], ibis.literal(0, "int64")
    cells = customers.group_by(*keys, "x", "t_x", "t").aggregate(people=_.count().cast("int64"))
    later = days.filter(days.day > _date(then)).inner_join(customers.select("user_id", *keys), "user_id")
    week = ((engine.days_between(later.day, _date(then)) - 1) // 7).cast("int64")
    later = later.mutate(week=week).group_by(*keys, "week").aggregate(people=_.count().cast("int64"))
    columns = [*keys, "week", "x", "t_x", "t", "people"]
    return cells.mutate(week=ibis.literal(-1, "int64")).select(columns).union(
        later.mutate(x=none, t_x=none, t=none).select(columns))


def _date(day: dt.date) -> ibis.Value:
    return ibis.date(day.isoformat())
