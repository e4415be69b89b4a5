"""How much those who pay bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import ledger, shapes
from plgkit.metrics.accounts import first_payments, members
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import retained

Motion = Literal["self_serve", "sales"]
Of = Literal["active", "signed_up"]


@measure(shape="total", unit="currency", better="higher", reads="subscriptions", finish=ledger.as_mean,
         additive=False, interval=ledger.MEAN)
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
    One row per period: period, value (currency), low, high (none below five accounts), n (paying accounts), complete.

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


def _as_arpu(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = ["period", *([parameters["by"]] if parameters["by"] else [])]
    made = ledger.spanned(frame, keys, parameters["level"], by=retained.mean)
    made[["value", "low", "high"]] /= ledger.MINOR
    made["people"] = made["denominator"].astype("int64")
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    return made[[*keys, "value", "low", "high", "people", "n", "complete"]]


@measure(shape="total", unit="currency", better="higher", reads="users events subscriptions", finish=_as_arpu,
         additive=False, interval=ledger.MEAN)
def arpu(data: Data, *, of: Of = "active", by: str | None = None, grain: Grain = "month") -> Table:
    """Monthly recurring revenue at the end of the period per `of` person, paying or not.

    Revenue of all accounts over people of all accounts. It goes up where more pay or pay more, and also where people who do not pay
    stay away: read it beside their number.

    Parameters
    ----------
    data
        Reads `users`, `subscriptions`, and `events` for who is active.
    of
        "active": people active in the period. "signed_up": all who had signed up by its end.
    by
        Column to cut by; plan and motion are those at the period's end.
    grain
        Length of a period.

    Returns
    -------
    One row per period since the first payment: period, value (currency; missing without people), low, high (none below
    five accounts), people, n (accounts that pay or have such people), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> arpu(samples.tiny())[["period", "value", "people"]]  # 70 for four people, then 30 for Ann and Cho
          period  value  people
    0 2025-01-01   17.5       4
    1 2025-02-01   15.0       2
    >>> arpu(samples.tiny(), of="signed_up")[["value", "people"]].tail(1)
       value  people
    1    7.5       4
    """
    periods = ledger.ends(data, grain).select("period", "until")
    if of == "active":
        seen = data.activity.select("user_id", period=data.period(data.activity.day, grain)).distinct()
        seen = seen.inner_join(periods.select("period"), "period")
    else:
        signed = data.users.select("user_id", signed_day="day")
        seen = signed.inner_join(periods, signed.signed_day < periods.until)
    people = seen.select("user_id", "period").inner_join(members(data), "user_id").group_by("account_id", "period").aggregate(
        denominator=_.count().cast("int64"))
    own = [by] if by in ("plan", "motion") else []
    paying = ledger.standing(data, grain).select("account_id", "period", *own, numerator=_.mrr_minor, denominator=ibis.literal(0, "int64"))
    people = people.select("account_id", "period", **{name: ibis.null("string") for name in own},
                           numerator=ibis.literal(0, "int64"), denominator=_.denominator)
    rows = paying.union(people).group_by("account_id", "period").aggregate(
        numerator=_.numerator.sum().cast("int64"), denominator=_.denominator.sum().cast("int64"),
        **{name: _[name].max() for name in own})
    rows = segmented(data, rows, by, unit="account_id")
    return rows.group_by("period", *([by] if by else []), "numerator", "denominator").aggregate(count=_.count().cast("int64"))


@measure(shape="total", unit="currency", better="higher", reads="subscriptions", finish=ledger.as_mean,
         additive=False, interval=ledger.MEAN)
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
    One row per period with a new paying account: period, value (currency a year), low, high (none below
    five accounts), n (accounts), complete.

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
