"""Retention, lifecycle, stickiness and trends as another tool's own tests pin them down."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from conftest import SHARED, shared

from plgkit.errors import AlwaysBack
from plgkit.metrics import retention, trends
from plgkit.metrics.funnels import step
from plgkit.metrics.presets import PRESETS, differences
from plgkit.playbook import Playbook
from plgkit.sources import engine
from plgkit.sources.connect import connect
from plgkit.sources.data import Data

FILE = ("oracles", "posthog_cases.json")
KINDS = ("retention", "lifecycle", "stickiness", "trend")
CASES = {each["id"]: each for each in json.loads(SHARED.joinpath(*FILE).read_text())
         if each["kind"] in KINDS} if SHARED.joinpath(*FILE).exists() else {}
STEPS = {"hour": pd.Timedelta(hours=1), "day": pd.Timedelta(days=1), "week": pd.Timedelta(days=7)}


def of_kind(kind: str) -> list[str]:
    return [name for name, each in CASES.items() if each["kind"] == kind] or ["absent"]


def case(name: str) -> dict:
    shared(*FILE)
    return CASES[name] if name != "absent" else {}


def opened(asked: dict, *, last: str, group: str | None = None) -> Data:
    """The events of a case up to the end of a day; a group of people is an account."""
    rows = [{"user_id": each["user"], "event": each["event"], "occurred_at": pd.Timestamp(each["ts"]).tz_localize(None),
             "properties": json.dumps(each.get("props", {})), "account_id": each.get("props", {}).get(group)}
            for each in asked["events"]]
    product = {"time_zone": asked["query"]["tz"], "week_start": asked["query"]["week_start"]}
    return connect({"events": pd.DataFrame(rows)}, as_of=str(last)[:10], playbook=Playbook(product=product))


def ends(query: dict, grain: str) -> pd.Timestamp:
    """The last day of the period in which a case's dates end."""
    last = pd.Timestamp(query["date_to"]).tz_localize(None).date()
    return pd.Timestamp(engine.next_period(engine.period_of(last, grain, query["week_start"]), grain)) - STEPS["day"]


def periods(query: dict, grain: str) -> list[pd.Timestamp]:
    """The periods of a case's dates."""
    start = pd.Timestamp(query["date_from"]).tz_localize(None).date()
    start, found = engine.period_of(start, grain, query["week_start"]), []
    while pd.Timestamp(start) <= ends(query, grain):
        found.append(pd.Timestamp(start))
        start = engine.next_period(start, grain)
    return found


def matrix(query: dict, found: pd.DataFrame, youngest: int) -> list[list[int]]:
    """The triangle as the tool draws it: everybody in the cohort, then who was back at each later age."""
    unit, number = STEPS[query["period"]], query["intervals"]
    last = pd.Timestamp(query["date_to"]).floor(unit)
    sizes = {last: youngest} | found.groupby("cohort")["denominator"].first().to_dict()
    back = found.set_index(["cohort", "age"])["numerator"]
    starts = [last - unit * (number - 1 - place) for place in range(number)]
    return [[int(sizes.get(start, 0)), *(int(back.get((start, age), 0)) for age in range(1, number - place))]
            for place, start in enumerate(starts)]


@pytest.mark.parametrize("name", of_kind("retention"))
def test_retention_of_each_case(name):
    asked = case(name)
    query = asked["query"]
    data = opened(asked, last=query["date_to"])
    found = retention.cohorts(data, like="posthog", entry=query["type"], unit=query["period"],
                              start=query["target"]["event"], back=query["returning"]["event"])
    # The youngest cohort has no later age yet, and plgkit no row of it: how many it holds says the trend.
    who = trends.trend(data, event=query["target"]["event"], of="people").iloc[-1]["value"]
    assert matrix(query, found, who) == asked["expected"]["matrix"]


@pytest.mark.parametrize("name", of_kind("lifecycle"))
def test_lifecycle_of_each_case(name):
    asked = case(name)
    query, expected = asked["query"], asked["expected"]
    grain, group = query["interval"], query.get("aggregate_by")
    data = opened(asked, last=ends(query, grain), group=group)
    found = retention.growth_accounting(data, like="posthog", event=query["series"][0]["event"], grain=grain,
                                        count="accounts" if group else "people")
    moves = ["new", "retained", "resurrected", "churned"]
    found = found.set_index("period")[moves].reindex(periods(query, grain), fill_value=0)
    # Who is gone at the first period shown left before it, in a period that is not shown.
    gone = [0, *(-found["churned"].iloc[1:])]
    assert [found["new"].tolist(), found["retained"].tolist(), found["resurrected"].tolist(), gone] == [
        expected[name] for name in ("new", "returning", "resurrecting", "dormant")]


