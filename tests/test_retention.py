"""Cohorts, churn and growth accounting, against the tiny company, plain Python and real data."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import plain
import pytest
from conftest import shared
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plgkit.errors import AlwaysBack, BadParameter, BrokenIdentity
from plgkit.metrics import retention
from plgkit.metrics.retention.growth import assert_identity
from plgkit.playbook import Playbook
from plgkit.sources.connect import connect

DAY = dt.timedelta(days=1)
BLOCK = {"day": 1, "week": 7, "month": 30}


@pytest.fixture(scope="module")
def tables():
    return plain.frames()


@pytest.fixture(scope="module")
def data():
    return plain.usual()


@pytest.fixture(scope="module")
def active(tables):
    return plain.active_days(plain.known(tables, "events", "occurred_at"))


def steps(first: dt.date, last: dt.date, unit: str) -> int:
    """How many periods lie between two."""
    number = 0
    while first < last:
        first, number = plain.following(first, unit), number + 1
    return number if first == last else -1


def starts(tables: dict, start: str | None) -> dict[str, pd.Timestamp]:
    """When each person's retention begins."""
    if start is None:
        return plain.known(tables, "users", "signed_up_at").set_index("user_id")["signed_up_at"].to_dict()
    events = plain.known(tables, "events", "occurred_at")
    return events[events["event"] == start].groupby("user_id")["occurred_at"].min().to_dict()


def ages(tables: dict, start: str | None, back: str | None, unit: str, clock: str) -> dict[str, list[int]]:
    """At which ages each person did something to be back, once per event."""
    events, begun = plain.known(tables, "events", "occurred_at"), starts(tables, start)
    events = events[events["event"] == back] if back else events[events["event"] != "mailed"]
    found: dict[str, list[int]] = {user: [] for user in begun}
    for row in events.itertuples():
        if row.user_id not in begun:
            continue
        since = begun[row.user_id]
        if clock == "rolling":
            age = (row.occurred_at - since) // pd.Timedelta(days=BLOCK[unit])
        else:
            age = steps(plain.period(plain.day(since), unit), plain.period(row.day, unit), unit)
            age = -1 if back and row.occurred_at < since else age
        if age >= 0:
            found[row.user_id].append(age)
    return found


def over(cohort: dt.date, age: int, unit: str, clock: str) -> bool:
    """Whether an age is over for everybody in a cohort."""
    after = plain.following(cohort, unit)
    if clock == "rolling":
        midnight = plain.end(str(after - DAY))
        return midnight + (age + 1) * pd.Timedelta(days=BLOCK[unit]) <= plain.end()
    for _ in range(age):
        after = plain.following(after, unit)
    return after <= dt.date.fromisoformat(plain.AS_OF) + DAY


@pytest.mark.parametrize(("start", "back"), [(None, None), (None, "shared"), ("mailed", None), ("opened", "shared")])
@pytest.mark.parametrize(("unit", "clock", "min_events"), [
    ("day", "calendar", 1), ("week", "calendar", 1), ("month", "calendar", 2), ("day", "rolling", 1), ("week", "rolling", 2),
    ("month", "rolling", 1)])
@pytest.mark.parametrize("rule", ["on", "on_or_after"])
def test_cohorts_agree_with_following_each_person(data, tables, start, back, unit, clock, min_events, rule):
    horizon = None if rule == "on" else {"day": 20, "week": 5, "month": 2}[unit]
    begun, seen = starts(tables, start), ages(tables, start, back, unit, clock)
    cohort = {user: plain.period(plain.day(since), unit) for user, since in begun.items()}
    found = retention.cohorts(data, start=start, back=back, rule=rule, unit=unit, clock=clock, min_events=min_events,
                              horizon=horizon)
    sizes = pd.Series(cohort).value_counts()
    for row in found.itertuples():
        first = row.cohort.date()
        mine = [each for user, each in seen.items() if cohort[user] == first]
        if rule == "on":
            hits = [sum(age == row.age for age in each) for each in mine]
        else:
            hits = [sum(row.age <= age <= horizon for age in each) for each in mine]
        assert row.denominator == sizes[first]
        assert row.numerator == sum(n >= min_events for n in hits)
        assert row.mature == over(first, row.age if rule == "on" else horizon, unit, clock)
    assert set(found["cohort"].dt.date) == set(sizes.index)
    # The youngest cohort is as old as its first bracket, which has begun and is not over.
    assert found["age"].min() == 0
    if rule == "on":
        last = found.groupby("cohort").tail(1)
        assert not any(over(row.cohort.date(), row.age + 1, unit, clock) for row in last.itertuples())


