"""Every number of the notebook on activation, worked out once more in plain pandas on a real shop's clickstream."""

from __future__ import annotations

import hashlib
import itertools
import math

import numpy as np
import pandas as pd
import plain
import pytest
from conftest import shared

from plgkit.metrics import activation
from plgkit.sources.connect import connect

DAY, HOUR = pd.Timedelta(days=1), pd.Timedelta(hours=1)
STEPS = ["product_view", "add_to_cart", "cart", "payment_details", "purchase"]
PASSIVE = {"error_page", "payment_error", "checkout_bug"}
WITHIN, STEP_DAYS, END_DAYS, SILENT = 30, 14, 28, 14


@pytest.fixture(scope="module")
def data():
    return connect(shared("data", "rete_ecom"), playbook=plain.playbook("rete_ecom"))


@pytest.fixture(scope="module")
def events(data):
    """The shop's events, exact duplicates once, each with its person's first moment and age in days."""
    rows = pd.read_csv(shared("data", "rete_ecom", "ecom.csv.gz"), parse_dates=["timestamp"]).drop_duplicates()
    rows = rows[rows["timestamp"] < pd.Timestamp(data.end)].sort_values(["timestamp", "event"], kind="stable")
    rows["start"] = rows.groupby("user_id")["timestamp"].transform("min")
    rows["age"] = (rows["timestamp"] - rows["start"]) / DAY
    return rows


@pytest.fixture(scope="module")
def people(events, data):
    """One row per person: start, month, channel, seconds until buying (or until the end), and until leaving first."""
    end = pd.Timestamp(data.end)
    made = events.sort_values("timestamp", kind="stable").groupby("user_id").agg(start=("start", "first"), channel=("acquisition_channel", "first"))
    bought = events[events["event"] == "purchase"].groupby("user_id")["timestamp"].min()
    made["bought"] = bought.reindex(made.index)
    made["came"] = made["bought"].notna()
    made["seconds"] = (made["bought"].fillna(end) - made["start"]).dt.total_seconds()
    made["month"] = made["start"].dt.to_period("M").dt.start_time
    active = events[~events["event"].isin(PASSIVE)]
    days = active.groupby("user_id")["timestamp"].agg(lambda times: sorted(set(times.dt.normalize())))
    made["left"] = [_left(row, days.get(user, []), end) for user, row in made.iterrows()]
    return made


def _left(row: pd.Series, days: list[pd.Timestamp], end: pd.Timestamp) -> float:
    """Seconds from the start to the end of the first silence, where no purchase came before that."""
    first = row["start"].normalize()
    seen = [first, *[day for day in days if day > first], end]
    for day, after in itertools.pairwise(seen):
        if (after - day).days > SILENT:
            until = day + (SILENT + 1) * DAY
            return np.nan if row["came"] and row["bought"] < until else (until - row["start"]).total_seconds()
    return np.nan


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Wilson's interval by its formula."""
    z = 1.959963984540054
    middle, half = hits + z * z / 2, z * math.sqrt(hits * (n - hits) / n + z * z / 4)
    return (middle - half) / (n + z * z), (middle + half) / (n + z * z)


def newcombe(x1: float, n1: float, x2: float, n2: float) -> tuple[float, float]:
    """Newcombe's interval of a difference by its formula."""
    (low1, high1), (low2, high2) = wilson(x1, n1), wilson(x2, n2)
    one, two = x1 / n1, x2 / n2
    return (one - two - math.hypot(one - low1, high2 - two), one - two + math.hypot(high1 - one, two - low2))


@pytest.mark.parametrize(("measure", "days"), [(activation.rate, WITHIN), (activation.day1_rate, 1)])
def test_the_rates_by_month(data, people, measure, days):
    old = people[people["start"] + days * DAY < pd.Timestamp(data.end)]
    hit = old["came"] & (old["seconds"] <= days * 86_400)
    found = measure(data, grain="month").set_index("period")
    for month, row in found.iterrows():
        own = hit[old["month"] == month]
        assert [row["numerator"], row["denominator"], row["immature"]] == [
            own.sum(), len(own), (people["month"] == month).sum() - len(own)]
        if len(own):
            assert (row["value"], row["low"], row["high"]) == pytest.approx((own.mean(), *wilson(own.sum(), len(own))))


