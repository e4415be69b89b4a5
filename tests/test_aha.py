"""Aha candidates: the true moment is found, what only goes with it is not, and every count is one by hand."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pandas as pd
import pytest

from plgkit import samples
from plgkit.errors import BadParameter
from plgkit.metrics import activation
from plgkit.playbook import Playbook, read_playbook
from plgkit.sources.connect import connect
from plgkit.stats import compare, intervals, strata

TRUE = "card_finished"
GO_WITH = {"tour_watched", "template_browsed", "theme_changed", "profile_completed", "board_created", "card_added",
           "teammate_invited", "link_shared"}
"""What goes with staying only through the true moment, or through the hidden trait that makes people reach it."""
DAY = pd.Timedelta(days=1)


def company(people: int, seed: int, *tables: str):
    made = samples.company(people=people, seed=seed)
    return connect({name: made.tables[name] for name in ("events", "users", *tables)}, as_of="2026-06-30",
                   playbook=read_playbook(made.playbook))


@pytest.mark.parametrize("seed", range(1, 21))
def test_the_true_moment_is_found_and_what_only_goes_with_it_is_not(seed):
    found = activation.aha_candidates(company(1500, seed))
    assert (found["event"][0], found["at_least"][0], found["confirmed"][0]) == (TRUE, 1, True)
    assert not set(found.loc[found["confirmed"], "event"]) & GO_WITH
    assert found["low"][0] > 0


def test_what_goes_with_the_true_moment_looks_like_a_finding_until_held_against_it():
    found = activation.aha_candidates(company(4000, 2), still_there=False).set_index("event")
    assert found.loc[["board_created", "card_added", "teammate_invited"], "tied"].all()
    assert not found.loc[["board_created", "card_added", "teammate_invited"], "confirmed"].any()
    assert found.loc["card_added", "difference"] > 0.2
    assert found.loc["card_added", "beyond_low"] < 0.02


@pytest.fixture(scope="module")
def small():
    return company(700, 3, "accounts", "subscriptions")


@pytest.fixture(scope="module")
def rows(small):
    """Every active event since its person's sign-up, with the days gone since then."""
    users = small.run(small.users.select("user_id", "signed_up_at", "channel", "account_id"))
    users["half"] = [int(hashlib.md5(user.encode()).hexdigest() >= "8") for user in users["user_id"]]
    events = small.run(small.events.select("user_id", "event", "occurred_at"))
    events = events[~events["event"].isin(["digest_emailed", "survey_shown"])].merge(users, on="user_id")
    events["age"] = (events["occurred_at"] - events["signed_up_at"]) / DAY
    old = users[users["signed_up_at"] + 56 * DAY < pd.Timestamp(small.end)]
    return old.set_index("user_id"), events[events["age"] >= 0]


def counted(people: pd.DataFrame, early: pd.DataFrame, hit: pd.Series, event: str, times: int) -> tuple[int, int, int, int]:
    """Hits and people among those who did the event so often, and among the others."""
    did = people.index.isin(early[early["event"] == event]["user_id"].value_counts().loc[lambda n: n >= times].index)
    return hit[did].sum(), did.sum(), hit[~did].sum(), (~did).sum()


def chance(x1: int, n1: int, x2: int, n2: int) -> float:
    """The p-value of two shares: exact, by counting the ways, where fewer than five are expected somewhere."""
    n, hits = n1 + n2, x1 + x2
    if not 0 < min(n1, n2) * min(hits, n - hits) / n < 5:
        return compare.shares(x1, n1, x2, n2).p
    ways = [math.comb(hits, x) * math.comb(n - hits, n1 - x) for x in range(n1 + 1)]
    return min(2 * min(sum(ways[x1:]) - ways[x1] / 2, sum(ways[:x1]) + ways[x1] / 2) / sum(ways), 1)


@pytest.mark.parametrize("still_there", [True, False])
def test_every_try_agrees_with_counting_by_hand(small, rows, still_there):
    old, events = rows
    back = old.index.isin(events[events["age"].between(28, 56, inclusive="left")]["user_id"])
    back = pd.Series(back, index=old.index)
    found = activation.aha_candidates(small, still_there=still_there, every=True, days=[1, 7], at_least=[1, 3])
    tried = {}
    for row in found.itertuples():
        window = events[events["age"] < row.days]
        there = old.index.isin(window[window["age"] >= row.days / 2]["user_id"]) | (not still_there)
        for half in (0, 1):
            people = old[there & (old["half"] == half)]
            tried[row.event, row.days, row.at_least, half] = counted(people, window, back[people.index], row.event, row.at_least)
        x1, n1, x2, n2 = tried[row.event, row.days, row.at_least, 1]
        assert [row.did, row.n] == [n1, n1 + n2]
        np.testing.assert_allclose(
            [row.precision, row.recall, row.reach, row.lift, row.difference],
            [x1 / n1 if n1 else np.nan, x1 / (x1 + x2), n1 / (n1 + n2), x1 / n1 / ((x1 + x2) / (n1 + n2)) if n1 else np.nan,
             x1 / n1 - x2 / n2 if n1 and n2 else np.nan])
        if n1 and n2:
            assert (row.low, row.high) == pytest.approx(intervals.newcombe(x1, n1, x2, n2))
    searched = [tried[row.event, row.days, row.at_least, 0] for row in found.itertuples()]
    p = [chance(*map(int, each)) for each in searched]
    np.testing.assert_allclose(found["p"], p, rtol=1e-6)
    np.testing.assert_allclose(found["p_corrected"], compare.benjamini_hochberg(p), rtol=1e-6)
    phi = [strata.correlation(*each)[1] for each in searched]
    assert (np.diff(phi) <= 1e-12).all()
    assert found["rank"].tolist() == list(range(1, len(found) + 1))
    assert found.attrs["tried"] == len(found)


