"""First sessions and the ways to activation, against following each person in plain Python."""

from __future__ import annotations

import collections
import itertools

import numpy as np
import pandas as pd
import plain
import pytest

from plgkit.metrics import activation
from plgkit.sources.connect import connect
from plgkit.stats import bootstrap, intervals

GAP, HOUR = pd.Timedelta(minutes=30), pd.Timedelta(hours=1)


@pytest.fixture(scope="module")
def data():
    return plain.usual()


@pytest.fixture(scope="module")
def people():
    """Each person's sign-up and active events since then, in order, with what the window of seven days holds."""
    tables = plain.frames()
    events = plain.known(tables, "events", "occurred_at").sort_values(["occurred_at", "event"])
    made = []
    for user in plain.known(tables, "users", "signed_up_at").itertuples():
        own = events[(events["user_id"] == user.user_id) & (events["event"] != "mailed")]
        made.append((user, own, own[own["occurred_at"] >= user.signed_up_at]))
    return made


def first_sessions(user, own: pd.DataFrame, since: pd.DataFrame, stop: pd.Timestamp, sessions: int) -> tuple[int, int, float]:
    """Features, events and minutes of the first sessions of a person, sessions being lists of times."""
    held: list[list[pd.Timestamp]] = [list(rows) for _, rows in own.groupby("session_id")["occurred_at"]]
    alone = list(own[own["session_id"].isna()]["occurred_at"])
    for place, at in enumerate(alone):
        if place == 0 or at - alone[place - 1] > GAP:
            held.append([])
        held[-1].append(at)
    held = sorted(((each[0], each[-1]) for each in held if each[-1] >= user.signed_up_at and each[0] <= stop),
                  key=lambda each: (each[0], min(each[1], stop)))
    until = held[sessions][0] if len(held) > sessions else stop + HOUR
    early = since[(since["occurred_at"] < until) & (since["occurred_at"] <= stop)]
    spent = [min(end, stop) - max(start, user.signed_up_at) for start, end in held[:sessions]]
    return len(set(early["event"]) & {"filled", "shared"}), len(early), sum(spent, pd.Timedelta(0)) / HOUR * 60


@pytest.mark.parametrize("sessions", [1, 3])
def test_depth_agrees_with_following_each_person(data, people, sessions):
    window, rows = pd.Timedelta(days=5), []
    for user, own, since in people:
        if user.signed_up_at + window < plain.end():
            rows.append(first_sessions(user, own, since, user.signed_up_at + window, sessions))
    found = activation.engagement_depth(data, sessions=sessions).set_index("what")
    expected = pd.DataFrame(rows, columns=["features", "events", "minutes"])
    assert found["n"].tolist() == [len(expected)] * 3
    assert found["immature"].tolist() == [len(people) - len(expected)] * 3
    for what in ("features", "events"):
        value, low, high = bootstrap.mean(expected[what])
        assert found.loc[what, ["value", "low", "high"]].tolist() == pytest.approx([value, low, high])
        assert found.loc[what, ["median", "median_low", "median_high"]].tolist() == pytest.approx(
            intervals.quantile(expected[what]))
    assert found.loc["minutes", "value"] == pytest.approx(expected["minutes"].mean(), abs=1e-6)
    parts = activation.engagement_depth(data, sessions=sessions, by="channel", grain="month")
    assert parts.groupby("what")["n"].sum().tolist() == found["n"].tolist()


def way(user, since: pd.DataFrame, within_days: int, usual: set[str]) -> tuple[list[str], pd.Timedelta | None]:
    """The steps of a person up to activation, repeats in a row as one, and the time to activation."""
    window = since[since["occurred_at"] <= user.signed_up_at + pd.Timedelta(days=within_days)]
    came = window[window["event"] == "shared"]["occurred_at"].min()
    before = window if pd.isna(came) else window[window["occurred_at"] < came]
    steps = [event for event, _ in itertools.groupby(each for each in before["event"] if each in usual)]
    return steps, None if pd.isna(came) else came - user.signed_up_at


