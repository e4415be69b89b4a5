"""The scorecard: the last final value of each measure against its target, and a sentence where there is none."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from plgkit import connect
from plgkit.errors import UnknownMeasure
from plgkit.glossary import as_markdown, glossary
from plgkit.metrics.registry import STAGES, measures
from plgkit.playbook.goals import Target
from plgkit.scorecard import HEADLINES, LOST, history, judging, leak, scorecard
from plgkit.stats.intervals import wilson


@pytest.fixture(scope="module")
def card(tiny):
    return scorecard(tiny)


def test_every_headline_is_a_measure_of_the_catalogue():
    assert [each.measure for each in HEADLINES if each.measure not in measures()] == []


def test_lines_stand_by_stage_once_each_with_a_status(card):
    assert not card.measure.duplicated().any()
    assert card.stage.map(STAGES.index).is_monotonic_increasing
    assert set(card.status) <= {"on target", "off target", "cannot tell", "no target", "no data"}
    assert (card.note[card.status == "no data"] != "").all()
    assert (card.note[card.status != "no data"] == "").all()


def test_the_value_is_that_of_the_last_final_period(card):
    lines = card.set_index("measure")
    # Nobody signs up in February, so that January is the last period with a rate.
    assert lines.loc["activation.rate", ["value", "n", "target", "status"]].tolist() == [0.5, 4, 0.6, "cannot tell"]
    assert lines.loc["expansion.mrr", ["value", "before", "change"]].tolist() == [30.0, 70.0, -40.0]
    assert lines.trend["expansion.mrr"] == (70.0, 30.0)


def test_data_with_events_alone_get_their_lines_and_a_sentence_for_the_rest():
    days = pd.date_range("2025-01-06", "2025-03-31", freq="D")
    events = pd.DataFrame({"user_id": [f"u{place % 9}" for place in range(len(days))], "event": "seen",
                           "occurred_at": days})
    lines = scorecard(connect({"events": events}, as_of="2025-03-31")).set_index("measure")
    assert lines.loc["engagement.active_people", "status"] == "no target"
    assert lines.loc["expansion.nrr", "note"] == (
        "This needs the table 'subscriptions' (one row per change of what an account pays), which these data do not "
        "have. They have: users, events. Name its file under [tables.subscriptions] in playbook.toml.")
    assert lines.loc["activation.rate", "note"].startswith("This needs [activation] event in the playbook")


def line(stage: str, value: float, low: float, high: float, target: float, better: str = "higher") -> dict:
    return {"stage": stage, "measure": f"{stage}.rate", "value": value, "low": low, "high": high, "target": target,
            "better": better, "status": "off target"}


def test_the_leak_is_the_largest_shortfall_that_is_no_noise():
    made = pd.DataFrame([line("activation", 0.40, 0.38, 0.42, 0.50), line("conversion", 0.02, 0.01, 0.054, 0.06),
                         line("retention", 0.10, 0.09, 0.11, 0.08, "lower")])
    found = leak(made)
    # Short beyond doubt: 1 - 0.42 / 0.50 = 16 %, 1 - 0.054 / 0.06 = 10 %, 1 - 0.08 / 0.09 = 11 %.
    assert (found.stage, round(found.shortfall, 3)) == ("activation", 0.16)
    assert leak(made.assign(status="cannot tell")) is None


def test_the_history_has_a_row_for_each_value_of_each_trend(card):
    assert len(history(card)) == card.trend.map(lambda trend: max(len(trend), 1)).sum()


def test_an_unknown_measure_is_named_with_the_nearest_one(tiny):
    with pytest.raises(UnknownMeasure) as caught:
        scorecard(tiny, measures=["activation.rat"])
    assert str(caught.value) == "No measure 'activation.rat' in the catalogue. Did you mean 'activation.rate'?"


def test_the_glossary_explains_every_measure_in_whole_sentences():
    words = glossary()
    assert list(words.measure) == list(measures())
    assert words.definition.str.endswith(".").all()
    assert not words.definition.str.contains("`").any()
    assert as_markdown(words).count("\n**") == len(words)


def months(shares: list[float], people: int = 300) -> pd.DataFrame:
    """Twelve months of a share of so many people, as close to it as whole people allow."""
    hits = np.array([round(each * people) for each in shares])
    low, high = wilson(hits, np.full(len(hits), people))
    return pd.DataFrame({"period": pd.date_range("2025-07-01", periods=len(hits), freq="MS"), "numerator": hits, "denominator": people,
                         "value": hits / people, "low": low, "high": high, "n": people})


def test_a_line_has_drifted_when_it_left_what_it_used_to_be_and_swing():
    steady, swinging = [0.40, 0.42, 0.38, 0.41, 0.39, 0.40, 0.42, 0.38, 0.40], [0.3, 0.5, 0.3, 0.5, 0.4, 0.3, 0.5, 0.3, 0.5]
    fallen = judging.drift(months([*steady, 0.30, 0.29, 0.31]))
    assert (round(fallen["usual"], 2), round(fallen["lately"], 2)) == (0.40, 0.30)
    assert fallen["drift_low"] < -0.1 < fallen["drift_high"] < 0
    assert judging.drift(months([*steady, 0.41, 0.39, 0.40]))["drift_p"] > 0.5
    assert judging.drift(months([*swinging, 0.30, 0.29, 0.31]))["drift_p"] > 0.05
    assert np.isnan(judging.drift(months(steady[:6]))["drift"])


OWN = {each.measure: each for each in HEADLINES if each.own and each.measure != "retention.user_churn"}


@pytest.mark.parametrize(("stage", "broken"), [
    ("acquisition", {"acquisition.visitor_to_signup": 0.6}),
    ("activation", {"activation.rate": 0.5, "activation.day1_rate": 0.5, "retention.activated_day_n": 0.9}),
    ("retention", {"retention.activated_day_n": 0.5, "engagement.stickiness": 0.8, "conversion.trial_to_paid": 0.7}),
    ("conversion", {"conversion.upgrade_after_activation": 0.3, "conversion.free_to_paid": 0.3, "pql.to_customer": 0.3}),
    ("pql", {"pql.to_customer": 0.4, "conversion.free_to_paid": 0.9, "conversion.upgrade_after_activation": 0.9}),
    ("advocacy", {"advocacy.invite_acceptance": 0.4, "acquisition.visitor_to_signup": 0.85})])
def test_the_stage_that_was_broken_is_the_one_that_leaks(stage, broken):
    names = [*OWN, "conversion.free_to_paid"]
    lines = [{"stage": name.partition(".")[0], "measure": name, "label": name, "better": "higher", "own": name in OWN, "target": np.nan,
              "status": "no target", **judging.drift(months([0.3, 0.31, 0.29] * 3 + [0.3 * broken.get(name, 1.0)] * 3))} for name in names]
    card = pd.DataFrame(lines).assign(low=0.0, high=1.0, value=0.3)
    card["drifted"] = (card.drift_p <= 0.01).astype("boolean")
    found = leak(card)
    assert (found.stage, found.reason) == (stage, LOST)


def test_a_target_is_on_the_way_only_where_the_line_leads_there():
    goal, rising = Target(value=0.6, due=dt.date(2026, 12, 31)), [0.30 + 0.02 * each for each in range(12)]
    told = {name: judging.objective(months(shares), goal, "higher", "off target", dt.date(2026, 6, 30)) for name, shares in
            {"rising": rising, "falling": rising[::-1], "short": rising[:3]}.items()}
    assert {name: each["reach"] for name, each in told.items()} == {"rising": "on the way", "falling": "too slow", "short": "cannot tell"}
    assert told["rising"]["pace"] == pytest.approx(0.02, abs=0.001)
    late = judging.objective(months(rising), goal, "higher", "off target", dt.date(2027, 1, 31))
    assert late["reach"] == "missed"
