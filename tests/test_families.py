"""Families: who belongs together, and intervals that follow how families differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from plgkit.metrics import families as together
from plgkit.metrics import find
from plgkit.playbook import Playbook
from plgkit.sources.connect import connect
from plgkit.stats import bootstrap, families, intervals, survival

WORDS = Playbook(activation={"event": "finished", "within_days": 5}, features={"core": ["finished", "shared"]})
USERS = pd.DataFrame([
    ("ann", "A", None), ("bob", "A", "ann"),
    ("cem", "C", "bob"), ("dee", "C", "cem"),  # Bob brought the account C
    ("eva", None, "dee"), ("fay", None, "eva"),  # alone, each brought by another home
    ("gus", None, None), ("hal", "H", "nobody known")], columns=["user_id", "account_id", "invited_by"])


def opened(users: pd.DataFrame, events: pd.DataFrame, **more: pd.DataFrame):
    """The tables as data of February 2025."""
    return connect({"users": users, "events": events, **more}, playbook=WORDS, as_of="2025-02-28")


def test_a_family_is_an_account_with_those_it_brought_and_no_more_than_one_step():
    users = USERS.assign(signed_up_at=pd.date_range("2025-01-01", periods=len(USERS)))
    events = users[["user_id"]].assign(event="finished", occurred_at=pd.Timestamp("2025-01-20"))
    data = opened(users, events)
    found = data.run(together.joined(data, data.users.select("user_id"))).set_index("user_id")["family"].to_dict()
    assert found == {"ann": "A", "bob": "A", "cem": "A", "dee": "A", "eva": "C", "fay": "eva", "gus": "gus", "hal": "H"}


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    """A hundred people in accounts of unlike size; those of an account do alike."""
    random = np.random.default_rng(8)
    home = random.integers(0, 26, 100) ** 2 // 30
    signed = pd.Timestamp("2025-01-06") + pd.to_timedelta(home * 2.2 + random.random(100), unit="D")
    people = pd.DataFrame({"user_id": [f"u{place:02d}" for place in range(100)], "signed_up_at": signed.floor("s")})
    people["account_id"] = np.where(home < 18, pd.Series(home).map("a{}".format), None)
    people["eager"] = np.random.default_rng(9).random(30)[home]
    return people


@pytest.fixture(scope="module")
def company(people):
    """They do things in three months."""
    random, rows = np.random.default_rng(10), []
    for person in people.itertuples():
        days = np.flatnonzero(random.random(50) < person.eager * 0.4)
        likes = ["finished", "shared", "seen"] if person.eager > 0.45 else ["shared", "seen", "seen"]
        rows += [(person.user_id, random.choice(likes), person.signed_up_at + pd.Timedelta(days=int(day)))
                 for day in [0, *days]]
    events = pd.DataFrame(rows, columns=["user_id", "event", "occurred_at"])
    return opened(people.drop(columns="eager"), events), events[events["occurred_at"] < "2025-03-01"]


def sums(people: pd.DataFrame, hits: pd.Series, among: pd.Series) -> list[float]:
    """The sums behind an interval, family by family."""
    home = people["account_id"].fillna(people["user_id"])
    h, n = hits.to_numpy(float).copy(), among.to_numpy(float)
    h, n = pd.Series(h * (n > 0)).groupby(home.to_numpy()).sum(), pd.Series(n).groupby(home.to_numpy()).sum()
    return [h.sum(), n.sum(), (h * h).sum(), (h * n).sum(), (n * n).sum()]


def wilson(people: pd.DataFrame, hits: pd.Series, among: pd.Series) -> list[float]:
    """Wilson's interval with as many people as they are worth, worked out the long way."""
    top, n, *squares = sums(people, hits, among)
    p = top / n
    spread = squares[0] - 2 * p * squares[1] + p * p * squares[2]
    equal = max(n * n / squares[2], 5)
    few = (stats.t(equal - 1).ppf(0.975) / stats.norm.ppf(0.975)) ** 2 * equal / (equal - 1)
    worth = max(spread / (n * p * (1 - p)) * few, 1)
    return list(intervals.wilson(top / worth, n / worth))


