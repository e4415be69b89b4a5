"""Every way of asking for retention, worked out again person by person in plain Python."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import plain
import pytest

from plgkit.errors import AlwaysBack, BadParameter, UnknownPreset
from plgkit.metrics import retention
from plgkit.metrics.funnels import step
from plgkit.sources.connect import connect
from plgkit.stats import intervals

HOUR = pd.Timedelta(hours=1)
BLOCK = {"hour": HOUR, "day": 24 * HOUR, "week": 168 * HOUR, "month": 720 * HOUR}
BRACKETS = {"hour": [(1, 5), (6, 30)], "day": [(1, 7), (8, 14), (15, 30)], "week": [1, 3, 5], "month": [(1, 1), (2, 2)]}
QUESTIONS = [dict(zip(("start", "back", "entry", "rule", "unit", "clock", "min_events", "reference"), each, strict=True))
             for each in itertools.product((None, "opened"), (None, "shared"), ("first", "recurring"),
                                           ("on", "on_or_after", "bracket"), ("day", "week", "month"),
                                           ("calendar", "rolling"), (1, 2), ("cohort", "previous"))]
SOME = [QUESTIONS[place] for place in np.random.default_rng(7).choice(len(QUESTIONS), 60, replace=False)]
HOURLY = [{"start": "opened", "back": None, "entry": entry, "rule": "bracket", "unit": "hour", "clock": clock,
           "min_events": 1, "reference": "cohort"} for entry in ("first", "recurring") for clock in ("calendar", "rolling")]


def hour(time: pd.Timestamp) -> pd.Timestamp:
    """The hour on the clock of the zone."""
    return time.tz_localize("UTC").tz_convert(plain.ZONE).tz_localize(None).floor("h")


def period(time: pd.Timestamp, unit: str) -> pd.Timestamp:
    """The first day, or hour, of a time's period."""
    return hour(time) if unit == "hour" else pd.Timestamp(plain.period(plain.day(time), unit))


def steps(first: pd.Timestamp, last: pd.Timestamp, unit: str) -> int:
    """How many periods lie between two."""
    if unit == "month":
        return (last.year - first.year) * 12 + last.month - first.month
    return (last - first) // BLOCK[unit]


def members(starts: pd.DataFrame, asked: dict) -> dict[tuple, pd.Timestamp]:
    """Who is in which cohort, and since when."""
    found: dict[tuple, pd.Timestamp] = {}
    for user, times in starts.groupby("user_id"):
        times = sorted(times["at"])
        for time in times if asked["entry"] == "recurring" else times[:1]:
            found.setdefault((user, period(time, asked["unit"])), time)
    return found


