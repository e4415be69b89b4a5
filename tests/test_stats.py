"""Intervals, survival curves, resampling and comparisons, against named sources."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plgkit.errors import BadParameter
from plgkit.stats import bootstrap, compare, intervals, strata, survival

ORACLES = Path(__file__).parents[2] / "shared" / "oracles"


NOT_OFFERED = {
    "survival": {
        "cox_breslow": "no regression of waits: groups are compared by curves and the log-rank test",
        "cox_efron": "the same, with ties handled in another way",
    },
    "proportion_intervals": {
        "normal_ci": "leaves the bounds of 0 and 1 and covers too seldom; Wilson's is used",
        "agresti_coull_ci": "a simpler form of Wilson's, never narrower",
        "agresti_caffo_diff_ci": "differences have Newcombe's interval",
        "woolf_or_ci": "odds ratios are not shown: few read them right; differences and lifts are",
    },
}
"""Published results of methods that plgkit does not have, with the reason."""
RUN: dict[str, set[str]] = {}


def oracle(topic: str, method: str) -> list:
    """Return the cases of a method, or one that is skipped where the file is not there."""
    file = ORACLES / f"{topic}.json"
    RUN.setdefault(topic, set()).add(method)
    if not file.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no {topic}.json beside the project"))]
    cases = [case for case in json.loads(file.read_text())["cases"] if case["method"] == method]
    return [pytest.param(case, id=case["id"]) for case in cases]


@pytest.mark.parametrize("case", oracle("proportion_intervals", "wilson_ci"))
def test_wilson_agrees_with_published_tables(case):
    given_ = case["inputs"]
    one_sided = given_.get("alternative") == "upper-bound"
    level = 1 - given_["alpha"] * (2 if one_sided else 1)
    low, high = intervals.wilson(given_["k"], given_["n"], level=level)
    found = (0.0 if one_sided else low, high)
    assert found == pytest.approx(case["expected"]["ci"], abs=case["tolerance"]["ci"])


@pytest.mark.parametrize("case", oracle("proportion_intervals", "newcombe_hybrid_score_diff_ci"))
def test_the_difference_of_shares_agrees_with_published_tables(case):
    given_ = case["inputs"]
    found = intervals.newcombe(given_["k1"], given_["n1"], given_["k2"], given_["n2"])
    assert found == pytest.approx(case["expected"]["ci"], abs=case["tolerance"]["ci"])


@pytest.mark.parametrize("case", oracle("proportion_intervals", "koopman_ratio_ci"))
def test_the_interval_of_the_lift_agrees_with_published_tables(case):
    given_ = case["inputs"]
    found = compare.shares(given_["k1"], given_["n1"], given_["k2"], given_["n2"])
    bounds = (found.lift_low + 1, found.lift_high + 1)
    assert bounds == pytest.approx(case["expected"]["ci"], abs=case["tolerance"]["ci"])


def test_a_share_of_nobody_has_no_interval():
    low, high = intervals.wilson(pd.Series([0, 1], dtype="Int64"), pd.Series([0, 2], dtype="Int64"))
    assert np.isnan([low[0], high[0]]).all()
    assert (low[1], high[1]) == pytest.approx((0.0945, 0.9055), abs=5e-5)


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.floats(0.5, 0.999))
def test_wilson_always_holds_the_share_it_belongs_to(hits, more, level):
    n = hits + more
    for x in (0, hits, n):
        low, high = intervals.wilson(x, n, level=level)
        assert 0 <= low <= x / n <= high <= 1
    assert intervals.wilson(0, n)[0] == 0
    assert intervals.wilson(n, n)[1] == 1


def test_counts_agree_with_garwoods_exact_limits():
    # Garwood (1936): 0 gives 0 to 3.69, 10 gives 4.80 to 18.39.
    low, high = intervals.poisson([0, 10])
    assert low == pytest.approx([0, 4.795], abs=5e-3)
    assert high == pytest.approx([3.689, 18.390], abs=5e-3)


def test_one_value_says_nothing_of_the_spread():
    low, high = intervals.mean_interval([5.0, 5.0], [np.nan, 2.0], [1, 16])
    assert np.isnan(low[0])
    assert (low[1], high[1]) == pytest.approx((3.934, 6.066), abs=5e-4)


def test_the_interval_of_a_median_goes_by_ranks():
    # Of 10 values the 2nd and the 9th hold the median 97.9 % of the time; the next pair 89.1 %.
    assert intervals.quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) == (5, 2, 9)
    assert intervals.quantile([3, 1], counts=[5, 5]) == (1, 1, 3)
    assert np.isnan(intervals.quantile([7.0, 8.0])[1:]).all()


@pytest.mark.parametrize("case", oracle("survival", "kaplan_meier_by_group"))
def test_survival_agrees_with_the_leukaemia_study(case):
    data = pd.DataFrame(case["inputs"]["data"])
    for group, rows in data.groupby("group"):
        expected = case["expected"][group]
        curve = survival.kaplan_meier(rows["time"], rows["status"], band="log")
        table = curve[curve["events"] > 0][["time", "at_risk", "events", "survival", "low", "high"]]
        wanted = pd.DataFrame(expected["table"]).drop(columns=4).astype(float)
        shown = table["survival"].to_numpy() > 0
        np.testing.assert_allclose(table[shown], wanted[shown], atol=6e-4)
        wanted_median = [
            np.nan if each is None else each for each in (expected["median"], *expected["median_ci"])
        ]
        np.testing.assert_equal(survival.quantile(curve), wanted_median)


@pytest.mark.parametrize("case", oracle("survival", "kaplan_meier_left_truncated"))
def test_people_first_seen_later_are_at_risk_from_then_on(case):
    given_, expected = case["inputs"], case["expected"]
    curve = survival.kaplan_meier(given_["stop"], given_["event"], entry=given_["start"]).set_index("time")
    at = curve.loc[expected["times"]]
    assert at["at_risk"].tolist() == expected["n_risk"]
    assert at["events"].tolist() == expected["n_event"]
    assert at["survival"][at["events"] > 0].tolist() == pytest.approx(expected["survival_at_events"])


@pytest.mark.parametrize("case", oracle("survival", "kaplan_meier_ties_censor"))
def test_who_is_censored_at_a_time_is_still_at_risk_at_that_time(case):
    curve = survival.kaplan_meier(case["inputs"]["time"], case["inputs"]["status"]).set_index("time")
    asked, expected = case["inputs" if "times_query" in case["inputs"] else "expected"]["times_query"], case["expected"]
    at_risk = [curve.loc[curve.index >= time, "at_risk"].max() for time in asked]
    assert np.nan_to_num(at_risk).tolist() == expected["n_risk"]
    assert [curve["events"].get(time, 0) for time in asked] == expected["n_event"]


@pytest.mark.parametrize("case", oracle("survival", "logrank"))
def test_logrank_agrees_with_the_leukaemia_study(case):
    data, expected, within = case["inputs"]["data"], case["expected"], case["tolerance"]
    found = survival.logrank(data["time"], data["status"], data["group"])
    assert found.groups["observed"].tolist() == expected["observed"]
    assert found.groups["expected"].tolist() == pytest.approx(expected["expected"], abs=within["expected"])
    assert found.statistic == pytest.approx(expected["chisq"], abs=within["chisq"])
    assert found.p == pytest.approx(expected["p"], abs=within["p"])


@pytest.mark.parametrize("topic", NOT_OFFERED)
def test_every_published_case_is_run_or_named_with_the_reason(topic):
    file = ORACLES / f"{topic}.json"
    if not file.exists():
        pytest.skip(f"no {topic}.json beside the project")
    methods = {case["method"] for case in json.loads(file.read_text())["cases"]}
    assert methods - RUN[topic] == set(NOT_OFFERED[topic])
    assert not RUN[topic] & set(NOT_OFFERED[topic])


def test_the_band_agrees_with_the_remission_study():
    # Freireich and others (1963), 6-mercaptopurine; log-log band as in Collett (2003), chapter 2.
    weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    back = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    curve = survival.kaplan_meier(weeks, back).set_index("time")
    assert curve.loc[6, ["survival", "low", "high"]].tolist() == pytest.approx(
        [0.8571, 0.6197, 0.9516], abs=5e-5
    )
    assert survival.quantile(curve.reset_index())[0] == 23


def test_too_few_got_there_to_know_the_median():
    curve = survival.kaplan_meier([1, 5, 5, 5], [True, False, False, False])
    value, low, high = survival.quantile(curve)
    assert np.isnan([value, high]).all()
    assert low == 1


def test_without_a_second_cause_incidence_is_what_survival_leaves():
    times, reached = [1, 2, 2, 3, 5, 8], [1, 1, 0, 1, 0, 1]
    ends = survival.aalen_johansen(times, ["done" if each else None for each in reached])
    curve = survival.kaplan_meier(times, reached)
    assert ends["value"].tolist() == pytest.approx((1 - curve["survival"]).tolist())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["paid", "left", None])), min_size=1))
def test_shares_by_cause_and_those_still_there_add_up_to_all(people):
    times, causes = zip(*people, strict=True)
    curve = survival.kaplan_meier(times, [each is not None for each in causes])
    ends = survival.aalen_johansen(times, causes)
    total = ends.groupby("time")["value"].sum().reindex(curve["time"], fill_value=0.0)
    np.testing.assert_allclose(total.to_numpy() + curve["survival"].to_numpy(), 1.0)
    bounded = ends.dropna()
    assert ((bounded["low"] <= bounded["value"] + 1e-9) & (bounded["value"] <= bounded["high"] + 1e-9)).all()


def test_weights_stand_for_as_many_people():
    once = survival.kaplan_meier([1, 1, 2, 3, 3, 3], [1, 1, 0, 1, 1, 1])
    weighted = survival.kaplan_meier([1, 2, 3], [1, 0, 1], weights=[2, 1, 3])
    pd.testing.assert_frame_equal(once, weighted)


def test_time_before_the_start_is_refused():
    with pytest.raises(BadParameter) as caught:
        survival.kaplan_meier([1, -2], [1, 1])
    assert str(caught.value) == "durations is -2.0; expected numbers of 0 or more."


def test_resampling_a_share_agrees_with_its_interval_by_formula():
    value, low, high = bootstrap.ratio([1, 0], [1, 1], [360, 640], draws=4000)
    assert value == 0.36
    assert (low, high) == pytest.approx(intervals.wilson(360, 1000), abs=0.003)


def test_the_same_seed_draws_the_same_interval_however_people_are_written_down():
    alike = bootstrap.ratio([1, 0, 2], [2, 1, 2], [3, 5, 2], seed=7)
    one_by_one = bootstrap.ratio([0] * 5 + [1] * 3 + [2] * 2, [1] * 5 + [2] * 5, seed=7)
    assert alike == one_by_one
    assert alike != bootstrap.ratio([1, 0, 2], [2, 1, 2], [3, 5, 2], seed=8)


def test_many_unlike_people_get_the_interval_that_drawing_them_gives(monkeypatch):
    top = np.arange(400.0)
    drawn = bootstrap.ratio(top, np.ones(400), draws=4000)
    monkeypatch.setattr(bootstrap, "_MOST_CELLS", 10)
    assert bootstrap.ratio(top, np.ones(400)) == pytest.approx(drawn, rel=0.01)


def test_nothing_over_nothing_has_no_ratio():
    assert np.isnan(bootstrap.ratio([], [])).all()
    assert np.isnan(bootstrap.ratio([0], [0])).all()


@pytest.mark.parametrize(
    "case", oracle("stats_engines", "welch_t_absolute") + oracle("stats_engines", "welch_t_relative_delta")
)
def test_differences_of_means_agree_with_another_engine(case):
    (mean_a, dev_a, n_a), (mean_b, dev_b, n_b) = (moments(case["inputs"][arm]) for arm in "ab")
    found, expected = compare.means(mean_b, dev_b, n_b, mean_a, dev_a, n_a), case["expected"]
    if "diff" in expected:
        assert [found.difference, found.p] == pytest.approx([expected["diff"], expected["p"]], abs=1e-5)
        assert [found.low, found.high] == pytest.approx(expected["ci"], abs=1e-5)
    else:
        assert found.lift == pytest.approx(expected["lift"], abs=1e-5)
        # The freedom is that of the difference here and of the lift there.
        assert [found.lift_low, found.lift_high] == pytest.approx(expected["ci"], abs=2e-3)


def moments(arm: dict) -> tuple[float, float, int]:
    """Mean, standard deviation and number of an arm of the oracle."""
    n, mean = arm["n"], arm["sum"] / arm["n"]
    if arm.get("type") == "proportion":
        return mean, np.sqrt(mean * (1 - mean)), n
    return mean, np.sqrt((arm["sum_squares"] - n * mean**2) / (n - 1)), n


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 40), st.integers(1, 40))
def test_a_lift_whose_interval_leaves_out_zero_is_one_chance_hardly_makes(x1, x2, more1, more2):
    found = compare.shares(x1, x1 + more1, x2, x2 + more2)
    assert -1 <= found.difference <= 1
    if x2:
        assert found.lift_low - 1e-9 <= found.lift <= found.lift_high + 1e-9
        clear = found.lift_low > 1e-9 or found.lift_high < -1e-9
        assert clear == (found.p < 0.05) or found.p == pytest.approx(0.05, abs=1e-6)


def test_everybody_in_both_groups_is_no_difference():
    found = compare.shares(20, 20, 30, 30)
    assert (found.difference, found.p, found.lift) == (0, 1, 0)


def test_a_split_that_was_planned_uneven_is_no_fault():
    assert compare.sample_ratio({"a": 900, "b": 100}, {"a": 0.9, "b": 0.1}) == pytest.approx(1)
    assert compare.sample_ratio({"a": 900, "b": 100}) < 1e-9


def test_a_variant_nobody_planned_is_refused():
    with pytest.raises(BadParameter) as caught:
        compare.sample_ratio({"a": 9, "b": 1}, {"a": 1.0})
    assert str(caught.value) == "expected is {'a': 1.0}; expected a share above 0 for each of a, b."


def test_more_looks_make_each_find_less_sure():
    # Benjamini and Hochberg (1995), section 4: the fifteen p-values of the heart study.
    found = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    adjusted = compare.benjamini_hochberg([*found, np.nan])
    assert (adjusted <= 0.05).sum() == 4
    assert np.isnan(adjusted[-1])


def test_many_tests_at_once_are_those_one_by_one():
    x1, n1, x2, n2 = [56, 30, 0, 5], [70, 90, 4, 5], [48, 10, 0, 7], [80, 60, 6, 7]
    one_by_one = [compare.shares(*each).p for each in zip(x1, n1, x2, n2, strict=True)]
    assert strata.share_p(x1[:2], n1[:2], x2[:2], n2[:2]).tolist() == pytest.approx(one_by_one[:2])
    # All alike on both sides is no test: nothing could have come out.
    assert np.isnan(strata.share_p(x1[2:], n1[2:], x2[2:], n2[2:])).all()


def test_few_people_are_tested_exactly():
    # Fisher's tea: 3 of 4 and 1 of 4. One side 16 of 70 and 1 of 70 more: the mid-p is 2 x (8 + 1) of 70.
    assert strata.share_p(3, 4, 1, 4) == pytest.approx(18 / 70)
    # One person of a hundred, a hit with ten others: the chance is 11 of 100, half of it counts, on both sides.
    assert strata.share_p(1, 1, 10, 99) == pytest.approx(0.11)


def test_the_tests_among_alike_people_raise_false_alarms_as_often_as_they_say():
    random, runs = np.random.default_rng(8), 2_000
    strata_ = [(0.2, 60, 150), (0.6, 140, 50), (0.5, 12, 9)]
    cells = pd.DataFrame([
        {"run": run, "x1": random.binomial(n1, share), "n1": n1, "x2": random.binomial(n2, share), "n2": n2}
        for run in range(runs) for share, n1, n2 in strata_])
    assert 0.035 <= (strata.mantel_haenszel(cells, "run")["p"] < 0.05).mean() <= 0.065
    small = pd.DataFrame({"x1": random.binomial(4, 0.3, runs), "x2": random.binomial(60, 0.3, runs)})
    assert 0.01 <= (strata.share_p(small["x1"], np.full(runs, 4), small["x2"], np.full(runs, 60)) < 0.05).mean() <= 0.06


def test_a_difference_that_only_the_mix_makes_is_gone_among_alike_people():
    # 0.8 against 0.4 in one group of people, 0.2 in the other: who did it is oftener in the first.
    cells = pd.DataFrame({"event": "tour", "x1": [80, 10], "n1": [100, 50], "x2": [40, 20], "n2": [50, 100]})
    pooled = compare.shares(90, 150, 60, 150)
    assert (pooled.difference, pooled.p < 0.001) == (pytest.approx(0.2), True)
    among = strata.mantel_haenszel(cells, "event").iloc[0]
    assert among["difference"] == pytest.approx(0)
    assert among["p"] == pytest.approx(1)
    one = strata.mantel_haenszel(cells.head(1), "event").iloc[0]
    assert [one["difference"], one["low"], one["high"]] == pytest.approx(
        [0, *intervals.newcombe(80, 100, 40, 50)], abs=0.03)


def test_the_interval_among_alike_people_covers_as_often_as_it_says():
    random, runs = np.random.default_rng(5), 2_000
    strata_ = [(0.2, 60, 150), (0.6, 140, 50), (0.5, 12, 9)]
    cells = pd.DataFrame([
        {"run": run, "x1": random.binomial(n1, share + 0.05), "n1": n1, "x2": random.binomial(n2, share), "n2": n2}
        for run in range(runs) for share, n1, n2 in strata_])
    found = strata.mantel_haenszel(cells, "run")
    covered = ((found["low"] <= 0.05) & (found["high"] >= 0.05)).mean()
    assert 0.935 <= covered <= 0.965


def test_a_group_without_anybody_to_compare_with_has_no_difference():
    cells = pd.DataFrame({"event": ["a", "a"], "x1": [3, 0], "n1": [5, 0], "x2": [0, 4], "n2": [0, 9]})
    assert strata.mantel_haenszel(cells, "event")[["difference", "low", "high", "p"]].isna().all(axis=None)


def test_the_log_rank_test_of_two_groups_does_not_hang_on_rounding():
    """The rows of the covariance are the same but for the sign and the last digits, which must not be inverted."""
    random = np.random.default_rng(1)
    for _ in range(200):
        spread, apart = random.random() * 50 + 1, random.random() * 20
        left = random.normal(0, 3e-15, 3) * spread
        covariance = np.array([[spread + left[0], -spread], [-spread, spread + left[1]]])
        difference = np.array([apart, -apart + left[2]])
        assert survival._chi_square(difference, covariance)[0] == pytest.approx(apart**2 / spread, rel=1e-9)