def active_in(people: pd.DataFrame, events: pd.DataFrame, start: str, end: str) -> pd.Series:
    """Whether each person did anything from one day to before another."""
    inside = events[(events["occurred_at"] >= start) & (events["occurred_at"] < end)]
    return people["user_id"].isin(inside["user_id"])


def test_a_share_of_newcomers_follows_families(people, company):
    data, events = company
    done = events[events["event"] == "finished"].groupby("user_id")["occurred_at"].min()
    wait = people["user_id"].map(done) - people["signed_up_at"]
    among = people["signed_up_at"] < "2025-02-01"
    found = find("activation.rate")(data, grain="month").iloc[0]
    assert found[["low", "high"]].tolist() == pytest.approx(wilson(people, wait <= pd.Timedelta(days=5), among))
    plain = intervals.wilson(found["numerator"], found["denominator"])
    assert found["high"] - found["low"] > 1.15 * (plain[1] - plain[0])


def test_churn_and_the_quick_ratio_follow_families(people, company):
    data, events = company
    before, now = active_in(people, events, "2025-01-01", "2025-02-01"), active_in(people, events, "2025-02-01", "2025-03-01")
    churn = find("retention.user_churn")(data, grain="month").iloc[0]
    assert churn[["low", "high"]].tolist() == pytest.approx(wilson(people, ~now, before))
    quick = find("retention.quick_ratio")(data, grain="month").iloc[0]
    share = np.array(wilson(people, now & ~before, now != before))
    assert quick[["low", "high"]].tolist() == pytest.approx(list(share / (1 - share)))


def test_growth_of_sign_ups_follows_families(people, company):
    now = people["signed_up_at"] >= "2025-02-01"
    share = np.array(wilson(people, now, now | True))
    found = find("acquisition.signup_growth")(company[0], grain="month").iloc[0]
    assert found[["low", "high"]].tolist() == pytest.approx(list(share / (1 - share) - 1))


def test_use_of_features_and_days_of_activity_follow_families(people, company):
    data, events = company
    active = active_in(people, events, "2025-02-01", "2025-03-01")
    late = events[events["occurred_at"] >= "2025-02-01"]
    used = people["user_id"].isin(late.loc[late["event"] == "finished", "user_id"])
    for parameters in ({"grain": "month"}, {"trailing_days": 28}):
        found = find("engagement.feature_adoption")(data, **parameters)
        row = found[found["feature"] == "finished"].iloc[-1]
        assert row[["low", "high"]].tolist() == pytest.approx(wilson(people, used, active))
    days = people["user_id"].map(late.assign(day=late["occurred_at"].dt.date).groupby("user_id")["day"].nunique())
    row = find("engagement.active_days")(data).set_index("days").loc[3]
    assert row[["low", "high"]].tolist() == pytest.approx(wilson(people, days == 3, active))


def test_stickiness_draws_families_again(people, company):
    data, events = company
    late = events[events["occurred_at"] >= "2025-02-01"]
    days = people["user_id"].map(late.assign(day=late["occurred_at"].dt.date).groupby("user_id")["day"].nunique()).fillna(0)
    home = people["account_id"].fillna(people["user_id"])
    top, n = (days / 28).groupby(home).sum(), (days > 0).groupby(home).sum()
    found = find("engagement.stickiness")(data, grain="month").iloc[-1]
    kinds = len(pd.DataFrame({"top": top, "n": n})[n > 0].drop_duplicates())
    expected = bootstrap.ratio(top[n > 0], n[n > 0], most_kinds=40)
    assert found[["value", "low", "high"]].tolist() == pytest.approx(list(expected))
    assert kinds < 40


