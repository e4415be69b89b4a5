"""How much those who pay bring."""

from __future__ import annotations

from typing import Literal

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import ledger
from plgkit.metrics.accounts import first_payments
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

Motion = Literal["self_serve", "sales"]


@measure(shape="total", unit="currency", better="higher", reads="subscriptions", finish=ledger.as_mean,
         additive=False, interval=ledger.BY_ACCOUNT)
def arpa(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Monthly recurring revenue per paying account at the end of the period.

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
    One row per period: period, value (currency), low, high (resampled accounts), n (paying accounts), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> arpa(samples.tiny())[["period", "value", "n"]]
          period  value  n
    0 2025-01-01   35.0  2
    1 2025-02-01   30.0  1
    """
    rows = segmented(data, ledger.standing(data, grain), by, unit="account_id")
    return _cells(rows.mutate(numerator=rows.mrr_minor), by)


@measure(shape="total", unit="currency", better="higher", reads="subscriptions", finish=ledger.as_mean,
         additive=False, interval=ledger.BY_ACCOUNT)
def contract_value(data: Data, *, motion: Motion | None = None, by: str | None = None, grain: Grain = "month") -> Table:
    """Mean yearly value of new paying accounts (ACV): twelve times what each paid at first.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    motion
        Only first payments of this kind: "self_serve", or "sales".
    by
        Column to cut by; plan and motion are those of the first payment.
    grain
        Length of the period of the first payment.

    Returns
    -------
    One row per period with a new paying account: period, value (currency a year), low, high (resampled
    accounts), n (accounts), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> contract_value(samples.tiny())[["period", "value", "n"]]
          period  value  n
    0 2025-01-01  420.0  2
    """
    paid = first_payments(data)
    paid = paid.filter(paid.motion == motion) if motion is not None else paid
    rows = segmented(data, paid.mutate(period=data.period(_.paid_day, grain)), by, unit="account_id")
    return _cells(rows.mutate(numerator=rows.paid_minor * 12), by)


def _cells(rows: Table, by: str | None) -> Table:
    """Alike accounts together, each one of the denominator."""
    counted = rows.group_by("period", *([by] if by else []), "numerator").aggregate(count=_.count().cast("int64"))
    return counted.mutate(denominator=ibis.literal(1, "int64"))
