"""Visitors, signups and what they cost, against the tiny company and plain Python."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import plain
import pytest
from conftest import shared

from plgkit.errors import MissingSetting, MissingTable, UnknownSegment
from plgkit.metrics import acquisition
from plgkit.playbook import Playbook
from plgkit.sources.connect import connect
from plgkit.stats import intervals


@pytest.fixture(scope="module")
def tables():
    return plain.frames()


@pytest.fixture(scope="module")
def data():
    return plain.usual()


def by_period(frame: pd.DataFrame, *columns: str) -> dict:
    rows = frame[frame[list(columns)].any(axis=1)]
    return {row.period.date(): tuple(getattr(row, name) for name in columns) for row in rows.itertuples()}


@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter"])
def test_signups_agree_with_counting_by_hand(data, tables, grain):
    users = plain.known(tables, "users", "signed_up_at")
    expected = Counter(plain.period(day, grain) for day in users["day"])
    assert by_period(acquisition.signups(data, grain=grain), "value") == {key: (n,) for key, n in expected.items()}


def test_a_period_without_signups_is_there_and_an_unfinished_one_is_marked(tiny):
    weeks = acquisition.signups(tiny)
    assert weeks["value"].tolist() == [4, 0, 0, 0, 0, 0, 0, 0]
    assert weeks["complete"].tolist() == [True] * 7 + [False]
    assert acquisition.signups(tiny, grain="month")["complete"].all()


def test_growth_is_a_change_over_the_period_before():
    users = pd.DataFrame({"user_id": list("abcdefghi"), "signed_up_at": pd.to_datetime(
        ["2025-01-01"] * 2 + ["2025-02-01"] * 3 + ["2025-03-01"] * 3 + ["2025-04-01"])})
    found = acquisition.signup_growth(connect({"users": users}, as_of="2025-04-15"), grain="month")
    assert found[["numerator", "denominator", "immature"]].to_numpy().tolist() == [[1, 2, 0], [0, 3, 0], [0, 0, 1]]
    assert found["value"].tolist()[:2] == [0.5, 0.0]
    low, high = intervals.wilson(3, 5)
    assert found[["low", "high"]].iloc[0].tolist() == pytest.approx([low / (1 - low) - 1, high / (1 - high) - 1])


def resolved(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Visits with the person behind the browser, found by going through the rows one by one."""
    visits = plain.known(tables, "visits", "visited_at").sort_values(["visitor_id", "visited_at"])
    owner: dict[str, str] = {}
    for row in visits.dropna(subset=["user_id"]).itertuples():
        owner.setdefault(row.visitor_id, row.user_id)
    return visits.assign(who=[owner.get(each, each) for each in visits["visitor_id"]])


@pytest.mark.parametrize("grain", ["day", "week", "month"])
def test_two_browsers_of_one_person_are_one_visitor(data, tables, grain):
    visits = resolved(tables)
    expected = visits.assign(period=[plain.period(day, grain) for day in visits["day"]]).groupby("period")["who"].nunique()
    assert by_period(acquisition.visitors(data, grain=grain), "value") == {key: (n,) for key, n in expected.items()}
    assert visits["who"].nunique() < visits["visitor_id"].nunique()


def test_visitors_who_sign_up_agree_with_following_each_of_them(data, tables):
    signed = plain.known(tables, "users", "signed_up_at").set_index("user_id")["signed_up_at"]
    days, expected = pd.Timedelta(days=9), {}
    for who, visits in resolved(tables).groupby("who"):
        first = visits["visited_at"].min()
        if who in signed.index and signed[who] < first:
            continue
        hit, old = who in signed.index and signed[who] <= first + days, first + days < plain.end()
        cell = expected.setdefault(plain.period(plain.day(first), "week"), [0, 0, 0])
        cell[0] += old and hit
        cell[1] += old
        cell[2] += not old
    found = acquisition.visitor_to_signup(data)
    assert by_period(found, "numerator", "denominator", "immature") == {key: tuple(n) for key, n in expected.items()}
    assert found["immature"].sum() > 0


def test_the_last_instant_of_the_window_counts_and_whoever_signed_up_before_is_no_visitor():
    users = pd.DataFrame({"user_id": ["ann", "bob", "old"], "signed_up_at": pd.to_datetime(
        ["2025-01-31 09:00", "2025-01-31 09:00:00.000001", "2024-12-01"], format="ISO8601")})
    visits = pd.DataFrame({"visitor_id": ["v1", "v2", "v3"], "user_id": ["ann", "bob", "old"],
                           "visited_at": pd.to_datetime(["2025-01-01 09:00"] * 3)})
    found = acquisition.visitor_to_signup(connect({"users": users, "visits": visits}, as_of="2025-03-01"), grain="month")
    assert found[["numerator", "denominator"]].iloc[0].tolist() == [1, 2]


