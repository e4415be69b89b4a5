"""Two loops that many products know: a workspace that fills in its first week, and viewers who come to create."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import MissingGroups
from plgkit.metrics import families, shapes
from plgkit.metrics.accounts import first_payments, openings
from plgkit.metrics.people import activated, closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, shift

SIZES = (("nobody", 0, 0), ("1 person", 1, 1), ("2 people", 2, 2), ("3 or 4", 3, 4), ("5 or more", 5, None))


def _as_sizes(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = [parameters["by"]] if parameters["by"] else []
    place = pd.cut(frame["people"], [low - 0.5 for _name, low, _high in SIZES] + [float("inf")], labels=False)
    cells = frame.assign(position=place + 1 if len(frame) else 0)
    counts = ["accounts", "kept", "paid", "brought"]
    made = cells.groupby([*keys, "position"], as_index=False)[counts].sum()
    made = made.astype(dict.fromkeys(["position", *counts], "int64"))
    made["people"] = [SIZES[each - 1][0] for each in made["position"]]
    made = shapes.with_share(made.rename(columns={"kept": "numerator", "accounts": "denominator"}), parameters["level"])
    made["paid_share"] = made["paid"] / made["denominator"] if data.has("subscriptions") else float("nan")
    made["brought_each"] = made["brought"] / made["denominator"]
    made = made.sort_values([*keys, "position"], ignore_index=True)
    return made[[*keys, "position", "people", "numerator", "denominator", "value", "low", "high", "paid_share", "brought_each"]]


@measure(shape="table", unit="share of accounts", better="higher", reads="users events", finish=_as_sizes, interval="Wilson")
def workspace_people(data: Data, *, first_days: int = 7, later_days: int = 28, by: str | None = None) -> Table:
    """Accounts by how many people were active in their first `first_days` days, and how many were kept `later_days` days on.

    Kept is an account in which anybody was active in a week that begins so many days after the day it was created.
    Whether people cause this or only go with it, the number does not say.

    Parameters
    ----------
    data
        Reads `users` (account_id), `events`, and `accounts`, `subscriptions` and invited_by where they are there.
    first_days
        Days from an account's creation in which people are counted, the day of creation being the first.
    later_days
        Days after which the week begins in which somebody has to be active.
    by
        Column of accounts to cut by.

    Returns
    -------
    One row per size: position, people (such as "3 or 4"), numerator (accounts kept), denominator (accounts whose later
    week is over), value (share kept), low, high, paid_share (that had paid by then; missing without subscriptions),
    brought_each (people who signed up in other accounts, invited by theirs, for each of these).

    Raises
    ------
    MissingGroups
        If nobody is known to belong to an account.

    Examples
    --------
    >>> from plgkit import samples
    >>> workspace_people(samples.tiny(), later_days=22)[["people", "numerator", "denominator"]]
         people  numerator  denominator
    0  1 person          1            2
    1  2 people          1            1
    """
    members = data.users.filter(_.account_id.notnull()).select("user_id", "account_id", "invited_by")
    known = data.run(data.users.aggregate(people=data.users.count(), some=data.users.account_id.count()))
    if known["people"].iloc[0] and not known["some"].iloc[0]:
        raise MissingGroups("account_id", None)
    rows = openings(data).semi_join(members, "account_id").select("account_id", "created_at", created=_.day)
    rows = rows.filter(shift(rows.created, later_days + 6) <= ibis.date(data.as_of.isoformat()))
    seen = data.activity.select("user_id", "day").inner_join(members.select("user_id", "account_id"), "user_id")
    seen = seen.inner_join(rows.select("account_id", "created"), "account_id")
    early = seen.filter((seen.day >= seen.created) & (seen.day < shift(seen.created, first_days)))
    early = early.group_by("account_id").aggregate(people=_.user_id.nunique().cast("int64"))
    back = seen.filter((seen.day >= shift(seen.created, later_days)) & (seen.day < shift(seen.created, later_days + 7)))
    back = back.group_by("account_id").aggregate(back=_.count())
    rows = rows.left_join(early, "account_id").drop("account_id_right").left_join(back, "account_id").drop("account_id_right")
    rows = _with_paid(data, rows, later_days)
    rows = rows.left_join(_brought(members), "account_id").drop("account_id_right")
    rows = segmented(data, rows.mutate(kept=rows.back.notnull().ifelse(1, 0)), by, unit="account_id")
    return rows.group_by(*([by] if by else []), people=rows.people.fill_null(0)).aggregate(
        accounts=_.count().cast("int64"), kept=_.kept.sum().cast("int64"), paid=_.paid.sum().cast("int64"),
        brought=_.brought.fill_null(0).sum().cast("int64"))


def _with_paid(data: Data, rows: Table, days: int) -> Table:
    """The accounts with `paid`: whether they had first paid within so many days and the week after."""
    if not data.has("subscriptions"):
        return rows.mutate(paid=ibis.literal(0))
    rows = rows.left_join(first_payments(data).select("account_id", "paid_at"), "account_id").drop("account_id_right")
    return rows.mutate(paid=within(rows.paid_at, rows.created_at, days + 7).ifelse(1, 0))


def _brought(members: Table) -> Table:
    """How many people of other accounts the people of each account invited."""
    hosts = members.select(host=_.user_id, home=_.account_id)
    came = members.select("account_id", "invited_by").inner_join(hosts, _.invited_by == hosts.host)
    came = came.filter(came.account_id != came.home)
    return came.group_by(account_id=came.home).aggregate(brought=_.count().cast("int64"))


@measure(shape="rate", unit="share of viewers", better="higher", reads="users events", interval=families.WIDENED,
         settings={"viewer": "roles.viewer", "create": "features.create"})
def viewers_to_editors(data: Data, *, viewer: list[str] | None = None, create: list[str] | None = None, within_days: int = 28,
                       by: str | None = None, grain: Grain = "month") -> Table:
    """Share of the people with a viewing role (`viewer`) who create something (`create`) within `within_days` days of signing up.

    Who creates does what an editor does, whatever the role is called. The role is the one that the table of people
    has now: who was given another one when beginning to edit is no longer among the viewers.

    Parameters
    ----------
    data
        Reads `users` (role) and `events`.
    viewer
        Roles that only look.
    create
        Events that create something.
    within_days
        Days of 24 hours from the second of sign-up; the last instant counts.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of sign-up: period, numerator (who created), denominator (viewers), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> viewers_to_editors(samples.tiny())[["period", "numerator", "denominator"]].head(1)  # Bob made a report
          period  numerator  denominator
    0 2025-01-01          1            1
    """
    people = data.users.filter(data.users.role.isin(viewer).fill_null(False))
    people = people.left_join(activated(data, create).select("user_id", made_at=_.activated_at), "user_id").drop("user_id_right")
    people = segmented(data, people.mutate(period=data.period(people.day, grain)), by)
    return families.rate(data, people, by=by, hit=within(people.made_at, people.signed_up_at, within_days),
                         mature=closed(data, people.signed_up_at, within_days))
