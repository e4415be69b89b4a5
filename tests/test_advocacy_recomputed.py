"""Every number of the notebook about advocacy, worked out again in plain pandas on the company that comes along."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from plgkit import connect
from plgkit.metrics import advocacy
from plgkit.samples import bundled_path
from plgkit.sources.data import Data

DAY = pd.Timedelta(days=1)
DAYS = 14
PASSIVE = ["digest_emailed", "survey_shown"]


@pytest.fixture(scope="module")
def data() -> Data:
    return connect(bundled_path())


@pytest.fixture(scope="module")
def end(data) -> pd.Timestamp:
    return pd.Timestamp(data.end)


@pytest.fixture(scope="module")
def users(data) -> pd.DataFrame:
    return data.run(data.users.select("user_id", "account_id", "signed_up_at", "invited_by", "role", "day"))


@pytest.fixture(scope="module")
def events(data, users) -> pd.DataFrame:
    rows = data.run(data.events.select("user_id", "event", "occurred_at", "day", "properties"))
    return rows.merge(users[["user_id", "signed_up_at", "account_id"]], on="user_id")


@pytest.fixture(scope="module")
def reached(events) -> pd.Series:
    """When each person first finished a card."""
    return first_time(events, ["card_finished"])


@pytest.fixture(scope="module")
def invites(data, users, reached) -> pd.DataFrame:
    """Every row with who came by it, and when that person had accepted and activated."""
    rows = data.run(data.invites).sort_values(["accepted_at", "sent_at", "inviter_id"], ignore_index=True)
    taken = rows["invitee_id"].notna() & rows["accepted_at"].notna()
    joined = rows["invitee_id"].map(users.set_index("user_id")["signed_up_at"])
    rows["came"] = taken & ~rows["invitee_id"].where(taken).duplicated() & ~(joined < rows["sent_at"] - DAY)
    done = rows["invitee_id"].map(reached)
    rows["done_at"] = pd.concat([rows["accepted_at"], done], axis=1).max(axis=1).where(rows["came"] & done.notna())
    rows["began_at"] = rows["inviter_id"].map(reached)
    rows["signed_up_at"] = rows["inviter_id"].map(users.set_index("user_id")["signed_up_at"])
    return rows


def first_time(events: pd.DataFrame, names: list[str]) -> pd.Series:
    done = events[events["event"].isin(names) & (events["occurred_at"] >= events["signed_up_at"])]
    return done.groupby("user_id")["occurred_at"].min()


def start_of(days: pd.Series, grain: str) -> pd.Series:
    return days.dt.to_period(grain[0].upper()).dt.start_time


def local_day(times: pd.Series) -> pd.Series:
    return times.dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None).dt.normalize()


def wilson(hits: float, n: float) -> tuple[float, float]:
    z = 1.959963984540054
    middle, half = hits + z * z / 2, z * math.sqrt(hits * (n - hits) / n + z * z / 4)
    return (middle - half) / (n + z * z), (middle + half) / (n + z * z)


def waiting(durations: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The times of a Kaplan-Meier curve and the share that is still on the way after each."""
    times = np.unique(durations[seen])
    return times, np.cumprod([1 - ((durations == each) & seen).sum() / (durations >= each).sum() for each in times])


def test_accepted_referrals_and_links_by_month(data, invites, events):
    came = invites[invites["came"]]
    accepted = start_of(local_day(came["accepted_at"]), "month").value_counts()
    seen = events[~events["event"].isin(PASSIVE)]
    active = seen.assign(period=start_of(seen["day"], "month")).groupby("period")["user_id"].nunique()
    found = advocacy.referrals_per_user(data).set_index("period")
    assert found["numerator"].tolist() == accepted.reindex(found.index, fill_value=0).tolist()
    assert found["denominator"].tolist() == active.reindex(found.index, fill_value=0).tolist()
    assert found["numerator"].sum() == len(came)
    links = invites[invites["kind"] == "link"]
    by_month = links.assign(period=start_of(links["day"], "month")).groupby("period")["inviter_id"].agg(["size", "nunique"])
    found = advocacy.link_shares(data).set_index("period")
    assert found[["value", "sharers"]].to_numpy().tolist() == by_month.reindex(found.index, fill_value=0).to_numpy().tolist()


