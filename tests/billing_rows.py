"""Lines of invoices and periods of subscriptions written by hand, and what accounts then pay."""

from __future__ import annotations

import pandas as pd

from plgkit.playbook import Playbook
from plgkit.sources.connect import connect
from plgkit.sources.data import Data

NAMES = {"lines": "invoice_lines", "periods": "subscription_periods", "changes": "subscriptions"}
_TIMES = ("issued_at", "service_from", "service_to", "canceled_at", "started_at", "ended_at", "changed_at")


def table(columns: str, *rows: tuple) -> pd.DataFrame:
    """Rows with the times among their columns as times."""
    frame = pd.DataFrame(rows, columns=columns.split())
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in frame.columns if name in _TIMES})


def invoiced(*rows: tuple, columns: str = "", as_of: str = "2026-12-31", **revenue) -> Data:
    """Lines of one account: amount, service_from, service_to and further columns; issued when the service begins."""
    frame = table(f"amount service_from service_to {columns}", *rows)
    frame = frame.assign(account_id="a", issued_at=frame["service_from"], line_id=[f"l{n}" for n in range(len(frame))])
    return opened({"invoice_lines": frame}, as_of=as_of, **revenue)


def opened(tables: dict[str, pd.DataFrame], *, as_of: str = "2026-12-31", product: dict | None = None,
           tables_said: dict | None = None, **revenue) -> Data:
    """The tables, opened with words about revenue."""
    return connect(tables, as_of=as_of, playbook=Playbook(product=product or {}, tables=tables_said or {}, revenue=revenue))


def paid(data: Data, *columns: str, account: str = "a") -> list[tuple]:
    """What an account pays: the day of each change, the amount after it, and further columns."""
    frame = data.run(data.subscriptions).query("account_id == @account").sort_values("day")
    frame = frame.assign(day=frame["day"].dt.strftime("%Y-%m-%d"), mrr=frame["mrr_minor"] / 100)
    return list(frame[["day", "mrr", *columns]].itertuples(index=False, name=None))
