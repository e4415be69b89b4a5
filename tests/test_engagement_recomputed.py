"""Every number that the engagement notebook says of the made-up company, worked out again with plain pandas."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import plain
import pytest
import told
from conftest import shared

from plgkit.metrics import engagement
from plgkit.sources.connect import connect

CORE = ["card_added", "comment_added", "checklist_used", "file_attached", "timeline_opened"]
MINUTES = pd.Timedelta(minutes=1)
WINDOW = 28 * told.DAY


@pytest.fixture(scope="module")
def said():
    return told.sentences("03_engagement")


@pytest.fixture(scope="module")
def data():
    return told.company()


@pytest.fixture(scope="module")
def events():
    rows = told.table("events", "occurred_at")
    return rows.assign(active=~rows["event"].isin(["digest_emailed", "survey_shown"]))


@pytest.fixture(scope="module")
def days(events):
    """One row per person and active day."""
    return events.loc[events["active"], ["user_id", "day"]].drop_duplicates()


@pytest.fixture(scope="module")
def users():
    return told.table("users", "signed_up_at")


def within(rows: pd.DataFrame, last: pd.Timestamp, span: pd.Timedelta = WINDOW) -> pd.DataFrame:
    return rows[(rows["day"] > last - span) & (rows["day"] <= last)]


def test_how_many_are_active(said, data, days):
    weeks = days.groupby(days["day"].dt.to_period("W-SUN"))["user_id"].nunique()
    assert engagement.active_people(data)["value"].tolist() == weeks.tolist()
    assert said[0].startswith(f"{weeks.iloc[-2]:,} people were active in the week of 22 Jun 2026, below the target of 1,493, "
                              f"{weeks.iloc[-2] - weeks.iloc[-3]} more than the week before")
    month = within(days, told.LAST)
    people, daily = month["user_id"].nunique(), month.groupby("day")["user_id"].nunique().sum() / 28
    for span, column in ((28, people), (7, within(days, told.LAST, 7 * told.DAY)["user_id"].nunique())):
        assert engagement.active_people(data, trailing_days=span, grain="month")["value"].iloc[-1] == column
    assert said[1] == f"In the four weeks to 30 Jun 2026 it was {people:,} people, and {daily:.0f} on a usual day of them."
    before = within(days, pd.Timestamp("2026-05-31"))
    share, earlier = daily / people, len(before) / 28 / before["user_id"].nunique()
    assert engagement.stickiness(data, grain="month")["value"].tolist()[-2:] == pytest.approx([earlier, share])
    assert said[3].startswith(f"People active in the window come on {share:.0%} of its days, below the target of 40%, "
                              f"{100 * (share - earlier):.1f} points more than the month before")


def repeated(waits: pd.DataFrame) -> np.ndarray:
    """Share that has repeated by each day up to the sixtieth, step by step."""
    staying, found = 1.0, [0.0]
    for day in range(1, 61):
        watched = (waits["duration"] >= day).sum()
        staying *= 1 - ((waits["duration"] == day) & waits["again"]).sum() / watched
        found.append(1 - staying)
    return np.array(found)


def test_the_rhythm(said, data, events):
    used = within(events[events["event"].isin(CORE)], told.LAST, 90 * told.DAY).groupby("user_id")["day"].unique()
    seen = used.map(lambda each: np.sort(each))
    waits = pd.DataFrame({"again": seen.map(len) > 1, "duration": [
        ((each[1] if len(each) > 1 else told.LAST) - each[0]) // told.DAY for each in seen]})
    curve = repeated(waits)
    day = int(np.argmax(curve >= 0.8 * curve[-1]))
    rng = np.random.default_rng(2)
    drawn = []
    for _turn in range(300):
        again = repeated(waits.iloc[rng.integers(0, len(waits), len(waits))])
        drawn.append(np.argmax(again >= 0.8 * again[-1]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert said[2] == (f"{curve[-1]:.0%} of those who use it do so again within two months, four in five of them within {day} days "
                       f"({low:.0f} to {high:.0f}): look at it by the week.")
    assert engagement.usage_interval_curve(data)["value"].tolist() == pytest.approx((curve / curve[-1]).tolist())


def test_on_how_many_days_they_come(said, data, days):
    counts = within(days, told.LAST).groupby("user_id").size().value_counts()
    found = engagement.active_days(data)
    assert found["people"].tolist() == [counts.get(day, 0) for day in range(1, 29)]
    assert said[4] == (f"{counts[1] / counts.sum():.0%} of active people came on a single day; among all others the commonest number "
                       f"of days is {counts.drop(1).idxmax()}.")


def test_sessions(said, data, events, days):
    rows = events[events["active"]].sort_values(["user_id", "occurred_at"])
    assert rows["session_id"].notna().all()
    sat = rows.groupby(["user_id", "session_id"]).agg(day=("day", "min"), start=("occurred_at", "min"), end=("occurred_at", "max"))
    begun = sat["day"].dt.to_period("W-SUN").value_counts().sort_index()
    active = days.groupby(days["day"].dt.to_period("W-SUN"))["user_id"].nunique()
    rates = (begun / active)[:-1]
    assert engagement.session_frequency(data)["value"].tolist()[:-1] == pytest.approx(rates.tolist())
    assert said[5].startswith(f"An active person began {rates.iloc[-1]:.1f} sessions in the week of 22 Jun 2026, below the target of 5, "
                              f"{rates.iloc[-2] - rates.iloc[-1]:.2f} less than")
    lengths = (sat["end"] - sat["start"]) / MINUTES
    week = np.sort(lengths[sat["day"].dt.to_period("W-SUN") == begun.index[-2]])
    half, most = week[int(np.ceil(len(week) / 2)) - 1], week[int(np.ceil(len(week) * 0.75)) - 1]
    assert engagement.session_length(data).iloc[-2][["value", "q75"]].tolist() == [half, most]
    assert said[6] == f"Half of the sessions of the week of 22 Jun 2026 lasted at least {half:.0f} min, a quarter {most:.0f} min and more."


def test_features(said, data, events, days):
    there = within(days, told.LAST)["user_id"].unique()
    used = within(events[events["event"].isin(CORE) & events["user_id"].isin(there)], told.LAST)
    people, times = used.groupby("event")["user_id"].nunique(), used.groupby("event").size()
    found = engagement.feature_adoption(data).set_index("feature")
    assert found["numerator"].to_dict() == people.to_dict()
    often = times / people
    assert found["times_per_person"].to_dict() == pytest.approx(often.to_dict())
    assert said[7] == (f"{people.idxmax()} reaches most people ({people.max() / len(there):.0%} of those active); {often.idxmax()} is used most "
                       f"often, {often.max():.1f} times by each who uses it.")


def scores(events: pd.DataFrame, days: pd.DataFrame, last: pd.Timestamp) -> pd.DataFrame:
    came = within(days, last).groupby("user_id").size().rename("days")
    used = within(events[events["event"].isin(CORE)], last).groupby("user_id")["event"].agg(["nunique", "size"])
    people = pd.concat([came, used.reindex(came.index, fill_value=0)], axis=1)
    depth = (people["size"] / people["days"] / 3).clip(upper=1)
    return people.assign(points=40 * people["nunique"] / 5 + 30 * depth + 30 * (people["days"] / 20).clip(upper=1))


def test_scores(said, data, events, days):
    now, before = (scores(events, days, pd.Timestamp(day))["points"].mean() for day in ("2026-06-30", "2026-05-31"))
    found = engagement.score(data, grain="month")["value"]
    assert found.tolist()[-2:] == pytest.approx([before, now], abs=0.01)
    assert said[8].startswith(f"Active people score {now:.0f} of 100 points on average in the four weeks to 30 Jun 2026, "
                              f"{now - before:.0f} point more than the month before")
    tens = pd.cut(scores(events, days, told.LAST)["points"].round(1), range(0, 101, 10), right=False).value_counts(sort=False)
    assert engagement.score_distribution(data)["people"].sum() == tens.sum()
    assert (engagement.score_distribution(data)["people"] - tens.to_numpy()).abs().max() <= 3


def test_people_of_an_account(said, data, days, users):
    joined = days.merge(users[["user_id", "account_id", "role"]], on="user_id")
    june = joined[joined["day"].dt.to_period("M") == "2026-06"]
    crew = june.groupby("account_id")["user_id"].nunique()
    assert engagement.people_per_account(data)["value"].iloc[-1] == crew.mean()
    created = told.table("accounts", "created_at").set_index("account_id")["day"]
    since = joined["day"] - joined["account_id"].map(created)
    first = joined[(since >= pd.Timedelta(0)) & (since < 7 * told.DAY)].groupby("account_id")["user_id"].nunique()
    may = created[created.dt.to_period("M") == "2026-05"]
    starting = first.reindex(may.index, fill_value=0).mean()
    found = engagement.people_per_account(data, first_days=7).set_index("period")
    assert found.loc["2026-05-01", "value"] == pytest.approx(starting)
    assert said[9] == (f"An active account had {crew.mean():.2f} active people in June 2026; one created in May 2026 had {starting:.2f} in its "
                       "first seven days.")
    roles = june.drop_duplicates("user_id")["role"].value_counts()
    assert said[10] == (f"For each active person with an editing role there were {roles['viewer'] / (roles['admin'] + roles['editor']):.2f} "
                        "who only look.")


def test_free_and_paying(said, data, events, days, users):
    first = told.LAST - WINDOW + told.DAY
    money = told.table("subscriptions", "changed_at").sort_values(["changed_at", "mrr_minor"])
    paid = {}
    for account, rows in money.groupby("account_id"):
        at_end = [rows.loc[rows["day"] <= day, "mrr_minor"] for day in pd.date_range(first, told.LAST)]
        paid[account] = sum(bool(len(each) and each.iloc[-1] > 0) for each in at_end)
    number = users["account_id"].map(paid).fillna(0)
    status = pd.Series(np.select([number == 0, number == 28], ["free", "paying"], "changed"), index=users["user_id"])
    came = within(days, told.LAST).groupby("user_id").size()
    found = engagement.free_vs_paid_usage(data).set_index(["measure", "status"])
    active = pd.Series(status.index.isin(came.index), index=status.index).groupby(status).agg(["mean", "size"])
    sat = events[events["active"]].groupby(["user_id", "session_id"])["day"].min().reset_index()
    sessions = within(sat, told.LAST).groupby("user_id").size().reindex(came.index, fill_value=0)
    people = scores(events, days, told.LAST)
    usage = {"days active": came, "sessions": sessions, "core features used": people["nunique"], "engagement score": people["points"]}
    for name in ("free", "paying", "changed"):
        assert found.loc[("share of people active", name), ["n", "value"]].tolist() == [
            active.loc[name, "size"], pytest.approx(active.loc[name, "mean"])]
        for measure, amounts in usage.items():
            mean = amounts.groupby(status.reindex(amounts.index)).mean()[name]
            assert found.loc[(measure, name), "value"] == pytest.approx(mean, abs=0.02)
    times = active.loc["paying", "mean"] / active.loc["free", "mean"]
    rng = np.random.default_rng(4)
    drawn = [rng.binomial(*active.loc["paying", ["size", "mean"]]) / active.loc["paying", "size"]
             / (rng.binomial(*active.loc["free", ["size", "mean"]]) / active.loc["free", "size"]) for _turn in range(4000)]
    row = found.loc[("share of people active", "paying")]
    assert (row["times_low"], row["times_high"]) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), rel=0.02)
    assert said[11] == (f"Paying accounts stand out most by share of people active: {times:.2f} times the free ones "
                        f"({row['times_low']:.2f} to {row['times_high']:.2f}).")


def test_who_is_still_here(said, data, days, users):
    first = told.LAST - WINDOW + told.DAY
    old = users[users["day"] < first]
    age = ((first - old["day"] - told.DAY) // WINDOW).clip(upper=12)
    came = old["user_id"].map(within(days, told.LAST).groupby("user_id").size()).fillna(0)
    here, everybody = came[came > 0].groupby(age).mean(), came.groupby(age).mean()
    found = engagement.days_by_age(data)
    assert found["value"].tolist() == pytest.approx(here.tolist())
    assert found["of_all"].tolist() == pytest.approx(everybody.tolist())
    assert said[12] == (f"People still active come on {here.iloc[0]:.1f} days soon after joining and {here.iloc[-1]:.1f} when oldest; of all who "
                        f"joined it is {everybody.iloc[0]:.1f} and {everybody.iloc[-1]:.1f}.")


def test_the_rhythm_of_a_real_shop():
    rows = pd.read_csv(shared("data", "rete_ecom", "ecom.csv.gz"), parse_dates=["timestamp"])
    rows = rows[rows["event"].isin(["search", "wishlist_add", "compare", "review_page"])].assign(day=rows["timestamp"].dt.normalize())
    last = pd.Timestamp("2024-06-28")
    seen = within(rows, last, 90 * told.DAY).groupby("user_id")["day"].unique().map(lambda each: np.sort(each))
    waits = pd.DataFrame({"again": seen.map(len) > 1, "duration": [
        ((each[1] if len(each) > 1 else last) - each[0]) // told.DAY for each in seen]})
    curve = repeated(waits)
    data = connect(shared("data", "rete_ecom"), playbook=plain.playbook("rete_ecom"))
    found = engagement.usage_interval(data).iloc[0]
    assert (found["people"], found["repeating"]) == (len(waits), pytest.approx(curve[-1]))
    assert (found["value"], found["look_by"]) == (np.argmax(curve >= 0.8 * curve[-1]), "month")
    gaps = [after - before for before, after in itertools.pairwise(engagement.usage_interval_curve(data)["value"])]
    assert min(gaps) >= -1e-12
