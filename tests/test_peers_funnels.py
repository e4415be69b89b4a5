"""Funnels of other tools' own tests, asked of plgkit; where it differs on purpose, exactly as it says."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
import pytest
from conftest import SHARED, shared

from plgkit.metrics.funnels import funnel, over_time, time_to_convert, who
from plgkit.metrics.presets import differences
from plgkit.playbook import Playbook
from plgkit.sources.connect import connect
from plgkit.sources.data import Data


def read(name: str) -> list[dict]:
    path = SHARED / "oracles" / name
    return json.loads(path.read_text()) if path.exists() else []


POSTHOG = [case for case in read("posthog_cases.json") if case["kind"].startswith("funnel")]
CLICKHOUSE = read("clickhouse_funnel_cases.json")
OTHERWISE = {case for each in differences for case in each.cases}
DIFFERENT = ["ph-funnel-054", "ph-funnel_breakdown-014", "ph-funnel_breakdown-031", "ph-funnel_trend-007", "ph-funnel_trend-011",
             "ph-funnel_time_to_convert-001", "ph-funnel_time_to_convert-004",
             "ch-windowfunnel-20", "ch-windowfunnel-21", "ch-windowfunnel-33"]
OPERATORS = {"icontains": "contains", "eq": "eq"}


def test_all_cases_are_here():
    shared("oracles", "posthog_cases.json")
    assert (len(POSTHOG), len(CLICKHOUSE)) == (45, 33)
    assert {case for case in OTHERWISE if "funnel" in case} == set(DIFFERENT)


def events(case: dict) -> pd.DataFrame:
    rows = pd.DataFrame({
        "user_id": [each["user"] for each in case["events"]], "event": [each["event"] for each in case["events"]],
        "properties": [json.dumps(each["props"]) if each.get("props") else None for each in case["events"]]})
    times = [each["ts"] for each in case["events"]]
    rows["occurred_at"] = (pd.to_datetime(times, unit="s") if isinstance(times[0], int)
                           else pd.to_datetime(times, format="ISO8601").tz_localize(None))
    # An event of a step that nobody did is known all the same: somebody did it long before.
    missing = sorted({name for name in wanted(case) if name not in set(rows["event"])})
    before = pd.DataFrame({"user_id": "nobody", "event": missing, "properties": None,
                           "occurred_at": rows["occurred_at"].min() - pd.Timedelta(days=3650)})
    rows = pd.concat([rows, before], ignore_index=True) if missing else rows
    return rows.assign(event_id=[str(number) for number in range(len(rows))])


def wanted(case: dict) -> list[str]:
    return [each["event"] for each in (*case["query"]["steps"], *case["query"].get("exclusions", [])) if each.get("event")]


def opened(case: dict) -> Data:
    alike = json.dumps([case["events"], case.get("users"), sorted(wanted(case)), case["query"].get("date_from") == "all"])
    if alike not in OPENED:
        OPENED[alike] = connected(case)
    return OPENED[alike]


OPENED: dict[str, Data] = {}


def connected(case: dict) -> Data:
    rows = events(case)
    tables, words = {"events": rows}, {"data": {"duplicates": "event_id", "unknown_people": "keep"}}
    if "users" in case:
        first = rows.groupby("user_id")["occurred_at"].min()
        tables["users"] = pd.DataFrame([{"user_id": user, "signed_up_at": first[user], **about["props"]}
                                        for user, about in case["users"].items()])
        words["tables"] = {"users": {"extra": sorted({key for about in case["users"].values() for key in about["props"]})}}
    last = rows["occurred_at"].max() + pd.Timedelta(days=0 if case["query"].get("date_from") == "all" else 60)
    if case["query"].get("date_from") == "all":
        last = pd.Timestamp(case["query"]["now"]).tz_localize(None)
    return connect(tables, as_of=last.date(), playbook=Playbook(**words))


def where(filters: list[dict]) -> dict:
    assert all(each["on"] == "event" for each in filters)
    return {each["key"]: {OPERATORS[each["op"]]: each["value"]} if not isinstance(each["value"], list) else each["value"]
            for each in filters}


def asked(case: dict) -> tuple[list[dict], dict[str, Any]]:
    """A case of PostHog as plgkit's parameters."""
    query = case["query"]
    steps = [{"event": each["event"], "name": each.get("name"),
              "where": where([*each.get("filters", []), *query.get("filters", [])])} for each in query["steps"]]
    parameters: dict[str, Any] = {"like": "posthog", "order": {"unordered": "any"}.get(query["order"], query["order"]),
                                  "window": f"{query['window']['value']} {query['window']['unit']}s"}
    first = min(each["ts"] for each in case["events"])
    start = query.get("date_from", first)
    parameters["start"] = (first if start == "all" else start)[:10]
    if "date_to" in query:
        parameters["end"] = query["date_to"][:10]
    if "exclusions" in query:
        parameters["exclude"] = [{"event": each["event"], "after": each["from_step"] + 1, "before": each["to_step"] + 1}
                                 for each in query["exclusions"]]
    if "breakdown" in query:
        parameters |= breakdown(query["breakdown"])
    return steps, parameters


