"""Funnels against trying every way in plain Python, and by hand."""

from __future__ import annotations

import datetime as dt
import functools

import engines
import numpy as np
import pandas as pd
import plain_funnels
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_funnels import Asked

from plgkit.errors import BadParameter, UnknownEvent, UnknownParameter, UnknownPreset, UnknownProperty
from plgkit.metrics.funnels import (
    dropped,
    funnel,
    instead,
    ordered,
    over_time,
    paths,
    plan,
    step,
    time_to_convert,
    who,
)
from plgkit.playbook import Playbook
from plgkit.sources.connect import connect
from plgkit.stats import intervals

MINUTE, START, AS_OF = pd.Timedelta(minutes=1), pd.Timestamp("2025-03-01 23:50"), "2025-03-01"
END = 10.0
NAMES = ["a", "b", "c", "x"]


@functools.cache
def company(seed: int):
    """People whose few events often fall on the same minute, the last ten of a day."""
    rng = np.random.default_rng(seed)
    people = {f"p{number:03d}": [(float(rng.integers(0, 10)), str(rng.choice(NAMES)), rng.choice(["1", "2", None]))
                                 for _ in range(rng.integers(1, 8))] for number in range(120)}
    return people, connect({"events": plain_funnels.as_frame(people, START, MINUTE)}, as_of=AS_OF)


CHOICES = [("a", None), ("b", None), ("c", None), ("a", "1"), ("b", "1"), ("b", "2"), (None, "2")]


@st.composite
def funnels(draw) -> Asked:
    steps = draw(st.lists(st.lists(st.sampled_from(CHOICES), min_size=1, max_size=2, unique=True), min_size=1, max_size=4))
    n, order = len(steps), draw(st.sampled_from(["ordered", "ordered", "ordered", "strict", "any"]))
    asked = Asked(steps, order=order, window=draw(st.sampled_from([1.0, 3.0, 6.0, 1440.0])),
                  entry=draw(st.sampled_from(["first", "any", "furthest"])), hold=draw(st.booleans()), end=END,
                  tie=draw(st.sampled_from([0.0, 0.0, 1.0])))
    if order != "any":
        asked.optional = draw(st.sets(st.integers(2, n), max_size=2)) if n > 1 else set()
        asked.step_windows = draw(st.one_of(st.just([]), st.lists(
            st.sampled_from([1.0, 2.0, 4.0, 1440.0]), min_size=n - 1, max_size=n - 1)))
    ends = [each for each in range(1, n + 1) if each not in asked.optional]
    if order == "ordered" and len(ends) > 1:
        for _ in range(draw(st.integers(0, 2))):
            after, before = sorted(draw(st.lists(st.sampled_from(ends), min_size=2, max_size=2, unique=True)))
            asked.exclude.append((draw(st.sampled_from(["x", "b"])), after, before, draw(st.sampled_from(["stop", "leave"]))))
    return asked


def as_parameters(asked: Asked) -> dict:
    """The plain funnel as plgkit is asked for it."""
    steps = [[{"event": event, **({"where": {"p": value}} if value else {})} for event, value in step] for step in asked.steps]
    return {
        "steps": steps, "order": asked.order, "window": f"{int(asked.window)} minutes", "entry": asked.entry,
        "hold": "p" if asked.hold else None, "optional": sorted(asked.optional) or None, "tie_seconds": asked.tie * 60 or None,
        "step_windows": [f"{int(each)} minutes" for each in asked.step_windows] or None,
        "exclude": [{"event": event, "after": after, "before": before, "effect": effect}
                    for event, after, before, effect in asked.exclude] or None}


def found_by_plgkit(data, asked: Asked) -> dict[str, tuple]:
    rows = data.run(paths(data, plan(**as_parameters(asked))))
    minutes = {name: (rows[name] - START) / MINUTE for name in rows if name.startswith(("at_", "from_"))}
    frame = pd.DataFrame(minutes).set_index(rows["user_id"])
    assert frame.index.is_unique
    return {user: (row["at_1"], {k: (row[f"at_{k}"], row.get(f"from_{k}", row[f"at_{k - 1}"])) for k in range(2, asked.n + 1) if pd.notna(row[f"at_{k}"])})
            for user, row in frame.iterrows()}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(asked=funnels(), seed=st.integers(0, 3))
