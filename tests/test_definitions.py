"""Other definitions of a number: who is counted differently, and whether a conclusion turns."""

from __future__ import annotations

import pandas as pd
import pytest

import plgkit
from plgkit.errors import BadParameter, UnknownPreset
from plgkit.metrics import retention
from plgkit.playbook import Playbook
from plgkit.samples import bundled_path
from plgkit.sources.connect import connect


@pytest.fixture(scope="module")
def acme():
    return connect(bundled_path())


def people(*rows: tuple[str, str], **words) -> plgkit.Data:
    """Events of people who are there from their first one."""
    frame = pd.DataFrame([(user, "used", at) for user, at in rows], columns=["user_id", "event", "occurred_at"])
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"])
    return connect({"events": frame}, as_of="2025-03-31", playbook=Playbook(**words))


def test_the_clock_is_to_blame_for_who_is_back_next_morning_before_the_hour():
    data = people(("ann", "2025-03-03 20:00"), ("ann", "2025-03-04 06:00"),
                  ("bob", "2025-03-03 06:00"), ("bob", "2025-03-04 20:00"))
    found = plgkit.compare(data, "retention.cohorts", "mixpanel", unit="day", age=1)
    assert found.to_dict("records") == [{
        "parameter": "clock", "ours": "calendar", "theirs": "rolling", "counted": "back", "counted_instead": "not back",
        "people": 1, "examples": "ann"}]
    assert found.attrs["verdict"] == "1 of 2 people is counted differently, because of clock."
    assert found.attrs["counted"] == {"back": 2}
    assert found.attrs["counted_instead"] == {"back": 1, "not back": 1}


def test_equal_definitions_count_everybody_alike(acme):
    found = plgkit.compare(acme, "retention.cohorts", {"unit": "week"}, age=2)
    assert len(found) == 0
    assert found.attrs["verdict"].endswith("people are counted alike.")


@pytest.mark.parametrize("parameters", [{}, {"clock": "rolling"}, {"rule": "on_or_after", "horizon": 20}, {"min_events": 3}])
def test_the_people_compared_are_those_of_the_measure(acme, parameters):
    found = plgkit.compare(acme, "retention.curve", {"entry": "recurring"}, unit="day", age=3, **parameters)
    point = retention.curve(acme, unit="day", first_age=3, **{"horizon": 3, **parameters}).iloc[0]
    counted = found.attrs["counted"]
    assert sum(counted.values()) == point["at_risk"]
    assert counted["back"] / point["at_risk"] == pytest.approx(point["value"])


def test_every_change_is_laid_to_one_parameter_and_they_add_up(acme):
    found = plgkit.compare(acme, "retention.cohorts", {"clock": "rolling", "min_events": 2}, unit="day", age=1)
    assert list(found["parameter"].unique()) == ["clock", "min_events"]
    backs = {"back": 1, "not back": 0, "not counted": 0}
    moved = found["counted_instead"].map(backs) - found["counted"].map(backs)
    gained = (moved * found["people"]).sum()
    assert gained == found.attrs["counted_instead"]["back"] - found.attrs["counted"]["back"]


def test_a_measure_or_a_tool_that_cannot_be_compared_is_a_sentence(acme):
    with pytest.raises(BadParameter) as caught:
        plgkit.compare(acme, "acquisition.signups", "posthog")
    assert str(caught.value).startswith("measure is 'acquisition.signups'; expected one of ")
    with pytest.raises(UnknownPreset) as unknown:
        plgkit.compare(acme, "retention.cohorts", "mixpannel")
    assert str(unknown.value) == "No way of counting like 'mixpannel' here. Did you mean 'mixpanel'?"


def test_a_conclusion_that_turns_is_named():
    rows = [(f"u{number:03}", f"2025-03-{day:02} 12:00") for number in range(100) for day in (3, 4)]
    rows += [(f"u{number:03}", "2025-03-05 12:00") for number in range(90)]
    data = people(*rows, targets={"retention.day_n": {"value": 0.95, "grain": "week"}})
    found = plgkit.sensitivity(data, "retention.day_n", day=1, vary={"day": [2]})
    assert list(found["value"]) == [1.0, 0.9]
    assert list(found["conclusion"]) == ["on target", "off target"]
    assert found.attrs["verdict"] == (
        "The conclusion (on target) holds under 1 of 2 definitions. It turns with day 2: off target.")


def test_the_definition_in_use_stands_first_and_equals_the_measure(acme):
    found = plgkit.sensitivity(acme, "activation.rate", grain="quarter")
    used = plgkit.metrics.activation.rate(acme, grain="quarter")
    last = used[used["immature"] == 0].iloc[-1]
    assert found.loc[0, "is"] == "as in use"
    assert found.loc[0, "value"] == last["value"]
    assert found["same"].iloc[0]
    assert set(found["parameter"]) == {"", "within_days"}


def test_what_cannot_be_concluded_is_a_sentence(acme):
    with pytest.raises(BadParameter) as caught:
        plgkit.sensitivity(acme, "activation.rate", conclusion="best")
    assert str(caught.value) == "conclusion is 'best'; expected another one, or by= with the column to cut by."
    with pytest.raises(BadParameter) as odd:
        plgkit.sensitivity(acme, "activation.rate", conclusion="bset")
    assert str(odd.value) == "conclusion is 'bset'; expected one of target, change, best."


def test_a_definition_that_the_data_cannot_answer_is_left_out_and_named(acme):
    found = plgkit.sensitivity(acme, "activation.rate", grain="quarter", vary={"within_days": [0, 3]})
    assert list(found["is"]) == ["as in use", 3]
    assert found.attrs["left_out"] == ["within_days = 0: within_days is 0; expected a whole number of days, 1 or more."]
