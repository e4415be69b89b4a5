"""Activation and onboarding, against the tiny company and plain Python."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plain
import pytest
from conftest import shared

from plgkit.errors import BadParameter, MissingSetting, UnknownEvent
from plgkit.metrics import activation
from plgkit.metrics.funnels import funnel, instead, reached
from plgkit.metrics.funnels import step as step_of
from plgkit.playbook import Playbook
from plgkit.sources.connect import connect
from plgkit.stats import survival

MINUTE = pd.Timedelta(minutes=1)


@pytest.fixture(scope="module")
def tables():
    return plain.frames()


@pytest.fixture(scope="module")
def data():
    return plain.usual()


def company(events: list[tuple[str, str, str]], *, as_of: str = "2025-03-31", users: pd.DataFrame | None = None):
    """People who do things at minutes of one morning, or at times."""
    rows = pd.DataFrame(events, columns=["user_id", "event", "occurred_at"])
    rows["occurred_at"] = pd.to_datetime(rows["occurred_at"], format="ISO8601")
    tables = {"events": rows.assign(event_id=[f"e{number}" for number in range(len(rows))])}
    return connect(tables | ({} if users is None else {"users": users}), as_of=as_of)


def test_more_days_never_lower_the_rate(tiny):
    assert [activation.rate(tiny, within_days=days)["value"][0] for days in (1, 7, 40)] == [0.25, 0.5, 0.75]


def test_a_misspelt_event_is_named_with_the_nearest_one(tiny):
    with pytest.raises(UnknownEvent) as caught:
        activation.rate(tiny, event="report_create")
    assert str(caught.value) == "No event 'report_create' in table 'events'. Did you mean 'report_created'?"


def test_what_was_done_before_signing_up_does_not_keep_a_person_from_activating():
    users = pd.DataFrame({"user_id": ["ann", "bob"], "signed_up_at": pd.to_datetime(["2025-01-06"] * 2)})
    data = company([("ann", "shared", "2025-01-05"), ("ann", "shared", "2025-01-08"), ("bob", "shared", "2025-01-05")],
                   users=users)
    assert activation.rate(data, event="shared", within_days=7)["numerator"].sum() == 1
    found = activation.time_to_value(data, event="shared")
    assert (found["n"][0], found["events"][0], found["median_among"][0]) == (2, 1, 48.0)


@pytest.mark.parametrize("grain", ["day", "week", "month"])
@pytest.mark.parametrize("within_days", [1, 7])
def test_the_rate_agrees_with_following_each_person(data, tables, grain, within_days):
    events, window, expected = plain.known(tables, "events", "occurred_at"), pd.Timedelta(days=within_days), {}
    for user in plain.known(tables, "users", "signed_up_at").itertuples():
        done = events[(events["user_id"] == user.user_id) & (events["event"] == "shared")]["occurred_at"]
        hit = done.between(user.signed_up_at, user.signed_up_at + window).any()
        old = user.signed_up_at + window < plain.end()
        cell = expected.setdefault(plain.period(user.day, grain), [0, 0, 0])
        cell[0] += old and hit
        cell[1] += old
        cell[2] += not old
    found = activation.rate(data, within_days=within_days, grain=grain)
    found = found[found[["denominator", "immature"]].any(axis=1)]
    counts = found[["numerator", "denominator", "immature"]].to_numpy().tolist()
    assert dict(zip(found["period"].dt.date, counts, strict=True)) == expected
    if within_days == 1:
        pd.testing.assert_frame_equal(activation.day1_rate(data, grain=grain), activation.rate(
            data, within_days=1, grain=grain))


def test_a_rule_is_met_when_the_last_of_its_conditions_is():
    events = [("ann", "made", "2025-01-01"), ("ann", "made", "2025-01-03"), ("ann", "sent", "2025-01-02"),
              ("bob", "made", "2025-01-01"), ("bob", "sent", "2025-01-02")]
    rule = Playbook(activation={"rule": [{"event": "made", "at_least": 2}, {"event": ["sent", "made"]}]}).activation.rule
    found = activation.time_to_value(company(events), event=rule)
    assert (found["n"][0], found["events"][0], found["median_among"][0]) == (2, 1, 48.0)


def test_a_condition_may_ask_for_properties():
    rows = pd.DataFrame([
        ("ann", "made", 1, '{"kind": "chart", "rows": 3}'), ("ann", "made", 2, '{"kind": "table", "rows": 20}'),
        ("bob", "made", 1, '{"kind": "chart", "rows": 12}'), ("bob", "made", 2, None), ("cho", "sent", 3, '{"kind": "chart"}'),
    ], columns=["user_id", "event", "day", "properties"])
    rows = rows.assign(occurred_at=pd.Timestamp("2025-01-01") + rows.pop("day") * pd.Timedelta(days=1))
    data = connect({"events": rows}, as_of="2025-03-31")

    def reached(event):
        return activation.rate(data, event=event, within_days=7)["numerator"].sum()

    assert reached({"event": "made", "where": {"rows": {">=": 12}}}) == 2
    assert reached(step_of("made", where={"kind": "table"})) == 1
    assert reached([{"event": ["made", "sent"], "where": {"kind": "chart"}}]) == 3
    assert reached([{"event": "made", "at_least": 2}, {"event": "made", "where": {"rows": {">": 10}}}]) == 2
    words = Playbook(activation={"rule": [{"event": "made", "where": {"kind": ["table", "map"]}}]}).activation.rule
    assert reached(words) == 1
    said = activation.rate.define(data, event=words, within_days=7).text
    assert said.startswith("Share of sign-ups who reach activation (made (kind = table, map)) within 7 days of signing up.")
    with pytest.raises(BadParameter) as caught:
        reached([{"event": "made", "at_least": 0}])
    assert str(caught.value) == "at_least is 0; expected a whole number, 1 or more."


def test_time_to_value_agrees_with_kaplan_and_meier_person_by_person(data, tables):
    events, rows = plain.known(tables, "events", "occurred_at"), []
    for user in plain.known(tables, "users", "signed_up_at").itertuples():
        done = events[(events["user_id"] == user.user_id) & (events["event"] == "shared")]["occurred_at"]
        first = done[done >= user.signed_up_at].min()
        rows.append(((plain.end() if pd.isna(first) else first) - user.signed_up_at, pd.notna(first)))
    hours = [each.total_seconds() / 3600 for each, _ in rows]
    curve = survival.kaplan_meier(hours, [came for _, came in rows])
    found = activation.time_to_value(data).iloc[0]
    assert found[["value", "low", "high"]].tolist() == pytest.approx(survival.quantile(curve, 0.5), nan_ok=True)
    assert found["median_among"] == pytest.approx(np.median([each for each, (_, came) in zip(hours, rows, strict=True) if came]))


def test_core_features_agree_with_following_each_person(data, tables):
    events, window = plain.known(tables, "events", "occurred_at"), pd.Timedelta(days=7)
    users = plain.known(tables, "users", "signed_up_at")
    old = users[users["signed_up_at"] + window < plain.end()]
    found = activation.core_feature_adoption(data).set_index("feature")
    joined = events.merge(old, on="user_id")
    joined = joined[(joined["occurred_at"] >= joined["signed_up_at"]) & (joined["occurred_at"] <= joined["signed_up_at"] + window)]
    for feature in ("filled", "shared", "mailed"):
        used = joined[joined["event"] == feature]
        assert found.loc[feature, ["numerator", "denominator", "immature", "times_per_person"]].tolist() == pytest.approx(
            [used["user_id"].nunique(), len(old), len(users) - len(old), len(used) / used["user_id"].nunique()])


def test_steps_must_be_done_in_order_and_within_the_window_of_the_first():
    events = [("ann", "a", "2025-01-01"), ("ann", "b", "2025-01-15"), ("ann", "c", "2025-01-15 00:00:00.000001"),
              ("bob", "b", "2025-01-01"), ("bob", "a", "2025-01-02"), ("bob", "c", "2025-01-03"),
              ("cho", "a", "2025-01-01"), ("cho", "a", "2025-01-20"), ("cho", "b", "2025-01-21")]
    assert funnel(company(events), ["a", "b", "c"], within_days=14)["people"].tolist() == [3, 1, 0]


def test_whose_window_is_open_is_apart_and_never_lost():
    events = [("ann", "a", "2025-01-01"), ("bob", "a", "2025-03-25"), ("bob", "b", "2025-03-26"), ("cho", "a", "2025-03-30")]
    found = funnel(company(events), ["a", "b"], within_days=14)
    assert found[["people", "immature", "lost"]].to_numpy().tolist() == [[1, 2, 0], [0, 1, 1]]


TIES = [
    (["a 0", "b 0"], ["a", "b"], [1, 1]),                  # equal times keep no order
    (["b 0", "a 0"], ["a", "b"], [1, 1]),
    (["a 0"], ["a", "a"], [1, 0]),                         # a step must be another event
    (["a 0", "a 0"], ["a", "a"], [1, 1]),
    (["a 0", "b 0"], [["a", "b"], "a"], [1, 1]),           # b serves the first step, a the second
    (["a 0", "a 0", "b 0"], ["a", "b", "a"], [1, 1, 1]),
    (["a 0", "b 0"], ["a", "b", "a"], [1, 1, 0]),
    (["a 0", "b 1", "a 2"], [["a", "b"], ["a", "b"], "a"], [1, 1, 1]),
]


def test_ties_and_repeated_steps():
    rows = [("ann", f"{case}{each.split()[0]}", f"2025-01-01 09:0{each.split()[1]}")
            for case, (events, _, _) in enumerate(TIES) for each in events]
    data = company(rows)
    for case, (events, steps, people) in enumerate(TIES):
        there = {each.split()[0] for each in events}
        named = [[f"{case}{each}" for each in step if each in there] for step in steps]
        assert funnel(data, named, within_days=1)["people"].tolist() == people, TIES[case]


def furthest(rows: list[tuple[int, str]], steps: list[list[str]], window: int) -> int:
    """How far a person gets when every way to give events to steps is tried."""
    entries = [at for at, event in rows if event in steps[0]]
    if not entries:
        return 0

    def go(step: int, after: int, left: tuple[int, ...]) -> int:
        if step == len(steps):
            return step
        choices = [place for place in left if rows[place][1] in steps[step] and after <= rows[place][0] <= min(entries) + window]
        return max((go(step + 1, rows[place][0], tuple(each for each in left if each != place))
                    for place in choices if step or rows[place][0] == min(entries)), default=step)
    return go(0, min(entries), tuple(range(len(rows))))


@pytest.fixture(scope="module")
def tied():
    """People whose few events often fall on the same instant, and the company of them."""
    rng = np.random.default_rng(7)
    people = {f"p{number}": [(int(rng.integers(0, 6)) * 1000, rng.choice(["a", "b", "c", "x"])) for _ in range(rng.integers(1, 9))]
              for number in range(300)}
    start = pd.Timestamp("2025-01-01")
    return people, company([(user, event, start + minute * MINUTE) for user, done in people.items() for minute, event in done])


@pytest.mark.parametrize("steps", [["a", "b", "c"], ["a", "b", "a"], [["a", "b"], "b", ["b", "c"]], ["a", "a", "a"],
                                   [["a", "c"], "b", "a", "c"]])
def test_funnels_agree_with_trying_every_way(tied, steps):
    people, data = tied
    listed = [[step] if isinstance(step, str) else step for step in steps]
    expected = [furthest(done, listed, 3 * 1440) for done in people.values()]
    found = funnel(data, steps, within_days=3)
    assert found["people"].tolist() == [sum(depth > step for depth in expected) for step in range(len(steps))]


def test_times_between_steps_agree_with_pandas(data, tables):
    events, rows = plain.known(tables, "events", "occurred_at"), []
    for user, done in events[events["event"].isin(plain.STEPS)].groupby("user_id"):
        times, after = [], None
        for step in plain.STEPS:
            fits = done[(done["event"] == step)]["occurred_at"]
            fits = fits if after is None else fits[(fits >= after) & (fits <= times[0] + pd.Timedelta(days=5))]
            if fits.empty:
                break
            after = fits.min()
            times.append(after)
        if times:
            rows.append({"user_id": user, **{f"at_{number}": at for number, at in enumerate(times, 1)}})
    people = pd.DataFrame(rows)
    old = people[people["at_1"] + pd.Timedelta(days=5) < plain.end()]
    found = activation.onboarding_drop_off(data).set_index("position")
    for number in (1, 2, 3):
        assert found.loc[number, "people"] == old[f"at_{number}"].notna().sum()
        assert found.loc[number, "immature"] == people[f"at_{number}"].notna().sum() - found.loc[number, "people"]
    for number in (2, 3):
        step = (old[f"at_{number}"] - old[f"at_{number - 1}"]).dt.total_seconds().dropna()
        entry = (old[f"at_{number}"] - old["at_1"]).dt.total_seconds().dropna()
        quartiles = [*step.quantile([0.25, 0.5, 0.75]), entry.median()]
        assert found.loc[number, ["q25_seconds", "median_seconds", "q75_seconds",
                                  "median_seconds_from_entry"]].tolist() == pytest.approx(quartiles)
    # The entry is the same table of people as the rate of completion.
    rate = activation.onboarding_completion(data)
    assert rate[["numerator", "denominator"]].sum().tolist() == [found.loc[3, "people"], found.loc[1, "people"]]
    assert data.run(reached(data, plain.STEPS, within_days=5))["user_id"].is_unique


@pytest.mark.parametrize("after", [1, 2])
def test_what_people_did_instead_is_what_the_funnel_says_of_its_people(data, after):
    found = activation.onboarding_instead(data, after=after)
    steps = activation.onboarding_drop_off(data).set_index("position")
    assert found["people"].sum() == steps.loc[after + 1, "lost"]
    assert found["people_on"].sum() == steps.loc[after + 1, "people"]
    tables = plain.frames()
    active = tables["events"][tables["events"]["event"] != "mailed"]
    alone = connect({**tables, "events": active}, as_of=plain.AS_OF, playbook=Playbook(**plain.PLAYBOOK))
    expected = instead(alone, plain.STEPS, after=after, within_days=5)
    pd.testing.assert_frame_equal(found[list(expected.columns)], expected)
    parts = activation.onboarding_instead(data, after=after, by="channel").groupby("event")[["people", "people_on"]].sum()
    assert parts.to_dict() == found.set_index("event")[["people", "people_on"]].to_dict()


def test_what_people_did_instead_is_asked_where_most_stop(data):
    steps = activation.onboarding_drop_off(data)
    worst = steps.loc[steps["share_of_previous"].iloc[1:].idxmin()]
    assert set(activation.onboarding_instead(data)["position"]) == {worst["position"] - 1}
    with pytest.raises(BadParameter) as caught:
        activation.onboarding_instead(data, after=3)
    assert str(caught.value) == "after is 3; expected the number of a step that another follows, 1 to 2."


def test_segments_of_a_funnel_add_up_to_the_whole(data):
    whole, parts = activation.onboarding_drop_off(data), activation.onboarding_drop_off(data, by="channel")
    assert parts.groupby("position")[["people", "immature", "lost"]].sum().to_numpy().tolist() == (
        whole[["people", "immature", "lost"]].to_numpy().tolist())


def test_who_stays_at_a_step_and_who_is_lost_before_it_are_the_same_people(tiny):
    found = activation.onboarding_drop_off(tiny)
    assert found["lost"].tolist() == [0, 1, 0]
    assert found["stuck_share"].tolist()[:2] == pytest.approx([1 / 3, 0])
    assert found[["share_of_entry", "share_of_previous"]].iloc[1].tolist() == pytest.approx([2 / 3, 2 / 3])


def test_onboarding_without_steps_says_where_to_set_them():
    with pytest.raises(MissingSetting) as caught:
        activation.onboarding_drop_off(plain.company(onboarding={}))
    assert str(caught.value) == (
        "This needs [onboarding] steps in the playbook (events, the first step first). Set it in playbook.toml, "
        'for example: [onboarding] steps = ["signed_up", "source_connected", "report_created"]')


def test_purchases_of_a_real_shop_agree_with_pandas():
    rows = pd.read_csv(shared("data", "rete_ecom", "ecom.csv.gz"), parse_dates=["timestamp"])
    data = connect(shared("data", "rete_ecom"), playbook=plain.playbook("rete_ecom"))
    rows = rows[rows["timestamp"] < pd.Timestamp(data.end)]
    joined = rows.merge(rows.groupby("user_id")["timestamp"].min().rename("start"), on="user_id")
    window = pd.Timedelta(days=30)
    bought = joined[(joined["event"] == "purchase") & (joined["timestamp"] <= joined["start"] + window)]
    starts = joined.drop_duplicates("user_id").set_index("user_id")["start"]
    old = starts[starts + window < pd.Timestamp(data.end)]
    weeks = old.dt.to_period("W-SUN").dt.start_time
    found = activation.rate(data).set_index("period")
    assert found["denominator"].sum() == len(old)
    assert found["immature"].sum() == len(starts) - len(old)
    hits = weeks[weeks.index.isin(bought["user_id"])].value_counts()
    assert found["numerator"][lambda n: n > 0].to_dict() == hits.to_dict()


def test_steady_contributors_of_real_projects_agree_with_pandas():
    rows = pd.read_csv(shared("data", "oss_commits", "commits.csv"), parse_dates=["ts"]).query("actor != 'bot'")
    data = connect(shared("data", "oss_commits"), playbook=plain.playbook("oss_commits"))
    end, window = pd.Timestamp(data.end, tz="UTC"), pd.Timedelta(days=30)
    rows = rows[rows["ts"] < end].sort_values("ts")
    fifth = rows.groupby("user_id")["ts"].nth(4).to_frame().join(rows["user_id"]).set_index("user_id")["ts"]
    first = rows.groupby("user_id")["ts"].min()
    old = first[first + window < end]
    found = activation.rate(data, grain="quarter")
    assert found["denominator"].sum() == len(old)
    assert found["numerator"].sum() == (fifth.reindex(old.index) <= old + window).sum()