def people_back(asked: dict, spans: list[tuple[int, int]]) -> tuple[dict[tuple, pd.Timestamp], dict[tuple, set[int]]]:
    """Cohort members, and the spans (by place) in which each was back."""
    events = plain.known(plain.frames(), "events", "occurred_at").rename(columns={"occurred_at": "at"})
    users = plain.known(plain.frames(), "users", "signed_up_at").rename(columns={"signed_up_at": "at"})
    active = events[events["event"] != "mailed"]
    starts = events[events["event"] == asked["start"]] if asked["start"] else active if asked["entry"] == "recurring" else users
    back = events[events["event"] == asked["back"]] if asked["back"] else active
    inside, returned = members(starts, asked), {}
    times = {user: list(rows["at"]) for user, rows in back.groupby("user_id")}
    for (user, cohort), since in inside.items():
        if asked["clock"] == "rolling":
            ages = [(time - since) // BLOCK[asked["unit"]] for time in times.get(user, []) if time >= since]
        else:
            ages = [steps(cohort, period(time, asked["unit"]), asked["unit"]) for time in times.get(user, [])]
        returned[user, cohort] = {place for place, (low, high) in enumerate(spans)
                                  if sum(low <= age <= high for age in ages) >= asked["min_events"]}
    return inside, returned


def over(cohort: pd.Timestamp, age: int, asked: dict) -> bool:
    """Whether an age is over for everybody in a cohort."""
    unit = asked["unit"]
    if unit == "hour":
        after = (cohort + HOUR).tz_localize(plain.ZONE).tz_convert("UTC").tz_localize(None)
        return after + age * HOUR + (HOUR if asked["clock"] == "rolling" else 0 * HOUR) <= plain.end()
    after = plain.following(cohort.date(), unit)
    if asked["clock"] == "rolling":
        return plain.end(str(after - dt.timedelta(days=1))) + (age + 1) * BLOCK[unit] <= plain.end()
    for _ in range(age):
        after = plain.following(after, unit)
    return after <= dt.date.fromisoformat(plain.AS_OF) + dt.timedelta(days=1)


@pytest.mark.parametrize("asked", [*SOME, *HOURLY], ids=lambda asked: "-".join(map(str, asked.values())))
def test_cohorts_agree_with_following_each_person_whatever_is_asked(asked):
    unit, rule = asked["unit"], asked["rule"]
    horizon = {"hour": 30, "day": 20, "week": 5, "month": 2}[unit]
    found = retention.cohorts(plain.usual(), **asked, first_age=1, horizon=None if rule == "bracket" else horizon,
                              brackets=BRACKETS[unit] if rule == "bracket" else None)
    ends = {"on": [(age, age) for age in range(1, horizon + 1)],
            "on_or_after": [(age, horizon) for age in range(1, horizon + 1)],
            "bracket": [(1, 2), (3, 4)] if unit == "week" else BRACKETS[unit]}[rule]
    inside, returned = people_back(asked, ends)
    cohorts: dict[pd.Timestamp, list[set[int]]] = {}
    for (_, cohort), places in returned.items():
        cohorts.setdefault(cohort, []).append(places)
    assert set(found["cohort"]) <= set(cohorts)
    assert inside
    for row in found.itertuples():
        place = next(place for place, (low, _) in enumerate(ends) if low == row.age)
        mine = cohorts[row.cohort]
        before = [place - 1 in each for each in mine] if asked["reference"] == "previous" and place else [True] * len(mine)
        assert row.numerator == sum(place in each for each in mine)
        assert row.denominator == sum(before)
        assert row.mature == over(row.cohort, ends[place][1], asked)
        assert not row.denominator or row.low <= row.value <= row.high


def crowds(number: int, size: int) -> dict[str, pd.DataFrame]:
    """Crowds of people of whom each comes on a share of the weeks that is the person's own."""
    rng = np.random.default_rng(1)
    people = pd.DataFrame({"user_id": [f"{crowd}-{person}" for crowd in range(number) for person in range(size)],
                           "channel": np.repeat([f"crowd {crowd}" for crowd in range(number)], size)})
    comes = rng.random((len(people), 16)) < rng.beta(0.6, 0.9, len(people))[:, None]
    person, week = np.nonzero(comes)
    start = pd.Timestamp("2025-01-06 12:00")
    events = pd.DataFrame({"user_id": people["user_id"].to_numpy()[person], "event": "opened",
                           "occurred_at": start + pd.to_timedelta(7 * week, unit="D")})
    return {"events": events, "users": people.assign(signed_up_at=start - pd.Timedelta(hours=1))}


def test_people_in_several_cohorts_are_drawn_again_as_people():
    # Who comes often is in many cohorts and back in most, so that the rows of a recurring curve are far from
    # independent: Wilson's interval over them is too narrow, and drawing people is not.
    data = connect(crowds(100, 60), as_of="2025-04-27")
    found = retention.curve(data, entry="recurring", first_age=1, horizon=1, by="channel")
    spread = 2 * 1.96 * found["value"].std()
    assert (found["high"] - found["low"]).mean() == pytest.approx(spread, rel=0.15)
    low, high = intervals.wilson(found["value"] * found["at_risk"], found["at_risk"])
    assert (high - low).mean() < 0.75 * spread


def test_a_share_of_the_age_before_may_exceed_all_and_stays_within_its_interval():
    rows = [(user, "2025-01-06") for user in "abcdef"] + [("a", "2025-01-13")] + [(user, "2025-01-20") for user in "abc"]
    frame = pd.DataFrame(rows, columns=["user_id", "occurred_at"]).assign(event="opened")
    data = connect({"events": frame.astype({"occurred_at": "datetime64[us]"})}, as_of="2025-01-26")
    found = retention.cohorts(data, reference="previous", first_age=1).iloc[1]
    assert (found["numerator"], found["denominator"], found["value"]) == (3, 1, 3.0)
    assert found["low"] <= 3 <= found["high"]


@pytest.mark.parametrize(("asked", "said"), [
    ({"rule": "bracket"}, "brackets is None; expected brackets such as [(0, 0), (1, 7), (8, 14)] or their first ages "
                          "[0, 1, 8, 15], as the rule is 'bracket'."),
    ({"brackets": [1, 2]}, "brackets is [1, 2]; expected none, as the rule is 'on' and not 'bracket'."),
    ({"rule": "bracket", "brackets": [(1, 7), (5, 9)]},
     "brackets is [(1, 7), (5, 9)]; expected ages in rising order that do not overlap."),
    ({"entry": "second"}, "entry is 'second'; expected one of first, first_matching, recurring."),
    ({"reference": "last"}, "reference is 'last'; expected one of cohort, previous.")])
def test_what_cannot_be_asked_of_cohorts_is_said(tiny, asked, said):
    with pytest.raises(BadParameter) as caught:
        retention.cohorts(tiny, **asked)
    assert str(caught.value) == said


def test_any_activity_is_no_return_from_any_activity(tiny):
    with pytest.raises(AlwaysBack) as caught:
        retention.cohorts(tiny, entry="recurring")
    assert str(caught.value) == (
        "Everybody who starts with any activity has been active at age 0, so that retention there is always 100 %. "
        "Ask from first_age=1 on, or name another event to come back by.")
    with pytest.raises(AlwaysBack, match="Everybody who starts with 'signed_in' has done 'signed_in' at age 0"):
        retention.cohorts(tiny, start="signed_in")


def test_a_tool_s_way_of_counting_gives_way_to_what_is_asked_besides(tiny):
    like = retention.cohorts(tiny, like="amplitude", unit="week")
    assert like.equals(retention.cohorts(tiny, entry="recurring", clock="rolling", first_age=1, unit="week"))
    with pytest.raises(UnknownPreset) as caught:
        retention.cohorts(tiny, like="amplitud")
    assert str(caught.value) == "No way of counting like 'amplitud' here. Did you mean 'amplitude'?"


def paid(*rows: tuple[str, str, str | None]) -> pd.DataFrame:
    """Payments: who, on which day of January 2025, on which plan."""
    return pd.DataFrame([{"user_id": user, "event": "paid", "occurred_at": pd.Timestamp(f"2025-01-{day}"),
                          "properties": None if plan is None else f'{{"plan": "{plan}"}}'} for user, day, plan in rows])


def test_the_first_ever_is_told_from_the_first_that_meets_the_conditions():
    frame = paid(("ann", "06", "solo"), ("ann", "14", "team"), ("bob", "07", "team"), ("bob", "21", "team"))
    data = connect({"events": frame}, as_of="2025-01-31")
    team = step("paid", where={"plan": "team"})
    ever = retention.cohorts(data, start=team, back="paid", first_age=1, horizon=1)
    # Ann's first payment was for another plan, so that only Bob is in a cohort; he comes back in week 2 only.
    assert ever[["cohort", "numerator", "denominator"]].to_numpy().tolist() == [[pd.Timestamp("2025-01-06"), 0, 1]]
    matching = retention.cohorts(data, start=team, back="paid", entry="first_matching", first_age=1, horizon=2)
    assert matching.groupby("cohort")["denominator"].first().tolist() == [1, 1]
    assert matching["numerator"].tolist() == [0, 1, 0, 0]


def test_a_breakdown_is_by_the_value_at_the_start_event():
    frame = paid(("ann", "06", "solo"), ("ann", "14", "team"), ("bob", "07", "team"), ("bob", "15", "solo"), ("cho", "08", None))
    data = connect({"events": frame}, as_of="2025-01-31")
    found = retention.cohorts(data, start="paid", first_age=1, horizon=1, breakdown="plan")
    assert found[["plan", "numerator", "denominator"]].to_numpy().tolist() == [["(none)", 0, 1], ["solo", 1, 1], ["team", 1, 1]]
    several = retention.curve(data, start="paid", entry="recurring", first_age=1, horizon=1, breakdown="plan")
    assert several[["plan", "value", "at_risk"]].to_numpy().tolist() == [["(none)", 0, 1], ["solo", 0.5, 2], ["team", 0.5, 2]]
    with pytest.raises(BadParameter) as caught:
        retention.cohorts(data, breakdown="plan")
    assert str(caught.value) == "breakdown is 'plan'; expected a start event whose property it is, and no by."


def test_a_return_with_fewer_conditions_is_the_start_itself(tiny):
    data = connect({"events": paid(("ann", "06", "team"), ("ann", "14", "solo"))}, as_of="2025-01-31")
    start = {"event": "paid", "where": {"plan": "team"}}
    with pytest.raises(AlwaysBack, match=r"Everybody who starts with 'paid \(plan = team\)'"):
        retention.cohorts(data, start=start, back="paid")
    other = retention.cohorts(data, start=start, back={"event": "paid", "where": {"plan": "solo"}})
    assert other["numerator"].tolist()[:2] == [0, 1]
