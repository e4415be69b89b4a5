"""One cohort of accounts followed from its start to what it pays a year on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import BooleanValue, Table

from plgkit.metrics import ledger
from plgkit.metrics.accounts import first_payments, openings
from plgkit.metrics.expansion.keeping import KEPT as KEPT_BY
from plgkit.metrics.expansion.keeping import whole_months
from plgkit.metrics.expansion.readiness import activations, expansions
from plgkit.metrics.people import Moment, closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import intervals, retained

ACTIVATED, PAID, UNACTIVATED, EXPANDED, KEPT = (
    "activated", "paid", "paid without activating", "expanded", "revenue kept")
STEPS = [ACTIVATED, PAID, UNACTIVATED, EXPANDED, KEPT]


def _as_journey(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, level = parameters["by"], parameters["level"]
    keys = ["period", *([by] if by else [])]
    columns = [*keys, "step", "unit", "numerator", "denominator", "value", "low", "high", "immature"]
    rows = [dict(zip(keys, key, strict=True)) | _step(step, cells[cells["step"] == step], level)
            for key, cells in frame.groupby(keys, sort=True) for step in STEPS]
    made = pd.DataFrame(rows, columns=columns)
    made["period"] = made["period"].astype("datetime64[us]")
    return made.astype({"immature": "int64"})


def _step(step: str, cells: pd.DataFrame, level: float) -> dict[str, Any]:
    """One step of one cohort: accounts as a share of those before, or money as a multiple of the first."""
    ripe = cells[cells["ripe"] == 1]
    top, bottom = (float(ripe[name] @ ripe["accounts"]) for name in ("numerator", "denominator"))
    found = {"step": step, "immature": cells["accounts"].sum() - ripe["accounts"].sum()}
    if step != KEPT:
        low, high = intervals.wilson(top, bottom, level=level)
        return found | {"unit": "accounts", "numerator": top, "denominator": bottom,
                        "value": top / bottom if bottom else np.nan, "low": float(low), "high": float(high)}
    value, low, high = retained.kept(ripe["numerator"], ripe["denominator"], ripe["accounts"], level=level)
    return found | {"unit": "currency", "numerator": top / ledger.MINOR, "denominator": bottom / ledger.MINOR,
                    "value": value, "low": low, "high": high}


@measure(shape="table", unit="share of the step before", better="higher", reads="accounts users events subscriptions",
         settings={"event": "activation.event", "within_days": "activation.within_days",
                   "pay_within_days": "conversion.within_days"}, finish=_as_journey,
         interval=f"Wilson; of revenue kept: {KEPT_BY}")
def journey(data: Data, *, event: Moment | None = None, within_days: int | None = None, pay_within_days: int | None = None,
            expand_within_days: int = 180, months: int = 12, by: str | None = None, grain: Grain = "quarter") -> Table:
    """One cohort of accounts followed: activated within `within_days` days, paid, expanded, revenue kept.

    Every step counts those of the step before whose own time for it is over, so that a young cohort does not look
    worse; the others are immature. So the numerator of a step is the denominator of the next, and who is immature
    there. An account that paid before its first value is in the step "paid" once it activates. What comes by
    accounts that never activated stands beside it, so that nobody is lost.

    Parameters
    ----------
    data
        Reads `users`, `events`, `subscriptions`, and `accounts` where it is there.
    event
        The moment of first value; as the playbook says by default.
    within_days
        Days from the account's creation in which the first of its people activates.
    pay_within_days
        Days from activation in which it first pays. For those that did not activate these days begin when the
        days for activation are over.
    expand_within_days
        Days from the first payment in which it pays more than just before.
    months
        Months from the day of the first payment after which revenue is held against what was paid at that day's end.
    by
        Column to cut by.
    grain
        Length of the period of creation.

    Returns
    -------
    Five rows per period of creation: period, step (activated, paid, paid without activating, expanded, revenue
    kept), unit (accounts, or currency a month), numerator, denominator, value, low, high, immature (accounts).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = journey(samples.tiny(), expand_within_days=30, months=1)  # a1 activates, pays 20, then 30; a2 is late
    >>> found[["step", "numerator", "denominator", "immature"]]
                          step  numerator  denominator  immature
    0                activated        1.0          3.0         0
    1                     paid        1.0          1.0         0
    2  paid without activating        1.0          2.0         0
    3                 expanded        1.0          1.0         0
    4             revenue kept       30.0         20.0         0
    """
    rows = openings(data).left_join(activations(data, event), "account_id").drop("account_id_right")
    paid = first_payments(data).select("account_id", "paid_at", "paid_day")
    rows = rows.left_join(paid, "account_id").drop("account_id_right").mutate(period=data.period(_.day, grain))
    rows = segmented(data, rows, by, unit="account_id")
    did = within(rows.activated_at, rows.created_at, within_days)
    settled = closed(data, rows.created_at, within_days)
    soon = (rows.paid_at <= rows.activated_at + ibis.interval(days=pay_within_days)).fill_null(False)
    late = (rows.paid_at <= rows.created_at + ibis.interval(days=within_days + pay_within_days)).fill_null(False)
    waited = closed(data, rows.activated_at, pay_within_days)
    payers = _payers(data, rows.filter(settled & did & waited & soon), expand_within_days, whole_months(months))
    steps = {
        ACTIVATED: _cells(rows, by, did, settled),
        PAID: _cells(rows.filter(settled & did), by, soon, waited),
        UNACTIVATED: _cells(rows.filter(settled & ~did), by, late,
                            closed(data, rows.created_at, within_days + pay_within_days)),
        EXPANDED: _cells(payers, by, payers.grown, closed(data, payers.paid_at, expand_within_days)),
        KEPT: _cells(payers, by, None, payers.later <= ibis.date(data.as_of.isoformat())),
    }
    return ibis.union(*[cells.mutate(step=ibis.literal(step)) for step, cells in steps.items()])


def _cells(rows: Table, by: str | None, hit: BooleanValue | None, ripe: BooleanValue) -> Table:
    """Alike accounts of a step together: flags of one account each, or without `hit` what it pays now and paid then."""
    one, none = ibis.literal(1, "int64"), ibis.literal(0, "int64")
    told = rows.mutate(ripe=ripe.ifelse(one, none), numerator=rows.now_minor if hit is None else hit.ifelse(one, none),
                       denominator=rows.then_minor if hit is None else one)
    return told.group_by("period", *([by] if by else []), "numerator", "denominator", "ripe").aggregate(
        accounts=_.count().cast("int64"))


def _payers(data: Data, rows: Table, expand_within_days: int, months: int) -> Table:
    """Accounts that paid, with whether they expanded in time (`grown`), and what they paid then and pay `later`."""
    more = rows.select("account_id", "paid_at").inner_join(expansions(data), "account_id")
    more = more.filter(within(more.expanded_at, more.paid_at, expand_within_days)).select("account_id").distinct()
    rows = rows.left_join(more.mutate(grew=ibis.literal(1, "int64")), "account_id").drop("account_id_right")
    rows = rows.mutate(grown=rows.grew.notnull(), later=(rows.paid_day + ibis.interval(months=months)).cast("date"))
    changes = ledger.spans(data).filter(_.mrr_minor > 0).select("account_id", "day", "next_day", "mrr_minor")
    held = rows.select("account_id", "paid_day", "later").inner_join(changes, "account_id")
    then = (held.day <= held.paid_day) & (held.next_day > held.paid_day)
    now = (held.day <= held.later) & (held.next_day > held.later)
    money = held.group_by("account_id").aggregate(
        then_minor=then.ifelse(held.mrr_minor, 0).max(), now_minor=now.ifelse(held.mrr_minor, 0).max())
    return rows.inner_join(money, "account_id")
