"""The rows of the billing that stand behind recurring revenue, each with the days on which it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.sources.billing.lines import FAR, worth
from plgkit.sources.billing.words import CHANGES

if TYPE_CHECKING:
    from plgkit.sources.data import Data

_TOLD = ["account_id", "subscription_id", "reference", "line_id", "issued_at", "source_kind", "amount_minor", "currency",
         "from_day", "until_day", "mrr_minor"]


def stretches(data: Data, *, ended: bool = False) -> Table:
    """One row per row of the billing that adds to recurring revenue, up to the last day counted.

    Columns: account_id, subscription_id, reference (invoice or subscription), line_id, issued_at, source_kind (what the
    row is), amount_minor (as it stands in the source), currency, from_day, until_day (without this day), mrr_minor
    (what it adds, in the product's currency). A change counts until the next one of its subscription; with `ended`
    also those that end it, and those that another one of the same day follows.
    """
    if data.billing == CHANGES:
        rows = _of_changes(data)
        return rows if ended else rows.filter(_.mrr_minor != 0, _.from_day < _.until_day).select(_TOLD)
    rows = data.billing_lines.filter(_.reason.isnull(), _.mrr_minor != 0, _.from_day < _.until_day,
                                     _.from_day <= ibis.date(data.as_of.isoformat()))
    return rows.mutate(source_kind=rows.kind).select(_TOLD)


def _of_changes(data: Data) -> Table:
    rows = data._known_by_then(CHANGES)
    unit = [rows.account_id, rows.subscription_id]
    following = rows.day.lead().over(ibis.window(group_by=unit, order_by=[rows.changed_at, rows.mrr_minor]))
    return rows.mutate(
        until_day=following.fill_null(ibis.date(FAR)), from_day=rows.day, reference=rows.subscription_id,
        line_id=ibis.null("string"), issued_at=rows.changed_at, source_kind=ibis.literal("change"),
        amount_minor=rows.mrr_minor, currency=rows.currency.strip().upper().fill_null(data.playbook.product.currency),
        mrr_minor=worth(rows.mrr_minor, rows.currency, data.playbook))
