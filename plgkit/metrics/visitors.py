"""Visitors as people: several browsers of one person are one visitor, once it is known whose they are."""

from __future__ import annotations

from ibis import _
from ibis.expr.types import Table

from plgkit.metrics.people import NONE, first_of, segmented
from plgkit.sources.data import Data


def visits(data: Data) -> Table:
    """All visits with `who`: the person where any visit of that browser names one, else the browser.

    A browser that names several people belongs to the first of them.
    """
    rows = data.visits
    named = first_of(rows.filter(rows.user_id.notnull()), "visitor_id", "visited_at", "user_id")
    owners = named.select(browser=named.visitor_id, person=named.user_id)
    joined = rows.left_join(owners, rows.visitor_id == owners.browser)
    # A browser and a person may have the same id.
    who = joined.person.notnull().ifelse("person " + joined.person, "browser " + joined.visitor_id)
    return joined.select("visitor_id", "visited_at", "day", "channel", user_id=joined.person, who=who)


def prospects(data: Data) -> Table:
    """One row per visitor: `who`, `first_at`, `day` and `channel` of the first visit, `signed_up_at` or NULL.

    Who had signed up before that visit could not do so again and is left out.
    """
    firsts = first_of(visits(data), "who", "visited_at", "visitor_id").select(
        "who", "user_id", "day", "channel", first_at=_.visited_at)
    signups = data.users.select("signed_up_at", signed_id=_.user_id)
    joined = firsts.left_join(signups, firsts.user_id == signups.signed_id)
    return joined.filter((joined.signed_up_at >= joined.first_at).fill_null(True)).drop("signed_id")


def cut(data: Data, rows: Table, by: str | None) -> Table:
    """Add the column to cut by: `channel` is that of the visit, any other the person's, "(none)" for strangers."""
    if by == "channel":
        return rows.mutate(channel=_.channel.fill_null(NONE))
    return segmented(data, rows, by)