def test_every_funnel_agrees_with_trying_every_way(asked: Asked, seed: int):
    people, data = company(seed)
    expected = {}
    for user, rows in people.items():
        found = plain_funnels.best(rows, asked)
        if found:
            expected[user] = (found[0], {step: (when, since) for step, (when, _, since) in found[1].items()})
    assert found_by_plgkit(data, asked) == expected


def made(*rows: tuple, as_of: str = "2025-03-31", **more):
    """People who do things: (user, event, time, properties as JSON, session, account)."""
    columns = ["user_id", "event", "occurred_at", "properties", "session_id", "account_id"]
    frame = pd.DataFrame([(*row, *[None] * (6 - len(row))) for row in rows], columns=columns)
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"], format="ISO8601")
    frame = frame.assign(event_id=[str(number) for number in range(len(frame))])
    return connect({"events": frame, **more.pop("tables", {})}, as_of=as_of, playbook=Playbook(**more))


def people(*args, **parameters) -> list[int]:
    return funnel(*args, **parameters)["people"].tolist()


@pytest.mark.parametrize("window", [2, "2 days", "48 hours", dt.timedelta(days=2)])
def test_the_last_instant_of_a_window_counts_and_the_next_does_not(window):
    data = made(("ann", "a", "2025-01-01"), ("ann", "b", "2025-01-03"),
                ("bob", "a", "2025-01-01"), ("bob", "b", "2025-01-03 00:00:00.000001"))
    assert people(data, ["a", "b"], window=window) == [2, 1]
    assert people(data, ["a", "b"], step_windows=[window]) == [2, 1]


def test_the_dates_bound_the_entry_and_not_what_follows():
    data = made(("ann", "a", "2025-01-10"), ("ann", "b", "2025-01-12"), ("bob", "a", "2025-01-11"), ("bob", "b", "2025-01-12"),
                ("cho", "a", "2025-01-05"), ("cho", "a", "2025-01-10"))
    assert people(data, ["a", "b"], start="2025-01-10", end="2025-01-10") == [2, 1]
    assert people(data, ["a", "b"], start=dt.date(2025, 1, 11)) == [1, 1]


def test_the_entry_that_counts():
    data = made(*[("ann", name, f"2025-01-01 {time}") for name, time in [
        ("a", "09:00"), ("a", "10:00"), ("b", "11:00"), ("a", "12:00"), ("b", "12:30"), ("c", "13:00")]])
    hours = {entry: who(data, ["a", "b"], entry=entry, window="90 minutes") for entry in ("first", "any", "furthest")}
    assert [(each["reached"][0], each["at_1"][0].hour) for each in hours.values()] == [(1, 9), (2, 10), (2, 10)]
    hours = {entry: who(data, ["a", "b"], entry=entry)["at_1"][0].hour for entry in ("first", "any", "furthest")}
    assert hours == {"first": 9, "any": 10, "furthest": 9}


def test_with_any_entry_only_closed_windows_are_tried_and_nobody_is_lost_too_soon():
    data = made(("ann", "a", "2025-03-01"), ("ann", "a", "2025-03-25"), ("ann", "b", "2025-03-26"),
                ("bob", "a", "2025-03-25"), ("bob", "b", "2025-03-26"), ("cho", "a", "2025-03-30"))
    found = funnel(data, ["a", "b"], entry="any", window=14)
    assert found[["people", "immature"]].to_numpy().tolist() == [[1, 2], [0, 1]]
    assert people(data, ["a", "b"], entry="any", window=1) == [3, 2]


def test_with_a_grain_any_entry_is_asked_anew_in_each_period():
    people_there, data = company(1)
    del people_there
    found = funnel(data, ["a", "b"], entry="furthest", window="1 minute", grain="day")
    assert found["period"].dt.date.unique().tolist() == [dt.date(2025, 3, 1)]
    data = made(("ann", "a", "2025-01-01"), ("ann", "a", "2025-01-02"), ("ann", "b", "2025-01-02"), ("bob", "a", "2025-01-02"))
    by_day = funnel(data, ["a", "b"], entry="furthest", window="1 hour", grain="day")
    alone = [people(data, ["a", "b"], entry="furthest", window="1 hour", start=day, end=day) for day in ("2025-01-01", "2025-01-02")]
    assert [part["people"].tolist() for _, part in by_day.groupby("period")] == alone == [[1, 0], [2, 1]]
    over = over_time(data, ["a", "b"], entry="furthest", window="1 hour", grain="day", end="2025-01-02")
    assert over[["numerator", "denominator", "immature"]].to_numpy().tolist() == [[0, 1, 0], [1, 2, 0]]


