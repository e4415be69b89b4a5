"""Accounts whose use has fallen against their own usual level, and the money that hangs on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import accounts, shapes
from plgkit.metrics.ledger import MINOR
from plgkit.metrics.people import current_subscription
from plgkit.metrics.registry import measure
from plgkit.metrics.retention.units import cut
from plgkit.sources import engine
from plgkit.sources.data import Data

_COLUMNS = ["people", "usual", "recent", "change", "low", "high", "last_active", "quiet_days", "mrr", "plan"]
_LEAST_HISTORY = 28


def _listed(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, recent = parameters["by"], parameters["recent_days"]
    scale = recent / frame["span"].astype("float64")
    made = frame.assign(usual=frame["before"] * scale, recent=frame["now"])
    made["change"] = made["recent"] / made["usual"] - 1
    low, high = shapes.odds(frame["now"], frame["before"], parameters["level"])
    made["low"], made["high"] = low / scale - 1, high / scale - 1
    made["quiet_days"] = (pd.Timestamp(data.as_of) - made["last_active"]).dt.days.astype("int64")
    made["mrr"] = made["mrr_minor"].astype("float64") / MINOR
    made["lost"] = made["recent"] - made["usual"]
    made = made.sort_values(["mrr", "lost", "account_id"], ascending=[False, True, True], na_position="last")
    return made.reset_index(drop=True)[["account_id", *([by] if by else []), *_COLUMNS]]


@measure(shape="table", unit="accounts", better="lower", reads="users events", finish=_listed,
         interval="Poisson counts of days: Wilson interval of the share of one in both, as odds")
def at_risk(data: Data, *, fall: float = 0.5, recent_days: int = 28, usual_days: int = 84, least_days: int = 4,
            by: str | None = None) -> Table:
    """Accounts used at least `fall` less over the last `recent_days` days than usual, with the money at stake.

    Use is days on which a person was active, added up over the people of the account. Usual is what it was over
    the `usual_days` days before, or since the account's first active day if that is later; accounts
    used for less than 28 of those days have no usual level yet.

    Parameters
    ----------
    data
        Reads `users` and `events`, and what accounts pay from `subscriptions` where it is there. Without accounts
        every person is one.
    fall
        Part of the usual use that has to be missing: 0.5 is half of it.
    recent_days
        Days up to the last day counted.
    usual_days
        Days before those.
    least_days
        Days of use per `recent_days` that are usual at least; accounts used less can hardly fall.
    by
        Column of accounts to show beside, and to cut by.

    Returns
    -------
    One row per account at risk, those that pay most first: account_id, people (active in the usual days), usual
    and recent (days of use per `recent_days`), change (recent against usual, -1 is no use at all), low, high,
    last_active, quiet_days (since then), mrr (what it pays a month; missing without subscriptions), plan.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = at_risk(samples.tiny(), recent_days=14, usual_days=42, least_days=2)
    >>> found[["account_id", "people", "usual", "recent", "change", "quiet_days", "mrr"]].round(2)
      account_id  people  usual  recent  change  quiet_days   mrr
    0         a1       2    3.5       1   -0.71           0  30.0
    """
    if not 0 < fall <= 1:
        raise BadParameter("fall", fall, expected="a share above 0, up to 1")
    begins = data.as_of - (recent_days - 1) * engine.DAY
    opens = ibis.date((begins - usual_days * engine.DAY).isoformat())
    recent = ibis.date(begins.isoformat())
    rows = data.activity.select("user_id", "day").inner_join(accounts.members(data), "user_id")
    now, before = rows.day >= recent, (rows.day >= opens) & (rows.day < recent)
    people = rows.mutate(is_now=now.ifelse(1, 0), is_before=before.ifelse(1, 0)).group_by("account_id", "user_id").aggregate(
        now=_.is_now.sum().cast("int64"), before=_.is_before.sum().cast("int64"), first=_.day.min(), last_active=_.day.max())
    used = people.mutate(there=(people.before > 0).ifelse(1, 0)).group_by("account_id").aggregate(
        people=_.there.sum().cast("int64"), now=_.now.sum().cast("int64"), before=_.before.sum().cast("int64"),
        first=_["first"].min(), last_active=_.last_active.max())
    used = used.mutate(span=engine.days_between(recent, ibis.greatest(used["first"], opens)))
    usual = used.before.cast("float64") * recent_days / used.span
    used = used.filter(used.span >= min(_LEAST_HISTORY, usual_days), usual >= least_days, used.now <= (1 - fall) * usual)
    used = cut(data, used, by, unit="account_id")
    return _with_money(data, used)


def _with_money(data: Data, used: Table) -> Table:
    """Add what each account pays now, and its plan."""
    if not data.has("subscriptions"):
        return used.mutate(mrr_minor=ibis.null("int64"), plan=ibis.null("string"))
    paid = current_subscription(data).select(payer=_.account_id, mrr_minor=_.mrr_minor.cast("int64"), paid_plan=_.plan)
    joined = used.left_join(paid, used.account_id == paid.payer)
    paying = (joined.mrr_minor > 0).fill_null(False)
    return joined.mutate(mrr_minor=joined.mrr_minor.fill_null(0),
                         plan=paying.ifelse(joined.paid_plan, ibis.null("string"))).drop("payer", "paid_plan")
