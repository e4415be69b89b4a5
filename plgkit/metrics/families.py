"""Families: the people of an account together with the accounts they brought, whom no interval may take for strangers.

Who is invited comes soon after the one who invites, and people of one account do alike. Where a share or mean varies
more for it than single people would make it vary, its interval follows families.
"""

from __future__ import annotations

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, Column, Table

from plgkit.metrics.people import first_of
from plgkit.metrics.shapes import FAMILY_SUMS
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.digests import Digest

WIDENED = "Wilson, widened by how much families (an account and the accounts it brought) differ"
RESAMPLED = "bootstrap over families (an account and the accounts it brought)"
SURVIVAL = "log-log of the Kaplan-Meier curve, widened by how much families (an account and the accounts it brought) differ"
ODDS = "Poisson counts, widened by how much families (an account and the accounts it brought) differ: Wilson, as odds"
LOGARITHMIC = "logarithmic, by how much families (an account and the accounts it brought) differ"


def joined(data: Data, rows: Table) -> Table:
    """The rows, which have a `user_id`, with `family`: NULL for strangers, and where nothing is known of families.

    A family is an account and the accounts whose first person came by one of its people. That is one step and no
    more, so that no family grows without bound. Who has no account is an account alone.
    """
    if not data.tells_families:
        return rows.mutate(family=ibis.null("string"))
    members = data.once("families", lambda: _members(data))
    return rows.left_join(members, rows.user_id == members.member).drop("member")


def _members(data: Data) -> Table:
    """The family of each `member`."""
    people = data.users.select("user_id", "invited_by", "signed_up_at", home=_.account_id.fill_null(_.user_id))
    hosts = people.select(host=_.user_id, host_home=_.home, host_since=_.signed_up_at)
    firsts = first_of(people, "home", "signed_up_at", "user_id")
    came = firsts.inner_join(hosts, (firsts.invited_by == hosts.host) & (hosts.host_since <= firsts.signed_up_at))
    origins = came.select(brought=_.home, origin=_.host_home)
    members = people.left_join(origins, people.home == origins.brought)
    return members.select(member=members.user_id, family=members.origin.fill_null(members.home))


def dealt(data: Data, people: Table, *, always: bool = False) -> Table:
    """The people with `dealt`, one of 256 groups, in which those of a family are together.

    Where no family is known they stay as they are, unless they are `always` to be dealt out.
    """
    if not (always or data.tells_families):
        return people
    rows = joined(data, people)
    return rows.mutate(dealt=Digest(rows.family.fill_null(rows.user_id)).to_expr().substr(0, 2)).drop("family")


def rate(data: Data, people: Table, *, hit: BooleanValue | ibis.Deferred, mature: BooleanValue | ibis.Deferred,
         by: str | None = None) -> Table:
    """Count as `shapes.rate` does, with the sums over families that the interval needs.

    `people` has one row per person (or thing a person did), with `user_id`, `period` and, where it is given, `by`.
    """
    keys = ["period", *([by] if by else [])]
    flagged = people.mutate(is_hit=hit, is_mature=mature)
    flagged = flagged.select(
        "user_id", *keys, people=flagged.is_mature.fill_null(False).ifelse(1, 0),
        hits=(flagged.is_mature & flagged.is_hit).fill_null(False).ifelse(1, 0))
    parts = joined(data, flagged).group_by("family", *keys).aggregate(
        hits=_.hits.sum().cast("int64"), people=_.people.sum().cast("int64"), everybody=_.count().cast("int64"))
    return summed(parts, keys, immature=(_.everybody - _.people).sum().cast("int64"))


def ratio(data: Data, people: Table, *, by: str | None = None) -> Table:
    """Add up `hits`, of which a person may have many, and `people` (1, or 0 for who is too young), as `rate` does."""
    keys = ["period", *([by] if by else [])]
    parts = _one_by_one(data, people.select("user_id", "hits", "people", *keys)).group_by(
        "family", "single", *keys).aggregate(
            hits=_.hits.sum().cast("int64"), people=_.people.sum().cast("int64"), everybody=_.count().cast("int64"))
    return summed(parts, keys, of_one=False, immature=(_.everybody - _.people).sum().cast("int64"))


def cells(data: Data, people: Table, value: str, keys: list[str]) -> Table:
    """How many families (or single people) add so much of a value and so many people: `numerator`, `denominator`, `count`.

    `people` has one row per person and combination of the keys, with the value.
    """
    parts = _one_by_one(data, people.select("user_id", value, *keys)).group_by("family", "single", *keys).aggregate(
        numerator=_[value].sum().cast("int64"), denominator=_.count().cast("int64"))
    return parts.group_by("numerator", "denominator", *keys).aggregate(count=_.count().cast("int64"))


def _one_by_one(data: Data, rows: Table) -> Table:
    """The rows with `family`, and `single` that names who has none."""
    rows = joined(data, rows)
    return rows.mutate(single=rows.family.isnull().ifelse(rows.user_id, ibis.null("string")))


def moves(data: Data, rows: Table, *, stayed: BooleanValue, following: Column, keys: list[str]) -> Table:
    """Per family and period: `before` (people in the period before), how many of them `kept` on, and how many `came`.

    `rows` has one row per person and period; `stayed` says whether the person was in the period before too,
    `following` is the period after.
    """
    rows = joined(data, rows.mutate(kept=stayed.ifelse(1, 0), came=stayed.ifelse(0, 1), following=following))
    nobody, columns = ibis.literal(0), ["family", *keys, "before", "kept", "came"]
    now = rows.mutate(before=nobody).select(columns)
    before = rows.mutate(period=rows.following, before=ibis.literal(1), kept=nobody, came=nobody).select(columns)
    sums = {name: _[name].sum().cast("int64") for name in columns[-3:]}
    return now.union(before).group_by("family", *keys).aggregate(**sums)


def summed(parts: Table, keys: list[str], *, of_one: bool = True, **more: ibis.Deferred) -> Table:
    """Add up the `hits` and `people` of families, and their squares.

    With `of_one`, rows without a family are of single people of whom each is hit once at most.
    """
    parts = parts.mutate(hits=engine.whole(parts.hits), people=engine.whole(parts.people))
    hits, people = parts.hits, parts.people
    alone = parts.family.isnull() if of_one else ibis.literal(False)
    parts = parts.mutate(squares=alone.ifelse(hits, hits * hits), products=alone.ifelse(hits, hits * people),
                         sizes=alone.ifelse(people, people * people))
    sums = {name: _[name].sum().cast("int64") for name in FAMILY_SUMS}
    return parts.group_by(*keys).aggregate(
        numerator=_.hits.sum().cast("int64"), denominator=_.people.sum().cast("int64"), **more, **sums)