def incidence(rows: pd.DataFrame, until: float) -> tuple[float, float, float]:
    """Shares that bought, had left and were on the way by a moment, stepping through the ends one by one."""
    gone = rows["left"].notna()
    times = rows["left"].fillna(rows["seconds"])
    waiting, bought, left = 1.0, 0.0, 0.0
    for moment in sorted(set(times[(gone | rows["came"]) & (times <= until)])):
        at_risk = (times >= moment).sum()
        here = times == moment
        bought += waiting * (here & ~gone & rows["came"]).sum() / at_risk
        left += waiting * (here & gone).sum() / at_risk
        waiting *= 1 - (here & (gone | rows["came"])).sum() / at_risk
    return bought, left, waiting


def test_what_became_of_those_who_signed_up(data, people):
    ends = activation.outcomes(data, up_to_days=END_DAYS).groupby("outcome")["value"].last()
    assert ends[["activated", "left first", "on the way"]].tolist() == pytest.approx(incidence(people, END_DAYS * 86_400))


def test_the_waits_by_month(data, people):
    found = activation.time_to_value(data, up_to_days=END_DAYS, grain="month").set_index("period")
    assert list(found.index) == sorted(set(people["month"]))
    for month, row in found.iterrows():
        own = people[people["month"] == month]
        assert [row["n"], row["events"], row["left"]] == [len(own), own["came"].sum(), own["left"].notna().sum()]
        assert row["median_among"] == pytest.approx(own.loc[own["came"], "seconds"].median() / 3600)
        if own["seconds"].max() >= END_DAYS * 86_400:
            assert (row["reached_share"], row["left_share"]) == pytest.approx(incidence(own, END_DAYS * 86_400)[:2])
        assert row["value"] == pytest.approx(_median(own), nan_ok=True)


def _median(rows: pd.DataFrame) -> float:
    """Kaplan and Meier's median in hours, step by step."""
    waiting = 1.0
    for moment in sorted(set(rows.loc[rows["came"], "seconds"])):
        waiting *= 1 - ((rows["seconds"] == moment) & rows["came"]).sum() / (rows["seconds"] >= moment).sum()
        if waiting <= 0.5 + 1e-12:
            return moment / 3600
    return np.nan


def logrank(rows: pd.DataFrame, groups: pd.Series) -> tuple[pd.Series, pd.Series, float]:
    """Observed, expected and chi-square of a log-rank test, table by table."""
    names = sorted(groups.unique())
    observed, expected = pd.Series(0.0, index=names), pd.Series(0.0, index=names)
    covariance = np.zeros((len(names), len(names)))
    for moment in sorted(set(rows.loc[rows["came"], "seconds"])):
        at_risk = groups[rows["seconds"] >= moment].value_counts().reindex(names, fill_value=0)
        here = groups[(rows["seconds"] == moment) & rows["came"]].value_counts().reindex(names, fill_value=0)
        n, d = at_risk.sum(), here.sum()
        observed, expected = observed + here, expected + at_risk * d / n
        if n > 1:
            share = (at_risk / n).to_numpy()
            covariance += d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
    off = (observed - expected).to_numpy()[:-1]
    return observed, expected, float(off @ np.linalg.solve(covariance[:-1, :-1], off))


def test_channels_against_the_pace_of_all(data, people):
    from scipy.stats import chi2

    found = activation.time_to_value_compared(data, by="channel").set_index("channel")
    observed, expected, statistic = logrank(people, people["channel"])
    assert found["observed"].to_dict() == observed.to_dict()
    assert found["expected"].to_dict() == pytest.approx(expected.to_dict())
    assert found["ratio"].to_dict() == pytest.approx((observed / expected).to_dict())
    assert found["p"].iloc[0] == pytest.approx(chi2.sf(statistic, len(observed) - 1))
    alone = {name: chi2.sf(logrank(people, people["channel"] == name)[2], 1) for name in found.index}
    ranked = sorted(alone, key=alone.get)
    corrected, least = {}, 1.0
    for place, name in reversed(list(enumerate(ranked, start=1))):
        least = min(least, alone[name] * len(ranked) / place)
        corrected[name] = least
    assert found["p_others"].to_dict() == pytest.approx(corrected)
    curve = activation.time_to_value_curve(data, by="channel", up_to_days=14)
    for name, rows in people.groupby("channel"):
        own = curve[curve["channel"] == name]
        assert own["x"].max() == 14 * 24
        assert own["value"].iloc[-1] == pytest.approx(1 - _survival(rows, 14 * 86_400))


def _survival(rows: pd.DataFrame, until: float) -> float:
    return incidence(rows.assign(left=np.nan), until)[2]


