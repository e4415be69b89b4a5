"""Customers: do accounts that qualified come to pay, and more often than others?"""

from __future__ import annotations

from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import shapes, signals
from plgkit.metrics.accounts import first_payments, openings
from plgkit.metrics.people import closed, segmented, within
from plgkit.metrics.pql.scoring import READS
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

QUALIFIED, NEVER = "qualified", "never qualified"


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
        Column to cut by. "qualified" sets the accounts that never qualified beside those that did;
        their days run from their creation, and they include those that paid before they could qualify.
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
    did = rows.crossed_at.notnull()
    return rows.select("account_id", qualified=did.ifelse(QUALIFIED, NEVER),
                       start=did.ifelse(rows.crossed_at, rows.created_at),
                       day=did.ifelse(rows.crossed_day, rows.day))
