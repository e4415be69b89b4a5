"""Who brings others: each invitee counts once, for whose invitation was accepted, within fixed days."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from plgkit import connect, notebook
from plgkit.errors import BadParameter, MissingTable, UnknownEvent
from plgkit.metrics import advocacy
from plgkit.playbook import Playbook
from plgkit.samples.tiny import AS_OF, PLAYBOOK, frames
from plgkit.stats import branching

WORDS = Playbook(**{"activation": {"event": "done"}, "invites": {"within_days": 10}})
END = pd.Timestamp("2025-04-01")


@pytest.fixture(scope="module")
def made() -> dict[str, pd.DataFrame]:
    """Three hundred people who invite some of those who join after them."""
    random = np.random.default_rng(9)
    start = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.sort(random.uniform(0, 90, 300)), unit="D").floor("s")
    users = pd.DataFrame({"user_id": [f"u{place:03d}" for place in range(300)], "signed_up_at": start})
    did = random.random(300) < 0.6
    events = pd.DataFrame({"user_id": users.user_id, "event": np.where(did, "done", "seen"),
                           "occurred_at": (start + pd.to_timedelta(random.exponential(2, 300), unit="D")).floor("s")})
    invitee = random.choice(np.arange(60, 300), 120)
    inviter = (invitee * random.random(120)).astype(int)
    accepted = start[invitee]
    invites = pd.DataFrame({"inviter_id": users.user_id.to_numpy()[inviter], "invitee_id": users.user_id.to_numpy()[invitee],
                            "sent_at": np.maximum(start[inviter], accepted - pd.Timedelta(days=4)),
                            "accepted_at": accepted, "kind": random.choice(["invite", "link"], 120)})
    return {"users": users, "events": events, "invites": invites}


@pytest.fixture(scope="module")
def company(made):
    return connect(made, as_of="2025-03-31", playbook=WORDS)


def test_k_agrees_with_following_every_invitee(made, company):
    users = made["users"].set_index("user_id")["signed_up_at"]
    reached = made["events"][(made["events"].event == "done") & (made["events"].occurred_at < END)].set_index("user_id")
    known = made["invites"][made["invites"].accepted_at < END]
    first = known.sort_values(["accepted_at", "sent_at", "inviter_id"]).drop_duplicates("invitee_id")
    gap = first.invitee_id.map(reached.occurred_at) - first.inviter_id.map(users)
    hits = first.inviter_id[(gap >= pd.Timedelta(0)) & (gap <= pd.Timedelta(days=10))].value_counts()
    month = users.dt.to_period("M").dt.start_time
    old = users + pd.Timedelta(days=10) < END
    found = advocacy.k_factor(company).set_index("period")
    for period, rows in users.groupby(month):
        mature = rows.index[old[rows.index]]
        assert found.loc[period, ["numerator", "denominator", "immature"]].tolist() == [
            hits.reindex(mature).fillna(0).sum(), len(mature), len(rows) - len(mature)]
    assert found.numerator.sum() > 10
    assert ((found.low <= found.value) & (found.value <= found.high)).all()


def test_k_may_exceed_one_and_its_interval_too():
    users = pd.DataFrame({"user_id": ["a", "b", *[f"n{place}" for place in range(6)]],
                          "signed_up_at": pd.to_datetime(["2025-01-01"] * 2 + ["2025-02-01"] * 6)})
    events = pd.DataFrame({"user_id": users.user_id[2:], "event": "done", "occurred_at": pd.Timestamp("2025-02-01 01:00")})
    invites = pd.DataFrame({"inviter_id": ["a"] * 4 + ["b"] * 2, "invitee_id": users.user_id[2:],
                            "sent_at": pd.Timestamp("2025-01-02"), "accepted_at": pd.Timestamp("2025-02-01")})
    data = connect({"users": users, "events": events, "invites": invites}, as_of="2025-06-30", playbook=WORDS)
    margin = math.exp(1.959964 * math.sqrt(2) / 6)  # a brought one more than three, b one less
    found = advocacy.k_factor(data, within_days=40).loc[0, ["value", "low", "high"]]
    assert found.tolist() == pytest.approx([3.0, 3 / margin, 3 * margin])


def test_invitations_of_both_kinds_add_up_and_activation_is_a_part_of_acceptance(company):
    counts = {kind: advocacy.invite_acceptance(company, kind=kind).set_index("period")[["numerator", "denominator"]]
              for kind in (None, "invite", "link")}
    assert (counts["invite"] + counts["link"]).equals(counts[None])
    through = advocacy.invite_acceptance(company, kind=None, through="activated").set_index("period")
    assert (through.numerator <= counts[None].numerator).all()
    assert 0 < through.numerator.sum() < counts[None].numerator.sum()
    with pytest.raises(BadParameter) as caught:
        advocacy.invite_acceptance(company, kind="email")
    assert str(caught.value) == "kind is 'email'; expected one of invite, link, or None."


def test_who_came_by_an_invite_row_counts_as_viral_also_without_a_word_in_users(made, company):
    brought = made["invites"].invitee_id.nunique()
    assert advocacy.viral_signups(company).numerator.sum() == brought


def test_only_active_people_who_share_in_the_period_are_in_the_sharing_rate(tiny):
    # Ann and Cho share in January, in which all four are active; nobody does in February.
    assert advocacy.sharing_rate(tiny).numerator.tolist() == [2, 0]
    assert advocacy.sharing_rate(tiny, kind="link").numerator.tolist() == [1, 0]


def test_the_promoter_score_has_the_variance_of_a_trinomial_and_the_last_answer_counts():
    tables = frames()
    again = tables["surveys"].iloc[[2]].assign(score=10, answered_at=pd.Timestamp("2025-02-20"))
    tables["surveys"] = pd.concat([tables["surveys"], again], ignore_index=True)
    found = advocacy.nps(connect(tables, as_of=AS_OF, playbook=Playbook(**PLAYBOOK))).iloc[0]
    # Cho answers 3, then 10: three promoters and one passive of four.
    assert found[["promoters", "passives", "detractors", "value"]].tolist() == [3, 1, 0, 75.0]
    half = 100 * 1.959964 * np.sqrt((0.75 - 0.75**2) / 4)
    assert found.low == pytest.approx(75 - half, abs=1e-4)
    assert found.high == 100.0


def test_nothing_is_claimed_of_who_came_how_where_nobody_wrote_it_down(made):
    with pytest.raises(MissingTable) as caught:
        advocacy.viral_signups(connect({"users": made["users"], "events": made["events"]}))
    assert str(caught.value) == (
        "This needs the table 'invites' (one row per invitation or shared referral link), which these data do not have. "
        "They have: events, users. Name its file under [tables.invites] in playbook.toml.")


def test_loops_from_sign_up_are_k_and_their_kinds_add_up(company):
    found = advocacy.loops(company, start="sign_up")
    whole = found[found.step == "the whole loop"].set_index("loop")
    k = advocacy.k_factor(company)
    assert whole.loc["invitations and links", ["reached", "entered"]].tolist() == [k.numerator.sum(), k.denominator.sum()]
    assert whole.loc["invitations", "reached"] + whole.loc["shared links", "reached"] == k.numerator.sum()
    by_month = advocacy.loops(company, start="sign_up", grain="month").query("loop == 'invitations and links' and position == 5")
    assert by_month[["reached", "entered", "immature"]].to_numpy().tolist() == k[["numerator", "denominator", "immature"]].to_numpy().tolist()
    assert by_month[["low", "high"]].to_numpy() == pytest.approx(k[["low", "high"]].to_numpy(), nan_ok=True)


def test_the_way_of_invitations_ends_where_their_shares_do(company):
    funnel = advocacy.invite_funnel(company, kind=None).set_index("step").people
    accepted = advocacy.invite_acceptance(company, kind=None)
    through = advocacy.invite_acceptance(company, kind=None, through="activated")
    # Of those who accept a second invitation only the first brought them.
    assert funnel["sent"] == accepted.denominator.sum()
    assert funnel["accepted"] <= accepted.numerator.sum()
    assert funnel["activated"] <= through.numerator.sum()
    assert 0 < funnel["invited others"] < funnel["activated"] < funnel["accepted"]


def test_once_all_are_old_enough_k_by_day_ends_at_k(made):
    late = connect(made, as_of="2025-06-30", playbook=WORDS)
    k, curve = advocacy.k_factor(late), advocacy.k_curve(late).set_index("x")
    assert curve.loc[10, "value"] == pytest.approx(k.numerator.sum() / k.denominator.sum())


def test_who_was_there_before_the_invitation_was_not_brought_by_it():
    tables = frames()
    tables["invites"] = tables["invites"].assign(sent_at=pd.Timestamp("2025-01-20"), accepted_at=lambda rows: rows.sent_at.where(
        rows.invitee_id.notna()) + pd.Timedelta(hours=1))
    data = connect(tables, as_of=AS_OF, playbook=Playbook(**PLAYBOOK))
    assert advocacy.k_factor(data).numerator.tolist() == [0]
    assert advocacy.referrals_per_user(data).numerator.sum() == 0
    assert advocacy.invite_acceptance(data).numerator.sum() == 1  # accepted it was


def test_those_asked_are_the_active_people_where_nothing_else_says_so(tiny):
    found = advocacy.nps(tiny).iloc[0]  # Ann and Cho are active in February, and both answer
    assert found[["asked", "answered", "response"]].tolist() == [2, 2, 1.0]
    assert advocacy.nps(tiny).attrs["asked"] == "people active in the period"


def test_who_was_asked_answers_within_the_days_or_not_at_all():
    tables = frames()
    shown = pd.DataFrame({"user_id": ["ann", "bob", "cho", "dan"], "event": "survey_shown", "properties": [None, '{"survey": "nps"}'] * 2,
                          "occurred_at": pd.to_datetime(["2025-02-03 10:00", "2025-01-20 10:00", "2025-02-05 09:59", "2025-02-25 10:00"])})
    tables["events"] = pd.concat([tables["events"], shown], ignore_index=True)
    found = advocacy.nps(connect(tables, as_of=AS_OF, playbook=Playbook(**PLAYBOOK)))
    # Bob was asked in January and answered after two weeks; Dan's days to answer are not over.
    assert found[["asked", "answered"]].to_numpy().tolist() == [[1, 0], [2, 2]]
    with pytest.raises(UnknownEvent) as caught:
        advocacy.nps(connect(tables, as_of=AS_OF, playbook=Playbook(**PLAYBOOK)), asked="survey_show")
    assert str(caught.value) == "No event 'survey_show' in table 'events'. Did you mean 'survey_shown'?"


def test_the_playbook_says_what_asking_is_called_and_how_long_one_has_to_answer():
    tables = frames()
    shown = pd.DataFrame({"user_id": ["ann", "bob"], "event": "prompt_17", "properties": None,
                          "occurred_at": pd.to_datetime(["2025-02-03 10:00", "2025-01-20 10:00"])})
    tables["events"] = pd.concat([tables["events"], shown], ignore_index=True)
    words = {**PLAYBOOK, "surveys": {"shown": ["prompt_17"], "answer_within_days": 21}}
    found = advocacy.nps(connect(tables, as_of=AS_OF, playbook=Playbook(**words)))
    assert found.attrs["asked"] == "prompt_17"
    # Bob, asked in January, answered after two weeks; of Ann's 21 days not one may be missing.
    assert found[["asked", "answered"]].to_numpy().tolist() == [[1, 1], [1, 1]]
    words["surveys"]["answer_within_days"] = 7
    found = advocacy.nps(connect(tables, as_of=AS_OF, playbook=Playbook(**words)))
    assert found[["asked", "answered"]].to_numpy().tolist() == [[1, 0], [1, 1]]


def test_comments_are_words_and_never_run(tiny):
    tables = frames()
    long = "<script>alert(1)</script> " + "on and on " * 90
    tables["surveys"] = tables["surveys"].assign(comment=[long, " \n", "=1+1", None, None])
    found = advocacy.comments(connect(tables, as_of=AS_OF, playbook=Playbook(**PLAYBOOK)))
    assert found["comment"].tolist() == [long.strip(), "=1+1"]
    shown = notebook.table(found).html
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert len(shown) < 1500


def test_a_year_is_the_mean_of_generation_after_generation():
    random, delays, reached = np.random.default_rng(4), np.array([1.0, 3.0, 20.0]), []
    for _run in range(4000):
        young, born = [0.0], 0
        while young:
            born += 1
            start = young.pop()
            young += [at for at in start + random.choice(delays, random.poisson(0.8)) if at <= 60]
        reached.append(born)
    error = np.std(reached) / math.sqrt(len(reached))
    assert branching.multiplied(0.8, delays, days=60) == pytest.approx(np.mean(reached), abs=3 * error)


def test_a_year_grows_at_the_rate_at_which_births_and_delays_balance():
    delays, k = np.array([2.0, 5.0, 9.0]), 1.3
    early, late = (branching.multiplied(k, delays, days=days) for days in (300, 400))
    rate = math.log(late / early) / 100
    assert k * np.mean(np.exp(-rate * delays)) == pytest.approx(1, abs=1e-4)  # Euler and Lotka


def test_without_delay_all_generations_are_there_at_once():
    assert branching.multiplied([0, 0.5, 1, 2], [0.0]).tolist() == [1, 2, np.inf, np.inf]
    assert branching.multiplied([0.2, 0.2], []).tolist() == [1, 1]
    assert math.isnan(branching.multiplied(np.nan, [1.0]))


def test_nobody_sends_anything_and_a_loop_is_still_a_loop(made):
    none = made | {"invites": made["invites"].head(0)}
    found = advocacy.loops(connect(none, as_of="2025-03-31", playbook=WORDS))
    whole = found[found.step == "the whole loop"]
    assert whole[["reached", "value", "year"]].drop_duplicates().to_numpy().tolist() == [[0, 0.0, 1.0]]
    assert found.gain.isna().all()


def test_k_by_halves_has_the_invitees_of_all_over_those_old_enough(made):
    both = notebook.half_counted(connect(made, as_of="2025-02-14", playbook=WORDS), "month").set_index(["period", "way"])
    right, wrong = (both.loc[(pd.Timestamp("2025-02-01"), way)] for way in ("all or none", "by halves"))
    assert wrong.denominator == right.denominator
    assert wrong.numerator > right.numerator
    assert wrong.value == 2 * right.value
