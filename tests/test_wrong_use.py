"""Wrong use is answered with a sentence: what was wrong, what there is, what to do."""

from __future__ import annotations

import pandas as pd
import pytest

import plgkit
from plgkit import samples
from plgkit.errors import MissingTable, PlgkitError
from plgkit.metrics import acquisition, activation, engagement, registry, retention

TINY = samples.tiny()
STEPS = ["signed_in", "report_created"]
EVENTS = pd.DataFrame({"user_id": ["ann"], "event": ["used"], "occurred_at": pd.to_datetime(["2025-01-06"])})
COMPARED = "funnel, retention.cohorts, retention.curve, retention.growth_accounting, engagement.stickiness"


@pytest.mark.parametrize(("ask", "said"), [
    (lambda: plgkit.step("paid", "team"), "where is 'team'; expected properties and what they must be, such as {\"plan\": \"team\"}."),
    (lambda: plgkit.step({"event": "paid", "where": "team"}),
     "where is 'team'; expected properties and what they must be, such as {\"plan\": \"team\"}."),
    (lambda: plgkit.step("paid", name=3), "name is 3; expected what to call the step, as text."),
    (lambda: plgkit.step("paid", {1: 2}), "where is {1: 2}; expected the name of a property before each value."),
    (lambda: plgkit.step("paid", {"plan": None}),
     "where['plan'] is None; expected a value, a list of values or operators; {\"set\": False} where it is missing."),
    (lambda: plgkit.step("paid", {"plan": []}),
     "where['plan'] is []; expected a value, a list of values or operators; {\"set\": False} where it is missing."),
    (lambda: plgkit.step("paid", {"plan": {"set": "no"}}), "where['plan'] is {'set': 'no'}; expected True or False after set."),
    (lambda: plgkit.step("paid", {"plan": {"in": "team"}}), "where['plan'] is {'in': 'team'}; expected a list of values after in."),
    (lambda: plgkit.funnel(TINY, STEPS, exclude=5),
     'exclude is 5; expected events that must not happen, such as {"event": "logged_out", "after": 1, "before": 2}.'),
    (lambda: plgkit.funnel(TINY, STEPS, exclude_effect="leaf"), "exclude_effect is 'leaf'; expected one of stop, leave, or None."),
    (lambda: plgkit.funnel(TINY, STEPS, step_windows=[1, 2]),
     "step_windows is [1, 2]; expected a list of 1 windows, one for each step after the first (None: no limit)."),
    (lambda: plgkit.funnel(TINY, STEPS, window=-1), "window is -1; expected days as a whole number, or a length of time such as "
                                                    '"15 seconds", "36 hours", "2 weeks".'),
    (lambda: plgkit.funnel(TINY, STEPS, start="2025-02-01", end="2025-01-01"),
     "start is '2025-02-01'; expected a day up to end, which is 2025-01-01."),
    (lambda: plgkit.funnel(TINY, STEPS, by=["channel"]),
     "by is ['channel']; expected the name of one column of people or accounts, or None."),
    (lambda: plgkit.funnel(TINY, STEPS, level="high"), "level is 'high'; expected a share between 0 and 1, such as 0.95."),
    (lambda: plgkit.funnel("data/", STEPS), "A measure reads what plgkit.connect(source) gives, not a str. "
                                            "Open the source first; plgkit.samples.tiny() is a small one to try."),
])
def test_of_funnels(ask, said):
    with pytest.raises(PlgkitError) as caught:
        ask()
    assert str(caught.value) == said


@pytest.mark.parametrize(("ask", "said"), [
    (lambda: activation.rate(TINY, "week"), "activation.rate takes its parameters by name, so that 'week' tells nothing. "
                                            "It has: event, within_days, by, grain."),
    (lambda: activation.rate(None), "A measure reads what plgkit.connect(source) gives, not nothing. "
                                    "Open the source first; plgkit.samples.tiny() is a small one to try."),
    (lambda: activation.rate(TINY, event=5), "event is 5; expected the name of an event, or a list of names."),
    (lambda: activation.engagement_depth(TINY, core=["report_create"]),
     "No event 'report_create' in table 'events'. Did you mean 'report_created'?"),
    (lambda: activation.core_feature_adoption(TINY, core=[]), "core is []; expected a list of names."),
    (lambda: activation.aha_candidates(TINY, days=7), "days is 7; expected a list of whole numbers."),
    (lambda: activation.aha_candidates(TINY, outcome="bought"), "outcome is 'bought'; expected one of active, paid."),
    (lambda: activation.aha_candidates(TINY, still_there="yes"), "still_there is 'yes'; expected True or False."),
    (lambda: activation.paths(TINY, depth=0), "depth is 0; expected a whole number, 1 or more."),
    (lambda: activation.time_to_value_compared(TINY, by=None),
     "by is None; expected the name of one column of people or accounts."),
    (lambda: engagement.score(TINY, weights="equal"), "weights is 'equal'; expected breadth, depth and frequency, each 0 or more, that sum to 1, such as "
     "{'breadth': 0.4, 'depth': 0.3, 'frequency': 0.3}."),
    (lambda: engagement.usage_interval(TINY, share="most"), "share is 'most'; expected a number."),
    (lambda: engagement.sessions(TINY, gap_minutes=0), "gap_minutes is 0; expected a whole number, 1 or more."),
    (lambda: retention.cohorts(TINY, unit="fortnight"), "unit is 'fortnight'; expected one of hour, day, week, month."),
    (lambda: retention.survival_compared(TINY, by=None), "by is None; expected the name of one column of people or accounts."),
    (lambda: retention.at_risk(TINY, fall="half"), "fall is 'half'; expected a number."),
    (lambda: acquisition.cac(TINY, by="channl"), "No column 'channl' to cut by. Did you mean 'channel'?"),
    (lambda: acquisition.organic_share(TINY, paid="ads"), "paid is 'ads'; expected a list of names."),
])
def test_of_measures(ask, said):
    with pytest.raises(PlgkitError) as caught:
        ask()
    assert str(caught.value) == said


