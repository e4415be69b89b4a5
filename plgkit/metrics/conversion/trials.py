"""What a trial brings, whether it ends in a payment or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import ledger, shapes
from plgkit.metrics.accounts import before_paying, trials
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import retained

MONTHS, YEAR = 12, 365
"""A day of service brings a 365th of twelve months' recurring revenue."""


def _as_revenue(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = ["period", *([parameters["by"]] if parameters["by"] else [])]
    frame = frame.assign(denominator=1, paid=frame["count"].where(frame["numerator"] > 0, 0),
                         immature=frame["count"].where(frame["mature"] == 0, 0))
    made = frame.groupby(keys, as_index=False, sort=True)[["paid", "immature"]].sum()
    judged = ledger.spanned(frame[frame["mature"] == 1], keys, parameters["level"], by=retained.mean)
    made = made.merge(judged[[*keys, "value", "low", "high", "n"]], on=keys, how="left")
    made[["value", "low", "high"]] *= MONTHS / YEAR / ledger.MINOR
    made = made.astype({"period": "datetime64[us]"}).assign(n=made["n"].fillna(0).astype("int64"))
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"]) & (made["immature"] == 0)
    return made[[*keys, "value", "low", "high", "n", "paid", "immature", "complete"]]


@measure(shape="total", unit="currency", better="higher", reads="accounts subscriptions", finish=_as_revenue,
         settings={"within_days": "conversion.within_days"}, additive=False, interval=ledger.MEAN)
def revenue_per_trial(data: Data, *, within_days: int | None = None, by: str | None = None, grain: Grain = "month") -> Table:
    """Mean revenue of a trial over the `within_days` days that begin with it, whether it converts or not.

    Recurring revenue for the days it was paid for, day by day, in minor units: a day brings a 365th of twelve months. It
    is revenue earned, not cash taken. Unlike the share of trials that pay it falls when easier trials bring smaller or shorter
    customers. Only trials whose days are all over count. An account that paid before its trial is left out.

    Parameters
    ----------
    data
        Reads `accounts` (trial_started_at; else the playbook's trial event) and `subscriptions`.
    within_days
        Days of the calendar, the first that of the trial's start.
    by
        Column to cut by.
    grain
        Length of the period of the trial's start.

    Returns
    -------
    One row per period in which trials began: period, value (currency per trial; missing while none is old enough), low, high
    (none below five trials), n (trials old enough), paid (how many of them brought anything), immature (trials too young),
    complete (the period is over and all its trials are old enough).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = revenue_per_trial(samples.tiny(), within_days=30)  # 16 days of 20 a month and 13 days of 50, over two trials
    >>> found[["value", "n", "paid"]].head(1).round(2)
       value  n  paid
    0  15.95  2     2
    """
    begun = before_paying(data, trials(data), "trial_started_at").select("account_id", "day")
    begun = segmented(data, begun.mutate(period=data.period(_.day, grain)), by, unit="account_id")
    begun = begun.mutate(stop=engine.shift(_.day, within_days))
    paying = ledger.spans(data).filter(_.mrr_minor > 0).select("account_id", "mrr_minor", since="day", until="next_day")
    held = begun.inner_join(paying, "account_id")
    days = engine.days_between(ibis.least(held.until, held.stop), ibis.greatest(held.since, held.day))
    held = held.mutate(minor_days=held.mrr_minor * ibis.greatest(days, ibis.literal(0, "int64")))
    brought = held.group_by("account_id").aggregate(minor_days=_.minor_days.sum().cast("int64"))
    rows = begun.left_join(brought, "account_id").drop("account_id_right")
    after = ibis.date((data.as_of + engine.DAY).isoformat())
    mature = (rows.stop <= after).ifelse(1, 0)
    rows = rows.mutate(mature=mature, numerator=mature * rows.minor_days.fill_null(0))
    return rows.group_by("period", *([by] if by else []), "mature", "numerator").aggregate(count=_.count().cast("int64"))
