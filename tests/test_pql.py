"""Scores: points at the instants at which signals are met, from the past alone, and leads that pay or do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plgkit import connect
from plgkit.errors import BadParameter
from plgkit.metrics import pql, signals
from plgkit.playbook import Playbook

SIGNALS = [
    {"name": "few invites", "kind": "invited", "points": 15, "at_most": 3},
    {"name": "many invites", "kind": "invited", "points": 25, "at_least": 4},
    {"name": "two features", "kind": "core_features", "points": 20, "at_least": 2},
    {"name": "five items soon", "kind": "items_created", "points": 10, "at_least": 5, "within_days": 20},
    {"name": "three days", "kind": "active_days", "points": 15, "at_least": 3, "within_days": 14},
    {"name": "three days running", "kind": "active_streak", "points": 25, "at_least": 3},
    {"name": "exported", "kind": "event", "points": 30, "events": ["exported"]},
    {"name": "fits", "kind": "company_size", "points": 10},
]
WORDS = {"features": {"core": ["drawn", "shared", "exported"], "create": ["drawn"]}, "fit": {"employees_min": 50},
         "pql": {"threshold": 50, "within_days": 30, "signals": SIGNALS}}


@pytest.fixture(scope="module")
def made() -> dict[str, pd.DataFrame]:
    random = np.random.default_rng(5)
    people = [f"u{place}" for place in range(40)]
    users = pd.DataFrame({"user_id": people, "account_id": [f"a{place // 2}" for place in range(40)]})
    users["signed_up_at"] = (pd.Timestamp("2025-01-01") + pd.to_timedelta(random.uniform(0, 20, 40), unit="D")).floor("s")
    opened = users.groupby("account_id", as_index=False)["signed_up_at"].min()
    accounts = opened.rename(columns={"signed_up_at": "created_at"}).assign(
        employees=random.choice([10.0, 80.0, np.nan], len(opened)))

    def later(rows: pd.DataFrame) -> pd.Series:
        wait = pd.to_timedelta(random.uniform(0, 40, len(rows)), unit="D")
        return (rows["signed_up_at"] + wait).dt.floor("s")

    busy = users.sample(500, replace=True, random_state=1, weights=np.arange(1, 41), ignore_index=True)
    events = pd.DataFrame({"user_id": busy["user_id"], "occurred_at": later(busy),
                           "event": random.choice(["drawn", "shared", "opened", "exported"], 500, p=[.3, .1, .55, .05])})
    some = users.sample(60, replace=True, random_state=2, ignore_index=True)
    invites = pd.DataFrame({"inviter_id": some["user_id"], "sent_at": later(some), "kind": "invite"})
    paid = accounts.sample(9, random_state=3)
    paid = pd.DataFrame({"account_id": paid["account_id"], "mrr": 20.0,
                         "changed_at": paid["created_at"] + pd.to_timedelta(random.uniform(5, 50, 9), unit="D").floor("s")})
    return {"users": users, "accounts": accounts, "events": events, "invites": invites, "subscriptions": paid}


@pytest.fixture(scope="module")
def company(made):
    return connect(made, as_of="2025-03-31", playbook=Playbook(**WORDS))


def score_at(made: dict[str, pd.DataFrame], account: str, end: pd.Timestamp) -> float:
    """The points of one account from its raw rows before an instant, signal by signal."""
    of = made["users"].set_index("user_id")["account_id"]
    opened = made["accounts"].set_index("account_id").loc[account]
    rows = made["events"][(made["events"].user_id.map(of) == account) & (made["events"].occurred_at < end)]
    sent = ((made["invites"].inviter_id.map(of) == account) & (made["invites"].sent_at < end)).sum()
    days = sorted(rows.occurred_at.dt.floor("D").unique())
    first = rows.groupby(rows.occurred_at.dt.floor("D")).occurred_at.min()
    run = any(set(pd.date_range(day, periods=3)) <= set(days) for day in days)
    soon = rows[(rows.event == "drawn") & (rows.occurred_at <= opened.created_at + pd.Timedelta(days=20))]
    met = [1 <= sent <= 3, sent >= 4, rows.event[rows.event != "opened"].nunique() >= 2, len(soon) >= 5,
           (first <= opened.created_at + pd.Timedelta(days=14)).sum() >= 3, run, (rows.event == "exported").any(),
           opened.created_at < end and opened.employees >= 50]
    return float(sum(each["points"] for each, yes in zip(SIGNALS, met, strict=True) if yes))


@pytest.mark.parametrize("day", ["2025-01-10", "2025-02-01", "2025-03-31"])
def test_scores_agree_with_a_count_of_each_account_from_its_past(made, company, day):
    end = pd.Timestamp(day) + pd.Timedelta(days=1)
    found = pql.scores(company, as_of=day).set_index("account_id")["score"]
    there = made["accounts"][made["accounts"].created_at < end].account_id
    assert found.to_dict() == {account: score_at(made, account, end) for account in there}


def test_a_score_of_the_past_is_the_score_that_was_seen_then(made, company):
    then = connect(made, as_of="2025-02-01", playbook=Playbook(**WORDS))
    pd.testing.assert_frame_equal(pql.scores(company, as_of="2025-02-01"), pql.scores(then))


def test_an_account_qualifies_at_the_first_instant_at_which_its_points_reach_the_threshold(made, company):
    found = company.run(signals.crossings(company, 50)).set_index("account_id")["crossed_at"]
    second = pd.Timedelta(seconds=1)
    paid = made["subscriptions"].set_index("account_id").changed_at
    for account in made["accounts"].account_id:
        if account in found.index:
            assert score_at(made, account, found[account] + second) >= 50
            assert score_at(made, account, found[account]) < 50
            assert account not in paid or paid[account] > found[account]
        elif account not in paid:
            assert score_at(made, account, pd.Timestamp("2025-04-01")) < 50


def test_tiers_hold_every_account_and_agree_with_the_scores(company):
    tiers = pql.tiers(company)
    last = tiers[tiers.period == tiers.period.max()].set_index("tier").accounts
    scores = pql.scores(company)
    assert last[last > 0].to_dict() == scores.tier.value_counts().to_dict()
    assert tiers.groupby("period").share.sum().round(9).eq(1).all()


def test_points_fade_evenly_and_those_of_fit_do_not(tiny):
    full = pql.scores(tiny, as_of="2025-01-06").score[0]
    assert full == 65.0
    # Five days later a tenth of a 50-day life is gone, from the 45 points that were earned.
    assert pql.scores(tiny, as_of="2025-01-06", lifespan_days=50).score[0] == 65.0
    faded = pql.scores(tiny, as_of="2025-01-11", lifespan_days=50).set_index("account_id").loc["a1"]
    assert faded["fit"] == 20.0
    assert faded["signal_points"] == pytest.approx(45 * 0.9 + 20 * 0.92)
    assert pql.scores(tiny, lifespan_days=10).signal_points.sum() == 0


def test_leads_are_counted_once_and_their_customers_are_among_them(company):
    leads, customers = pql.leads(company), pql.to_customer(company)
    assert leads.value.sum() == (customers.denominator + customers.immature).sum()
    everyone = pql.to_customer(company, by="qualified")
    split = everyone.groupby("qualified")[["denominator", "immature"]].sum().sum(axis=1)
    assert split["qualified"] == leads.value.sum()
    assert split.sum() == 20


def test_a_day_that_is_none_or_not_yet_known_is_refused(tiny):
    with pytest.raises(BadParameter) as caught:
        pql.scores(tiny, as_of="2025-03-01")
    assert str(caught.value) == "as_of is '2025-03-01'; expected a day up to 2025-02-28, the last one counted."
    with pytest.raises(BadParameter) as caught:
        pql.scores(tiny, as_of="today")
    assert str(caught.value) == "as_of is 'today'; expected a day such as 2026-06-30."


def test_signals_that_cannot_speak_say_why_and_give_no_points(made):
    bare = connect({"events": made["events"]}, as_of="2025-03-31", playbook=Playbook(**WORDS))
    notes = pql.reach(bare).set_index("signal").note
    assert notes["few invites"] == "no table of invites"
    assert notes["fits"] == "no table of accounts"
    assert notes["exported"] == ""
    assert pql.scores(bare).score.max() > 0
