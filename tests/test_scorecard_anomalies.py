"""Days out of the usual: found where they are, seldom where they are not, and never looked for in a short history."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plgkit import connect
from plgkit.errors import BadParameter
from plgkit.playbook import Playbook
from plgkit.scorecard import anomalies, benchmarks, expecting
from plgkit.stats.compare import benjamini_hochberg

WEEK = np.array([1.2, 1.2, 1.1, 1.1, 1.0, 0.5, 0.4])


def alarms(values: np.ndarray, last: int = 28) -> np.ndarray:
    found = expecting.expect(values.astype(float), weekdays=True)
    return np.flatnonzero(benjamini_hochberg(expecting.probability(found)[-last:]) <= 0.05)


@pytest.mark.parametrize("spread", ["counts", "more"])
def test_looks_at_usual_days_raise_an_alarm_in_one_of_twenty_cases_at_most(spread):
    random, days, looks = np.random.default_rng(3), 200, 100
    mean = 40 * WEEK[np.arange(days) % 7] * np.exp(0.001 * np.arange(days))
    drawn = [random.poisson(mean * (random.gamma(20, 1 / 20, days) if spread == "more" else 1.0)) for _ in range(looks)]
    # Chance lets eleven of a hundred happen once in a hundred such tests, where one in twenty is right.
    assert sum(bool(len(alarms(each))) for each in drawn) < 11


def test_a_day_of_nothing_a_peak_and_no_weekend_are_out_of_the_usual():
    values = np.random.default_rng(1).poisson(60 * WEEK[np.arange(200) % 7])
    values[[178, 190]] = 0, 140
    weekend = 200 - 28 + np.flatnonzero((np.arange(172, 200) % 7) > 4)
    found = 172 + alarms(values)
    assert {178, 190} <= set(found)
    assert not set(found) & set(weekend)


def test_one_day_of_nothing_moves_no_expectation():
    values = np.tile([60.0, 60, 55, 55, 50, 25, 20], 20)
    gap = values.copy()
    gap[100] = 0
    whole, holed = (expecting.expect(each, weekdays=True).value[101:] for each in (values, gap))
    assert np.abs(holed / whole - 1).max() < 0.02


def test_what_comes_later_changes_no_expectation():
    values = np.random.default_rng(2).poisson(30 * WEEK[np.arange(160) % 7]).astype(float)
    assert np.array_equal(expecting.expect(values[:150], weekdays=True).value, expecting.expect(values, weekdays=True).value[:150],
                          equal_nan=True)


def test_a_feast_that_comes_every_year_is_expected_the_next_time():
    values = np.random.default_rng(5).poisson(200 * WEEK[np.arange(3 * 364) % 7]).astype(float)
    for year in range(3):
        values[364 * year + 350: 364 * year + 357] *= 0.4
    feast = slice(364 * 2 + 350, 364 * 2 + 357)
    expected = expecting.expect(values, weekdays=True).value[feast]
    assert expected.sum() < 0.75 * 200 * WEEK.sum()


def test_a_rate_is_judged_by_how_many_are_in_it():
    random = np.random.default_rng(4)
    sizes = random.poisson(50, 200).astype(float)
    hits = random.binomial(sizes.astype(int), 0.4).astype(float)
    hits[190] = 2.0
    found = expecting.expect(hits, sizes, weekdays=True)
    assert (found.value[190], found.low[190]) == (pytest.approx(0.4, abs=0.06), pytest.approx(0.2, abs=0.1))
    assert np.argmin(expecting.probability(found)[-28:]) == 190 - 172


def test_a_missing_day_of_a_company_is_found_and_named():
    random, days = np.random.default_rng(6), pd.date_range("2026-01-05", periods=140)
    rows = [(f"u{person}", day) for place, day in enumerate(days) for person in range(random.poisson(40 * WEEK[place % 7])) if place != 130]
    events = pd.DataFrame(rows, columns=["user_id", "occurred_at"]).assign(event="seen")
    data = connect({"events": events}, as_of=str(days[-1])[:10])
    found = anomalies(data, ["engagement.active_people", "acquisition.visitors"])
    odd = found[found.kind != ""]
    assert odd[["label", "period", "kind"]].values.tolist() == [["Active people", days[130], "nothing"]]
    assert list(found.attrs["missing"]) == ["acquisition.visitors"]
    with pytest.raises(BadParameter, match="last is 0; expected a whole number of periods, 1 or more"):
        anomalies(data, last=0)


def test_numbers_of_others_stand_only_beside_products_of_their_kind():
    days = pd.date_range("2026-01-05", periods=140)
    events = pd.DataFrame({"user_id": [f"u{each % 30}" for each in range(140)], "event": "seen", "occurred_at": days})
    kinds = {kind: benchmarks(connect({"events": events}, as_of="2026-05-24", playbook=Playbook(product={"kind": kind})))
             for kind in ("small_business_software", "consumer_subscription", "other")}
    assert kinds["other"].says.tolist() == ["7 % or more is the top quarter"]
    assert "40 % is good, 70 % great" in set(kinds["consumer_subscription"].says)
    assert "Free to paid" not in set(kinds["consumer_subscription"].label)
    trial = kinds["small_business_software"].set_index("label").loc["Trial to paid"]
    assert (trial.shown, trial.why_not) == (False, "it is of trials that ask for a card at their start, and the playbook does not say "
                                                   "whether these do ([trial] card_first)")
