"""Measures cut days, weeks and months as the clocks on the wall of the product's zone do, through both changes."""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo
from collections import Counter

import engines
import pandas as pd
import plain
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from plgkit.metrics import find
from plgkit.playbook import Playbook
from plgkit.sources import engine
from plgkit.sources.connect import connect

ZONES = [
    "America/New_York", "Europe/Vienna",
    "Australia/Adelaide", "America/Santiago",  # the south; in Santiago the day of the change has no midnight
    "America/St_Johns", "Australia/Lord_Howe",  # half hours; on Lord Howe the change is half an hour too
    "America/Havana",  # the hour after midnight comes twice
    "Africa/Casablanca",  # winter time in the month of fasting only
    "Asia/Kathmandu", "UTC",  # no change at all
]
JITTERS = [dt.timedelta(0), *(sign * dt.timedelta(seconds=each) for sign in (-1, 1)
                              for each in (1e-6, 1, 1_799, 1_800, 3_599, 3_600, 7_200, 40_000))]
WEEK_STARTS = ["monday", "sunday"]
LATEST = dt.datetime(9999, 1, 1)


@functools.cache
def changes(zone: str) -> list[dt.datetime]:
    """The instants (UTC) in 2023 to 2026 at which the zone's clocks are put forward or back; else any instant."""
    found = [until for until, _gap in engine.offsets(zone, dt.date(2023, 1, 1), dt.date(2026, 12, 31)) if until < LATEST]
    return found or [dt.datetime(2024, 3, 1)]


def local(at: dt.datetime, zone: str) -> dt.datetime:
    """What the clock on the wall shows."""
    return at.replace(tzinfo=dt.UTC).astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)


def midnight(day: dt.date, zone: str) -> dt.datetime:
    """About when (UTC) a day begins."""
    start = dt.datetime.combine(day, dt.time(), tzinfo=zoneinfo.ZoneInfo(zone))
    return start.astimezone(dt.UTC).replace(tzinfo=None)


@st.composite
def around_a_change(draw: st.DrawFn) -> dict:
    """A few people who do things near a change of clocks and near the midnights about it."""
    zone = draw(st.sampled_from(ZONES))
    change = draw(st.sampled_from(changes(zone)))
    day = local(change, zone).date()
    near = [change, *(midnight(day + dt.timedelta(days=each), zone) for each in range(-16, 40))]
    often = st.one_of(st.sampled_from(near[:1] * 3 + near[10:25]), st.sampled_from(near))
    moments = st.builds(lambda at, jitter: at + jitter, often, st.sampled_from(JITTERS))
    events = draw(st.lists(st.tuples(st.sampled_from("abcdefg"), moments), min_size=5, max_size=45))
    return {"zone": zone, "week_start": draw(st.sampled_from(WEEK_STARTS)), "events": events,
            "as_of": day + dt.timedelta(days=draw(st.integers(-1, 41)))}


def frames(events: list[tuple[str, dt.datetime]]) -> dict[str, pd.DataFrame]:
    """The events as tables; everybody signs up with the first of them."""
    rows = pd.DataFrame(events, columns=["user_id", "occurred_at"]).assign(event="used")
    rows["occurred_at"] = rows["occurred_at"].astype("datetime64[us]")
    users = rows.groupby("user_id", as_index=False)["occurred_at"].min().rename(columns={"occurred_at": "signed_up_at"})
    return {"events": rows, "users": users}


def opened(case: dict):
    """The case as data of its own zone."""
    words = Playbook(product={"time_zone": case["zone"], "week_start": case["week_start"]}, data={"duplicates": "keep"})
    return connect(frames(case["events"]), playbook=words, as_of=case["as_of"])


def lived(case: dict) -> tuple[dict[str, set[dt.date]], dict[str, dt.date]]:
    """Each person's days of activity and day of sign-up, up to `as_of`, by the zone database alone."""
    days: dict[str, set[dt.date]] = {}
    for user, at in case["events"]:
        day = local(at, case["zone"]).date()
        if day <= case["as_of"]:
            days.setdefault(user, set()).add(day)
    return days, {user: min(each) for user, each in days.items()}