def test_strangers_and_channels_add_up_to_all_visitors(data):
    whole = acquisition.visitor_to_signup(data)[["period", "numerator", "denominator", "immature"]]
    parts = acquisition.visitor_to_signup(data, by="channel").groupby("period").sum(numeric_only=True)
    assert parts[["numerator", "denominator", "immature"]].to_numpy().tolist() == whole.iloc[:, 1:].to_numpy().tolist()


def test_time_to_signup_counts_those_who_never_sign_up(tiny):
    found = acquisition.time_to_signup(tiny, by="channel").set_index("channel")
    # Organic: ann after 13 hours, dan after a minute, v5 never. Paid: cho after an hour, v3 never.
    assert found["n"].to_dict() == {"organic": 3, "paid_search": 2}
    assert found.loc["organic", "value"] == 13 * 3600
    assert found.loc["organic", "median_among"] == (13 * 3600 + 60) / 2
    assert found.loc["paid_search", "value"] == 3600


def test_organic_is_every_channel_that_is_not_paid_and_none_at_all(data, tables):
    users = plain.known(tables, "users", "signed_up_at")
    found = acquisition.organic_share(data)
    assert found["numerator"].sum() == (users["channel"] != "ads").sum()
    assert found["denominator"].sum() == len(users)


def test_organic_share_asks_for_the_paid_channels():
    with pytest.raises(MissingSetting) as caught:
        acquisition.organic_share(plain.company(channels={}))
    assert str(caught.value) == (
        "This needs [channels] paid in the playbook (channels that cost money). "
        'Set it in playbook.toml, for example: [channels] paid = ["ads", "affiliate"]')


def test_cost_per_signup_agrees_with_dividing_by_hand(data, tables):
    users, spend = plain.known(tables, "users", "signed_up_at"), tables["spend"]
    found = acquisition.cost_per_signup(data).query("channel == 'ads'").set_index("period")
    for month in ("2025-02-01", "2025-03-01"):
        start, after = pd.Timestamp(month).date(), plain.following(pd.Timestamp(month).date(), "month")
        spent = spend.loc[(spend["day"].dt.date >= start) & (spend["day"].dt.date < after), "amount"].sum()
        came = ((users["channel"] == "ads") & (users["day"] >= start) & (users["day"] < after)).sum()
        assert found.loc[month, ["spend", "signups", "value"]].tolist() == pytest.approx([spent, came, spent / came])
        assert found.loc[month, "low"] < spent / came < found.loc[month, "high"]
    blended = acquisition.cost_per_signup(data, by=None)
    assert blended["signups"].sum() == len(users)
    assert blended["spend"].sum() == pytest.approx(spend["amount"].sum())


def test_cost_can_only_be_cut_by_channel(tiny):
    with pytest.raises(UnknownSegment) as caught:
        acquisition.cost_per_signup(tiny, by="country")
    assert str(caught.value) == "No column 'country' to cut by. It has: channel."


def test_visits_that_are_not_there_are_named():
    data = connect({"events": plain.frames()["events"]}, playbook=Playbook())
    with pytest.raises(MissingTable) as caught:
        acquisition.visitors(data)
    assert str(caught.value) == (
        "This needs the table 'visits' (one row per visit by someone not signed in), which these data do not have. "
        "They have: users, events. Name its file under [tables.visits] in playbook.toml.")


@pytest.mark.parametrize(("folder", "file", "time", "zone", "start"), [
    ("rete_ecom", "ecom.csv.gz", "timestamp", "UTC", "monday"),
    ("oss_commits", "commits.csv", "ts", "America/New_York", "sunday")])
def test_signups_of_real_data_agree_with_pandas(folder, file, time, zone, start):
    rows = pd.read_csv(shared("data", folder, file))
    rows = rows[rows["actor"] != "bot"] if "actor" in rows else rows
    first = pd.to_datetime(rows[time], utc=True).groupby(rows["user_id"]).min()
    days = first.dt.tz_convert(zone).dt.date
    data = connect(shared("data", folder), playbook=plain.playbook(folder))
    expected = Counter(plain.period(day, "week", start) for day in days if day <= data.as_of)
    assert by_period(acquisition.signups(data), "value") == {key: (n,) for key, n in expected.items()}