@pytest.fixture(scope="module")
def funnel(events, data):
    """When each person did the steps, in order and in time, of those whose days are over."""
    rows = []
    for user, own in events[events["event"].isin(STEPS)].groupby("user_id"):
        times: list[pd.Timestamp] = []
        for step in STEPS:
            at = own.loc[own["event"] == step, "timestamp"]
            at = at if not times else at[(at >= times[-1]) & (at <= times[0] + STEP_DAYS * DAY)]
            if at.empty:
                break
            times.append(at.min())
        if times:
            rows.append([user, *times, *[pd.NaT] * (len(STEPS) - len(times))])
    made = pd.DataFrame(rows, columns=["user_id", *STEPS])
    return made[made[STEPS[0]] + STEP_DAYS * DAY < pd.Timestamp(data.end)]


def test_the_steps_of_onboarding(data, funnel):
    found = activation.onboarding_drop_off(data).set_index("step")
    there = funnel[STEPS].notna().sum()
    assert found["people"].to_dict() == there.to_dict()
    assert found["lost"].tolist() == [0, *(-there.diff().iloc[1:]).astype(int)]
    assert found["share_of_entry"].tolist() == pytest.approx((there / there.iloc[0]).tolist())
    assert found["share_of_previous"].iloc[1:].tolist() == pytest.approx((there / there.shift())[1:].tolist())
    assert found["stuck_share"].iloc[:-1].tolist() == pytest.approx((1 - there.shift(-1) / there)[:-1].tolist())
    assert found["low"].iloc[-1] == pytest.approx(wilson(there.iloc[-1], there.iloc[0])[0])
    for before, step in itertools.pairwise(STEPS):
        taken = (funnel[step] - funnel[before]).dt.total_seconds()
        assert found.loc[step, "median_seconds"] == pytest.approx(taken.median())
    done = funnel[STEPS[-1]].notna()
    months = funnel[STEPS[0]].dt.to_period("M").dt.start_time
    rate = activation.onboarding_completion(data, grain="month").set_index("period")
    for month, own in done.groupby(months):
        assert rate.loc[month, ["numerator", "denominator"]].tolist() == [own.sum(), len(own)]


def test_what_people_did_instead(data, events, funnel):
    there = funnel[STEPS].notna().sum()
    after = int((1 - there.shift(-1) / there).to_numpy()[:-1].argmax())
    at = funnel.set_index("user_id")
    stopped, went_on = {}, {}
    active = events[~events["event"].isin(PASSIVE)].groupby("user_id")
    for user, row in at[at[STEPS[after]].notna()].iterrows():
        own = active.get_group(user)
        later = own[(own["timestamp"] > row[STEPS[after]]) & (own["timestamp"] <= row[STEPS[0]] + STEP_DAYS * DAY)]
        did = later["event"].iloc[0] if len(later) else "(nothing)"
        side = stopped if pd.isna(row[STEPS[after + 1]]) else went_on
        side[did] = side.get(did, 0) + 1
    found = activation.onboarding_instead(data)
    assert set(found["step"]) == {STEPS[after]}
    assert {row.event: row.people for row in found.itertuples() if row.people} == stopped
    assert {row.event: row.people_on for row in found.itertuples() if row.people_on} == went_on
    row = found.iloc[0]
    n, m = sum(stopped.values()), sum(went_on.values())
    assert (row["share"], row["share_on"]) == pytest.approx((row["people"] / n, row["people_on"] / m))
    assert (row["low"], row["high"]) == pytest.approx(newcombe(row["people"], n, row["people_on"], m))


@pytest.fixture(scope="module")
def walked(events, people, data):
    """Each person's steps before buying, within the days allowed, of all events, and whether and when they bought."""
    old = people[people["start"] + WITHIN * DAY < pd.Timestamp(data.end)]
    window = events[(events["age"] <= WITHIN) & ~events["event"].isin(PASSIVE) & events["user_id"].isin(old.index)]
    hit = old["came"] & (old["seconds"] <= WITHIN * 86_400)
    until = old["bought"].where(hit)
    window = window[~(window["timestamp"] >= window["user_id"].map(until))]
    return old, hit, window


def usual(window: pd.DataFrame, top: int) -> set[str]:
    doers = window.groupby("event")["user_id"].nunique().reset_index()
    return set(doers.sort_values(["user_id", "event"], ascending=[False, True])["event"].head(top))


def steps_of(window: pd.DataFrame, top: int) -> dict[str, list[str]]:
    kept = window[window["event"].isin(usual(window, top))]
    return {user: [each for each, _ in itertools.groupby(own["event"])] for user, own in kept.groupby("user_id")}


