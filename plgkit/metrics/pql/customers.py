"""Customers: do accounts that qualified come to pay, and more often than others?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import ledger, shapes, signals
from plgkit.metrics.accounts import first_payments, openings
from plgkit.metrics.people import closed, segmented, within
from plgkit.metrics.pql.scoring import READS
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

QUALIFIED, NEVER, MARKETING = "qualified", "never qualified", "marketing-qualified"
NEWLY, BEFORE, NOT_YET = "newly qualified", "qualified before", "not qualified"


@measure(shape="rate", unit="share of qualified accounts", better="higher", reads=READS,
         settings={"threshold": "pql.threshold", "within_days": "pql.within_days"})
def to_customer(data: Data, *, threshold: float | None = None, within_days: int | None = None,
                by: str | None = None, grain: Grain = "month") -> Table:
    """Share of accounts that first pay within `within_days` days of reaching `threshold` points.

    Parameters
    ----------
    data
        As `scores`; needs `subscriptions`.
    threshold
        Points from which an account is qualified.
    within_days
        Days of 24 hours after qualifying; the last instant counts.
    by
        Column to cut by. "qualified" sets the accounts that never qualified beside those that did; their days run
        from their creation, and they include those that paid before they could qualify. Those of them that were
        marketing-qualified leads before they paid count from then on, where the playbook says what makes one.
        Who never qualifies is only known afterwards: `against_others` compares from the same day.
    grain
        Length of a period.

    Returns
    -------
    One row per period of qualifying: period, numerator and denominator (accounts), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> to_customer(samples.tiny())[["period", "numerator", "denominator", "immature"]].head(1)
          period  numerator  denominator  immature
    0 2025-01-01          1            1         0
    >>> to_customer(samples.tiny(), by="qualified")[["qualified", "numerator", "denominator"]].head(2)
             qualified  numerator  denominator
    0  never qualified          1            2
    1        qualified          1            1
    """
    paid = first_payments(data).select(payer=_.account_id, paid_at=_.paid_at)
    crossed = signals.crossings(data, threshold)
    if by == "qualified":
        rows = _all_accounts(data, crossed)
    else:
        rows = segmented(data, crossed.select("account_id", start=_.crossed_at, day=_.crossed_day), by,
                         unit="account_id")
    rows = rows.left_join(paid, rows.account_id == paid.payer).mutate(period=data.period(_.day, grain))
    return shapes.rate(rows, by=by, hit=within(rows.paid_at, rows.start, within_days),
                       mature=closed(data, rows.start, within_days))


def _all_accounts(data: Data, crossed: Table) -> Table:
    rows = openings(data).left_join(crossed, "account_id").drop("account_id_right")
    rows = _with_marketing(data, rows)
    did, first = rows.crossed_at.notnull(), rows.crossed_at.fill_null(rows.marketed_at)
    group = ibis.cases((did, QUALIFIED), (rows.marketed_at.notnull(), MARKETING), else_=NEVER)
    start = first.fill_null(rows.created_at)
    return rows.select("account_id", qualified=group, start=start, day=data.local(start).date())


def _with_marketing(data: Data, rows: Table) -> Table:
    """The rows with `marketed_at`: when marketing qualified an account that had not paid by then."""
    marketed = signals.marketing(data)
    if marketed is None:
        return rows.mutate(marketed_at=ibis.null("timestamp(6)"))
    if data.has("subscriptions"):
        paid = first_payments(data).select("account_id", "paid_at")
        marketed = marketed.left_join(paid, "account_id").drop("account_id_right")
        marketed = marketed.filter((marketed.paid_at > marketed.marketed_at).fill_null(True)).drop("paid_at")
    return rows.left_join(marketed, "account_id").drop("account_id_right")


def _by_group(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return shapes.as_rate(frame, data, {**parameters, "by": "group"})


@measure(shape="rate", unit="share of accounts", better="higher", reads=READS, finish=_by_group,
         settings={"threshold": "pql.threshold", "within_days": "pql.within_days"})
def against_others(data: Data, *, threshold: float | None = None, within_days: int | None = None,
                   grain: Grain = "month") -> Table:
    """Share of accounts not paying at the end of the period that first pay within `within_days` days, by whether they had `threshold` points.

    All start on the same day, and a group is what was known on it: nobody is put into one for what came later. An account
    is in every period until it pays. Leads that paid before their period ended are in none; `to_customer` has them.

    Parameters
    ----------
    data
        As `scores`; needs `subscriptions`.
    threshold
        Points from which an account is qualified, without fading.
    within_days
        Days of the calendar after the period's end.
    grain
        Length of a period.

    Returns
    -------
    One row per period and group: period, group ("newly qualified" in the period, "qualified before" it, "marketing-qualified"
    where the playbook says what makes one, "not qualified"), numerator and denominator (accounts), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = against_others(samples.tiny(), grain="week", within_days=7)
    >>> found[["period", "group", "numerator", "denominator"]].head(4)  # a1 qualified on the first day, and paid on the 20th
          period             group  numerator  denominator
    0 2025-01-06   newly qualified          0            1
    1 2025-01-06     not qualified          0            2
    2 2025-01-06  qualified before          0            0
    3 2025-01-13   newly qualified          0            0
    """
    accounts = openings(data).select("account_id", "created_at", "day")
    paid = first_payments(data).select("account_id", "paid_day")
    crossed = signals.crossings(data, threshold).select("account_id", "crossed_day")
    rows = _with_marketing(data, accounts).left_join(paid, "account_id").drop("account_id_right")
    rows = rows.left_join(crossed, "account_id").drop("account_id_right")
    ends = ledger.ends(data, grain, since=accounts).select("period", "until")
    rows = rows.inner_join(ends, (rows.day < ends.until) & (rows.paid_day.isnull() | (rows.paid_day >= ends.until)))
    known = (rows.crossed_day < rows.until).fill_null(False)
    marketed = (data.local(rows.marketed_at).date() < rows.until).fill_null(False)
    group = ibis.cases((known & (rows.crossed_day >= rows.period), NEWLY), (known, BEFORE), (marketed, MARKETING), else_=NOT_YET)
    stop, after = engine.shift(rows.until, within_days), ibis.date((data.as_of + engine.DAY).isoformat())
    # The end of a period that is not over yet is as_of: its window is open, and it is immature.
    return shapes.rate(rows.mutate(group=group), by="group", hit=(rows.paid_day < stop).fill_null(False), mature=stop <= after)
