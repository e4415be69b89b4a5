"""Scores, lengths of sessions, usage intervals, accounts and free against paid use, against plain Python."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import plain
import pytest
from conftest import shared

from plgkit.errors import BadParameter
from plgkit.metrics import engagement
from plgkit.playbook import Playbook
from plgkit.sources.connect import connect
from plgkit.stats import clusters, repeating, survival, times

DAY = dt.timedelta(days=1)
CORE = ["filled", "shared", "mailed"]


@pytest.fixture(scope="module")
def events():
    return plain.known(plain.frames(), "events", "occurred_at")


@pytest.fixture(scope="module")
def data():
    return plain.usual()


def scored(events: pd.DataFrame, last: dt.date) -> dict[str, float]:
    """Each person's score by going through what they did in the 28 days that end with `last`."""
    found = {}
    recent = events[(events["day"] > last - 28 * DAY) & (events["day"] <= last)]
    for user, rows in recent.groupby("user_id"):
        days = rows.loc[rows["event"] != "mailed", "day"].nunique()
        used = rows[rows["event"].isin(CORE)]
        if days:
            parts = used["event"].nunique() / 3, min(len(used) / days / 3, 1), min(days / 20, 1)
            found[user] = int(1000 * (0.4 * parts[0] + 0.3 * parts[1] + 0.3 * parts[2]) + 0.5 + 1e-6) / 10
    return found


@pytest.mark.parametrize("grain", ["week", "month"])
def test_the_mean_score_is_that_of_scores_worked_out_one_by_one(data, events, grain):
    found = engagement.score(data, grain=grain)
    assert len(found) > 1
    for row in found.itertuples():
        points = list(scored(events, row.period.date()).values())
        assert (row.denominator, row.value) == (len(points), pytest.approx(np.mean(points)))
        assert row.low < row.value < row.high


def test_the_list_and_the_tens_hold_the_same_people_as_the_mean(data, events):
    points = scored(events, data.as_of)
    people = engagement.scores(data)
    assert dict(zip(people["user_id"], people["score"], strict=True)) == pytest.approx(points)
    assert people["score"].is_monotonic_decreasing
    tens = engagement.score_distribution(data)
    assert tens["people"].tolist() == [sum(ten <= each < ten + 10 for each in points.values()) for ten in range(0, 100, 10)]


def test_everything_used_every_working_day_is_a_hundred_points():
    days = pd.bdate_range("2025-01-06", periods=20)
    rows = [(f"p{person}", event, day + pd.Timedelta(hours=9, minutes=turn)) for day in days for turn in range(3)
            for event in ("a", "b") for person in range(2) if person == 0 or (event == "a" and turn == 0)]
    events = pd.DataFrame(rows, columns=["user_id", "event", "occurred_at"])
    data = connect({"events": events}, as_of="2025-02-02", playbook=Playbook(features={"core": ["a", "b"]}))
    # The second person used one of two features, once of three times, on every day: 0.4 / 2 + 0.3 / 3 + 0.3.
    assert engagement.scores(data)["score"].tolist() == [100.0, 60.0]


@pytest.mark.parametrize("weights", [{"breadth": 1.0, "depth": 0.5, "frequency": 0.3}, {"width": 1.0}, 3])
def test_weights_that_do_not_sum_to_one_are_refused(data, weights):
    with pytest.raises(BadParameter) as caught:
        engagement.score(data, weights=weights)
    assert str(caught.value) == (
        f"weights is {weights!r}; expected breadth, depth and frequency, each 0 or more, that sum to 1, such as "
        "{'breadth': 0.4, 'depth': 0.3, 'frequency': 0.3}.")


def sittings(events: pd.DataFrame, minutes: int) -> pd.DataFrame:
    """Sessions with their first and last event, by going through each person's events."""
    found: dict[tuple, list] = {}
    last: dict[str, tuple] = {}
    for row in events[events["event"] != "mailed"].sort_values("occurred_at").itertuples():
        key = (row.user_id, row.session_id)
        if pd.isna(row.session_id):
            before = last.get(row.user_id)
            again = before is not None and row.occurred_at - before[1] <= pd.Timedelta(minutes=minutes)
            key = before[0] if again else (row.user_id, row.Index)
            last[row.user_id] = (key, row.occurred_at)
        found.setdefault(key, []).append(row.occurred_at)
    rows = [(key[0], min(moments), max(moments)) for key, moments in found.items()]
    return pd.DataFrame(rows, columns=["user_id", "start", "end"])