def test_the_ways(data, walked):
    old, hit, window = walked
    steps = steps_of(window, 8)
    named = pd.Series({user: " > ".join(steps.get(user, [])[:6]) + (" > ..." if len(steps.get(user, [])) > 6 else "")
                       for user in old.index}).replace("", "(nothing)")
    found = activation.paths(data, ways=10_000).set_index("way")
    assert found["people"].to_dict() == named.value_counts().to_dict()
    assert found["activated"].to_dict() == hit.groupby(named).sum().to_dict()
    median = (old["seconds"] / 3600).where(hit).groupby(named).median()
    assert found["median_hours"].to_dict() == pytest.approx(median.to_dict(), nan_ok=True)
    first = activation.paths(data).iloc[0]
    assert (first["share"], first["value"]) == pytest.approx((first["people"] / len(old), first["activated"] / first["people"]))
    assert (first["low"], first["high"]) == pytest.approx(wilson(first["activated"], first["people"]))


def test_the_moves_between_steps(data, walked):
    old, hit, window = walked
    steps, moves = steps_of(window, 5), {}
    for user in old.index:
        kept = steps.get(user, [])[:4] or ["(nothing)"]
        for place, (source, target) in enumerate(itertools.pairwise([*kept, "activated" if hit[user] else "not activated"]), 1):
            cell = moves.setdefault((place, source, target), [0, 0])
            cell[0], cell[1] = cell[0] + 1, cell[1] + hit[user]
    found = activation.path_moves(data)
    keys = list(zip(found["source_position"], found["source"], found["target"], strict=True))
    assert dict(zip(keys, found[["people", "activated"]].to_numpy().tolist(), strict=True)) == moves
    for row in found.dropna(subset=["difference"]).itertuples():
        same = [cell for (place, source, _), cell in moves.items() if (place, source) == (row.source_position, row.source)]
        n, hits = sum(each[0] for each in same) - row.people, sum(each[1] for each in same) - row.activated
        assert (row.share, row.others_share) == pytest.approx((row.activated / row.people, hits / n))
        assert (row.low, row.high) == pytest.approx(newcombe(row.activated, row.people, hits, n))


def test_the_core_features(data, events, people):
    old = people[people["start"] + WITHIN * DAY < pd.Timestamp(data.end)]
    window = events[(events["age"] <= WITHIN) & events["user_id"].isin(old.index)]
    found = activation.core_feature_adoption(data).set_index("feature")
    core = ["search", "wishlist_add", "compare", "review_page"]
    for feature, names in {**{each: [each] for each in core}, "(any)": core}.items():
        used = window[window["event"].isin(names)]
        assert found.loc[feature, ["numerator", "denominator"]].tolist() == [used["user_id"].nunique(), len(old)]
        assert found.loc[feature, "times_per_person"] == pytest.approx(len(used) / used["user_id"].nunique())


def test_the_early_signs(data, events, people):
    old = people[people["start"] + 56 * DAY < pd.Timestamp(data.end)]
    active = events[~events["event"].isin(PASSIVE) & events["user_id"].isin(old.index)]
    back = old.index.isin(active[(active["age"] >= 28) & (active["age"] < 56)]["user_id"])
    half = np.array([hashlib.md5(user.encode()).hexdigest() >= "8" for user in old.index])
    found = activation.aha_candidates(data)
    assert len(found)
    for row in found.itertuples():
        window = active[active["age"] < row.days]
        there = old.index.isin(window[window["age"] >= row.days / 2]["user_id"]) & half
        times = window[window["event"] == row.event]["user_id"].value_counts().reindex(old.index, fill_value=0)
        did = there & (times >= row.at_least).to_numpy()
        others = there & ~did
        assert [row.n, row.did] == [there.sum(), did.sum()]
        if did.any() and others.any():
            expected = (back[did].mean(), did.mean() / there.mean(), back[did].mean() - back[others].mean(),
                        (back & did).sum() / (back & there).sum())
            assert (row.precision, row.reach, row.difference, row.recall) == pytest.approx(expected)
            assert (row.low, row.high) == pytest.approx(newcombe((back & did).sum(), did.sum(), (back & others).sum(), others.sum()))
    # Whatever is found among so few people is not confirmed: the sentence says so.
    assert not found["confirmed"].any()


def test_the_careless_share(data, people):
    speed = activation.time_to_value(data, up_to_days=END_DAYS, grain="month").set_index("period")
    careless = 1 - speed["events"] / speed["n"]
    assert careless.to_dict() == pytest.approx((~people["came"]).groupby(people["month"]).mean().to_dict())
