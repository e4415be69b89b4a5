"""Active people, habits, features and sessions, against the tiny company and plain Python."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import plain
import pytest
from conftest import shared

from plgkit.errors import BadParameter, MissingSetting
from plgkit.metrics import engagement
from plgkit.sources.connect import connect

DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def events():
    return plain.known(plain.frames(), "events", "occurred_at")


@pytest.fixture(scope="module")
def active(events):
    return plain.active_days(events)


@pytest.fixture(scope="module")
def data():
    return plain.usual()


def in_window(active: dict[str, set[dt.date]], last: dt.date, days: int) -> dict[str, int]:
    """On how many of the days that end with `last` each person was active."""
    first = last - (days - 1) * DAY
    counts = {user: sum(first <= each <= last for each in dates) for user, dates in active.items()}
    return {user: n for user, n in counts.items() if n}


@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter"])
def test_active_people_agree_with_sets_of_people(data, active, grain):
    found = engagement.active_people(data, grain=grain)
    for row in found.itertuples():
        start, after = row.period.date(), plain.following(row.period.date(), grain)
        assert row.value == sum(any(start <= each < after for each in days) for days in active.values())
        assert row.complete == (after - DAY <= data.as_of)
    first = min(min(days) for days in active.values())
    assert found["period"].iloc[0].date() == plain.period(first, grain)


@pytest.mark.parametrize("days", [1, 7, 28])
def test_trailing_people_agree_with_sets_of_people(data, active, days):
    found = engagement.active_people(data, trailing_days=days, grain="day")
    assert found["period"].iloc[-1].date() == data.as_of
    assert found["value"].tolist() == [len(in_window(active, each.date(), days)) for each in found["period"]]
    assert found["complete"].tolist() == [False] * (days - 1) + [True] * (len(found) - days + 1)
    if days == 1:
        assert found["value"].tolist() == engagement.active_people(data, grain="day")["value"].tolist()


def test_trailing_segments_add_up_and_end_with_the_period(data):
    whole = engagement.active_people(data, trailing_days=28, grain="month")
    assert whole["period"].dt.strftime("%F").tolist() == ["2025-01-31", "2025-02-28", "2025-03-31"]
    parts = engagement.active_people(data, trailing_days=28, grain="month", by="channel")
    assert parts.groupby("period")["value"].sum().tolist() == whole["value"].tolist()


@pytest.mark.parametrize("by", [None, "channel"])
def test_stickiness_is_mean_daily_over_monthly_people(data, active, by):
    channel = plain.frames()["users"].set_index("user_id")["channel"].fillna("(none)")
    found = engagement.stickiness(data, by=by)
    assert len(found)
    for row in found.itertuples():
        mine = active if by is None else {user: days for user, days in active.items() if channel[user] == row.channel}
        counts = in_window(mine, row.period.date(), 28)
        daily = [sum(row.period.date() - back * DAY in days for days in mine.values()) for back in range(28)]
        assert row.numerator == pytest.approx(np.mean(daily))
        assert row.denominator == len(counts)
        assert row.value == pytest.approx(np.mean(daily) / len(counts))
        assert row.low <= row.value <= row.high


def test_stickiness_needs_all_its_days(data, active):
    found = engagement.stickiness(data, grain="day")
    first = min(min(days) for days in active.values())
    assert found["period"].iloc[0].date() == first + 27 * DAY
    assert found["period"].iloc[-1].date() == data.as_of
    assert engagement.stickiness(data, trailing_days=365).empty


def test_the_interval_of_stickiness_is_that_of_a_mean_over_people(data):
    found = engagement.stickiness(data, grain="day").iloc[-1]
    people = engagement.active_days(data)
    shares = np.repeat(people["days"] / 28, people["people"])
    half = 1.96 * shares.std(ddof=0) / np.sqrt(len(shares))
    assert (found["low"], found["high"]) == pytest.approx((found["value"] - half, found["value"] + half), abs=0.15 * half)


def test_people_of_exactly_and_of_at_least_so_many_days(data, active):
    counts = pd.Series(in_window(active, data.as_of, 28))
    found = engagement.active_days(data)
    assert found["days"].tolist() == list(range(1, 29))
    assert found["people"].tolist() == [(counts == days).sum() for days in range(1, 29)]
    assert found["at_least"].tolist() == [(counts >= days).sum() for days in range(1, 29)]
    assert found["value"].sum() == pytest.approx(1)
    parts = engagement.active_days(data, by="channel")
    assert parts.groupby("days")["at_least"].sum().tolist() == found["at_least"].tolist()


@pytest.mark.parametrize("grain", [None, "month"])
def test_feature_adoption_counts_only_people_who_are_active(data, events, active, grain):
    found = engagement.feature_adoption(data, grain=grain)
    for row in found.itertuples():
        first = data.as_of - 27 * DAY if grain is None else row.period.date()
        last = data.as_of if grain is None else plain.following(first, grain) - DAY
        there = {user for user, days in active.items() if any(first <= each <= last for each in days)}
        used = events[(events["event"] == row.feature) & events["day"].between(first, last) & events["user_id"].isin(there)]
        assert (row.numerator, row.denominator) == (used["user_id"].nunique(), len(there))
        assert row.times_per_person == pytest.approx(len(used) / used["user_id"].nunique())


@pytest.mark.parametrize("grain", ["week", "month"])
def test_feature_breadth_is_a_mean_over_active_people(data, events, active, grain):
    found = engagement.feature_breadth(data, grain=grain)
    used = events[events["event"].isin(["filled", "shared", "mailed"])]
    for row in found.itertuples():
        first, after = row.period.date(), plain.following(row.period.date(), grain)
        there = {user for user, days in active.items() if any(first <= each < after for each in days)}
        mine = used[(used["day"] >= first) & (used["day"] < after) & used["user_id"].isin(there)]
        expected = [len(mine[["user_id", "event"]].drop_duplicates()), len(there), 0]
        expected = expected if after <= data.as_of + DAY else [0, 0, len(there)]
        assert [row.numerator, row.denominator, row.immature] == expected


def sessions(events: pd.DataFrame, gap: pd.Timedelta) -> pd.DataFrame:
    """The first events of sessions, found by going through each person's events."""
    starts, seen, last = [], set(), {}
    for row in events.sort_values("occurred_at").itertuples():
        if pd.notna(row.session_id):
            begins = (row.user_id, row.session_id) not in seen
            seen.add((row.user_id, row.session_id))
        else:
            begins = row.user_id not in last or row.occurred_at - last[row.user_id] > gap
            last[row.user_id] = row.occurred_at
        if begins:
            starts.append(row)
    return pd.DataFrame(starts)


