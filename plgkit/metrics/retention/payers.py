"""Retention by what people and accounts pay: free people who stay, paying accounts that renew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import accounts, actives, ledger, shapes
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

_COLUMNS = ["numerator", "denominator", "value", "low", "high", "immature"]


def _kept(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Rates of those who stayed; nobody is judged in a period that is not over."""
    made = shapes.every_period(frame, data, parameters, ["numerator", "denominator"])
    made = shapes.only_complete(made, data, parameters["grain"])
    made = shapes.with_share(made, parameters["level"])
    return shapes.ordered(made, parameters, _COLUMNS)


@measure(shape="rate", unit="share of free people active before", better="higher", reads="users events subscriptions",
         finish=_kept)
def free_people(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Share of the people active in the period before on a free account who are active in this one too.

    An account is free where it pays nothing at the end of the period before. Who pays since stays counted: the
    question is whether free people come back, and paying is one way of doing so.

    Parameters
    ----------
    data
        Reads `users`, `events` and `subscriptions`; which events make a person active says the playbook's
        [activity]. A person without an account is free.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period from the second: period, numerator (still active), denominator (free and active in the
    period before), value, low, high, immature (those who may still come in a period that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> free_people(samples.tiny())[["period", "numerator", "denominator", "immature"]]  # Ann, Bob and Cho pay
          period  numerator  denominator  immature
    0 2025-02-01          0            1         0
    """
    active = actives.periods(data, grain).select("user_id", "period")
    mine = active.inner_join(accounts.members(data), "user_id")
    paying = ledger.standing(data, grain).select(payer=_.account_id, paid_in=_.period)
    rows = mine.left_join(paying, (mine.account_id == paying.payer) & (mine.period == paying.paid_in))
    one, none = ibis.literal(1, "int64"), ibis.literal(0, "int64")
    free = rows.filter(rows.payer.isnull()).select(
        "user_id", period=actives.following(rows.period, grain), was=one, here=none)
    rows = free.union(active.select("user_id", "period", was=none, here=one))
    rows = rows.group_by("user_id", "period").aggregate(was=_.was.max(), here=_.here.max())
    rows = rows.filter(rows.was == 1, rows.period <= ibis.date(data.as_of.isoformat()))
    return segmented(data, rows, by).group_by("period", *([by] if by else [])).aggregate(
        numerator=_.here.sum().cast("int64"), denominator=_.count().cast("int64"))


@measure(shape="rate", unit="share of paying accounts", better="higher", reads="subscriptions", finish=_kept)
def paying_accounts(data: Data, *, months: int | None = None, by: str | None = None, grain: Grain = "month") -> Table:
    """Share of the accounts that paid when the period began (or `months` months before its end) that still pay at its end.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    months
        How long before the end of a period the accounts have to have paid: 12 asks for renewal over a year.
        None is the beginning of the period.
    by
        Column to cut by: of the account, or what it had (plan, motion) at that earlier time.
    grain
        Length of a period.

    Returns
    -------
    One row per period since the first payment: period, numerator (accounts that still pay), denominator (accounts
    that paid at the earlier time), value, low, high, immature (those of a period that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> paying_accounts(samples.tiny())[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-02-01          1            2    0.5
    """
    if months is not None and (isinstance(months, bool) or not isinstance(months, int) or months < 1):
        raise BadParameter("months", months, expected="a whole number, 1 or more")
    pairs = segmented(data, ledger.then_and_now(data, grain, months=months), by, unit="account_id")
    pairs = pairs.mutate(kept=(pairs.now_minor > 0).ifelse(1, 0))
    return pairs.group_by("period", *([by] if by else [])).aggregate(
        numerator=_.kept.sum().cast("int64"), denominator=_.count().cast("int64"))