def test_k_and_who_is_too_young_for_it(data, invites, users, end):
    gap = invites["done_at"] - invites["signed_up_at"]
    hits = invites.loc[(gap >= 0 * DAY) & (gap <= DAYS * DAY), "inviter_id"].value_counts()
    rows = users.assign(hits=users["user_id"].map(hits).fillna(0), old=users["signed_up_at"] + DAYS * DAY < end,
                        period=start_of(users["day"], "month"))
    expected = rows[rows["old"]].groupby("period")["hits"].agg(["sum", "size"])
    found = advocacy.k_factor(data).set_index("period")
    assert found[["numerator", "denominator"]].to_numpy().tolist() == expected.to_numpy().tolist()
    assert found["immature"].sum() == (~rows["old"]).sum()


def test_k_by_day_counts_each_person_for_the_days_it_was_watched(data, invites, users, end):
    watched = ((end - users["signed_up_at"]) // DAY).to_numpy()
    age = ((invites["done_at"] - invites["signed_up_at"]) / DAY).dropna()
    ages, full = np.floor(age[age >= 0]).astype(int), (end - invites["signed_up_at"])[age.index] // DAY
    ages = ages[ages < full[ages.index]]
    steps = [(ages == each).sum() / (watched > each).sum() for each in range(28)]
    found = advocacy.k_curve(data)
    assert found["value"].tolist() == pytest.approx([0, *np.cumsum(steps)])
    assert found["at_risk"].tolist() == [len(users), *((watched > each).sum() for each in range(28))]


def test_the_way_of_an_invitation(data, invites, end):
    rows = invites[invites["kind"] == "invite"]
    rows = rows[rows["sent_at"] + DAYS * DAY < end]
    ends = rows["sent_at"] + DAYS * DAY
    accepted = rows["accepted_at"].where(rows["came"] & (rows["accepted_at"] <= ends))
    done = rows["done_at"].where(rows["done_at"] <= ends)
    sendings = invites.groupby("inviter_id")["sent_at"].apply(np.sort)
    again = [((sendings.get(who, np.array([], dtype="datetime64[us]")) >= at) & (sendings.get(who) <= end)).any()
             if pd.notna(at) and who in sendings.index else False
             for who, at, end in zip(rows["invitee_id"], done, ends, strict=True)]
    found = advocacy.invite_funnel(data).set_index("step")
    assert found["people"].tolist() == [len(rows), accepted.notna().sum(), done.notna().sum(), sum(again)]
    waits = (accepted - rows["sent_at"]).dt.total_seconds()
    assert found.loc["accepted", "median_seconds"] == pytest.approx(waits.median())
    assert found.loc["accepted", ["low", "high"]].tolist() == pytest.approx(wilson(accepted.notna().sum(), len(rows)))


def test_the_time_of_a_turn(data, invites, end):
    rows = invites[invites["came"] & invites["began_at"].notna()]
    done = rows["done_at"].notna().to_numpy()
    durations = (rows["done_at"].fillna(end) - rows["began_at"]).dt.total_seconds().clip(lower=0).to_numpy() / 86400
    times, still = waiting(durations, done)
    found = advocacy.viral_cycle_time(data).iloc[0]
    assert (found["n"], found["events"]) == (len(rows), done.sum())
    assert found["value"] == pytest.approx(times[still <= 0.5][0])
    assert found["median_among"] == pytest.approx(np.median(durations[done]))


@pytest.mark.parametrize(("loop", "kinds"), [("invitations", ["invite"]), ("shared links", ["link"]),
                                            ("invitations and links", ["invite", "link"])])
def test_the_steps_of_a_loop_and_its_year(data, invites, reached, end, loop, kinds):
    old = reached[reached + DAYS * DAY < end]
    rows = invites[invites["inviter_id"].isin(old.index) & invites["kind"].isin(kinds)]

    def counts(times: pd.Series) -> pd.Series:
        return (times >= rows["signed_up_at"]) & (times <= rows["began_at"] + DAYS * DAY)

    sent, accepted, done = counts(rows["sent_at"]), counts(rows["accepted_at"]) & rows["came"], counts(rows["done_at"])
    expected = [len(old), rows.loc[sent, "inviter_id"].nunique(), sent.sum(), accepted.sum(), done.sum()]
    found = advocacy.loops(data).query("loop == @loop")
    assert found["entered"].tolist()[:4] == expected[:4]
    assert found["reached"].tolist()[:4] == expected[1:]
    whole = found.iloc[-1]
    assert (whole["entered"], whole["reached"]) == (expected[0], expected[-1])
    assert found["value"].iloc[:4].prod() == pytest.approx(whole["value"])
    waits = (rows.loc[done, "done_at"] - rows.loc[done, "began_at"]).dt.total_seconds().clip(lower=0)
    assert whole["days"] == pytest.approx(waits.median() / 86400, abs=0.002)
    # Turns take days, so that nearly all generations of a year are over in it.
    assert whole["year"] == pytest.approx(1 / (1 - whole["value"]), rel=1e-3)
    better = found["value"].iloc[2] + 0.01
    k = whole["value"] * better / found["value"].iloc[2]
    assert found["gain"].iloc[2] == pytest.approx(100 * (1 / (1 - k) - 1 / (1 - whole["value"])), rel=1e-2)


def test_answers_and_how_many_of_those_asked_gave_one(data, events, end):
    surveys = data.run(data.surveys).sort_values(["answered_at", "score"])
    shown = events[events["event"] == "survey_shown"]
    for kind, measure in (("nps", advocacy.nps), ("csat", advocacy.csat)):
        mine = surveys[surveys["kind"] == kind]
        last = mine.assign(period=start_of(mine["day"], "quarter")).groupby(["period", "user_id"])["score"].last()
        asked = shown[shown["properties"].str.contains(f'"{kind}"', regex=False) & (shown["occurred_at"] + 7 * DAY < end)]
        both = asked.merge(mine[["user_id", "answered_at"]], on="user_id", how="left")
        hit = (both["answered_at"] >= both["occurred_at"]) & (both["answered_at"] <= both["occurred_at"] + 7 * DAY)
        people = both.assign(hit=hit, period=start_of(both["day"], "quarter")).groupby(["period", "user_id"])["hit"].any()
        found = measure(data, grain="quarter").set_index("period")
        assert found["asked"].tolist() == people.groupby("period").size().reindex(found.index, fill_value=0).tolist()
        assert found["answered"].tolist() == people.groupby("period").sum().reindex(found.index, fill_value=0).tolist()
        if kind == "nps":
            score = last.groupby("period").apply(lambda each: 100 * ((each >= 9).mean() - (each <= 6).mean()))
            assert found["value"].tolist() == pytest.approx(score.reindex(found.index).tolist())
        else:
            assert found["numerator"].tolist() == last.ge(4).groupby("period").sum().reindex(found.index).tolist()
        assert found.attrs["asked"] == "survey_shown"


def test_comments_by_group_of_scores(data):
    rows = data.run(data.surveys.select("user_id", "kind", "score", "comment", "day"))
    rows = rows[(rows["kind"] == "nps") & rows["comment"].notna()]
    group = pd.cut(rows["score"], [-1, 6, 8, 10], labels=["detractors", "passives", "promoters"]).astype(str)
    people = rows.assign(group=group, comment=rows["comment"].str.strip()).groupby(["group", "comment"])["user_id"].nunique()
    found = advocacy.comments(data, top=99).set_index(["group", "comment"])["people"]
    assert found.sort_index().to_dict() == people.sort_index().to_dict()
    assert "<script>alert('hello')</script>" in found.index.get_level_values("comment")


def test_workspaces_by_the_people_of_their_first_week(data, users, events, end):
    accounts = data.run(data.accounts.select("account_id", "created_at", "day"))
    accounts = accounts[accounts["account_id"].isin(users["account_id"]) & (accounts["day"] + 34 * DAY <= pd.Timestamp(data.as_of))]
    seen = events[~events["event"].isin(PASSIVE)].merge(accounts.rename(columns={"day": "created"}), on="account_id")
    age = (seen["day"] - seen["created"]) / DAY
    size = seen[(age >= 0) & (age < 7)].groupby("account_id")["user_id"].nunique().reindex(accounts["account_id"], fill_value=0)
    back = accounts["account_id"].isin(seen.loc[(age >= 28) & (age < 35), "account_id"]).to_numpy()
    place = np.digitize(size.to_numpy(), [1, 2, 3, 5])
    found = advocacy.workspace_people(data)
    assert found["denominator"].tolist() == np.bincount(place).tolist()
    assert found["numerator"].tolist() == np.bincount(place, back).astype(int).tolist()


def test_viewers_who_create(data, users, events, end):
    viewers = users[users["role"] == "viewer"].set_index("user_id")
    made = first_time(events, ["board_created", "card_added"]).reindex(viewers.index)
    old = viewers["signed_up_at"] + 28 * DAY < end
    hit = made - viewers["signed_up_at"] <= 28 * DAY
    found = advocacy.viewers_to_editors(data)
    assert found[["numerator", "denominator", "immature"]].sum().tolist() == [(hit & old).sum(), old.sum(), (~old).sum()]