def test_accounts_get_through_when_different_members_do_the_steps():
    rows = [("ann", "a", "2025-01-01", None, None, "x"), ("bob", "b", "2025-01-02", None, None, "x"),
            ("cho", "a", "2025-01-01", None, None, "y"), ("dan", "a", "2025-01-01")]
    data = made(*rows)
    assert people(data, ["a", "b"]) == [3, 0]
    assert people(data, ["a", "b"], count="accounts") == [3, 1]
    assert who(data, ["a", "b"], count="accounts")["account_id"].tolist() == ["dan", "x", "y"]
    users = pd.DataFrame({"user_id": ["ann", "bob"], "signed_up_at": pd.to_datetime(["2025-01-01"] * 2), "account_id": ["x", "x"],
                          "channel": ["ads", "invite"]})
    data = made(("ann", "a", "2025-01-01"), ("bob", "b", "2025-01-02"), tables={"users": users})
    assert people(data, ["a", "b"], count="accounts") == [1, 1]
    assert funnel(data, ["a", "b"], count="accounts", by="channel")["channel"].tolist() == ["ads", "ads"]


def test_sessions_are_those_of_the_source_else_pauses_end_them():
    data = made(("ann", "a", "2025-01-01 09:00"), ("ann", "b", "2025-01-01 09:30"), ("ann", "a", "2025-01-01 10:01"),
                ("ann", "b", "2025-01-01 11:00"), ("bob", "a", "2025-01-01 09:00", None, "s1"), ("bob", "b", "2025-01-01 15:00", None, "s1"),
                ("bob", "a", "2025-01-01 09:00", None, "s2"), ("bob", "b", "2025-01-01 09:01", None, "s3"))
    assert people(data, ["a", "b"], count="sessions") == [4, 2]
    assert who(data, ["a", "b"], count="sessions")["session"].nunique() == 4


def test_each_moment_of_entry_is_an_attempt():
    data = made(("ann", "a", "2025-01-01"), ("ann", "a", "2025-01-03"), ("ann", "b", "2025-01-03 12:00"), ("bob", "a", "2025-03-31"))
    found = funnel(data, ["a", "b"], count="attempts", window=1)
    assert found[["people", "immature"]].to_numpy().tolist() == [[2, 1], [1, 0]]


def told(value: str | None) -> str | None:
    return None if value is None else f'{{"$browser": {value}}}'


BROWSED = [("ann", "a", "2025-01-01", told('"Chrome"')), ("ann", "b", "2025-01-02", told('"Safari"')),
           ("bob", "a", "2025-01-01"), ("bob", "b", "2025-01-02", told('"Safari"')),
           ("cho", "a", "2025-01-01", told("0")), ("dan", "a", "2025-01-01"), ("eve", "a", "2025-01-01", told('"Safari"'))]


@pytest.mark.parametrize(("attribution", "expected"), [
    ("first", {"(none)": [1, 0], "0": [1, 0], "Chrome": [1, 1], "Safari": [2, 1]}),
    ("last", {"(none)": [1, 0], "0": [1, 0], "Safari": [3, 2]}),
    (2, {"(none)": [3, 0], "Safari": [2, 2]}),
])
@pytest.mark.parametrize("entry", ["first", "any"])
def test_everybody_has_one_value_and_the_groups_add_up(attribution, expected, entry):
    data = made(*BROWSED)
    found = funnel(data, ["a", "b"], breakdown="$browser", attribution=attribution, entry=entry)
    assert {name: part["people"].tolist() for name, part in found.groupby("$browser")} == expected
    assert found.groupby("position")["people"].sum().tolist() == people(data, ["a", "b"], entry=entry)


