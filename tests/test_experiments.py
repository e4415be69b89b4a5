"""Experiments: the split comes first, people count once, and nobody before their days are over."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plgkit import connect
from plgkit.errors import BadParameter, PlgkitError, UnknownExperiment
from plgkit.metrics import experiments
from plgkit.metrics.experiments import judging
from plgkit.playbook import Playbook
from plgkit.playbook.trial import Experiment, Metric
from plgkit.stats import compare, sequential
from plgkit.stats.intervals import newcombe

START = pd.Timestamp("2025-01-10")


def trial(groups: dict[str, tuple[int, int]], *, again: int = 0, young: int = 0, **words) -> object:
    """A company with one experiment: per variant how many people and how many of them succeed a day later."""
    rows, done = [], []
    for variant, (people, wins) in groups.items():
        ids = [f"{variant}{place}" for place in range(people)]
        rows += [(each, "page", variant, START) for each in ids]
        done += [(each, "paid", START + pd.Timedelta(days=1)) for each in ids[:wins]]
    first = next(iter(groups))
    rows += [(f"{first}{place}", "page", "other", START + pd.Timedelta(days=2)) for place in range(again)]
    rows += [(f"young{place}", "page", first, pd.Timestamp("2025-02-27")) for place in range(young)]
    exposures = pd.DataFrame(rows, columns=["user_id", "experiment", "variant", "exposed_at"])
    events = pd.DataFrame([*done, ("nobody", "seen", START)], columns=["user_id", "event", "occurred_at"])
    users = pd.DataFrame({"user_id": [*exposures.user_id.unique(), "nobody"], "signed_up_at": START})
    plan = {"control": "old", "metric_event": "paid", "within_days": 14, **words}
    return connect({"users": users, "exposures": exposures, "events": events}, as_of="2025-02-28",
                   playbook=Playbook(**{"experiments": {"page": plan}}))


def test_the_comparison_is_that_of_the_two_shares():
    # Newcombe's own example of two shares: 56 of 70 against 48 of 80.
    found = experiments.comparison(trial({"new": (70, 56), "old": (80, 48)})).set_index("variant")
    assert list(found.index) == ["old", "new"]
    assert found.verdict.tolist() == ["control", "better than the control"]
    assert found.loc["new", ["difference_low", "difference_high"]].tolist() == pytest.approx(newcombe(56, 70, 48, 80))
    assert found.loc["new", "p"] == pytest.approx(compare.shares(56, 70, 48, 80).p)
    assert found.loc["new", "lift"] == pytest.approx(1 / 3)


def test_who_saw_several_variants_is_set_aside_and_the_young_wait():
    found = experiments.comparison(trial({"old": (50, 20), "new": (50, 30)}, again=5, young=4)).set_index("variant")
    assert found.n.to_dict() == {"old": 45, "new": 50}
    assert found.immature.to_dict() == {"old": 4, "new": 0}
    assert set(found.set_aside) == {5}


def test_a_split_that_is_not_the_planned_one_withholds_the_differences():
    found = experiments.comparison(trial({"old": (600, 60), "new": (400, 80)})).set_index("variant")
    assert found[["difference", "lift", "p"]].isna().all().all()
    assert found.verdict["new"] == "not compared: the split is not the planned one (p = 2.5e-10)"
    assert found.value["new"] == 0.2
    planned = experiments.comparison(trial({"old": (600, 60), "new": (400, 80)}, shares={"old": 0.6, "new": 0.4}))
    assert planned.verdict.tolist() == ["control", "better than the control"]
    splits = experiments.sample_ratio(trial({"old": (600, 60), "new": (400, 80)}))
    assert splits.even.tolist() == [False, False]
    assert splits.share.tolist() == [0.4, 0.6]


def test_success_before_the_exposure_or_after_the_days_is_none():
    data = trial({"old": (2, 0), "new": (2, 0)})
    tables = {name: data.table(name).execute() for name in ("users", "exposures")}
    events = pd.DataFrame({"user_id": ["old0", "old1", "new0", "new1"], "event": "paid", "occurred_at": [
        START - pd.Timedelta(seconds=1), START, START + pd.Timedelta(days=14), START + pd.Timedelta(days=14, seconds=1)]})
    data = connect({**tables, "events": events}, as_of="2025-02-28", playbook=data.playbook)
    assert experiments.comparison(data).set_index("variant").conversions.to_dict() == {"old": 1, "new": 1}


def test_a_control_that_nobody_saw_is_named():
    found = experiments.comparison(trial({"a": (20, 5), "b": (20, 5)}))
    assert set(found.verdict) == {"not compared: no variant is called 'old', as the playbook calls the control"}
    assert np.isnan(found.difference).all()


def test_an_unknown_experiment_is_named_with_the_nearest_one(tiny):
    with pytest.raises(UnknownExperiment) as caught:
        experiments.comparison(tiny, experiment="welcom")
    assert str(caught.value) == "No experiment 'welcom' in table 'exposures'. Did you mean 'welcome'?"


def test_the_primary_metric_comes_first_and_guardrails_stand_alone():
    rows = pd.DataFrame({"role": ["primary", "secondary", "secondary", "guardrail"], "p": [0.03, 0.001, 0.02, 0.5]})
    found = judging.corrected(rows, "holm")
    assert found.p_within.tolist()[:3] == [0.03, 0.002, 0.02]
    assert found.p_corrected.tolist()[:3] == [0.03, 0.03, 0.03]
    assert np.isnan(found.p_corrected[3])
    assert judging.corrected(rows, "none").p_corrected.tolist()[:3] == [0.03, 0.001, 0.02]


def test_a_guardrail_holds_when_its_worst_is_within_the_margin():
    metrics = [{"name": "stays", "event": "paid", "role": "guardrail", "margin": 0.2}]
    words = {"metric_event": "seen", "metrics": metrics}
    said = {}
    for people, old, new in ((1000, 400, 390), (20, 8, 8), (1000, 400, 200)):
        found = experiments.results(trial({"old": (people, old), "new": (people, new)}, **words))
        said[people, new] = found.query("role == 'guardrail' and variant == 'new'").verdict.iloc[0]
    assert list(said.values()) == ["holds", "not shown to hold", "broken"]


def test_newcomers_have_no_past_and_nothing_is_taken_out():
    found = experiments.results(trial({"old": (200, 60), "new": (200, 90)})).query("variant == 'new'").iloc[0]
    assert found.removed == 0
    assert [found.difference_low, found.difference_high] == pytest.approx(newcombe(90, 200, 60, 200))


def test_an_uneven_split_withholds_every_metric_and_every_look():
    data = trial({"old": (600, 60), "new": (400, 80)}, metrics=[{"name": "times", "event": "paid", "kind": "mean"}])
    found = experiments.results(data)
    assert found[["difference", "lift", "p", "always_low", "p_corrected"]].isna().all().all()
    assert set(found.verdict) == {"not compared: the split is not the planned one (p = 2.5e-10)"}
    assert experiments.looks(data).empty


def test_looking_every_day_finds_what_is_not_there_and_the_wide_interval_does_not():
    # Four hundred dealings of people who do alike; published: Johari and others, "Peeking at A/B tests", KDD (2017).
    random, days, people = np.random.default_rng(7), 60, 40
    arm = [{"n": (np.arange(days) + 1.0) * people, "x": random.binomial(people, 0.4, (400, days)).cumsum(axis=1).astype(float)} for _ in "ab"]
    arm = [each | {"xx": each["x"], "a": 0 * each["x"], "xa": 0 * each["x"], "aa": 0 * each["x"]} for each in arm]
    found = judging.followed(*arm, Metric(name="m", event="e"), Experiment(), adjusted=False, level=0.95)
    assert 0.02 < (found["p"][:, -1] <= 0.05).mean() < 0.08
    assert (np.nan_to_num(found["p"], nan=1.0).min(axis=1) <= 0.05).mean() > 0.2
    assert (np.nan_to_num(found["p_always"], nan=1.0).min(axis=1) <= 0.05).mean() < 0.05


def test_the_always_valid_p_and_interval_agree():
    low, high = sequential.always_valid(0.05, 0.02, [2000, 5000, 60], tuned_for=2000)
    for place, n in enumerate((2000, 5000)):
        half = (high[place] - low[place]) / 2
        assert sequential.always_p(half, 0.02, n, tuned_for=2000) == pytest.approx(0.05)
    assert np.isnan(low[2])


def test_an_unknown_metric_is_answered_with_those_there_are(tiny):
    with pytest.raises(BadParameter) as caught:
        experiments.results(tiny, experiment="welcome", metric="reports")
    assert str(caught.value) == "metric is 'reports'; expected one of report_created."


@pytest.mark.parametrize(("ask", "said"), [
    (lambda data: experiments.power_before(data, weeks=0), "weeks is 0; expected a whole number between 1 and 104."),
    (lambda data: experiments.power_before(data, power=1.0), "power is 1.0; expected a chance between 0 and 1, such as 0.8."),
    (lambda data: experiments.power_before(data, experiment="welcom"), "No experiment 'welcom' in table 'exposures'. Did you mean 'welcome'?"),
    (lambda data: experiments.aa(data, draws=0), "draws is 0; expected a whole number between 1 and 10,000."),
    (lambda data: experiments.results(data, correction="bonferroni"), "correction is 'bonferroni'; expected one of holm, bh, none."),
])
def test_wrong_use_is_answered_with_what_is_expected(tiny, ask, said):
    with pytest.raises(PlgkitError) as caught:
        ask(tiny)
    assert str(caught.value) == said


def test_people_dealt_out_by_chance_are_found_to_differ_as_often_as_stated():
    found = experiments.aa(trial({"old": (300, 100), "new": (300, 140)}), draws=2000).set_index("way")
    assert found.loc["one look at the end", ["low", "high"]].tolist() == pytest.approx([0.05, 0.05], abs=0.02)
    assert found.n.tolist() == [600] * 3
    # All came on one day, so that there is but one look.
    assert found.value["a look every day"] == found.value["one look at the end"]


def test_each_of_several_variants_is_held_against_the_control_and_corrected_for():
    found = experiments.results(trial({"old": (400, 100), "new": (400, 128), "newer": (400, 132)})).set_index("variant")
    assert found.loc[["new", "newer"], "p_corrected"].tolist() == pytest.approx(compare.holm(found.loc[["new", "newer"], "p"]).tolist())
    assert found.index.tolist() == ["old", "new", "newer"]
