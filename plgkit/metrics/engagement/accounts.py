"""How many people use the product together, and which of them make things."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import MissingGroups
from plgkit.metrics import actives, shapes
from plgkit.metrics.accounts import openings
from plgkit.metrics.engagement import means
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain


def _per_account(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    cells = frame.rename(columns={"people": "numerator", "accounts": "count"})
    if parameters["first_days"] is None:
        return means.of_periods(cells.drop(columns="is_old"), data, parameters)
    keys = ["period", *([parameters["by"]] if parameters["by"] else [])]
    young = cells.assign(immature=cells["count"].where(cells["is_old"] == 0, 0)).groupby(keys)["immature"].sum()
    # Who is too young counts as nobody; the period is there all the same.
    cells["count"] = cells["count"].where(cells["is_old"] == 1, 0)
    made = means.of_windows(cells, data, parameters).drop(columns="immature")
    made = made.merge(young.reset_index(), on=keys).astype({"numerator": "int64", "immature": "int64"})
    return shapes.ordered(made, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="people per account", better="higher", reads="users events", finish=_per_account,
         interval="bootstrap over accounts")
def people_per_account(data: Data, *, first_days: int | None = None, by: str | None = None,
                       grain: Grain = "month") -> Table:
    """Active people per account.

    Of accounts in which anybody was active in the period; or, with `first_days`, of all accounts created in
    the period, how many people were active in each within so many days, the day of creation being the first.
    A person belongs to the account that the table of people says; who belongs to none is left out.

    Parameters
    ----------
    data
        Reads `users` (account_id), `events`, and `accounts` where it is there.
    first_days
        Days from an account's creation to look at; 7 tells how many start together.
    by
        Column of accounts to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, numerator (people), denominator (accounts), value (mean), low, high (bootstrap
    over accounts), immature (accounts of a period that is not over, or whose first days are not).

    Raises
    ------
    MissingGroups
        If nobody is known to belong to an account.

    Examples
    --------
    >>> from plgkit import samples
    >>> people_per_account(samples.tiny())[["period", "numerator", "denominator"]]  # Ann and Bob share an account
          period  numerator  denominator
    0 2025-01-01          4            3
    1 2025-02-01          2            2
    >>> people_per_account(samples.tiny(), first_days=7)[["period", "numerator", "denominator"]]
          period  numerator  denominator
    0 2025-01-01          4            3
    """
    members = _members(data)
    keys = ["period", *([by] if by else [])]
    if first_days is None:
        seen = actives.periods(data, grain).select("user_id", "period").inner_join(members, "user_id")
        accounts = seen.group_by("account_id", "period").aggregate(people=_.count().cast("int64")).mutate(
            is_old=ibis.literal(1))
    else:
        accounts = _first_days(data, members, first_days, grain)
    accounts = segmented(data, accounts, by, unit="account_id")
    return accounts.group_by(*keys, "people", "is_old").aggregate(accounts=_.count().cast("int64"))


def _members(data: Data) -> Table:
    """Who belongs to which account."""
    known = data.run(data.users.aggregate(people=data.users.count(), some=data.users.account_id.count()))
    if known["people"][0] and not known["some"][0]:
        raise MissingGroups("account_id", None)
    return data.users.filter(_.account_id.notnull()).select("user_id", "account_id")


def _first_days(data: Data, members: Table, days: int, grain: Grain) -> Table:
    """One row per account: how many people were active in its first days, and whether these are over."""
    rows = openings(data)
    if not data.has("accounts"):
        rows = rows.semi_join(members, "account_id")
    rows = rows.select("account_id", created=_.day)
    seen = data.activity.select("user_id", "day").inner_join(members, "user_id").inner_join(rows, "account_id")
    seen = seen.filter((seen.day >= seen.created) & (seen.day < engine.shift(seen.created, days)))
    counts = seen.select("account_id", "user_id").distinct().group_by("account_id").aggregate(people=_.count())
    found = rows.left_join(counts, "account_id").select(
        "account_id", "created", people=_.people.fill_null(0).cast("int64"))
    over = engine.shift(found.created, days - 1) <= ibis.date(data.as_of.isoformat())
    return found.select("account_id", "people", period=data.period(found.created, grain), is_old=over.ifelse(1, 0))


def _viewers(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = shapes.every_period(frame, data, parameters, ["numerator", "denominator"])
    over = shapes.complete(made["period"], data, parameters["grain"])
    both = made["numerator"] + made["denominator"]
    made = made.assign(immature=both.where(~over, 0), numerator=made["numerator"].where(over, 0),
                       denominator=made["denominator"].where(over, 0))
    some = made["denominator"] > 0
    low, high = shapes.odds(made["numerator"], made["denominator"], parameters["level"])
    made["value"] = made["numerator"] / made["denominator"].where(some).astype("float64")
    made["low"], made["high"] = pd.Series(low).where(some), pd.Series(high).where(some)
    return shapes.ordered(made, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="viewers per editor", better="neither", reads="users events",
         settings={"viewer": "roles.viewer", "editor": "roles.editor"}, finish=_viewers, interval=shapes.ODDS)
def viewer_editor_ratio(data: Data, *, viewer: list[str] | None = None, editor: list[str] | None = None,
                        by: str | None = None, grain: Grain = "month") -> Table:
    """Active people with a viewing role (`viewer`) for each active one with an editing role (`editor`).

    Roles are those of the table of people: it holds no history of them.

    Parameters
    ----------
    data
        Reads `users` (role) and `events`.
    viewer, editor
        The roles that only look, and those that make things. Other roles are in neither.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, numerator (viewers), denominator (editors), value (missing without editors), low,
    high, immature (both, of a period that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> viewer_editor_ratio(samples.tiny())[["period", "numerator", "denominator"]]  # Bob only looks
          period  numerator  denominator
    0 2025-01-01          1            3
    1 2025-02-01          0            2
    """
    roles = data.users.select("user_id", viewers=_.role.isin(viewer).fill_null(False).ifelse(1, 0),
                              editors=_.role.isin(editor).fill_null(False).ifelse(1, 0))
    roles = roles.filter(roles.viewers + roles.editors > 0)
    people = actives.periods(data, grain).select("user_id", "period").inner_join(roles, "user_id")
    people = segmented(data, people, by)
    return people.group_by("period", *([by] if by else [])).aggregate(
        numerator=_.viewers.sum().cast("int64"), denominator=_.editors.sum().cast("int64"))