def two_cohorts(sizes: tuple[int, int], back: tuple[int, int]):
    """Two weekly cohorts, of which so many come back in the week after."""
    rows = []
    for week, (size, n) in enumerate(zip(sizes, back, strict=True)):
        start = pd.Timestamp("2025-01-06") + pd.Timedelta(days=7 * week)
        rows += [(f"{week}-{person}", start) for person in range(size)]
        rows += [(f"{week}-{person}", start + pd.Timedelta(days=7)) for person in range(n)]
    frame = pd.DataFrame(rows, columns=["user_id", "occurred_at"]).assign(event="opened")
    return connect({"events": frame}, as_of="2025-01-26")


def test_pooled_and_mean_retention_are_told_apart():
    data = two_cohorts((1000, 500), (500, 400))
    pooled = retention.curve(data).iloc[1]
    assert (pooled["value"], pooled["at_risk"], pooled["cohorts"]) == (0.6, 1500, 2)
    assert retention.curve(data, average="mean")["value"][1] == pytest.approx(0.65)


def test_the_curve_holds_mature_cohorts_only(data):
    cells, curve = retention.cohorts(data), retention.curve(data).set_index("x")
    assert not cells["mature"].all()
    for age, rows in cells[cells["mature"]].groupby("age"):
        assert curve.loc[age, "value"] == rows["numerator"].sum() / rows["denominator"].sum()
        assert curve.loc[age, "at_risk"] == rows["denominator"].sum()
    assert set(curve.index) == set(cells[cells["mature"]]["age"])


def test_twenty_hundred_and_six_next_morning_are_one_calendar_day_apart_and_no_rolling_one():
    events = pd.DataFrame({"user_id": "ann", "event": "opened", "occurred_at": pd.to_datetime(
        ["2025-03-09 01:00", "2025-03-09 11:00"])})  # 20:00 and 07:00 next day in New York, over the change of clocks.
    data = connect({"events": events}, as_of="2025-03-12", playbook=Playbook(product={"time_zone": plain.ZONE}))
    assert retention.cohorts(data, unit="day")["numerator"].tolist()[:3] == [1, 1, 0]
    assert retention.cohorts(data, unit="day", clock="rolling")["numerator"].tolist()[:3] == [1, 0, 0]
    assert retention.day_n(data, day=1)["numerator"].sum() == 1
    assert retention.day_n(data, day=1, clock="rolling")["numerator"].sum() == 0


def test_on_or_after_never_rises_with_age_and_needs_its_horizon_over(data):
    found = retention.cohorts(data, rule="on_or_after", horizon=4)
    assert (found.groupby("cohort")["numerator"].diff().dropna() <= 0).all()
    assert found.groupby("cohort")["mature"].nunique().max() == 1
    assert found["age"].max() == 4


def test_coming_back_by_the_event_that_starts_is_refused_at_age_0_only(tiny):
    with pytest.raises(AlwaysBack) as caught:
        retention.cohorts(tiny, start="signed_in", back=["signed_in", "limit_hit"])
    assert str(caught.value) == (
        "Everybody who starts with 'signed_in' has done 'signed_in' at age 0, so that retention there is always 100 %. "
        "Ask from first_age=1 on, or name another event to come back by.")
    found = retention.cohorts(tiny, start="signed_in", back="signed_in", first_age=1)
    assert found["age"].min() == 1
    # Dan signs in on 10 January, Bob on the 20th, Ann and Cho on 3 February; only Ann does so again, on the 28th.
    assert found[found["numerator"] > 0][["cohort", "age", "denominator"]].to_numpy().tolist() == [
        [pd.Timestamp("2025-02-03"), 3, 2]]