def counts(frame: pd.DataFrame, keys: list[str], values: list[str]) -> dict:
    """The rows in which anything is counted: keys to values."""
    rows = [[each.date() if isinstance(each, pd.Timestamp) else each for each in row]
            for row in frame[[*keys, *values]].itertuples(index=False)]
    return {tuple(row[:len(keys)]): tuple(row[len(keys):]) for row in rows if any(row[len(keys):])}


def every_change(zone: str, week_start: str) -> dict:
    """A person at each instant around every change of 2024 and 2025 and the midnights about it; all return after a week."""
    days = [change + jitter for change in changes(zone) if change.year in (2024, 2025) for jitter in JITTERS]
    days += [midnight(local(change, zone).date() + dt.timedelta(days=each), zone) + jitter
             for change in changes(zone) if change.year in (2024, 2025) for each in (-7, -1, 0, 1, 2, 9)
             for jitter in JITTERS[:5]]
    events = [(f"p{place}", at + later) for place, at in enumerate(days) for later in (dt.timedelta(0), dt.timedelta(days=7))]
    return {"zone": zone, "week_start": week_start, "events": events, "as_of": dt.date(2025, 11, 30)}


SANTIAGO, HAVANA = every_change("America/Santiago", "sunday"), every_change("America/Havana", "monday")
CHECKED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@CHECKED
@given(around_a_change())
@example(SANTIAGO)
@example(HAVANA)
def test_sign_ups_and_active_people_are_counted_on_the_days_of_the_zone(case):
    days, signed = lived(case)
    assume(days)
    data = opened(case)
    for grain in engine.GRAINS:
        cut = functools.partial(plain.period, grain=grain, week_start=case["week_start"])
        joined = Counter((cut(day),) for day in signed.values())
        active = Counter((start,) for each in days.values() for start in {cut(day) for day in each})
        assert counts(find("acquisition.signups")(data, grain=grain), ["period"], ["value"]) == {
            key: (n,) for key, n in joined.items()}
        assert counts(find("engagement.active_people")(data, grain=grain), ["period"], ["value"]) == {
            key: (n,) for key, n in active.items()}


@CHECKED
@given(around_a_change())
@example(SANTIAGO)
@example(HAVANA)
def test_sign_ups_and_new_people_add_up_alike_by_day_week_month_and_quarter(case):
    days, signed = lived(case)
    assume(days)
    data = opened(case)
    for grain in engine.GRAINS:
        assert find("acquisition.signups")(data, grain=grain)["value"].sum() == len(signed)
        assert find("retention.growth_accounting")(data, grain=grain)["new"].sum() == len(days)


@CHECKED
@given(around_a_change(), st.sampled_from(["day", "week", "month"]))
@example(SANTIAGO, "day")
@example(HAVANA, "week")
def test_cohorts_come_back_in_the_periods_of_the_zone(case, unit):
    days, signed = lived(case)
    assume(days)
    cut = functools.partial(plain.period, grain=unit, week_start=case["week_start"])
    sizes, back = Counter(cut(day) for day in signed.values()), Counter()
    for user, each in days.items():
        back.update({(cut(signed[user]), _steps(cut(signed[user]), cut(day), unit)) for day in each})
    found = find("retention.cohorts")(opened(case), unit=unit)
    assert counts(found[found["numerator"] > 0], ["cohort", "age"], ["numerator", "denominator"]) == {
        (cohort, age): (n, sizes[cohort]) for (cohort, age), n in back.items()}
    now = cut(case["as_of"])
    over = plain.following(now, unit) == case["as_of"] + dt.timedelta(days=1)
    for row in found.itertuples():
        left = _steps(row.cohort.date(), now, unit) - row.age
        assert row.mature == (left > 0 or over)