@pytest.mark.parametrize("minutes", [30, 60, 180])
def test_sessions_go_by_their_id_and_else_by_pauses(data, events, active, minutes):
    starts = sessions(events[events["event"] != "mailed"], pd.Timedelta(minutes=minutes))
    weeks = starts["day"].map(lambda day: plain.period(day, "week")).value_counts()
    found = engagement.session_frequency(data, gap_minutes=minutes)
    for row in found[:-1].itertuples():
        first, after = row.period.date(), plain.following(row.period.date(), "week")
        there = sum(any(first <= each < after for each in days) for days in active.values())
        assert (row.numerator, row.denominator) == (weeks.get(first, 0), there)
    assert found["immature"].iloc[-1] > 0


def test_a_pause_as_long_as_the_gap_does_not_end_a_session():
    events = pd.DataFrame({"user_id": "ann", "event": "opened", "occurred_at": pd.to_datetime(
        ["2025-01-06 09:00", "2025-01-06 09:30", "2025-01-06 10:00:01", "2025-01-06 10:30:01"], format="ISO8601")})
    data = connect({"events": events}, as_of="2025-01-12")
    assert engagement.session_frequency(data)["value"].tolist() == [2.0]


def test_features_must_be_named():
    with pytest.raises(MissingSetting) as caught:
        engagement.feature_breadth(plain.company(features={}))
    assert str(caught.value) == (
        "This needs [features] core in the playbook (one event per core feature). "
        'Set it in playbook.toml, for example: [features] core = ["report_created", "alert_set"]')


def test_a_window_of_no_days_is_refused(tiny):
    with pytest.raises(BadParameter) as caught:
        engagement.active_people(tiny, trailing_days=0)
    assert str(caught.value) == "trailing_days is 0; expected a whole number of days, 1 or more."


@pytest.mark.parametrize(("folder", "file", "time", "zone", "start"), [
    ("rete_ecom", "ecom.csv.gz", "timestamp", "UTC", "monday"),
    ("oss_commits", "commits.csv", "ts", "America/New_York", "sunday")])
def test_active_people_of_real_data_agree_with_pandas(folder, file, time, zone, start):
    rows = pd.read_csv(shared("data", folder, file))
    rows = rows[rows["actor"] != "bot"] if "actor" in rows else rows
    rows = rows[~rows["event"].isin(["error_page", "payment_error", "checkout_bug"])]
    days = pd.to_datetime(rows[time], utc=True).dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    data = connect(shared("data", folder), playbook=plain.playbook(folder))
    people = pd.DataFrame({"user_id": rows["user_id"], "day": days}).drop_duplicates()
    people = people[people["day"] <= pd.Timestamp(data.as_of)]
    for grain, cut in {"day": "D", "week": "W-SUN" if start == "monday" else "W-SAT", "month": "M"}.items():
        expected = people.groupby(people["day"].dt.to_period(cut).dt.start_time)["user_id"].nunique()
        found = engagement.active_people(data, grain=grain).set_index("period")["value"]
        assert found[found > 0].to_dict() == expected.to_dict()
    trailing = engagement.active_people(data, trailing_days=28, grain="month").set_index("period")["value"]
    for last in trailing.index[-12:]:
        window = people["day"].between(last - pd.Timedelta(days=27), last)
        assert trailing[last] == people.loc[window, "user_id"].nunique()


def test_sessions_of_a_real_shop_are_those_it_gives():
    rows = pd.read_csv(shared("data", "rete_ecom", "ecom.csv.gz"), parse_dates=["timestamp"])
    rows = rows[~rows["event"].isin(["error_page", "payment_error", "checkout_bug"])]
    data = connect(shared("data", "rete_ecom"), playbook=plain.playbook("rete_ecom"))
    starts = rows[rows["timestamp"] < pd.Timestamp(data.end)].groupby("session_id")["timestamp"].min()
    expected = starts.dt.to_period("W-SUN").dt.start_time.value_counts()
    found = engagement.session_frequency(data).set_index("period")
    found = found[found["immature"] == 0]["numerator"]
    assert found.to_dict() == expected.reindex(found.index).to_dict()