def test_the_largest_groups_stay_and_the_rest_is_other():
    found = funnel(made(*BROWSED), ["a", "b"], breakdown="$browser", top=1)
    assert {name: part["people"].tolist() for name, part in found.groupby("$browser")} == {
        "(none)": [1, 0], "(other)": [2, 1], "Safari": [2, 1]}


def test_with_all_values_a_way_keeps_its_value_and_a_person_counts_for_each():
    found = funnel(made(*BROWSED, ("eve", "a", "2025-01-02", told('"Chrome"'))), ["a", "b"], breakdown="$browser", attribution="all",
                   entry="furthest")
    assert {name: part["people"].tolist() for name, part in found.groupby("$browser")} == {
        "(none)": [2, 0], "0": [1, 0], "Chrome": [2, 0], "Safari": [1, 0]}


def test_several_properties_make_one_group_and_a_kept_column_is_a_property():
    data = made(("ann", "a", "2025-01-01", '{"x.y": "1", "z": true}'), ("bob", "a", "2025-01-01", '{"z": null}'), ("bob", "b", "2025-01-02"))
    found = funnel(data, ["a", "b"], breakdown=["x.y", "z"])
    assert found["x.y / z"].unique().tolist() == ["(none)", "1 / true"]
    frame = pd.DataFrame({"user_id": ["ann", "ann"], "event": ["a", "b"], "occurred_at": pd.to_datetime(["2025-01-01", "2025-01-02"]),
                          "people": ["yes", "no"]})
    data = connect({"events": frame}, as_of="2025-03-01", playbook=Playbook(tables={"events": {"extra": ["people"]}}))
    assert funnel(data, ["a", "b"], breakdown="people")["people (property)"].tolist() == ["yes", "yes"]
    assert people(data, ["a", {"event": "b", "where": {"people": "no"}}]) == [1, 1]


CONDITIONS = [
    ({"plan": "team"}, "1"), ({"plan": ["team", "solo"]}, "13"), ({"plan": {"ne": "team"}}, "2345"), ({"plan": {"contains": "OL"}}, "3"),
    ({"plan": {"not_in": ["team", "solo"]}}, "245"), ({"plan": {"set": True}}, "13"), ({"plan": {"set": False}}, "245"),
    ({"n": 10}, "12"), ({"n": {">": 9.5}}, "12"), ({"n": {">=": 2, "<": 10}}, "3"), ({"n": {"<=": 2}}, "3"), ({"ok": True}, "1"),
    ({"ok": "true"}, "1"), ({"plan": "team", "n": {">": 10}}, ""), ({"n": [10, "many"]}, "124"),
]


@pytest.mark.parametrize(("where", "users"), CONDITIONS, ids=lambda each: str(each))
def test_conditions_on_properties(where, users):
    found = who(conditioned(), [step("a", where=where), "b"])
    assert "".join(found["user_id"]) == users


@functools.cache
def conditioned():
    told = ['{"plan": "team", "n": 10, "ok": true}', '{"plan": null, "n": 10.0, "ok": false}', '{"plan": "solo", "n": "2"}', '{"n": "many"}',
            "no object"]
    return made(*[(str(number), "a", "2025-01-01", each) for number, each in enumerate(told, start=1)], ("1", "b", "2025-01-02"))


def test_steps_can_be_named_listed_and_written_as_mappings():
    data = conditioned()
    steps = [["b", {"event": "a", "where": {"plan": "team"}}], {"event": "b", "name": "the end"}]
    assert funnel(data, steps)["step"].tolist() == ["b or a (plan = team)", "the end"]
    assert people(data, steps) == [1, 1]
    assert people(data, [{"where": {"ok": True}}, "b"]) == people(data, [step(where={"ok": True}), "b"]) == [1, 1]


def test_optional_steps_are_passed_over_by_shares_and_losses():
    data = made(*[("ann", name, f"2025-01-0{day}") for day, name in enumerate("abcd", start=1)],
                *[("bob", name, f"2025-01-0{day}") for day, name in enumerate("acd", start=1)], ("cho", "a", "2025-01-01"),
                ("cho", "b", "2025-01-02"))
    found = funnel(data, ["a", "b", "c", "d"], optional=["b"])
    assert found["people"].tolist() == [3, 2, 2, 2]
    assert found["lost"].tolist() == [0, 0, 1, 0]
    assert found["share_of_previous"].tolist() == pytest.approx([1, 2 / 3, 2 / 3, 1])
    assert found["stuck_share"].tolist()[:1] == pytest.approx([1 / 3])
    # From b, where it was done, else from a.
    assert found["mean_seconds"][2] == 86400