def _steps(start: dt.date, end: dt.date, unit: str) -> int:
    """How many periods lie between the first days of two."""
    found = 0
    while start < end:
        start, found = plain.following(start, unit), found + 1
    return found


@CHECKED
@given(around_a_change(), st.sampled_from(["day", "week", "month"]), st.integers(1, 9), st.integers(0, 3))
@example(SANTIAGO, "day", 1, 0)
@example(HAVANA, "week", 7, 0)
def test_day_n_is_the_nth_day_of_the_zone_after_that_of_signing_up(case, grain, first, more):
    days, signed = lived(case)
    assume(days)
    expected: dict[dt.date, list[int]] = {}
    for user, joined in signed.items():
        row = expected.setdefault(plain.period(joined, grain, case["week_start"]), [0, 0, 0])
        span = {joined + dt.timedelta(days=each) for each in range(first, first + more + 1)}
        if max(span) <= case["as_of"]:
            row[0] += bool(span & days[user])
            row[1] += 1
        else:
            row[2] += 1
    found = find("retention.day_n")(opened(case), day=first, until=first + more, grain=grain)
    assert counts(found, ["period"], ["numerator", "denominator", "immature"]) == {
        (start,): tuple(row) for start, row in expected.items()}


@CHECKED
@given(around_a_change(), st.sampled_from(engine.GRAINS))
@example(SANTIAGO, "day")
@example(HAVANA, "week")
def test_growth_accounting_and_churn_follow_the_periods_of_the_zone(case, grain):
    days, _signed = lived(case)
    assume(days)
    moves = plain.growth(days, grain, case["week_start"])
    data = opened(case)
    found = counts(find("retention.growth_accounting")(data, grain=grain), ["period"], list(next(iter(moves.values()))))
    last = max(moves)
    assert {key: row for key, row in found.items() if key[0] <= last} == {
        (start,): tuple(row.values()) for start, row in moves.items() if any(row.values())}
    churn = find("retention.user_churn")(data, grain=grain)
    before = 0
    for start, row in list(moves.items()):
        if start > min(moves) and before and plain.following(start, grain) <= case["as_of"] + dt.timedelta(days=1):
            one = churn[churn["period"] == pd.Timestamp(start)].iloc[0]
            assert (one.numerator, one.denominator) == (row["churned"], before)
        before = row["active"]


@CHECKED
@given(around_a_change(), st.integers(1, 8))
@example(SANTIAGO, 6)
@example(HAVANA, 7)
def test_windows_of_24_hours_are_over_when_the_last_day_of_the_zone_ends(case, n):
    """Blocks of 24 hours take no notice of the clocks; `as_of` ends where the next day of the zone begins."""
    _days, signed = lived(case)
    assume(signed)
    end, own = midnight(case["as_of"] + dt.timedelta(days=1), case["zone"]), {}
    for user, at in case["events"]:
        if user in signed and local(at, case["zone"]).date() <= case["as_of"]:
            own.setdefault(user, []).append(at)
    back, acted = [0, 0, 0], [0, 0, 0]
    for each in own.values():
        start, day = min(each), dt.timedelta(days=1)
        over, closed = start + (n + 1) * day <= end, start + n * day < end
        hit = any(start + n * day <= at < start + (n + 1) * day for at in each)
        back = [back[0] + (hit and over), back[1] + over, back[2] + (not over)]
        acted = [acted[0] + closed, acted[1] + closed, acted[2] + (not closed)]
    data, columns = opened(case), ["numerator", "denominator", "immature"]
    assert list(find("retention.day_n")(data, day=n, clock="rolling")[columns].sum()) == back
    assert list(find("activation.rate")(data, event="used", within_days=n)[columns].sum()) == acted


