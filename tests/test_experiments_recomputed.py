"""Experiments worked out again: by tea-tasting itself on real rows, by published numbers, and in plain pandas."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from conftest import shared
from scipy.stats import chi2

from plgkit import connect
from plgkit.metrics import experiments
from plgkit.playbook import Playbook
from plgkit.samples import bundled_path
from plgkit.stats import arms, compare, power

START = pd.Timestamp("2025-02-01 12:00")
DAY = pd.Timedelta(days=1)
METRICS = [
    {"name": "orders", "event": "ordered", "kind": "mean", "role": "primary"},
    {"name": "per session", "event": "ordered", "kind": "ratio", "over": "came"},
    {"name": "bought", "event": "ordered", "kind": "share"},
    {"name": "median sessions", "event": "came", "kind": "quantile", "before_days": 28},
    {"name": "sessions", "event": "came", "kind": "mean", "role": "guardrail", "margin": 0.05},
    {"name": "revenue", "event": "paid", "kind": "mean", "amount": "price"},
]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pd.read_csv(shared("data", "tea_tasting_users", "users.csv"))


@pytest.fixture(scope="module")
def store(rows):
    """The same people as a source has them: an exposure each, and one event for every session, order and payment."""
    events = [*_events(rows, "sessions", "came"), *_events(rows, "orders", "ordered")]
    for column, hours in (("revenue", 30), ("revenue_covariate", -30)):
        paid = rows[rows[column] > 0]
        events.append(pd.DataFrame({"user_id": paid["user"], "event": "paid", "occurred_at": START + pd.Timedelta(hours=hours),
                                    "properties": [json.dumps({"price": each}) for each in paid[column]]}))
    people = rows["user"].map("u{}".format)
    tables = {
        "users": pd.DataFrame({"user_id": people, "signed_up_at": START - 90 * DAY}),
        "exposures": pd.DataFrame({"user_id": people, "experiment": "shop", "variant": rows["variant"].map({0: "old", 1: "new"}),
                                   "exposed_at": START}),
        "events": pd.concat(events, ignore_index=True).assign(user_id=lambda each: each["user_id"].map("u{}".format)),
    }
    book = {"experiments": {"shop": {"control": "old", "metrics": METRICS}}, "data": {"duplicates": "keep"}}
    return connect(tables, as_of="2025-02-28", playbook=Playbook(**book))


def _events(rows: pd.DataFrame, column: str, event: str) -> list[pd.DataFrame]:
    """So many events a person, a minute apart: after the exposure, and before it as the covariate says."""
    found = []
    for name, start in ((column, START), (f"{column}_covariate", START - DAY)):
        times = rows[name].to_numpy()
        place = np.concatenate([np.arange(each) for each in times])
        found.append(pd.DataFrame({"user_id": np.repeat(rows["user"].to_numpy(), times), "event": event,
                                   "occurred_at": start + pd.to_timedelta(place, unit="min")}))
    return found


@pytest.mark.parametrize("adjusted", [True, False])
def test_means_ratios_and_amounts_are_tea_tastings_own(store, rows, adjusted):
    import tea_tasting as tt

    past = (lambda *names: [f"{each}_covariate" for each in names]) if adjusted else (lambda *names: [])
    theirs = tt.Experiment(
        {"orders": tt.Mean("orders", *past("orders")), "revenue": tt.Mean("revenue", *past("revenue")), "sessions": tt.Mean("sessions", *past("sessions")),
         "per session": tt.RatioOfMeans("orders", "sessions", *past("orders", "sessions"))}).analyze(rows)
    ours = experiments.results(store, adjusted=adjusted).query("variant == 'new'").set_index("metric")
    for name, found in theirs.items():
        mine = ours.loc[name, ["difference", "difference_low", "difference_high", "lift", "lift_low", "lift_high", "p"]]
        assert mine.tolist() == pytest.approx([
            found.effect_size, found.effect_size_ci_lower, found.effect_size_ci_upper, found.rel_effect_size,
            found.rel_effect_size_ci_lower, found.rel_effect_size_ci_upper, found.pvalue], rel=1e-9)
        assert bool(ours.loc[name, "removed"] > 0.1) == adjusted


def test_the_values_are_the_plain_means_and_the_split_is_tea_tastings(store, rows):
    import tea_tasting as tt

    found = experiments.results(store).set_index(["metric", "variant"])
    plain = rows.groupby("variant")[["orders", "sessions", "revenue"]].agg(["mean", "sem"])
    for number, variant in enumerate(("old", "new")):
        assert found.loc[("orders", variant), "value"] == pytest.approx(plain.loc[number, ("orders", "mean")])
        assert found.loc[("revenue", variant), "value"] == pytest.approx(plain.loc[number, ("revenue", "mean")])
        assert found.loc[("median sessions", variant), "value"] == rows.loc[rows["variant"] == number, "sessions"].quantile(0.5, interpolation="lower")
        assert found.loc[("bought", variant), "value"] == (rows.loc[rows["variant"] == number, "orders"] > 0).mean()
    split = tt.SampleRatio().analyze(rows, 0, 1, "variant")
    seen = dict(zip(*np.unique(rows["variant"], return_counts=True), strict=True))
    assert tt.SampleRatio(method="norm", correction=False).analyze(rows, 0, 1, "variant").pvalue == pytest.approx(found["split_p"].iloc[0])
    assert {0: split.control, 1: split.treatment} == seen


def test_holm_and_benjamini_hochberg_are_tea_tastings(rows):
    import tea_tasting as tt

    metrics = {"a": tt.Mean("orders"), "b": tt.Mean("sessions"), "c": tt.Mean("revenue"), "d": tt.RatioOfMeans("orders", "sessions")}
    results = tt.Experiment(metrics).analyze(rows)
    p = [results[name].pvalue for name in metrics]
    holm = tt.adjust_fwer(results, arbitrary_dependence=True, method="bonferroni")
    for ours, theirs in ((compare.holm, holm), (compare.benjamini_hochberg, tt.adjust_fdr(results, arbitrary_dependence=False))):
        assert ours(p).tolist() == pytest.approx([each["pvalue_adj"] for each in theirs.to_dicts()])


UNASKED = {
    "stats_engines-01": "its interval of the lift is symmetric; ours is on the logarithmic scale (the symmetric one is in compare.means)",
    "stats_engines-03": "Welch on two shares; shares without a past are Newcombe's and Koopman's here", "stats_engines-04": "one-sided lift",
    "stats_engines-05": "one-sided lift", "stats_engines-07": "Bayesian", "stats_engines-08": "Bayesian", "stats_engines-09": "Bayesian",
    "stats_engines-10": "Bayesian",
    "power_sample_size-01": "arcsine approximation of shares", "power_sample_size-05": "arcsine approximation of shares",
    "power_sample_size-19": "arcsine approximation of shares", "power_sample_size-11": "one sample", "power_sample_size-13": "one sample",
    "power_sample_size-15": "one sample", "power_sample_size-25": "page views are no people", "power_sample_size-29": "power with a Bayesian prior",
    "power_sample_size-21": "takes the control's spread for both groups; share_people has that of either",
    "power_sample_size-23": "takes the control's spread for both groups; share_people has that of either",
}


def oracle(name: str) -> dict[str, dict]:
    return {each["id"]: each for each in json.loads(shared("oracles", f"{name}.json").read_text(encoding="utf-8"))["cases"]}


def _sums(one: dict) -> dict[str, float]:
    return {"n": one["n"], "x": one["sum"], "xx": one["sum_squares"]}


def test_published_comparisons():
    cases = oracle("stats_engines")
    two, one_sided, slope = (cases[f"stats_engines-{each}"] for each in ("02", "06", "11"))
    found = arms.compared(_sums(two["inputs"]["a"]), _sums(two["inputs"]["b"]))
    assert [found.difference, found.low, found.high, found.p] == pytest.approx(
        [two["expected"]["diff"], *two["expected"]["ci"], two["expected"]["p"]], abs=1e-5)
    symmetric = cases["stats_engines-01"]
    deviations = [np.sqrt((each["sum_squares"] - each["sum"] ** 2 / each["n"]) / (each["n"] - 1)) for each in (two["inputs"]["b"], two["inputs"]["a"])]
    sides = [(each["sum"] / each["n"], deviation, each["n"]) for each, deviation in zip((two["inputs"]["b"], two["inputs"]["a"]), deviations, strict=True)]
    lift = compare.means(*sides[0], *sides[1])
    assert [lift.lift, lift.lift_low, lift.lift_high] == pytest.approx([symmetric["expected"]["lift"], *symmetric["expected"]["ci"]], abs=1e-5)
    low, _high = arms.welch(*arms.estimates(*(_sums(one_sided["inputs"][each]) for each in "ab")), level=0.9)
    assert low == pytest.approx(one_sided["expected"]["ci"][0], abs=1e-6)
    before, after = (np.array(slope["inputs"][each], dtype=float) for each in ("pre", "post"))
    arm = {"n": 4, "x": after.sum(), "a": before.sum(), "xx": after @ after, "xa": after @ before, "aa": before @ before}
    assert arms.coefficient(arm, arm) == pytest.approx(slope["expected"]["theta"], abs=1e-5)
    assert {each for each in cases if each not in UNASKED} == {f"stats_engines-{each}" for each in ("02", "06", "11")}


def test_published_numbers_of_people():
    cases = oracle("power_sample_size")
    shares = cases["power_sample_size-03"]
    assert power.share_people(0.55, 0.5) / 2 == pytest.approx(shares["expected"]["n_per_group"], abs=1e-2)
    for name in ("07", "17"):
        case = cases[f"power_sample_size-{name}"]
        found = power.chance(1.0, 2 * case["inputs"]["n"], case["inputs"]["d"], student=True)
        assert found == pytest.approx(case["expected"]["power"], abs=1e-4)
    case = cases["power_sample_size-09"]
    # Whole people: the published 142.2462 in each group are 284.49 in both, of whom 285 are needed.
    assert power.people(1.0, case["inputs"]["d"], student=True) == np.ceil(2 * case["expected"]["n_per_group"])
    case = cases["power_sample_size-27"]
    found = np.sqrt(case["inputs"]["p"] * (1 - case["inputs"]["p"]) / case["inputs"]["n"])
    assert found == pytest.approx(case["expected"]["sd"], abs=5e-5)
    assert {each for each in cases if each not in UNASKED} == {f"power_sample_size-{each}" for each in ("03", "07", "09", "17", "27")}


@pytest.fixture(scope="module")
def acme():
    return connect(bundled_path())


@pytest.fixture(scope="module")
def acme_rows(acme) -> tuple[pd.DataFrame, pd.DataFrame]:
    exposures = acme.run(acme.exposures.select("user_id", "experiment", "variant", "exposed_at"))
    return exposures, acme.run(acme.events.select("user_id", "event", "occurred_at"))


def _per_person(acme_rows, experiment: str, event: str, days: int = 14) -> pd.DataFrame:
    """People of an experiment with how often they did an event in the days after and in the 28 days before."""
    exposures, events = acme_rows
    people = exposures[exposures["experiment"] == experiment].groupby("user_id").agg(variant=("variant", "first"), at=("exposed_at", "min"))
    done = events[events["event"] == event].merge(people, on="user_id")
    gone = done["occurred_at"] - done["at"]
    after, before = (gone >= 0 * DAY) & (gone <= days * DAY), (gone < 0 * DAY) & (gone >= -28 * DAY)
    people["after"], people["before"] = (done[each].groupby("user_id").size().reindex(people.index, fill_value=0) for each in (after, before))
    people["seconds"] = (gone[after].groupby(done["user_id"][after]).min() / pd.Timedelta(seconds=1)).reindex(people.index)
    return people


def test_adjusted_means_are_the_plain_ones_less_what_was_done_before(acme, acme_rows):
    people = _per_person(acme_rows, "button_color", "signed_in")
    slope = np.cov(people["after"], people["before"])[0, 1] / people["before"].var()
    left = people["after"] - slope * (people["before"] - people["before"].mean())
    means, errors = (left.groupby(people["variant"]).agg(each) for each in ("mean", "sem"))
    found = experiments.results(acme, experiment="button_color").query("metric == 'visits per person' and variant == 'orange'").iloc[0]
    assert found.difference == pytest.approx(means["orange"] - means["green"])
    assert found.removed == pytest.approx(1 - (np.hypot(*errors) / np.hypot(*people.groupby("variant")["after"].sem())) ** 2)
    assert found.removed > 0.3


def test_times_are_ranked_with_those_who_never_did_it_at_the_end(acme, acme_rows):
    people = _per_person(acme_rows, "guided_start", "card_finished")
    found = experiments.results(acme, experiment="guided_start").query("kind == 'time'").set_index("variant")
    for variant, part in people.groupby("variant"):
        exact = part["seconds"].fillna(np.inf).sort_values().iloc[int(np.ceil(0.25 * len(part))) - 1]
        assert found.loc[variant, "value"] == np.floor(exact)
    draws = np.random.default_rng(5)
    sides = [part["seconds"].fillna(np.inf).to_numpy() for _, part in people.groupby("variant")]
    moved = [np.subtract(*[np.quantile(draws.choice(each, len(each)), 0.25, method="inverted_cdf") for each in sides[::-1]]) for _ in range(2000)]
    assert found.loc["guided", ["difference_low", "difference_high"]].tolist() == pytest.approx(np.quantile(moved, [0.025, 0.975]).tolist(), abs=25)


def test_the_last_day_looked_at_is_the_result(acme):
    last = experiments.looks(acme, metric="visits per person", experiment="button_color").iloc[-1]
    end = experiments.results(acme, metric="visits per person", experiment="button_color").iloc[-1]
    assert last[["difference", "low", "high", "always_low", "always_high", "p"]].tolist() == pytest.approx(
        end[["difference", "difference_low", "difference_high", "always_low", "always_high", "p"]].tolist())


def test_before_the_start_people_are_those_who_signed_up_in_the_weeks_before(acme):
    found = experiments.power_before(acme, experiment="guided_start", weeks=4).query("role == 'primary'")
    users = acme.run(acme.users.select("signed_up_at", "day"))
    # Fourteen days and one before 12 January 2026, the first exposure's day, lies the end of the weeks.
    end = pd.Timestamp("2025-12-28")
    inside = users[(users["day"] >= end - 28 * DAY) & (users["day"] < end)]
    weeks = ((inside["day"] - (end - 28 * DAY)) // (7 * DAY)).value_counts().sort_index().cumsum()
    assert found.people.tolist() == weeks.tolist()
    row = found.iloc[-1]
    assert row.needed == pytest.approx(2 * (1.959964 + 0.841621) ** 2 * 2 * row.value * (1 - row.value) * row.people / (row.people - 1) / (0.1 * row.value) ** 2, abs=3)


def test_segments_are_compared_one_by_one_and_held_against_one_effect_for_all(acme, acme_rows):
    people = _per_person(acme_rows, "guided_start", "card_finished").join(acme.run(acme.users.select("user_id", "channel")).set_index("user_id"))
    counts = people.assign(hit=people["after"] > 0).groupby(["channel", "variant"])["hit"].agg(["mean", "count"]).unstack()
    difference = counts["mean"]["guided"] - counts["mean"]["control"]
    variance = sum(counts["mean"][each] * (1 - counts["mean"][each]) / (counts["count"][each] - 1) for each in ("control", "guided"))
    found = experiments.results(acme, experiment="guided_start", metric="primary", by="channel").query("variant == 'guided'").set_index("channel")
    assert found.difference.to_dict() == pytest.approx(difference.to_dict())
    middle = (difference / variance).sum() / (1 / variance).sum()
    assert found.differ_p.tolist() == pytest.approx([chi2.sf(((difference - middle) ** 2 / variance).sum(), 5)] * 6)
    assert found.p_corrected.tolist() == pytest.approx(compare.holm(found.p).tolist())
