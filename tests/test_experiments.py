"""Experiments: the split comes first, people count once, and nobody before their days are over."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plgkit import connect
from plgkit.errors import UnknownExperiment
from plgkit.metrics import experiments
from plgkit.playbook import Playbook
from plgkit.stats import compare
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