CALENDAR = [
    ("acquisition.signups", {"grain": "day"}), ("acquisition.signups", {"grain": "week"}),
    ("engagement.active_people", {"grain": "month"}), ("engagement.active_people", {"grain": "day", "trailing_days": 7}),
    ("engagement.stickiness", {"trailing_days": 7}), ("engagement.active_days", {}),
    ("retention.cohorts", {"unit": "day"}), ("retention.cohorts", {"unit": "week", "rule": "on_or_after", "horizon": 3}),
    ("retention.curve", {"unit": "week"}), ("retention.day_n", {"day": 1, "grain": "week"}),
    ("retention.growth_accounting", {"grain": "week"}), ("retention.user_churn", {"grain": "month"}),
    ("retention.quick_ratio", {"grain": "week"}),
]


@settings(CHECKED, max_examples=6)
@given(around_a_change())
@example(SANTIAGO)
def test_the_clock_on_the_wall_is_all_that_counts(case):
    """The times that the wall shows, taken for UTC, give the very same frames."""
    assume(lived(case)[0])
    there = opened(case)
    on_the_wall = [(user, local(at, case["zone"])) for user, at in case["events"]]
    here = opened(case | {"zone": "UTC", "events": on_the_wall})
    for name, parameters in CALENDAR:
        pd.testing.assert_frame_equal(find(name)(there, **parameters), find(name)(here, **parameters))


@settings(CHECKED, max_examples=6)
@given(around_a_change(), st.sampled_from([("Asia/Kathmandu", 345), ("Asia/Kolkata", 330), ("Pacific/Marquesas", -570),
                                           ("Pacific/Kiritimati", 840), ("Etc/GMT+12", -720)]))
def test_moving_all_times_with_the_zone_changes_nothing_not_even_rolling_clocks(case, moved):
    zone, minutes = moved
    case = case | {"zone": "UTC"}
    assume(lived(case)[0])
    there = opened(case | {"zone": zone, "events": [
        (user, at - dt.timedelta(minutes=minutes)) for user, at in case["events"]]})
    here = opened(case)
    for name, parameters in [*CALENDAR, ("retention.cohorts", {"unit": "day", "clock": "rolling"}),
                             ("retention.day_n", {"day": 1, "clock": "rolling"}),
                             ("activation.rate", {"event": "used", "within_days": 1}),
                             ("activation.time_to_value", {"event": "used", "grain": "week"})]:
        pd.testing.assert_frame_equal(find(name)(there, **parameters), find(name)(here, **parameters))


@pytest.mark.parametrize(("zone", "week_start"), [("Australia/Lord_Howe", "sunday"), ("America/Santiago", "monday")])
def test_every_engine_cuts_alike_around_every_change(server, zone, week_start):
    case = every_change(zone, week_start)
    words = Playbook(product={"time_zone": zone, "week_start": week_start}, data={"duplicates": "keep"})
    there = connect(engines.load(server, frames(case["events"])), playbook=words, as_of=case["as_of"])
    here = opened(case)
    for name, parameters in [each for each in CALENDAR if each[0] not in ("retention.quick_ratio", "retention.curve")]:
        pd.testing.assert_frame_equal(find(name)(there, **parameters), find(name)(here, **parameters), rtol=1e-9)


def test_a_day_that_a_zone_left_out_has_nobody_and_breaks_nothing():
    """Samoa went from 29 to 31 December 2011."""
    events = [("a", dt.datetime(2011, 12, 30, 9, 59, 59)), ("a", dt.datetime(2011, 12, 30, 10)), ("b", dt.datetime(2011, 12, 31, 10))]
    data = opened({"zone": "Pacific/Apia", "week_start": "sunday", "events": events, "as_of": dt.date(2012, 1, 8)})
    assert counts(find("engagement.active_people")(data, grain="day"), ["period"], ["value"]) == {
        (dt.date(2011, 12, 29),): (1,), (dt.date(2011, 12, 31),): (1,), (dt.date(2012, 1, 1),): (1,)}
    assert counts(find("retention.day_n")(data, day=2, grain="month"), ["period"], ["numerator", "denominator"]) == {
        (dt.date(2011, 12, 1),): (1, 1), (dt.date(2012, 1, 1),): (0, 1)}
