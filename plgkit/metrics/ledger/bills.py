"""Every row of the billing, whether it counts as recurring revenue or not, and why not."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import NotOpened
from plgkit.metrics.ledger.finish import MINOR
from plgkit.metrics.ledger.lines import _check_accounts, _start
from plgkit.sources import billing as sources
from plgkit.sources import engine
from plgkit.sources.billing.words import CHANGES
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

_FAR = pd.Timestamp("2100-01-01")
"""Days after this mean that there is no end; the last day that ClickHouse knows is in 2149."""
_COLUMNS = ["account_id", "reference", "line_id", "subscription_id", "source_kind", "status", "plan", "seats", "billed_at", "billed",
            "currency", "from_day", "until_day", "months", "monthly", "counted", "why_not"]


def billing(data: Data, *, period: str | dt.date | None = None, account: str | list[str] | None = None,
            grain: Grain = "month") -> pd.DataFrame:
    """List every row of the billing with what it adds to recurring revenue, to be ticked off against the export.

    Parameters
    ----------
    data
        Reads the table that tells what accounts pay: `subscriptions`, `subscription_periods` or `invoice_lines`.
    period
        A day of a period, or a month such as "2026-05": rows written in it, or that count in it; None lists all.
    account
        Only these accounts.
    grain
        Length of the period.

    Returns
    -------
    One row per row of the billing up to the last day counted: account_id, reference (invoice or subscription), line_id,
    subscription_id, source_kind (what the row is), status, plan, seats, billed_at (when it was written, UTC), billed and currency
    (as in the billing), from_day and until_day (when it counts, without the last day; empty while it runs), months (over which
    an amount is spread), monthly (what it adds to recurring revenue, in the product's currency; 0 where it adds nothing),
    counted, why_not (why it is no recurring revenue, else empty). Rows set aside as faulty are in `data.rejected`.

    Raises
    ------
    UnknownAccount
        If an account never paid anything.

    Examples
    --------
    >>> from plgkit import samples
    >>> billing(samples.tiny())[["account_id", "from_day", "until_day", "billed", "monthly", "counted"]]
      account_id   from_day  until_day  billed  monthly  counted
    0         a1 2025-01-20 2025-02-10    20.0     20.0     True
    1         a1 2025-02-10        NaT    30.0     30.0     True
    2         a2 2025-01-25 2025-02-20    50.0     50.0     True
    3         a2 2025-02-20        NaT     0.0      0.0    False
    """
    if not isinstance(data, Data):
        raise NotOpened(data)
    accounts = [account] if isinstance(account, str) else account
    _check_accounts(data, accounts)
    rows = _every_row(data)
    rows = rows.filter(rows.account_id.isin(accounts)) if accounts is not None else rows
    if period is not None:
        rows = _in_period(data, rows, _start(data, period, grain), grain)
    frame = engine.run(rows)
    frame = frame.assign(
        billed=frame["amount_minor"].astype("float64") / MINOR, counted=frame["why_not"] == "",
        monthly=frame["mrr_minor"].where(frame["why_not"] == "", 0).astype("float64") / MINOR,
        until_day=frame["until_day"].where(frame["until_day"] < _FAR), seats=frame["seats"].astype("Int64"))
    frame = frame.sort_values(["account_id", "billed_at", "from_day", "reference", "line_id", "source_kind", "billed"],
                              ignore_index=True)[_COLUMNS]
    frame.attrs = {"unit": "currency", "currency": data.playbook.product.currency}
    return frame


def _every_row(data: Data) -> Table:
    if data.billing == CHANGES:
        rows = sources.stretches(data, ended=True).mutate(
            status=ibis.null("string"), months=ibis.null("float64"),
            why_not=(_.mrr_minor == 0).ifelse("it is an end", (_.from_day >= _.until_day).ifelse("another change of the same day follows", "")))
    else:
        later = data.billing_lines.from_day > ibis.date(data.as_of.isoformat())
        rows = data.billing_lines.mutate(source_kind=_.kind, why_not=ibis.coalesce(
            _.reason, later.ifelse("it has not begun", "")))
    return rows.mutate(billed_at=rows.issued_at)


def _in_period(data: Data, rows: Table, start: dt.date, grain: Grain) -> Table:
    """Rows written in the period, or that count on one of its days."""
    until = engine.next_period(start, grain)
    first, last = ibis.date(start.isoformat()), ibis.date(until.isoformat())
    zone = data.playbook.product.time_zone
    written = rows.issued_at.between(ibis.timestamp(engine.to_utc(start, zone).isoformat(sep=" ")),
                                     ibis.timestamp((engine.to_utc(until, zone) - dt.timedelta(microseconds=1)).isoformat(sep=" ")))
    return rows.filter(written | ((rows.from_day < last) & (rows.until_day > first)))