def test_one_family_alone_has_no_interval_of_a_mean(people):
    users = people.head(3).assign(account_id="one").drop(columns="eager")
    events = users[["user_id"]].assign(event="finished", occurred_at=pd.Timestamp("2025-01-20"))
    found = find("engagement.feature_breadth")(opened(users, events), core=["finished"], grain="month").iloc[0]
    assert found["value"] == 1
    assert found[["low", "high"]].isna().all()


def test_without_accounts_and_inviters_people_are_alone(people, company):
    users = people[["user_id", "signed_up_at"]]
    data = opened(users, company[1])
    for name in ("activation.rate", "retention.user_churn"):
        found = find(name)(data, grain="month").iloc[0]
        assert found[["low", "high"]].tolist() == pytest.approx(list(intervals.wilson(found["numerator"], found["denominator"])))
    assert "dealt" not in together.dealt(data, data.users).columns


def test_people_who_do_alike_in_pairs_count_half():
    random = np.random.default_rng(1)
    times, seen = random.integers(1, 200, 400), random.random(400) < 0.7
    alone = survival.kaplan_meier(times, seen, groups=np.arange(400))
    pd.testing.assert_frame_equal(alone, survival.kaplan_meier(times, seen))
    twice = [np.repeat(each, 2) for each in (times, seen, np.arange(400))]
    pairs, strangers = survival.kaplan_meier(*twice[:2], groups=twice[2]), survival.kaplan_meier(*twice[:2])
    wider = ((pairs["high"] - pairs["low"]) / (strangers["high"] - strangers["low"])).iloc[20:150]
    assert wider.between(1.37, 1.42).all()


@pytest.mark.parametrize("share", [0.15, 0.4])
def test_intervals_of_families_hold_the_truth_where_those_of_single_people_do_not(share):
    """Four hundred draws of 120 families of one to nine people, in which all of a family mostly do alike."""
    random, held, alone = np.random.default_rng(2), [], []
    for _ in range(400):
        size = random.integers(1, 10, 120)
        alike = random.random(120) < share
        same = random.binomial(size, 0.6)
        hits = alike * same + random.binomial(size - same, share)
        top, n = hits.sum(), size.sum()
        low, high = families.wilson(top, n, (hits**2).sum(), (hits * size).sum(), (size**2).sum())
        held.append(low <= share <= high)
        low, high = intervals.wilson(top, n)
        alone.append(low <= share <= high)
    assert 0.915 < np.mean(held) < 0.98
    assert np.mean(alone) < 0.88


def test_the_logarithmic_interval_of_a_ratio_holds_the_truth():
    random, held = np.random.default_rng(3), []
    for _ in range(400):
        size = random.integers(1, 4, 130)
        brought = random.poisson(0.2 * size * random.gamma(2, 0.5, 130))
        low, high = families.logarithmic(
            brought.sum(), size.sum(), (brought**2).sum(), (brought * size).sum(), (size**2).sum())
        held.append(low <= 0.2 <= high)
    assert 0.915 < np.mean(held) < 0.98


def test_few_families_are_known_to_be_few():
    """A thousand draws of twelve families: with the normal's 1.96 and no n - 1 the interval would be too narrow."""
    random, held, narrow = np.random.default_rng(4), [], []
    for _ in range(1000):
        size = random.integers(5, 15, 12)
        hits = random.binomial(size, random.beta(2, 2, 12))
        top, n = hits.sum(), size.sum()
        sums = (top, n, (hits**2).sum(), (hits * size).sum(), (size**2).sum())
        low, high = families.wilson(*sums)
        held.append(low <= 0.5 <= high)
        spread = sums[2] - 2 * top / n * sums[3] + (top / n) ** 2 * sums[4]
        low, high = intervals.wilson(*(each * top / n * (1 - top / n) * n / spread for each in (top, n)))
        narrow.append(low <= 0.5 <= high)
    assert 0.93 < np.mean(held) < 0.975
    assert np.mean(narrow) < 0.93