@pytest.mark.parametrize(("parameter", "value", "expected"), [
    ("rule", "after", "one of on, on_or_after, bracket"), ("unit", "year", "one of hour, day, week, month"),
    ("clock", "wall", "one of calendar, rolling"), ("average", "median", "one of pooled, mean"),
    ("min_events", 0, "a whole number, 1 or more"), ("horizon", -1, "a whole number, 0 or more")])
def test_what_cannot_be_asked_is_said(tiny, parameter, value, expected):
    with pytest.raises(BadParameter) as caught:
        retention.curve(tiny, **{parameter: value})
    assert str(caught.value) == f"{parameter} is {value!r}; expected {expected}."


@pytest.mark.parametrize("clock", ["calendar", "rolling"])
@pytest.mark.parametrize(("first", "last"), [(1, None), (7, None), (7, 13), (30, None)])
def test_day_n_agrees_with_following_each_person(data, tables, clock, first, last):
    events, until, expected = plain.known(tables, "events", "occurred_at"), last or first, {}
    events = events[events["event"] != "mailed"]
    for user in plain.known(tables, "users", "signed_up_at").itertuples():
        mine = events[events["user_id"] == user.user_id]
        if clock == "calendar":
            age = mine["day"].map(lambda day, since=user.day: (day - since).days)
            old = user.day + until * DAY <= data.as_of
        else:
            age = (mine["occurred_at"] - user.signed_up_at) // pd.Timedelta(days=1)
            old = user.signed_up_at + pd.Timedelta(days=until + 1) <= plain.end()
        cell = expected.setdefault(plain.period(user.day, "week"), [0, 0, 0])
        cell[0] += old and age.between(first, until).any()
        cell[1] += old
        cell[2] += not old
    found = retention.day_n(data, day=first, until=last, clock=clock)
    found = found[found[["denominator", "immature"]].any(axis=1)]
    counts = found[["numerator", "denominator", "immature"]].to_numpy().tolist()
    assert dict(zip(found["period"].dt.date, counts, strict=True)) == expected


@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter"])
def test_growth_accounting_agrees_with_sets_of_people(data, active, grain):
    expected = plain.growth(active, grain)
    found = retention.growth_accounting(data, grain=grain)
    moves = ["active", "new", "retained", "resurrected", "churned"]
    assert {row.period.date(): {name: getattr(row, name) for name in moves} for row in found.itertuples()
            if row.period.date() in expected} == expected
    churn = retention.user_churn(data, grain=grain)
    over = found["complete"].iloc[1:].to_numpy()
    assert churn["numerator"][over].tolist() == found["churned"].iloc[1:][over].tolist()
    assert churn["denominator"][over].tolist() == found["active_before"].iloc[1:][over].tolist()
    assert churn["immature"][~over].tolist() == found["active_before"].iloc[1:][~over].tolist()


def test_growth_accounting_of_one_event_and_of_segments(data, tables):
    events = plain.known(tables, "events", "occurred_at")
    shared_only = plain.active_days(events[events["event"] == "shared"])
    found = retention.growth_accounting(data, event="shared").set_index("period")
    for start, moves in plain.growth(shared_only, "week").items():
        assert found.loc[pd.Timestamp(start), list(moves)].to_dict() == moves
    whole = retention.growth_accounting(data).set_index("period").iloc[:, :6]
    parts = retention.growth_accounting(data, by="channel").groupby("period").sum(numeric_only=True).iloc[:, :6]
    assert parts.to_numpy().tolist() == whole.to_numpy().tolist()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 120)), min_size=1, max_size=60),
       st.sampled_from(["day", "week", "month"]))
def test_every_period_adds_up_whatever_people_do(done, grain):
    events = pd.DataFrame({"user_id": [f"p{person}" for person, _ in done], "event": "opened",
                           "occurred_at": [pd.Timestamp("2025-01-01") + pd.Timedelta(days=day) for _, day in done]})
    found = retention.growth_accounting(connect({"events": events}, as_of="2025-05-15"), grain=grain)
    assert (found["active"] == found["active_before"] + found["new"] + found["resurrected"] - found["churned"]).all()
    assert (found["active"] == found["new"] + found["retained"] + found["resurrected"]).all()
    assert found["new"].sum() == events["user_id"].nunique()