def test_who_dropped_and_what_they_did_instead():
    data = made(("ann", "a", "2025-01-01"), ("ann", "x", "2025-01-02"), ("ann", "b", "2025-01-03"),
                ("bob", "a", "2025-01-01"), ("bob", "x", "2025-01-02"), ("cho", "a", "2025-01-01"), ("cho", "y", "2025-02-01"),
                ("dan", "a", "2025-03-31"), ("eve", "a", "2025-01-01"), ("eve", "b", "2025-01-02"))
    assert dropped(data, ["a", "b"], after=1)["user_id"].tolist() == ["bob", "cho"]
    found = instead(data, ["a", "b"], after=1)
    assert found[["event", "people", "share", "people_on", "share_on"]].to_numpy().tolist() == [
        ["x", 1, 0.5, 1, 0.5], ["(nothing)", 1, 0.5, 0, 0.0], ["b", 0, 0.0, 1, 0.5]]
    assert found.loc[0, ["low", "high"]].tolist() == list(intervals.newcombe(1, 2, 1, 2))
    whole = funnel(data, ["a", "b"])
    assert (found["people"].sum(), found["people_on"].sum()) == (whole["lost"][1], whole["people"][1])


def test_times_to_convert_add_up_to_those_who_converted():
    data = made(*[(f"u{n}", "a", "2025-01-01") for n in range(9)], *[(f"u{n}", "b", f"2025-01-01 0{n}:00") for n in range(8)])
    found = time_to_convert(data, ["a", "b"])
    assert found["people"].sum() == 8
    assert (found["from_seconds"][0], found["mean_seconds"][0], found["median_seconds"][0]) == (0, 3.5 * 3600, 3.5 * 3600)
    assert found["share"].sum() == pytest.approx(1)
    assert funnel(data, ["a", "b"])["median_seconds"][1] == 3.5 * 3600
    edges = time_to_convert(data, ["a", "b"], bins=[0, 3600, 7200])
    assert edges["people"].tolist() == [1, 2]


WRONG = [
    ({"order": "loose"}, "order is 'loose'; expected one of ordered, strict, any."),
    ({"window": "soon"}, 'window is \'soon\'; expected days as a whole number, or a length of time such as "15 seconds", "36 hours", "2 weeks".'),
    ({"window": 7, "within_days": 7}, "window is 7; expected one of window and within_days, not both."),
    ({"step_windows": [1]}, "step_windows is [1]; expected a list of 2 windows, one for each step after the first (None: no limit)."),
    ({"optional": 1}, "optional is 1; expected numbers of steps, 2 to 3: who skips the first never enters."),
    ({"exclude": {"event": "x", "after": 2, "before": 1}}, "exclude is {'event': 'x', 'after': 2, 'before': 1}; expected after and before as "
     "numbers of steps, 1 to 3, in this order."),
    ({"order": "any", "optional": 2}, "order is 'any'; expected ordered or strict with optional: in any order there is no step before."),
    ({"order": "strict", "exclude": "x"}, "order is 'strict'; expected ordered with exclude: strictly, nothing can happen between two steps."),
    ({"by": "channel", "breakdown": "p"}, "breakdown is ['p']; expected one of by and breakdown, not both."),
    ({"attribution": 4, "breakdown": "p"}, "attribution is 4; expected first, last, all, or the number of a step, 1 to 3."),
    ({"top": 0, "breakdown": "p"}, "top is 0; expected a whole number, 1 or more."),
    ({"start": "soon"}, "start is 'soon'; expected a day such as 2025-01-31."),
]


@pytest.mark.parametrize(("parameters", "said"), WRONG, ids=lambda each: str(each)[:40])
def test_what_cannot_be_meant_is_refused(parameters, said):
    with pytest.raises(BadParameter) as caught:
        funnel(company(0)[1], ["a", "b", "c"], **parameters)
    assert str(caught.value) == said


