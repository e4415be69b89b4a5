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


def first_visits(rows: Table, *keys: str, channel: bool) -> Table:
    """The first visit for each combination of `keys`: `first_at`, `day`, and on request its `channel`.

    Of first visits at one instant the channel is the first by name.
    """
    firsts = rows.group_by(*keys).aggregate(first_at=_.visited_at.min(), day=_.day.min())
    if not channel:
        return firsts
    there = firsts.select(first_who=_.who, first_day=_.day, at=_.first_at)
    ways = rows.inner_join(there, (rows.who == there.first_who) & (rows.visited_at == there["at"]))
    ways = ways.group_by("who", "at").aggregate(channel=ways.channel.min()).select(
        way_who=_.who, way_at=_["at"], channel=_.channel)
    joined = firsts.left_join(ways, (firsts.who == ways.way_who) & (firsts.first_at == ways.way_at))
    return joined.drop("way_who", "way_at")


def prospects(data: Data, *, channel: bool = True) -> Table:
    """One row per visitor: `who`, `user_id`, `first_at` and `day` of the first visit, `signed_up_at` or NULL.

    On request with the `channel` of the first visit. Who had signed up before that visit could not do so again
    and is left out.
    """
    return data.once(f"prospects {channel}", lambda: _prospects(data, channel))


def _prospects(data: Data, channel: bool) -> Table:
    firsts = first_visits(visits(data), "who", "user_id", channel=channel)
    signups = data.users.select("signed_up_at", signed_id=_.user_id)
    joined = firsts.left_join(signups, firsts.user_id == signups.signed_id)
    return joined.filter((joined.signed_up_at >= joined.first_at).fill_null(True)).drop("signed_id")


def cut(data: Data, rows: Table, by: str | None) -> Table:
    """Add the column to cut by: `channel` is that of the visit, any other the person's, "(none)" for strangers."""
    if by == "channel":
        return rows.mutate(channel=_.channel.fill_null(NONE))
    return segmented(data, rows, by)
