"""Scores: points at the instants at which signals are met, from the past alone, and leads that pay or do not."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plgkit import connect, notebook
from plgkit.errors import BadParameter
from plgkit.metrics import pql, signals
from plgkit.metrics.pql import standing
from plgkit.playbook import Playbook
from plgkit.samples.tiny import AS_OF, PLAYBOOK, frames
from plgkit.sources import engine

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


@pytest.mark.parametrize("day", ["2025-01-07", "2025-01-25", "2025-03-31"])
def test_where_accounts_stand_is_what_the_moments_of_their_signals_say(company, day):
    until = pd.Timestamp(day).date() + engine.DAY
    asked = company.playbook.pql.signals
    found = company.run(standing.patterns(company, until, asked)).set_index("account_id").pattern
    met = signals.moments(company)
    met = company.run(met.filter(signals.held(met, ibis.date(until.isoformat()))))
    bits = met.signal.map({each.name: 1 << place for place, each in enumerate(asked)}).groupby(met.account_id).sum()
    pd.testing.assert_series_equal(found.sort_index(), bits.reindex(found.index, fill_value=0).sort_index(), check_names=False)


def test_the_backtest_is_the_list_of_each_day_held_against_who_paid_then(made, company):
    paid = made["subscriptions"].set_index("account_id").changed_at
    found = pql.backtest(company, capacity=4, within_days=20, grain="week")
    assert len(found) == 10
    for row in found.itertuples():
        end = row.date + pd.Timedelta(days=1)
        there = [name for name, at in made["accounts"].set_index("account_id").created_at.items()
                 if at < end and not (name in paid and paid[name] < end)]
        rows = pd.DataFrame({"score": [score_at(made, name, end) for name in there],
                             "hit": [name in paid and paid[name] < end + pd.Timedelta(days=20) for name in there]})
        assert (row.accounts, row.payers) == (len(rows), rows.hit.sum())
        rows = rows.sort_values("score", ascending=False)
        border = rows.score.iloc[min(4, len(rows)) - 1]
        tied = rows[rows.score == border]
        won = rows[rows.score > border].hit.sum() + tied.hit.mean() * (min(4, len(rows)) - (rows.score > border).sum())
        assert row.won == pytest.approx(won)
        assert row.precision == pytest.approx(won / min(4, len(rows)))
        pairs = [(high > low) + (high == low) / 2 for high in rows.score[rows.hit] for low in rows.score[~rows.hit]]
        assert row.concordance == pytest.approx(np.mean(pairs) if pairs else np.nan, nan_ok=True)


def test_the_backtest_of_all_dates_adds_up_those_of_each(company):
    each, whole = (pql.backtest(company, capacity=4, within_days=20, grain="week", each=name) for name in ("date", "all"))
    assert whole.accounts[0] == each.accounts.sum()
    assert whole.precision[0] == pytest.approx(each.won.sum() / each.called.sum())
    assert whole.lift[0] == pytest.approx(each.won.sum() / (each.called * each.payers / each.accounts).sum())
    bands = pql.calibration(company, within_days=20, grain="week")
    assert (bands.numerator.sum(), bands.denominator.sum()) == (each.payers.sum(), each.accounts.sum())


@settings(max_examples=3, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), share=st.floats(0, 1), days=st.integers(1, 60))
def test_no_row_from_after_a_day_changes_what_is_said_of_that_day(made, company, seed, share, days):
    day, cut = "2025-01-28", pd.Timestamp("2025-01-29")
    random, altered = np.random.default_rng(seed), {}
    for name, time in (("events", "occurred_at"), ("invites", "sent_at"), ("subscriptions", "changed_at")):
        rows = made[name]
        after = rows[rows[time] >= cut]
        gone = after[random.random(len(after)) < share]
        moved = gone.assign(**{time: cut + pd.to_timedelta(random.uniform(0, days, len(gone)), unit="D").floor("s")})
        if name == "events":
            moved["event"] = random.permutation(moved["event"])
        altered[name] = pd.concat([rows.drop(gone.index), moved])
    other = connect({**made, **altered}, as_of="2025-03-31", playbook=Playbook(**WORDS))
    pd.testing.assert_frame_equal(pql.scores(other, as_of=day).drop(columns="paying"), pql.scores(company, as_of=day).drop(columns="paying"))
    for of in (pql.leads, pql.tiers):
        here, there = (of(data, grain="day").loc[lambda rows: rows.period < cut] for data in (company, other))
        pd.testing.assert_frame_equal(there, here)
    # Of dates whose window was over by then, neither the lists nor what came of them may move.
    short = {"within_days": 3, "grain": "day", "capacity": 4}
    here, there = (pql.backtest(data, **short).query("date < '2025-01-25'") for data in (company, other))
    pd.testing.assert_frame_equal(there[["date", "accounts", "payers", "won", "concordance"]], here[["date", "accounts", "payers", "won", "concordance"]])


def test_accounts_are_compared_from_the_same_day_and_by_what_was_known_on_it(made, company):
    found = pql.against_others(company, grain="week", within_days=20)
    crossed = company.run(signals.crossings(company, 50)).set_index("account_id").crossed_at
    paid = made["subscriptions"].set_index("account_id").changed_at
    opened = made["accounts"].set_index("account_id").created_at
    for row in found[found.immature == 0].itertuples():
        start, end = row.period, row.period + pd.Timedelta(days=7)
        there = [name for name in opened.index if opened[name] < end and not (name in paid and paid[name] < end)]
        group = {name: "not qualified" if name not in crossed or crossed[name] >= end else
                 "newly qualified" if crossed[name] >= start else "qualified before" for name in there}
        own = [name for name in there if group[name] == row.group]
        hits = [name for name in own if name in paid and paid[name] < end + pd.Timedelta(days=20)]
        assert (row.numerator, row.denominator) == (len(hits), len(own))


def test_marketing_qualified_accounts_stand_beside_the_others_where_the_playbook_names_them(made):
    words = {**WORDS, "pql": {**WORDS["pql"], "marketing_events": ["opened"]}}
    found = pql.to_customer(connect(made, as_of="2025-03-31", playbook=Playbook(**words)), by="qualified", grain="quarter")
    assert found.qualified.tolist() == ["marketing-qualified", "never qualified", "qualified"]
    assert (found.denominator + found.immature).sum() == 20
    users = made["users"].set_index("user_id").account_id
    opened = made["events"][made["events"].event == "opened"]
    first = opened.occurred_at.groupby(opened.user_id.map(users)).min()
    paid = made["subscriptions"].set_index("account_id").changed_at
    crossed = set(made["accounts"].account_id) & set(first.index)
    assert found.denominator[0] <= sum(name not in paid or paid[name] > first[name] for name in crossed)


@pytest.mark.parametrize(("words", "expected"), [
    # Cho's account asks for the checkout a day before it pays, Dan's never pays; Ann's has qualified by then.
    ({"marketing_events": ["checkout_started"]}, {"marketing-qualified": (1, 2), "qualified": (1, 1)}),
    # Cho's signs in after it has paid: that made no lead of it.
    ({"marketing_events": ["signed_in"]}, {"marketing-qualified": (0, 1), "never qualified": (1, 1), "qualified": (1, 1)}),
    ({"marketing_column": "industry"}, {"marketing-qualified": (1, 1), "never qualified": (0, 1), "qualified": (1, 1)}),
    ({"marketing_column": "industry", "marketing_values": ["banking"]}, {"never qualified": (1, 2), "qualified": (1, 1)})])
def test_marketing_qualified_leads_of_the_tiny_company_are_those_one_counts_by_hand(words, expected):
    data = connect(frames(), as_of=AS_OF, playbook=Playbook(**{**PLAYBOOK, "pql": {**PLAYBOOK["pql"], **words}}))
    found = pql.to_customer(data, by="qualified", grain="quarter").set_index("qualified")
    found = found[found.denominator > 0]
    assert {name: (row.numerator, row.denominator) for name, row in found.iterrows()} == expected


def test_who_is_marketing_qualified_only_later_stands_among_the_others_until_then():
    words = {**PLAYBOOK, "pql": {**PLAYBOOK["pql"], "marketing_events": ["checkout_started"]}}
    found = pql.against_others(connect(frames(), as_of=AS_OF, playbook=Playbook(**words)), grain="week", within_days=7)
    week = found[found.period == "2025-01-13"].set_index("group")
    # On 19 January Dan's has asked for the checkout and Cho's, which pays on the 25th, has not yet.
    assert week.loc["marketing-qualified", ["numerator", "denominator"]].tolist() == [0, 1]
    assert week.loc["not qualified", ["numerator", "denominator"]].tolist() == [1, 1]


def test_texts_of_a_list_for_a_spreadsheet_run_nothing(made, tmp_path):
    users = made["users"].replace({"account_id": {"a1": "=cmd|' /C calc'!A0", "a2": "+1", "a3": "-x", "a4": "@sum", "a5": "\tx"}})
    words = {**WORDS, "pql": {**WORDS["pql"], "signals": [{"name": "=HYPERLINK", "kind": "event", "events": ["opened"], "points": 9}]}}
    frame = pql.scores(connect({"events": made["events"], "users": users}, as_of="2025-03-31", playbook=Playbook(**words)))
    notebook.to_csv(frame, tmp_path / "list.csv")
    back = pd.read_csv(tmp_path / "list.csv", encoding="utf-8-sig", dtype="str", keep_default_na=False)
    assert len(back) == len(frame)
    texts = back[["account_id", "tier", "reasons"]].to_numpy().ravel()
    assert not [each for each in texts if each.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {"'+1", "'-x", "'@sum", "'\tx", "'=cmd|' /C calc'!A0"} <= set(back.account_id)
    assert back.reasons[0] == "'=HYPERLINK (9)"