@pytest.mark.parametrize("depth", [2, 5])
def test_ways_agree_with_following_each_person(data, people, depth):
    ways = collections.defaultdict(list)
    for user, _, since in people:
        if user.signed_up_at + pd.Timedelta(days=7) < plain.end():
            steps, took = way(user, since, 7, {"opened", "filled", "shared"})
            named = " > ".join(steps[:depth]) + (" > ..." if len(steps) > depth else "")
            ways[named or "(nothing)"].append(took)
    found = activation.paths(data, depth=depth, ways=1000).set_index("way")
    assert set(found.index) == set(ways)
    assert found["people"].tolist() == sorted(map(len, ways.values()), reverse=True)
    for name, row in found.iterrows():
        took = [each / HOUR for each in ways[name] if each is not None]
        assert [row["people"], row["activated"]] == [len(ways[name]), len(took)]
        assert row["median_hours"] == pytest.approx(np.median(took) if took else np.nan, nan_ok=True)
    assert found["share"].sum() == pytest.approx(1)


def test_the_ways_that_are_not_listed_are_one_row(data):
    every, few = activation.paths(data, ways=1000), activation.paths(data, ways=3)
    pd.testing.assert_frame_equal(few.head(3), every.head(3))
    rest = few.iloc[3]
    assert rest["way"] == "(other ways)"
    assert rest[["people", "activated"]].tolist() == every[["people", "activated"]].iloc[3:].sum().tolist()


def test_moves_carry_everybody_from_place_to_place_to_an_end(data):
    found, whole = activation.path_moves(data, depth=3), activation.paths(data, ways=1000)
    final = found[found["target"].isin(["activated", "not activated"])]
    assert final["people"].sum() == whole["people"].sum()
    assert final["activated"].sum() == whole["activated"].sum()
    assert (final.loc[final["target"] == "activated", "share"] == 1).all()
    for place in (1, 2):
        into = found[found["source_position"] == place].groupby("target")["people"].sum()
        out = found[found["source_position"] == place + 1].groupby("source")["people"].sum()
        assert out.to_dict() == into.drop(["activated", "not activated"], errors="ignore").to_dict()


def test_where_ways_part_those_who_go_on_are_held_against_those_who_go_elsewhere(data):
    found = activation.path_moves(data).dropna(subset=["difference"])
    row = found.iloc[0]
    same = activation.path_moves(data).query("source_position == @row.source_position and source == @row.source")
    assert row["people"] + row["others"] == same["people"].sum()
    others = same["activated"].sum() - row["activated"]
    assert row["difference"] == pytest.approx(row["activated"] / row["people"] - others / row["others"])
    assert (row["low"], row["high"]) == pytest.approx(
        intervals.newcombe(row["activated"], row["people"], others, row["others"]))


def test_segments_of_ways_and_moves_add_up_to_the_whole(data):
    for measure, keys in ((activation.paths, ["way"]), (activation.path_moves, ["source_position", "source", "target"])):
        extra = {"ways": 1000} if measure is activation.paths else {}
        whole = measure(data, **extra).groupby(keys)[["people", "activated"]].sum()
        parts = measure(data, by="channel", **extra).groupby(keys)[["people", "activated"]].sum()
        pd.testing.assert_frame_equal(parts, whole)


def test_a_repeated_step_is_one_and_rare_events_are_passed_over():
    rows = [("ann", "open", 0), ("ann", "open", 1), ("ann", "odd", 2), ("ann", "open", 3), ("ann", "fill", 4), ("ann", "share", 5),
            ("bob", "open", 0), ("bob", "fill", 1), ("bob", "open", 2)]
    frame = pd.DataFrame([(user, event, pd.Timestamp("2025-01-06") + minute * pd.Timedelta(minutes=1))
                          for user, event, minute in rows], columns=["user_id", "event", "occurred_at"])
    data = connect({"events": frame}, as_of="2025-03-31")
    found = activation.paths(data, event="share", within_days=7, top=2)
    assert found[["way", "steps", "people", "activated"]].to_numpy().tolist() == [
        ["open > fill", 2, 1, 1], ["open > fill > open", 3, 1, 0]]
