"""Days, weeks and months are cut in the product's zone, right through both changes of the clock."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import ibis
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plgkit.playbook import Playbook
from plgkit.sources import engine
from plgkit.sources.connect import connect

ZONES = ["UTC", "America/New_York", "Europe/Vienna", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo",
         "Pacific/Apia", "Africa/Casablanca"]
moments = st.datetimes(dt.datetime(2010, 1, 1), dt.datetime(2027, 12, 31))


@settings(max_examples=40, deadline=None)
@given(st.lists(moments, min_size=1, max_size=20), st.sampled_from(ZONES))
def test_the_local_time_is_what_the_zone_database_says(times, zone):
    rows = ibis.memtable(pd.DataFrame({"at": pd.to_datetime(times).astype("datetime64[us]")}))
    found = engine.run(rows.mutate(local=engine.local(
        rows.at, zone, first=min(times).date(), last=max(times).date())))
    place = zoneinfo.ZoneInfo(zone)
    expected = [at.to_pydatetime().replace(tzinfo=dt.UTC).astimezone(place).replace(tzinfo=None) for at in found["at"]]
    assert [each.to_pydatetime() for each in found["local"]] == expected


@settings(max_examples=60, deadline=None)
@given(st.dates(dt.date(2000, 1, 1), dt.date(2040, 1, 1)), st.sampled_from(engine.GRAINS), st.sampled_from(["monday", "sunday"]))
def test_a_period_begins_no_later_than_its_day_and_ends_after_it(day, grain, start):
    first = engine.period_of(day, grain, start)
    assert first <= day < engine.next_period(first, grain)
    assert engine.period_of(first, grain, start) == first
    if grain == "week":
        assert first.strftime("%A").lower() == start


@pytest.mark.parametrize("start", ["monday", "sunday"])
@pytest.mark.parametrize("grain", engine.GRAINS)
def test_the_engine_and_python_cut_alike(grain, start):
    days = pd.DataFrame({"day": pd.date_range("2023-12-20", "2025-03-01", freq="D").date})
    rows = ibis.memtable(days, schema={"day": "date"})
    found = engine.run(rows.mutate(start=engine.period(rows.day, grain, start)))
    assert [each.date() for each in found["start"]] == [
        engine.period_of(day.date(), grain, start) for day in found["day"]]


@pytest.mark.parametrize(("moment", "day"), [
    ("2025-03-09 04:59:59", "2025-03-08"), ("2025-03-09 05:00:00", "2025-03-09"),
    ("2025-03-10 03:59:59", "2025-03-09"), ("2025-03-10 04:00:00", "2025-03-10"),
    ("2025-11-02 03:59:59", "2025-11-01"), ("2025-11-02 04:00:00", "2025-11-02"),
    ("2025-11-03 04:59:59", "2025-11-02"), ("2025-11-03 05:00:00", "2025-11-03"),
])
def test_a_day_of_23_or_25_hours_is_one_day(moment, day):
    events = pd.DataFrame({"user_id": ["a", "b"], "event": "x", "occurred_at": pd.to_datetime([moment, "2025-12-01 00:00:00"])})
    data = connect({"events": events}, playbook=Playbook(product={"time_zone": "America/New_York"}), as_of="2025-12-31")
    assert str(data.run(data.events.order_by("user_id")).day[0].date()) == day


def test_as_of_ends_where_the_product_s_day_ends():
    events = pd.DataFrame({"user_id": ["a"], "event": "x", "occurred_at": pd.to_datetime(["2025-03-08"])})
    data = connect({"events": events}, playbook=Playbook(product={"time_zone": "America/New_York"}), as_of="2025-03-09")
    assert data.end == dt.datetime(2025, 3, 10, 4)