def test_misspelt_names_are_told_with_the_nearest():
    _, data = company(0)
    for call, kind, said in [
        (lambda: funnel(data, ["a", "bb"]), UnknownEvent, "No event 'bb' in table 'events'. Did you mean 'b'?"),
        (lambda: funnel(data, ["a", step("b", where={"pp": 1})]), UnknownProperty, "No property 'pp' in table 'events'. Did you mean 'p'?"),
        (lambda: who(data, ["a", "b"], oder="any"), UnknownParameter, "funnel takes no parameter 'oder'. Did you mean 'order'?"),
        (lambda: funnel(data, ["a"], like="postog"), UnknownPreset, "No way of counting like 'postog' here. Did you mean 'posthog'?"),
        (lambda: step("a", where={"n": {">": "1"}}), BadParameter, "where['n'] is {'>': '1'}; expected a number after >."),
        (lambda: step({"evnt": "a"}), BadParameter, "step is {'evnt': 'a'}; expected the keys event, where and name, not 'evnt'."),
        (lambda: dropped(data, ["a", "b"], after=2), BadParameter, "after is 2; expected the number of a step, 1 to 1."),
    ]:
        with pytest.raises(kind) as caught:
            call()
        assert str(caught.value) == said


def test_counting_like_another_tool_is_its_parameters_and_the_definition_says_them():
    _, data = company(2)
    found = funnel(data, ["a", "b"], like="posthog", window="5 minutes")
    pd.testing.assert_frame_equal(found, funnel(data, ["a", "b"], entry="furthest", window="5 minutes"))
    assert found.attrs["definition"] == (
        "How many people get through the steps a, b within 5 minutes (ordered, from the furthest entry on). Interval: Wilson. "
        "Days in UTC, data through 01 Mar 2025.")
    found = funnel(data, ["a", "b"], like="posthog", exclude={"event": "x", "where": {"p": 1}}, window=7)
    assert found.attrs["definition"].startswith(
        "How many people get through the steps a, b within 7 days (ordered, from the furthest entry on). "
        "With exclude = x (p = 1) between steps 1 and 2 (leave). Interval: Wilson.")


ASKED = [
    {"entry": "any", "exclude": [{"event": "x", "after": 1, "before": 3}]}, {"entry": "furthest", "hold": "p", "step_windows": [2, None]},
    {"order": "strict", "optional": [2]}, {"order": "any", "entry": "any", "grain": "week"}, {"count": "attempts", "tie_seconds": 60},
    {"count": "accounts"}, {"count": "sessions"}, {"breakdown": "p", "attribution": "last", "top": 1},
    {"exclude": ["x"], "exclude_effect": "leave", "optional": [2]}, {"start": "2025-03-01"},
]
STEPS = ["a", step("b", where={"p": {"<=": 1}}), ["b", "c"]]


@pytest.fixture(scope="module")
def elsewhere(server):
    frame = plain_funnels.as_frame(company(3)[0], START, MINUTE)
    return connect(engines.load(server, {"events": frame}), as_of="2025-03-31")


@pytest.fixture(scope="module")
def here():
    return connect({"events": plain_funnels.as_frame(company(3)[0], START, MINUTE)}, as_of="2025-03-31")


@pytest.mark.parametrize("parameters", ASKED, ids=lambda each: ", ".join(each))
def test_every_engine_finds_the_same_funnel(here, elsewhere, parameters):
    pd.testing.assert_frame_equal(funnel(elsewhere, STEPS, **parameters), funnel(here, STEPS, **parameters), rtol=1e-9)


def test_every_engine_finds_the_same_people_and_what_they_did_instead(here, elsewhere):
    for call in (who, over_time, time_to_convert, functools.partial(dropped, after=1), functools.partial(instead, after=1)):
        pd.testing.assert_frame_equal(call(elsewhere, ["a", "b"]), call(here, ["a", "b"]), rtol=1e-9)


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "pyspark", "clickhouse", "snowflake", "bigquery", "trino"])
@pytest.mark.parametrize("parameters", [{}, *ASKED], ids=lambda each: ", ".join(each))
def test_the_query_can_be_written_for_every_engine(here, dialect, parameters):
    assert "SELECT" in ordered.sql(here, dialect=dialect, steps=STEPS, **parameters).upper()
