"""Points learned from data: the true drivers come first, the scale is that of the points set by hand, and drift is seen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from plgkit import connect
from plgkit.errors import BadParameter
from plgkit.metrics import pql
from plgkit.playbook import Playbook
from plgkit.samples import bundled_path
from plgkit.stats import points, ranking

DRIVERS = {"trial": "trial_started", "limit_hit": "free-plan limit hit", "activated": "card_finished",
           "pricing_twice": "pricing page seen twice", "premium": "premium feature tried", "integration": "integration connected"}


@pytest.fixture(scope="module")
def acme():
    return connect(bundled_path())


@pytest.fixture(scope="module")
def fitted(acme):
    return pql.fitted_points(acme, lifespan_days=60)


def test_fitted_points_rank_the_true_drivers_first(fitted):
    """Of the drivers set in the made-up company six can be seen in its events; all of them lead with 48 payers to learn from."""
    truth = json.loads((bundled_path() / "truth.json").read_text(encoding="utf-8"))["set"]["money"]["pays_per"]
    assert set(DRIVERS) <= set(truth)
    assert set(fitted.signal[:6]) == set(DRIVERS.values())


def test_fitted_points_are_whole_and_bring_as_many_accounts_to_the_threshold(acme, fitted):
    assert (fitted.fitted.dropna() % 1 == 0).all()
    assert (fitted.fitted.dropna() >= 0).all()
    called = pql.refitted(acme, lifespan_days=60).query("cut == 'threshold' and quality == 'called'").iloc[0]
    assert called.fitted == pytest.approx(called.hand, rel=0.25)


def test_fitted_points_order_accounts_better_on_dates_they_were_not_learned_from(acme):
    found = pql.refitted(acme, lifespan_days=60).query("quality == 'concordance'").iloc[0]
    assert found.fitted > found.hand
    assert found.low > 0


def test_accounts_enter_and_leave_the_list_in_equal_numbers_with_the_reason(acme):
    found = pql.relisted(acme, lifespan_days=60)
    moves = found.moves.value_counts()
    assert moves.get("enters", 0) == moves.get("leaves", 0)
    assert moves.get("enters", 0) + moves.get("stays", 0) == acme.playbook.pql.weekly_capacity
    assert (found.because == "").eq(found.moves == "stays").all()
    assert not pql.scores(acme).set_index("account_id").paying[found.account_id].any()


def test_dates_to_learn_from_are_over_before_the_first_to_judge_by(acme):
    found = pql.fitted_points(acme, later=3)
    # 15 month ends have their 90 days; the last three begin on 31 January 2026, and 90 days before it is 2 November 2025.
    assert found.attrs["dates"] == 10


def test_weights_are_found_again_and_their_error_tells_how_far_off_they_are():
    random, true = np.random.default_rng(1), np.array([1.5, 0.8, 0.0, 0.4])
    hits = 0
    for seed in range(4):
        signs = (np.random.default_rng(seed).random((6000, 4)) < 0.3).astype(float)
        odds = signs @ true - 3
        paid = (random.random(6000) < 1 / (1 + np.exp(-odds))).astype(float)
        found = points.learn(signs, np.ones(6000), paid, random.integers(0, 16, 6000))
        hits += int((np.abs(found.weights - true) < 2.131 * found.error)[[0, 1, 3]].sum())
    assert hits >= 10  # of 12 at 95 %, shrunk a little towards nothing


def test_a_list_takes_of_equal_scores_the_part_that_fits():
    # 3 and 5 and 10 accounts with 3, 2 and 0 payers; of 4, one of the five comes along, with two fifths of a payer.
    assert ranking.top([3, 5, 10], [3, 2, 0], 4) == (4.0, pytest.approx(3.4))


def test_drift_is_seen_where_recent_accounts_differ(acme):
    still = pql.drift(acme)
    assert not still.shifted.any()
    moved = acme.playbook.pql.model_copy(update={"signals": [each for each in acme.playbook.pql.signals if each.kind == "company_size"]})
    assert len(pql.drift(connect(bundled_path(), playbook=acme.playbook.model_copy(update={"pql": moved})))) == 2


def test_parameters_that_make_no_sense_are_refused(tiny):
    for measure, name, value, expected in (
            (pql.backtest, "capacity", 0, "a whole number of accounts, 1 or more"),
            (pql.fitted_points, "later", 0, "a whole number of dates, 1 or more"),
            (pql.lifetime_value, "margin", 2, "a share above 0 and up to 1, such as 0.8"),
            (pql.lifetime_value, "horizon", 0, "a whole number of months, 1 or more")):
        with pytest.raises(BadParameter) as caught:
            measure(tiny, **{name: value})
        assert str(caught.value) == f"{name} is {value!r}; expected {expected}."


def test_without_enough_payers_nothing_is_fitted(tiny):
    assert pql.fitted_points(tiny).fitted.isna().all()
    assert pql.refitted(tiny).empty
    assert pql.relisted(tiny).empty
    assert Playbook().pql.marketing_events == []
