"""Who fell silent before reaching the moment of value."""

from __future__ import annotations

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.sources.data import Data
from plgkit.sources.engine import days_between


def first_silences(data: Data, silent_days: int) -> Table:
    """One row per person who signed up: `user_id` and `left_day`, the last active day before the first silence.

    A silence is so many days in a row without activity, all of them over by `as_of`; signing up counts as
    activity. `left_day` is missing where there was none.
    """
    people = data.users.select("user_id", joined=_.day)
    days = data.activity.select("user_id", "day", "prev_day").inner_join(people, "user_id")
    days = days.filter(days.day > days.joined)
    before = (days.prev_day > days.joined).fill_null(False).ifelse(days.prev_day, days.joined)
    silent = days_between(days.day, before) > silent_days
    found = days.group_by("user_id").aggregate(
        paused=silent.ifelse(before, ibis.null("date")).min(), last=days.day.max())
    people = people.left_join(found, "user_id").drop("user_id_right")
    last = people["last"].fill_null(people.joined)
    silent = days_between(ibis.date(data.as_of.isoformat()), last) >= silent_days
    return people.select(
        "user_id", left_day=people.paused.fill_null(silent.ifelse(last, ibis.null("date"))))


def left_after(data: Data, people: Table, silent_days: int) -> ibis.Value:
    """Seconds from sign-up to the end of the first silence of people who had not activated by then; else NULL.

    `people` has `signed_up_at`, `day`, `activated_at` and `left_day`.
    """
    still = people.activated_at.isnull() | (people.activated_at < people.signed_up_at)
    came = data.local(people.activated_at).date()
    first = still.fill_null(True) | (days_between(came, people.left_day) > silent_days).fill_null(False)
    joined = data.local(people.signed_up_at)
    of_day = joined.hour() * 3600 + joined.minute() * 60 + joined.second()
    whole = (days_between(people.left_day, people.day) + silent_days + 1) * 86400
    return first.ifelse(whole - of_day, ibis.null("int64")).cast("float64")