@pytest.mark.parametrize("minutes", [30, 180])
def test_sessions_last_from_their_first_to_their_last_event(data, events, minutes):
    rows = sittings(events, minutes)
    rows["period"] = [plain.period(plain.day(each), "month") for each in rows["start"]]
    rows["minutes"] = (rows["end"] - rows["start"]).dt.total_seconds() / 60
    found = engagement.session_length(data, gap_minutes=minutes, grain="month")
    assert found["n"].tolist() == rows.groupby("period").size().tolist()
    assert rows["minutes"].max() > 0
    for name, q in {"value": 0.5, "q25": 0.25, "q75": 0.75}.items():
        ranks = rows.groupby("period")["minutes"].apply(lambda each, q=q: np.sort(each)[int(np.ceil(q * len(each))) - 1])
        assert found[name].tolist() == ranks.tolist()
    whole = engagement.sessions(data, gap_minutes=minutes, grain="month")
    assert whole["value"].tolist() == found["n"].tolist()
    parts = engagement.sessions(data, gap_minutes=minutes, grain="month", by="channel")
    assert parts.groupby("period")["value"].sum().tolist() == whole["value"].tolist()


def test_a_session_of_which_all_moments_are_one_lasts_nothing():
    moments = pd.to_datetime(["2025-01-06 09:00"] * 3 + ["2025-01-06 12:00", "2025-01-06 12:00", "2025-01-06 12:29"])
    events = pd.DataFrame({"user_id": "ann", "event": list("abcdef"), "occurred_at": moments})
    data = connect({"events": events}, as_of="2025-01-12")
    found = engagement.session_length(data)
    assert found[["value", "q75", "n"]].iloc[0].tolist() == [0.0, 29.0, 2]


def test_the_interval_of_a_median_follows_people_and_not_their_sessions():
    rng = np.random.default_rng(3)
    levels = rng.lognormal(1, 0.8, 400)
    values = [np.round(rng.lognormal(np.log(level), 0.2, rng.integers(1, 30)), 2) for level in levels]
    middle = np.sort(np.concatenate(values))[(sum(map(len, values)) + 1) // 2 - 1]
    kinds = pd.DataFrame({"below": [(each < middle).sum() for each in values], "at": [(each == middle).sum() for each in values],
                          "n": [len(each) for each in values]})
    counts = pd.Series(np.concatenate(values)).value_counts()
    value, low, high = clusters.median(counts.index, counts, kinds["below"], kinds["at"], kinds["n"], np.ones(400))
    drawn = [np.median(np.concatenate([values[each] for each in rng.integers(0, 400, 400)])) for _draw in range(600)]
    assert value == middle
    assert (low, high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), rel=0.06)
    naive = 1.96 / (2 * np.sqrt(counts.sum()))
    assert high - low > 2 * np.diff(np.quantile(np.concatenate(values), [0.5 - naive, 0.5 + naive]))[0]


def spans(events: pd.DataFrame, as_of: dt.date, days: int) -> list[tuple[int, int]]:
    """For each person with a core event in the window: days to the next such day, or to the end in vain."""
    found = []
    recent = events[events["event"].isin(CORE) & (events["day"] > as_of - days * DAY)]
    for _user, rows in recent.groupby("user_id"):
        seen = sorted(set(rows["day"]))
        found.append(((seen[1] - seen[0]).days, 1) if len(seen) > 1 else ((as_of - seen[0]).days, 0))
    return found


@pytest.mark.parametrize(("trailing", "within"), [(60, 30), (80, 14)])
def test_the_usage_interval_is_read_off_the_curve_of_repeating(data, events, trailing, within):
    waits = pd.DataFrame(spans(events, data.as_of, trailing), columns=["duration", "reached"])
    curve = survival.kaplan_meier(waits["duration"], waits["reached"])
    back = {day: 1 - curve.loc[curve["time"] <= day, "survival"].iloc[-1] for day in range(within + 1)}
    found = engagement.usage_interval(data, within_days=within, trailing_days=trailing).iloc[0]
    assert found["people"] == len(waits)
    assert found["repeated"] == ((waits["reached"] == 1) & (waits["duration"] <= within)).sum()
    assert found["repeating"] == pytest.approx(back[within])
    assert found["value"] == min(day for day in back if back[day] >= 0.8 * back[within] - 1e-9)
    assert found["low"] <= found["value"] <= found["high"]
    assert found["half"] <= found["value"]
    drawn = engagement.usage_interval_curve(data, within_days=within, trailing_days=trailing)
    assert drawn["value"].tolist() == pytest.approx([back[day] / back[within] for day in range(within + 1)])
    assert (drawn["low"] <= drawn["value"] + 1e-9).all()
    assert (drawn["value"] <= drawn["high"] + 1e-9).all()