def test_numbers_that_do_not_add_up_are_not_shown():
    broken = pd.DataFrame({"period": [pd.Timestamp("2025-01-06")], "active": [5], "active_before": [3], "new": [1],
                           "resurrected": [0], "churned": [1]})
    with pytest.raises(BrokenIdentity) as caught:
        assert_identity(broken)
    assert str(caught.value) == (
        "In the period of 06 Jan 2025 the identity active = active before + new + resurrected - churned does not hold: "
        "5 is not 3 + 1 + 0 - 1. The rows behind it contradict each other; please look for people counted twice.")


def test_new_people_are_not_sure_until_the_data_reach_back_four_weeks():
    events = plain.frames()["events"]
    found = retention.growth_accounting(connect({"events": events}, as_of=plain.AS_OF))
    first = events["occurred_at"].min().normalize()
    assert found["settled"].tolist() == (found["period"] >= first + pd.Timedelta(days=28)).tolist()
    words = Playbook(product={"started_on": first.date()})
    assert retention.growth_accounting(connect({"events": events}, as_of=plain.AS_OF, playbook=words))["settled"].all()


def test_the_quick_ratio_is_who_came_over_who_went(data):
    moves, found = retention.growth_accounting(data).iloc[1:-1], retention.quick_ratio(data)[:-1]
    assert found["numerator"].tolist() == (moves["new"] + moves["resurrected"]).tolist()
    assert found["denominator"].tolist() == moves["churned"].tolist()
    some = found[found["denominator"] > 0]
    assert ((some["low"] <= some["value"]) & (some["value"] <= some["high"])).all()


def real(folder: str, file: str, time: str, zone: str):
    """Days on which people of a real product were active, and the data as plgkit opens them."""
    rows = pd.read_csv(shared("data", folder, file))
    rows = rows[rows["actor"] != "bot"] if "actor" in rows else rows
    data = connect(shared("data", folder), playbook=plain.playbook(folder))
    days = pd.to_datetime(rows[time], utc=True).dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    rows = rows.assign(day=days)[days <= pd.Timestamp(data.as_of)]
    return rows, data


REAL = [("rete_ecom", "ecom.csv.gz", "timestamp", "UTC", "W-SUN"),
        ("oss_commits", "commits.csv", "ts", "America/New_York", "W-SAT")]
NOT_PEOPLE = ["error_page", "payment_error", "checkout_bug"]


@pytest.mark.parametrize(("folder", "file", "time", "zone", "week"), REAL)
def test_weekly_cohorts_of_real_data_agree_with_pandas(folder, file, time, zone, week):
    rows, data = real(folder, file, time, zone)
    cohort = rows.groupby("user_id")["day"].min().dt.to_period(week).dt.start_time
    did = rows[~rows["event"].isin(NOT_PEOPLE)]
    seen = pd.DataFrame({"user_id": did["user_id"], "week": did["day"].dt.to_period(week).dt.start_time}).drop_duplicates()
    seen["cohort"] = seen["user_id"].map(cohort)
    seen["age"] = (seen["week"] - seen["cohort"]).dt.days // 7
    expected = seen.groupby(["cohort", "age"]).size()
    found = retention.cohorts(data).set_index(["cohort", "age"])
    numerators = found["numerator"][found["numerator"] > 0]
    assert numerators.to_dict() == expected.to_dict()
    assert found.xs(0, level="age")["denominator"].to_dict() == cohort.value_counts().to_dict()


@pytest.mark.parametrize(("folder", "file", "time", "zone", "week"), REAL)
def test_growth_accounting_of_real_data_agrees_with_sets_of_people(folder, file, time, zone, week):
    rows, data = real(folder, file, time, zone)
    rows = rows[~rows["event"].isin(NOT_PEOPLE)]
    days = {user: {each.date() for each in mine} for user, mine in rows.groupby("user_id")["day"]}
    for grain in ("week", "month"):
        expected = plain.growth(days, grain, "monday" if week == "W-SUN" else "sunday")
        found = retention.growth_accounting(data, grain=grain).set_index("period")
        for start, moves in expected.items():
            assert found.loc[pd.Timestamp(start), list(moves)].to_dict() == moves