@pytest.mark.parametrize("name", of_kind("stickiness"))
def test_stickiness_of_each_case(name):
    asked = case(name)
    query = asked["query"]
    hours = query["interval"] == "hour"
    data = opened(asked, last=query["date_to"])
    number = 72 if hours else len(periods(query, query["interval"]))
    found = trends.active_periods(data, like="posthog", event=event(query["series"][0]), periods=number,
                                  unit=query["interval"])
    people = asked["expected"]["series"][0]["users_active_exactly_n"]
    assert found["people"].tolist()[:len(people)] == people


_SIGNS = {"eq": "eq", "icontains": "contains"}


def event(series: dict) -> object:
    """The events of a series, with their conditions."""
    if "any_of" in series:
        return [event(each) for each in series["any_of"]]
    where = {each["key"]: {_SIGNS[each["op"]]: each["value"]} for each in series.get("filters", [])}
    return step(series["event"], where=where)


def value(series: dict, found: pd.DataFrame, days: list[pd.Timestamp]) -> list[float]:
    """The series day by day, no event being none."""
    return found.set_index("period")["value"].reindex(days).fillna(0).tolist()


_OF = {"dau": "people", "avg": "mean", "first_time_for_user": "firsts", None: "events"}


@pytest.mark.parametrize("name", of_kind("trend"))
def test_trend_of_each_case(name):
    asked = case(name)
    query, series = asked["query"], asked["query"]["series"][0]
    data = opened(asked, last=query["date_to"])
    found = trends.trend(data, like="posthog", event=event(series), of=_OF[series.get("math")],
                         value=series.get("math_property"), grain=query["interval"])
    days, expected = value(series, found, periods(query, query["interval"])), asked["expected"]["series"][0]
    np.testing.assert_allclose(days, expected.get("data", days))
    assert expected.get("aggregated_value", expected.get("count", sum(days))) == sum(days)


def test_all_cases_are_asked():
    shared(*FILE)
    assert sorted({each["kind"] for each in CASES.values()}) == sorted(KINDS)
    assert len(CASES) == 24


def named(what: str) -> tuple[str, ...]:
    """The cases of a difference that is there on purpose."""
    return next(each.cases for each in differences if each.what == what)


@pytest.mark.parametrize("name", named("retention at age 0") if CASES else ["absent"])
def test_age_0_counts_who_is_back_and_not_the_cohort_again(name):
    asked = case(name)
    query = asked["query"]
    parameters = {"start": query["target"]["event"], "back": query["returning"]["event"], "entry": "recurring"}
    data = opened(asked, last=query["date_to"])
    theirs = [row[0] for row in asked["expected"]["matrix"]]
    if query["returning"]["event"] in (None, query["target"]["event"]):
        with pytest.raises(AlwaysBack):
            retention.cohorts(data, unit=query["period"], **parameters)
        return
    found = retention.cohorts(data, unit=query["period"], **parameters).query("age == 0")
    assert found["denominator"].tolist() == [size for size in theirs if size]
    assert found["numerator"].tolist() != found["denominator"].tolist()


@pytest.mark.parametrize("name", named("the last period") if CASES else ["absent"])
def test_a_period_that_is_not_over_is_marked(name):
    asked = case(name)
    query = asked["query"]
    found = retention.growth_accounting(opened(asked, last=query["date_to"]), event=query["series"][0]["event"],
                                        grain=query["interval"])
    assert not found["complete"].iloc[-1]
    assert found["period"].iloc[-1] == periods(query, query["interval"])[-1]
    assert found["resurrected"].iloc[-1] != asked["expected"]["resurrecting"][-1]


def test_a_person_is_new_at_the_first_event_of_the_kind_and_not_when_the_profile_was_made():
    # In every case the profile was made at the first event, so that both ways agree there; here it was not.
    for name in of_kind("lifecycle"):
        asked = case(name)
        made = asked["query"]["new_if_created_in_period"]
        first = {user: min(pd.Timestamp(each["ts"]) for each in asked["events"] if each["user"] == user) for user in made}
        assert {user: pd.Timestamp(time) for user, time in made.items()} == first
    users = pd.DataFrame({"user_id": ["ann"], "signed_up_at": [pd.Timestamp("2025-01-06")]})
    events = pd.DataFrame({"user_id": ["ann"], "event": ["opened"], "occurred_at": [pd.Timestamp("2025-01-14")]})
    found = retention.growth_accounting(connect({"users": users, "events": events}, as_of="2025-01-19"))
    assert found[["period", "new", "resurrected"]].to_numpy().tolist() == [[pd.Timestamp("2025-01-13"), 1, 0]]


def test_every_preset_is_a_way_to_ask():
    data = opened(CASES["ph-retention-014"], last="2020-06-16") if CASES else case("absent")
    for tool, kinds in PRESETS.items():
        for kind, ask in (("retention", retention.cohorts), ("lifecycle", retention.growth_accounting),
                          ("stickiness", trends.active_periods), ("trend", trends.trend)):
            if kind in kinds:
                assert ask(data, like=tool).attrs["definition"] == ask(data, **kinds[kind], like=tool).attrs["definition"]
