"""How many of the people who use the product share it, and how many of those asked come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import families, shapes
from plgkit.metrics.advocacy.bringing import as_k
from plgkit.metrics.advocacy.rows import Kind, brought, sent
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain


def _with_complete(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = shapes.as_rate(frame, data, parameters)
    return made.assign(complete=shapes.complete(made["period"], data, parameters["grain"]))


@measure(shape="rate", unit="share of active people", better="higher", reads="users events invites",
         finish=_with_complete, interval=families.WIDENED)
def sharing_rate(data: Data, *, kind: Kind | None = None, events: list[str] | None = None, by: str | None = None,
                 grain: Grain = "month") -> Table:
    """Share of the people active in a period who invite somebody, share a link or embed something in it.

    Parameters
    ----------
    data
        Reads `events` and `invites`.
    kind
        Only "invite" or only "link"; None for both.
    events
        Events that are sharing too, such as an embedding; none but the rows of `invites` by default.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, numerator and denominator (people), value, low, high, immature (0),
    complete (a period that goes on can only rise).

    Examples
    --------
    >>> from plgkit import samples
    >>> sharing_rate(samples.tiny())[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-01-01          2            4    0.5
    1 2025-02-01          0            2    0.0
    """
    active = data.activity.mutate(period=data.period(_.day, grain))
    active = active.group_by("user_id", "period").aggregate(days=_.count())
    shared = sent(data, kind).select(user_id=_.inviter_id, period=data.period(_.day, grain))
    if events:
        done = data.event(events)
        shared = shared.union(done.select("user_id", period=data.period(done.day, grain)))
    shared = shared.group_by("user_id", "period").aggregate(shared=_.count())
    rows = active.left_join(shared, ["user_id", "period"])
    rows = segmented(data, rows.select("user_id", "period", shares=rows.shared.notnull()), by)
    return families.rate(data, rows, by=by, hit=rows.shares, mature=ibis.literal(True))


def _per_user(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    counts = ["numerator", "denominator", "immature", *shapes.FAMILY_SUMS]
    made = as_k(shapes.every_period(frame, data, parameters, counts), data, parameters)
    return made.assign(complete=shapes.complete(made["period"], data, parameters["grain"]))


@measure(shape="rate", unit="accepted referrals per active person", better="higher", reads="users events invites",
         finish=_per_user, interval=families.LOGARITHMIC)
def referrals_per_user(data: Data, *, kind: Kind | None = None, by: str | None = None, grain: Grain = "month") -> Table:
    """Referrals accepted in a period for each person active in it.

    A referral is an invitation or a shared link by which somebody new came; it counts on the day of its
    acceptance, whenever it was sent, and also where its sender is no longer active.

    Parameters
    ----------
    data
        Reads `users`, `events` and `invites`.
    kind
        Only "invite" or only "link"; None for both.
    by
        Column of the people who invite to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, numerator (accepted referrals), denominator (active people), value, low, high,
    immature (0), complete (a period that goes on can change).

    Examples
    --------
    >>> from plgkit import samples
    >>> referrals_per_user(samples.tiny())[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-01-01          1            4   0.25
    1 2025-02-01          0            2   0.00
    """
    came = brought(data) if kind is None else brought(data).filter(_.kind == kind)
    came = came.select(user_id=came.inviter_id, period=data.period(data.local(came.accepted_at).date(), grain))
    came = came.semi_join(data.users, "user_id").group_by("user_id", "period").aggregate(hits=_.count())
    came = came.mutate(hits=engine.whole(came.hits))
    active = data.activity.mutate(period=data.period(data.activity.day, grain)).select("user_id", "period").distinct()
    one, none = ibis.literal(1).cast("int64"), ibis.literal(0).cast("int64")
    rows = came.mutate(people=none).union(active.select("user_id", "period", hits=none, people=one))
    rows = rows.group_by("user_id", "period").aggregate(hits=_.hits.sum().cast("int64"), people=_.people.sum().cast("int64"))
    return _settled(families.ratio(data, segmented(data, rows, by), by=by))


def _settled(rows: Table) -> Table:
    """Nobody is too young here: who is no longer active is in no denominator, and not immature either."""
    return rows.mutate(immature=ibis.literal(0).cast("int64"))


def _as_links(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = shapes.every_period(frame, data, parameters, ["value", "sharers"])
    made = shapes.with_count(made, parameters)
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    return shapes.ordered(made, parameters, ["value", "low", "high", "complete", "sharers"])


@measure(shape="total", unit="links", better="higher", reads="invites", finish=_as_links)
def link_shares(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Referral links shared in a period, and the people who shared them.

    Parameters
    ----------
    data
        Reads `invites`, the rows of the kind link.
    by
        Column of the people who share to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, value (links), low, high, complete, sharers (people; not to be added up
    over periods, in several of which one person may share).

    Examples
    --------
    >>> from plgkit import samples
    >>> link_shares(samples.tiny())[["period", "value", "sharers"]]
          period  value  sharers
    0 2025-01-01      1        1
    1 2025-02-01      0        0
    """
    rows = sent(data, "link")
    rows = segmented(data, rows.select(user_id=rows.inviter_id, period=data.period(rows.day, grain)), by)
    return rows.group_by("period", *([by] if by else [])).aggregate(
        value=_.count().cast("int64"), sharers=_.user_id.nunique().cast("int64"))