def test_what_is_left_beyond_the_first_agrees_with_counting_by_hand(small, rows):
    old, events = rows
    back = pd.Series(old.index.isin(events[events["age"].between(28, 56, inclusive="left")]["user_id"]), index=old.index)
    found = activation.aha_candidates(small, days=[3, 7])
    first = found.iloc[0]
    week, cells = events[events["age"] < 7], []
    did_first = old.index.isin(week[week["event"] == first["event"]]["user_id"].value_counts().loc[
        lambda n: n >= first["at_least"]].index)
    for row in found.iloc[1:].itertuples():
        window = events[events["age"] < row.days]
        there = old.index.isin(window[window["age"] >= row.days / 2]["user_id"])
        for alike in (did_first, ~did_first):
            people = old[there & alike & (old["half"] == 1)]
            cells.append((row.event, *counted(people, window, back[people.index], row.event, row.at_least)))
    among = strata.mantel_haenszel(pd.DataFrame(cells, columns=["event", "x1", "n1", "x2", "n2"]), "event").set_index("event")
    rest = found.iloc[1:].set_index("event")
    np.testing.assert_allclose(rest["beyond"], among["difference"].reindex(rest.index), atol=1e-12)
    np.testing.assert_allclose(rest["beyond_low"], among["low"].reindex(rest.index), atol=1e-12)


def test_a_group_is_searched_and_confirmed_like_a_company_of_its_own(small):
    found = activation.aha_candidates(small, by="channel", still_there=False).query("channel == 'invite'")
    users = small.run(small.users)
    alone = connect({"users": users[users["channel"] == "invite"].drop(columns="day"),
                     "events": small.run(small.events).drop(columns="day")}, as_of="2026-06-30",
                    playbook=Playbook(**{"product": {"time_zone": "America/New_York"},
                                         "activity": {"except": ["digest_emailed", "survey_shown"]}}))
    expected = activation.aha_candidates(alone, still_there=False)
    pd.testing.assert_frame_equal(found.drop(columns="channel").reset_index(drop=True), expected)


def test_who_had_paid_before_cannot_start_to_pay(small, rows):
    old, _ = rows
    paid = small.run(small.subscriptions.filter(small.subscriptions.mrr_minor > 0)).groupby("account_id")["changed_at"].min()
    age = (old["account_id"].map(paid) - old["signed_up_at"]) / DAY
    found = activation.aha_candidates(small, outcome="paid", from_days=14, to_days=56, still_there=False, days=[7], every=True)
    people = old[~(age < 14) & (old["half"] == 1)]
    assert set(found["n"]) == {len(people)}
    hits = age[people.index].between(14, 56, inclusive="left").sum()
    some = found[(found["did"] > 0) & (found["precision"] > 0)].iloc[0]
    assert some["precision"] * some["did"] / some["recall"] == pytest.approx(hits)


def test_the_sample_s_own_counts_of_decoys_are_met_to_the_person():
    data = connect(samples.bundled_path())
    truth = json.loads((samples.bundled_path() / "truth.json").read_text(encoding="utf-8"))["counted"]
    counts = data.run(activation.aha_candidates.query(data, from_days=28, to_days=63, days=[7], still_there=False))
    done = counts[counts["times"] > 0].groupby("event")[["hits", "people"]].sum()
    for event in (TRUE, "tour_watched", "template_browsed", "theme_changed"):
        known = truth[f"back_weeks_4_to_8.{event}.did.all"]
        assert done.loc[event].tolist() == pytest.approx([known["numerator"], known["denominator"]], abs=3)


def seen(*rows: tuple[str, str, float]):
    """People who sign up on the first of January and do things so many days later."""
    frame = pd.DataFrame([(user, event, pd.Timestamp("2025-01-01") + age * DAY) for user, event, age in rows],
                         columns=["user_id", "event", "occurred_at"])
    return connect({"events": frame}, as_of="2025-06-30")


def test_who_has_gone_by_the_end_of_the_days_tried_is_not_counted():
    ids = [f"u{number}" for number in range(40)]
    stay = [(user, "seen", age) for user in ids[:20] for age in (0, 2.5, 30)]
    gone = [(user, "seen", age) for user in ids[20:] for age in (0, 0.1)]
    late = [(user, "shared", 5) for user in ids[20:]]   # seen again later, but not by then
    data = seen(*stay, *gone, *late, *[(user, "liked", 1) for user in ids[:10]])
    counts = data.run(activation.aha_candidates.query(data, days=[3]))
    assert counts[counts["event"] == ""]["people"].sum() == 20
    everybody = data.run(activation.aha_candidates.query(data, days=[3], still_there=False))
    assert everybody[everybody["event"] == ""]["people"].sum() == 40


def test_too_few_people_confirm_nothing(tiny):
    found = activation.aha_candidates(tiny, still_there=False)
    assert not found[["tied", "confirmed"]].any(axis=None)


def test_days_that_reach_into_the_outcome_are_refused(tiny):
    with pytest.raises(BadParameter) as caught:
        activation.aha_candidates(tiny, days=[7, 30])
    assert str(caught.value) == (
        "days is [7, 30]; expected whole numbers of days, from 1 to the 28 before the outcome window.")
    with pytest.raises(BadParameter) as caught:
        activation.aha_candidates(tiny, from_days=28, to_days=28)
    assert str(caught.value) == "to_days is 28; expected more days than from_days, which is 28."
