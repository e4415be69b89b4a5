"""Who brings others: each invitee counts once, for whose invitation was accepted, within fixed days."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from plgkit import connect
from plgkit.errors import BadParameter, MissingTable
from plgkit.metrics import advocacy
from plgkit.playbook import Playbook
from plgkit.samples.tiny import AS_OF, PLAYBOOK, frames

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