def breakdown(query: dict) -> dict[str, Any]:
    if query["on"] == "person":
        return {"by": query["props"][0]}
    kind = {"first_touch": "first", "last_touch": "last", "all_events": "all",
            "step": int(query.get("attribution_step", -1)) + 1}[query["attribution"]]
    return {"breakdown": query["props"], "attribution": kind, "top": query.get("limit")}


def of(kind: str, other: bool = False) -> list:
    cases = [case for case in POSTHOG if case["kind"] == kind and (case["id"] in OTHERWISE) == other]
    return [pytest.param(case, id=case["id"]) for case in cases]


def agree(found: list[float], expected: list[float | None]) -> bool:
    return len(found) == len(expected) and all(
        b is None or math.isclose(0 if math.isnan(a) else a, b, rel_tol=1e-9) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("case", of("funnel"))
def test_funnels_agree_with_posthog(case):
    data, (steps, parameters) = opened(case), asked(case)
    found, expected = funnel(data, steps, **parameters), case["expected"]
    assert not found["immature"].any()
    if "counts" in expected:
        assert agree(found["people"].tolist(), expected["counts"])
    if "avg_time_s" in expected:
        assert agree(found["mean_seconds"].tolist(), expected["avg_time_s"])
    if "median_time_s" in expected:
        assert agree(found["median_seconds"].tolist(), expected["median_time_s"])
    people = who(data, steps, **parameters)
    for step, users in expected.get("users_at_step", {}).items():
        assert set(people.loc[people["reached"] >= int(step), "user_id"]) == set(users)


def segments(case: dict) -> dict[str, Any]:
    """What plgkit finds for each group, named as PostHog names it."""
    data, (steps, parameters) = opened(case), asked(case)
    found = funnel(data, steps, **parameters)
    cut = found.columns[2]
    return {posthog_name(name): part for name, part in found.groupby(cut)}


def posthog_name(name: str) -> tuple[str, ...]:
    return ("Other",) if name == "(other)" else tuple("" if each == "(none)" else each for each in name.split(" / "))


def expected_name(value: str | list[str]) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    # Nothing known of any of several properties is one group.
    return ("",) if set(names) == {""} else tuple(names)


@pytest.mark.parametrize("case", of("funnel_breakdown"))
def test_breakdowns_agree_with_posthog(case):
    found, expected = segments(case), case["expected"]
    if "segments" in expected:
        assert set(found) == {expected_name(each["breakdown"]) for each in expected["segments"]}
    for each in expected.get("segments", []):
        part = found[expected_name(each["breakdown"])]
        assert agree(part["people"].tolist(), each["counts"])
        assert agree(part["mean_seconds"].tolist(), each.get("avg_time_s", [None] * len(part)))
        assert agree(part["median_seconds"].tolist(), each.get("median_time_s", [None] * len(part)))
    data, (steps, parameters) = opened(case), asked(case)
    people = who(data, steps, **parameters)
    cut = next(name for name in people.columns if name not in ("user_id", "day"))
    named = people[cut].map(posthog_name)
    for each in expected.get("segment_users", []):
        there = people[(named == expected_name(each["breakdown"])) & (people["reached"] >= each["step"])]
        assert set(there["user_id"]) == set(each["users"])


@pytest.mark.parametrize("case", of("funnel_trend"))
def test_conversion_over_time_agrees_with_posthog(case):
    found, expected = trend(case), case["expected"]
    if "n_periods" in expected:
        assert len(found) == expected["n_periods"]
    if "n_series" in expected:
        assert found.iloc[:, 1].nunique() == expected["n_series"]
    for each in expected.get("periods", []):
        row = found.iloc[each["index"]]
        assert [row["denominator"], row["numerator"]] == [each["reached_from_step_count"], each["reached_to_step_count"]]
        assert row["value"] * 100 == pytest.approx(each["conversion_rate"])


def trend(case: dict) -> pd.DataFrame:
    steps, parameters = asked(case)
    return over_time(opened(case), steps, grain=case["query"]["interval"], from_step=case["query"].get("from_step", 0) + 1,
                     **parameters)


def test_periods_nobody_entered_in_have_no_rate_and_the_other_groups_stay():
    case = one("ph-funnel_trend-007")
    found = trend(case)
    assert set(found["$browser"]) == {"Chrome", "(other)"}
    (series,) = case["expected"]["series"]
    chrome = found[found["$browser"] == "Chrome"]
    assert (chrome["value"] * 100).fillna(0.0).tolist() == series["data"]
    assert chrome["value"].isna().tolist() == [each == 0 for each in series["data"]]
    case = one("ph-funnel_trend-011")
    found = trend(case)
    for each in case["expected"]["periods"]:
        row = found.iloc[each["index"]]
        assert [row["denominator"], row["numerator"]] == [each["reached_from_step_count"], each["reached_to_step_count"]]
        assert (math.isnan(row["value"]), 0) == (True, each["conversion_rate"]) if not row["denominator"] else (
            row["value"] * 100 == each["conversion_rate"])


def test_times_are_those_of_the_first_of_the_best_attempts():
    case = one("ph-funnel-054")
    data, (steps, parameters) = opened(case), asked(case)
    found = funnel(data, steps, **parameters)
    assert found["people"][0] == case["expected"]["counts"][0]
    people = who(data, steps, **parameters)
    for step, users in case["expected"]["users_at_step"].items():
        assert set(people.loc[people["reached"] >= int(step), "user_id"]) == set(users)
    # One person has two best attempts: 2 and 2 hours, then 3 and 3; the other takes one hour to the second step.
    assert case["expected"]["avg_time_s"] == [None, (3600 + (7200 + 10800) / 2) / 2, (7200 + 10800) / 2]
    assert found["mean_seconds"].tolist()[1:] == [(3600 + 7200) / 2, 7200]


@pytest.mark.parametrize("name", ["ph-funnel_breakdown-014", "ph-funnel_breakdown-031"])
def test_who_did_not_reach_the_step_of_the_breakdown_is_in_none(name):
    case = one(name)
    found = {key: part["people"].tolist() for key, part in segments(case).items()}
    theirs = {tuple(each["breakdown"]): each["counts"] for each in case["expected"]["segments"]}
    assert theirs == {("",): [1, 1], ("alakazam",): [1, 1]}
    assert found == {("",): [3, 1], ("alakazam",): [1, 1]}


@pytest.mark.parametrize("name", ["ph-funnel_time_to_convert-001", "ph-funnel_time_to_convert-004"])
def test_times_to_convert_are_the_same_and_the_last_bin_ends_with_the_longest(name):
    case = one(name)
    data, (steps, parameters) = opened(case), asked(case)
    ends = {"from_step": case["query"]["from_step"] + 1, "to_step": case["query"]["to_step"] + 1}
    bins = case["expected"]["bins"]
    edges = [edge for edge, _ in bins]
    found = time_to_convert(data, steps, bins=[*edges, 2 * edges[-1] - edges[-2]], **ends, **parameters)
    assert found["people"].tolist() == [people for _, people in bins]
    assert found["mean_seconds"][0] == case["expected"]["average_s"]
    own = time_to_convert(data, steps, bins=len(bins) - 1, **ends, **parameters)
    assert own[["from_seconds", "to_seconds"]].to_numpy().ravel().tolist() == [edges[0], edges[1], edges[1], edges[2]]
    assert own["people"].tolist() == [bins[0][1], bins[1][1] + bins[2][1]]


def one(name: str) -> dict:
    shared("oracles", "posthog_cases.json")
    return next(case for case in (*POSTHOG, *CLICKHOUSE) if case["id"] == name)


def clickhouse(case: dict) -> dict[str, int]:
    """How far each person of a case gets, in plgkit; modes of ClickHouse are exclusions between steps."""
    query, data = case["query"], opened(case)
    names = sorted({each["event"] for each in case["events"]})
    steps = [[name for name in names if in_range(name, each["event_range"])] if "event_range" in each else [each["event"]]
             for each in query["steps"]]
    modes = set(query["modes"])
    exclude = [{"event": banned, "after": k, "before": k + 1} for k in range(1, len(steps))
               if (banned := between(k, steps, names, modes))]
    first = {"entry": "first"} if modes & {"strict_order", "strict_deduplication"} and "allow_reentry" not in modes else {}
    people = who(data, steps, like="clickhouse", window=f"{query['window']['value']} seconds", exclude=exclude or None,
                 start="1970-01-01", **first)
    reached = dict(zip(people["user_id"], people["reached"], strict=True))
    return {user: reached.get(user, 0) for user in case["expected"]["max_step_by_user"]}


def in_range(name: str, ends: list[int | None]) -> bool:
    return (ends[0] is None or int(name) >= ends[0]) and (ends[1] is None or int(name) <= ends[1])


def between(k: int, steps: list[list[str]], names: list[str], modes: set[str]) -> list[str]:
    """The events that may not happen between steps k and k + 1.

    In strict_order: all but those of the steps up to k, and of these the first step's own unless reentry is allowed.
    With strict_deduplication: those of the steps 2 to k + 1, so that each can happen once.
    """
    banned: set[str] = set()
    if "strict_order" in modes:
        allowed = {name for step in steps[:k] for name in step}
        banned |= set(names) - allowed
        banned |= set(steps[0]) if k > 1 and "allow_reentry" not in modes else set()
    if "strict_deduplication" in modes:
        banned |= {name for step in steps[1:k + 1] for name in step}
    return sorted(banned)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CLICKHOUSE if case["id"] not in OTHERWISE])
def test_funnels_agree_with_clickhouse(case):
    assert clickhouse(case) == case["expected"]["max_step_by_user"]


@pytest.mark.parametrize(("name", "people"), [
    ("ch-windowfunnel-20", {"u": 5}), ("ch-windowfunnel-21", {"u": 1}), ("ch-windowfunnel-33", {"1": 4, "2": 4, "3": 2})])
def test_plgkit_differs_from_clickhouse_where_it_says(name, people):
    case = one(name)
    if name.endswith("33"):
        case = case | {"query": case["query"] | {"modes": []}}
    assert clickhouse(case) == people != case["expected"]["max_step_by_user"]