@pytest.mark.parametrize(("ask", "said"), [
    (lambda: plgkit.compare(TINY, "retention.cohort", "posthog"), f"measure is 'retention.cohort'; expected one of {COMPARED}."),
    (lambda: plgkit.compare(TINY, 5, "posthog"), f"measure is 5; expected one of {COMPARED}."),
    (lambda: plgkit.compare(TINY, "funnel", 5, steps=STEPS),
     "other is 5; expected a tool such as \"posthog\", or the parameters that differ, such as {\"clock\": \"rolling\"}."),
    (lambda: plgkit.compare(TINY, "funnel", "posthog"),
     "steps is None; expected a list of steps, each an event, a list of events or an event with conditions."),
    (lambda: plgkit.compare(TINY, "funnel", {"steps": "x"}, steps=STEPS),
     "steps is 'x'; expected a list of steps, each an event, a list of events or an event with conditions."),
    (lambda: plgkit.compare(TINY, "retention.cohorts", {"clock": "sun"}), "clock is 'sun'; expected one of calendar, rolling."),
    (lambda: plgkit.compare(TINY, "retention.cohorts", "mixpanel", examples=-1), "examples is -1; expected a whole number, 0 or more."),
    (lambda: plgkit.sensitivity(TINY, "activation.rate", vary="within_days"),
     "vary is 'within_days'; expected a list of values for each parameter, such as {\"within_days\": [3, 14]}."),
    (lambda: plgkit.sensitivity(TINY, "activation.rate", vary={"within_day": [3]}),
     "activation.rate takes no parameter 'within_day'. Did you mean 'within_days'?"),
    (lambda: plgkit.sensitivity(TINY, "activation.aha_candidates", by="channel"),
     "measure is 'activation.aha_candidates'; expected one whose frame has a value to draw a conclusion from."),
])
def test_of_other_definitions(ask, said):
    with pytest.raises(PlgkitError) as caught:
        ask()
    assert str(caught.value) == said


@pytest.mark.parametrize(("source", "said"), [
    (5, "The source is of type int; expected a folder or file, a mapping of tables to data frames such as "
        '{"events": frame}, or an Ibis connection.'),
    ({"events": pd.DataFrame()}, "The table 'events' has no column; expected one row per thing a person did, with "
                                 "user_id, event, occurred_at."),
    ({"events": EVENTS.iloc[:0]}, "The table 'events' has no row; as_of cannot be told."),
])
def test_of_sources(source, said):
    with pytest.raises(PlgkitError) as caught:
        plgkit.connect(source)
    assert str(caught.value) == said


def test_a_table_without_rows_is_no_fault():
    data = plgkit.connect({"events": EVENTS, "invites": pd.DataFrame(columns=["invite_id", "inviter_id", "sent_at"])})
    assert len(data.run(data.invites)) == 0


@pytest.mark.parametrize("name", [name for name in registry.measures() if name.split(".")[0] in (
    "acquisition", "activation", "engagement", "retention")])
@pytest.mark.parametrize("value", ["no such", -1, [[]], {"no": "such"}, float("nan")], ids=str)
def test_no_value_of_any_parameter_ends_in_a_traceback(name, value):
    measure = registry.find(name)
    for parameter in [*measure.parameters, "level"]:
        try:
            measure.query(TINY, **{parameter: value}) if parameter != "level" else measure(TINY, level=value)
        except PlgkitError:
            continue


def test_a_cut_by_people_where_no_people_are_known_names_the_table():
    changes = pd.DataFrame({"account_id": ["a"], "changed_at": pd.to_datetime(["2026-01-05"]), "mrr": [20.0]})
    data = plgkit.connect({"subscriptions": changes}, as_of="2026-02-28")
    with pytest.raises(MissingTable) as error:
        plgkit.metrics.expansion.mrr(data, by="channel")
    assert str(error.value) == ("This needs the table 'users' (one row per person who signed up), which these data do not have. "
                                "They have: subscriptions. Name its file under [tables.users] in playbook.toml.")
