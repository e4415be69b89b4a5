"""People and accounts as measures count them: their segment, their activation, their first payment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter, MissingTable, UnknownSegment
from plgkit.playbook.journey import Condition
from plgkit.schema import TABLES
from plgkit.sources.data import Data

if TYPE_CHECKING:
    from plgkit.metrics.funnels import Step

NONE = "(none)"
Moment = str | list[str] | Mapping[str, Any] | list[Condition] | list[Mapping[str, Any]]
_NO_SEGMENT = {"user_id", "account_id", "signed_up_at", "created_at", "day", "invited_by", "trial_started_at",
               "trial_ended_at", "is_internal"}


def segments(data: Data) -> dict[str, str]:
    """Every column to cut by, with the table it stands in."""
    found = {}
    for name in ("accounts", "users"):
        if data.has(name):
            found.update({column: name for column in data.table(name).columns if column not in _NO_SEGMENT})
    if data.has("subscriptions"):
        known = data.subscriptions.columns
        found.update({each: "subscriptions" for each in ("plan", "motion", "currency") if each in known})
    return found


def segmented(data: Data, rows: Table, by: str | None, *, unit: str = "user_id") -> Table:
    """Add the column to cut by; who has no value is in "(none)", so that segments add up to the whole.

    Parameters
    ----------
    rows
        Has one row per `unit`, or many.
    unit
        The column that names who is cut: `user_id` or `account_id`. A person has the values of the
        person's account; an account has those of the first of its people who signed up.

    Raises
    ------
    UnknownSegment
        If neither people nor accounts have such a column.
    MissingTable
        If it is a column of people or of accounts, and the data have no such table.
    """
    if by is None:
        return rows
    known = segments(data)
    if by not in known:
        for name in ("users", "accounts"):
            if by in TABLES[name].names and not data.has(name):
                raise MissingTable(name, data.everything, one_row=TABLES[name].one_row)
        raise UnknownSegment(by, known)
    # An amount that names no currency is in the product's own.
    none = data.playbook.product.currency if by == "currency" else NONE
    if by in rows.columns:
        return rows.mutate(**{by: rows[by].cast("string").fill_null(none)})
    values = _values(data, by, known[by], unit).rename(segment_unit=unit, segment_value=by)
    joined = rows.left_join(values, rows[unit] == values.segment_unit).drop("segment_unit")
    return joined.mutate(**{by: joined.segment_value.fill_null(none)}).drop("segment_value")


def _values(data: Data, by: str, table: str, unit: str) -> Table:
    """One row per unit: its value of the column."""
    if table == "users" and unit == "user_id":
        return data.users.select("user_id", **{by: _[by].cast("string")})
    if table == "users":
        return first_of(data.users.filter(_.account_id.notnull()), "account_id", "signed_up_at", "user_id").select(
            "account_id", **{by: _[by].cast("string")})
    accounts = (data.accounts if table == "accounts" else current_subscription(data)).select(
        "account_id", **{by: _[by].cast("string")})
    if unit == "account_id":
        return accounts
    people = data.users.select("user_id", person_account=_.account_id)
    return people.inner_join(accounts, people.person_account == accounts.account_id).select("user_id", by)


def first_of(rows: Table, key: str, *order: str, last: bool = False) -> Table:
    """The first (or last) row of each key in an order."""
    by = [rows[each].desc() if last else rows[each] for each in order]
    place = ibis.row_number().over(ibis.window(group_by=rows[key], order_by=by))
    return rows.mutate(place=place).filter(_.place == 0).drop("place")


def current_subscription(data: Data) -> Table:
    """The last subscription row of each account up to `as_of`."""
    return first_of(data.subscriptions, "account_id", "changed_at", "mrr_minor", last=True)


def activated(data: Data, event: Moment) -> Table:
    """One row per person who ever met the activation rule: `user_id` and `activated_at`, the moment it was met.

    Only what was done since signing up counts: who did the event before can still activate by doing it again.
    A rule of several conditions is met when the last of them is. A condition may ask for properties of its event, as a
    step of a funnel does.
    """
    parts = [_nth(data, *each) for each in _conditions(event)]
    met = parts[0]
    for each in parts[1:]:
        met = met.inner_join(each, "user_id").select(
            "user_id", at=ibis.greatest(met.at, each.at))
    return met.rename(activated_at="at")


def _conditions(event: Moment) -> list[tuple[Step, int]]:
    """What has to be done, and how often each."""
    several = isinstance(event, list) and any(isinstance(each, (Condition, Mapping)) for each in event)
    return [_condition(each) for each in (event if several else [event])]


def _condition(given: Any) -> tuple[Step, int]:
    from plgkit.metrics.funnels import step

    if isinstance(given, Condition):
        return step(given.event, where=given.where), given.at_least
    times = given.get("at_least", 1) if isinstance(given, Mapping) else 1
    if isinstance(times, bool) or not isinstance(times, int) or times < 1:
        raise BadParameter("at_least", times, expected="a whole number, 1 or more")
    return step({key: value for key, value in given.items() if key != "at_least"} if isinstance(given, Mapping) else given), times


def _nth(data: Data, what: Step, count: int) -> Table:
    """When each person did it for the n-th time since signing up."""
    from plgkit.metrics.funnels import steps

    steps.check(data, (what,))
    done = since_signup(data, data.events.filter(steps.matches(data.events, what)))
    if count == 1:
        return done.group_by("user_id").aggregate(at=_.occurred_at.min())
    place = ibis.row_number().over(ibis.window(group_by=done.user_id, order_by=done.occurred_at))
    return done.mutate(place=place).filter(_.place == count - 1).select("user_id", at=_.occurred_at)


def since_signup(data: Data, events: Table) -> Table:
    """The events that people did at or after their sign-up, with `signed_up_at`; those of nobody known fall out."""
    joined = events.inner_join(data.users.select("user_id", "signed_up_at"), "user_id")
    return joined.filter(joined.occurred_at >= joined.signed_up_at)


def within(later: ibis.Value, start: ibis.Value, days: int) -> ibis.Value:
    """Whether `later` comes no sooner than `start` and within so many days of it; the last instant counts."""
    return ((later >= start) & (later <= start + ibis.interval(days=days))).fill_null(False)


def closed(data: Data, start: ibis.Value, days: int) -> ibis.Value:
    """Whether the window of so many days from `start` had closed by the end of `as_of`."""
    return start + ibis.interval(days=days) < data.end_literal