def test_who_has_been_watched_for_too_short_a_time_is_not_one_who_never_repeats():
    share, _drawn, watched = repeating.curves([2, 1, 5], [1, 0, 0], [10, 90, 10], horizon=5, draws=1)
    # Ninety were watched for a day only. Of the twenty watched for two, ten repeated.
    assert share.tolist() == [0, 0, 0.5, 0.5, 0.5, 0.5]
    assert watched.tolist() == [110, 110, 20, 10, 10, 10]


@pytest.mark.parametrize(("days", "look_by"), [(1, "day"), (7, "week"), (28, "month"), (58, "quarter")])
def test_the_rhythm_says_by_which_period_to_look(days, look_by):
    rows = [(f"p{person}", "paid", pd.Timestamp("2025-01-01") + pd.Timedelta(days=person % 20 + days * turn))
            for person in range(40) for turn in range(200 // days)]
    events = pd.DataFrame(rows, columns=["user_id", "event", "occurred_at"])
    data = connect({"events": events}, as_of="2025-06-20")
    found = engagement.usage_interval(data, event="paid", trailing_days=180)
    assert found[["value", "look_by"]].iloc[0].tolist() == [days, look_by]


@pytest.mark.parametrize("event", [3, ["a", 3], {"a": 1}])
def test_the_core_event_is_a_name_or_a_list_of_names(data, event):
    with pytest.raises(BadParameter) as caught:
        engagement.usage_interval(data, event=event)
    assert str(caught.value) == (
        f"event is {event!r}; expected the name of an event, or a list of names; an empty list is any activity.")


def test_a_window_must_be_longer_than_the_days_in_which_a_repeat_counts(data):
    with pytest.raises(BadParameter) as caught:
        engagement.usage_interval(data, within_days=60, trailing_days=60)
    assert str(caught.value) == "trailing_days is 60; expected more than within_days, 60."


@pytest.fixture(scope="module")
def firm():
    """Six accounts of a few people each, who come at random; some pay, some only for a while."""
    rng = np.random.default_rng(8)
    created = pd.Timestamp("2025-01-01 12:00") + pd.to_timedelta(rng.integers(0, 90, 6), unit="D")
    accounts = pd.DataFrame({"account_id": [f"a{n}" for n in range(6)], "created_at": created})
    owner = rng.integers(0, 6, 40)
    users = pd.DataFrame({"user_id": [f"u{n:02d}" for n in range(40)], "account_id": [f"a{n}" for n in owner],
                          "signed_up_at": created[owner] + pd.to_timedelta(rng.integers(0, 20, 40), unit="D"),
                          "role": rng.choice(["viewer", "editor", "owner"], 40)})
    users.loc[:3, "account_id"] = None
    rows = [(user, rng.choice(["a", "b"]), at + pd.Timedelta(hours=float(hours)))
            for user, at in zip(users["user_id"], users["signed_up_at"], strict=True)
            for hours in np.cumsum(rng.exponential(90, rng.integers(0, 40)))]
    events = pd.DataFrame(rows, columns=["user_id", "event", "occurred_at"])
    money = pd.DataFrame([("a0", "2025-02-01", 50), ("a1", "2025-04-20", 50), ("a2", "2025-01-20", 50), ("a2", "2025-04-22", 0),
                          ("a3", "2025-02-01", 50), ("a3", "2025-03-01", 0)], columns=["account_id", "changed_at", "mrr"])
    money["changed_at"] = pd.to_datetime(money["changed_at"])
    tables = {"events": events, "users": users, "accounts": accounts, "subscriptions": money}
    words = Playbook(features={"core": ["a", "b"]}, roles={"viewer": ["viewer"], "editor": ["editor", "owner"]})
    return tables, connect(tables, as_of="2025-05-10", playbook=words)


def test_people_per_account_are_those_active_in_it(firm):
    tables, data = firm
    joined = tables["events"].merge(tables["users"], on="user_id").dropna(subset="account_id")
    joined = joined[joined["occurred_at"] < data.end]
    month = joined["occurred_at"].dt.to_period("M").dt.start_time
    people = joined.groupby([month, "account_id"])["user_id"].nunique().groupby(level=0)
    found = engagement.people_per_account(data)
    assert found["numerator"].tolist()[:-1] == people.sum().tolist()[:-1]
    assert found["denominator"].tolist()[:-1] == people.size().tolist()[:-1]
    assert found.iloc[-1][["numerator", "denominator", "immature"]].tolist() == [0, 0, people.size().iloc[-1]]


def test_an_account_counts_its_first_days_once_they_are_over(firm):
    tables, data = firm
    accounts = tables["accounts"].set_index("account_id")["created_at"].dt.normalize()
    joined = tables["events"].merge(tables["users"], on="user_id").dropna(subset="account_id")
    since = joined["occurred_at"].dt.normalize() - joined["account_id"].map(accounts)
    first = joined[(since >= pd.Timedelta(0)) & (since < pd.Timedelta(days=7))]
    found = engagement.people_per_account(data, first_days=7, grain="quarter")
    assert found["numerator"].sum() == first.groupby("account_id")["user_id"].nunique().sum()
    assert found["denominator"].sum() == 6
    young = connect(tables, as_of=str(accounts.max().date() + 5 * DAY), playbook=data.playbook)
    late = engagement.people_per_account(young, first_days=7, grain="quarter")
    assert late["immature"].sum() == (accounts > accounts.max() - pd.Timedelta(days=1)).sum()


def test_viewers_and_editors_are_active_people_by_their_role(firm):
    tables, data = firm
    joined = tables["events"][tables["events"]["occurred_at"] < data.end].merge(tables["users"], on="user_id")
    month = joined["occurred_at"].dt.to_period("M").dt.start_time
    seen = joined.groupby([month.rename("month"), "role"])["user_id"].nunique().unstack(fill_value=0)
    found = engagement.viewer_editor_ratio(data)[:-1].set_index("period")
    assert found["numerator"].to_dict() == seen["viewer"][:-1].to_dict()
    assert found["denominator"].to_dict() == (seen["editor"] + seen["owner"])[:-1].to_dict()


def test_an_account_is_paying_by_what_it_paid_at_the_time(firm):
    tables, data = firm
    last, first = pd.Timestamp("2025-05-10"), pd.Timestamp("2025-04-13")
    status = {"a0": "paying", "a1": "changed", "a2": "changed"}
    users = tables["users"].assign(status=tables["users"]["account_id"].map(status).fillna("free"))
    events = tables["events"].assign(day=tables["events"]["occurred_at"].dt.normalize())
    events = events[events["day"].between(first, last)].merge(users, on="user_id")
    found = engagement.free_vs_paid_usage(data).set_index(["measure", "status"])
    for name, people in users[users["signed_up_at"] < data.end].groupby("status"):
        mine = events[events["status"] == name]
        active = mine["user_id"].nunique()
        assert found.loc[("share of people active", name), ["n", "value"]].tolist() == [len(people), pytest.approx(active / len(people))]
        days = mine.drop_duplicates(["user_id", "day"]).groupby("user_id").size()
        assert found.loc[("days active", name), ["n", "value"]].tolist() == [active, pytest.approx(days.mean())]
        used = mine.groupby("user_id")["event"].nunique()
        assert found.loc[("core features used", name), "value"] == pytest.approx(used.mean())
        whole = mine.assign(account_id=mine["account_id"].fillna(mine["user_id"])).groupby("account_id")["user_id"].nunique()
        assert found.loc[("active people per account", name), ["n", "value"]].tolist() == [
            len(whole), pytest.approx(whole.mean())]
    # In February it was free: the last days then hold no payment of a1, whatever it pays now.
    before = engagement.free_vs_paid_usage(connect(tables, as_of="2025-04-10", playbook=data.playbook))
    assert before.query("measure == 'share of people active' and status == 'changed'").empty


def test_a_multiple_of_a_mean_has_the_interval_of_the_ratio():
    rng = np.random.default_rng(1)
    ours, base = rng.poisson(6, 500), rng.poisson(3, 500)
    value, low, high = times.of_means(ours, np.ones(500), base, np.ones(500))
    half = 1.96 * np.sqrt(ours.var() / 500 / ours.mean() ** 2 + base.var() / 500 / base.mean() ** 2)
    assert value == ours.mean() / base.mean()
    assert (low, high) == pytest.approx((value * np.exp(-half), value * np.exp(half)), rel=0.02)


def test_lengths_of_sessions_of_a_real_shop_agree_with_pandas():
    rows = pd.read_csv(shared("data", "rete_ecom", "ecom.csv.gz"), parse_dates=["timestamp"])
    rows = rows[~rows["event"].isin(["error_page", "payment_error", "checkout_bug"])]
    data = connect(shared("data", "rete_ecom"), playbook=plain.playbook("rete_ecom"))
    rows = rows[rows["timestamp"] < pd.Timestamp(data.end)]
    sat = rows.groupby(["user_id", "session_id"])["timestamp"].agg(["min", "max"])
    seconds = (sat["max"] - sat["min"]).dt.total_seconds()
    expected = seconds.groupby(sat["min"].dt.to_period("M").dt.start_time).apply(
        lambda each: np.sort(each)[(len(each) + 1) // 2 - 1] / 60)
    found = engagement.session_length(data, grain="month").set_index("period")["value"]
    assert found.to_dict() == expected.to_dict()
