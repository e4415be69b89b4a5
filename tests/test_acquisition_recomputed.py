"""Every number that the acquisition notebook says of the made-up company, worked out again with plain pandas."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import told
from scipy.stats import chi2
from scipy.stats import t as student

from plgkit.metrics import acquisition, activation

MARGIN = 0.82
PAID = ["paid_search", "paid_social"]
WINDOW, END = pd.Timedelta(days=30), pd.Timestamp("2026-07-01 04:00")


@pytest.fixture(scope="module")
def said():
    return told.sentences("01_acquisition")


@pytest.fixture(scope="module")
def data():
    return told.company()


@pytest.fixture(scope="module")
def users():
    return told.table("users", "signed_up_at")


@pytest.fixture(scope="module")
def visitors(users):
    """One row per visitor: the first visit, its channel, and the sign-up of whoever it became."""
    visits = told.table("visits", "visited_at").sort_values(["visited_at", "channel"])
    owner = visits.dropna(subset="user_id").groupby("visitor_id")["user_id"].first()
    person = visits["visitor_id"].map(owner)
    visits["who"] = np.where(person.notna(), "person " + person.fillna(""), "browser " + visits["visitor_id"])
    firsts = visits.assign(person=person).groupby("who").first()
    firsts["signed"] = firsts["person"].map(users.set_index("user_id")["signed_up_at"])
    firsts = firsts[~(firsts["signed"] < firsts["visited_at"])]
    return firsts.assign(hit=firsts["signed"] <= firsts["visited_at"] + WINDOW, old=firsts["visited_at"] + WINDOW < END)


@pytest.fixture(scope="module")
def payers(users):
    """One row per account that ever paid: when first, how much, and the channel of its first person."""
    money = told.table("subscriptions", "changed_at")
    first = money[money["mrr_minor"] > 0].sort_values(["changed_at", "mrr_minor"]).groupby("account_id").first()
    opener = users.sort_values(["signed_up_at", "user_id"]).groupby("account_id").first()
    created = told.table("accounts", "created_at").set_index("account_id")
    return first.assign(quarter=first["day"].dt.to_period("Q"), mrr=first["mrr_minor"] / 100, channel=opener["channel"],
                        created_at=created["created_at"], cohort=created["day"].dt.to_period("Q"))


@pytest.fixture(scope="module")
def spend():
    rows = told.table("spend")
    return rows.assign(amount=rows["amount_minor"] / 100, quarter=pd.to_datetime(rows["day"]).dt.to_period("Q"))


def test_signups_and_where_they_came_from(said, data, users):
    months = users["day"].dt.to_period("M").value_counts().sort_index()
    assert acquisition.signups(data, grain="month")["value"].tolist() == months.tolist()
    assert said[0].startswith(f"{months.iloc[-1]} people signed up in June 2026, {months.iloc[-2] - months.iloc[-1]} fewer than")
    split = pd.crosstab(users["day"].dt.to_period("M"), users["channel"])
    found = acquisition.channel_split(data, grain="month")
    assert found["numerator"].tolist() == split.to_numpy().ravel().tolist()
    organic = 1 - split[PAID].sum(axis=1) / split.sum(axis=1)
    assert acquisition.organic_share(data, grain="month")["value"].tolist() == pytest.approx(organic.tolist())
    less = 100 * (organic.iloc[-2] - organic.iloc[-1])
    assert said[1].startswith(f"{organic.iloc[-1]:.0%} of sign-ups came by channels that cost nothing, below the target of 70%, "
                              f"{less:.1f} points less than the month before")


def test_the_way_of_visitors(said, data, visitors):
    events = told.table("events", "occurred_at")
    done = events[events["event"] == "card_finished"]
    signed = done["user_id"].map(told.table("users", "signed_up_at").set_index("user_id")["signed_up_at"])
    activated = done[done["occurred_at"] >= signed].groupby("user_id")["occurred_at"].min()
    old = visitors[visitors["old"]]
    arrived = old["hit"] & (old["person"].map(activated) <= old["visited_at"] + WINDOW)
    counts = [len(old), int(old["hit"].sum()), int(arrived.sum())]
    found = acquisition.visitor_funnel(data)
    assert found["people"].tolist() == counts
    seconds = (old["signed"] - old["visited_at"])[old["hit"]].dt.total_seconds()
    assert found["median_seconds"][1] == seconds.median()
    assert said[2] == (f"Of {counts[0]:,} visitors {counts[1] / counts[0]:.1%} signed up and {counts[2] / counts[0]:.1%} found value; "
                       f"of those who signed up {counts[2] / counts[1]:.0%} did.")


def test_visitors_who_sign_up_and_by_which_channel(said, data, visitors):
    months = visitors.groupby(visitors["day"].dt.to_period("M"))
    closed = months["old"].all()
    rates = months["hit"].agg(["sum", "size"])[closed]
    found = acquisition.visitor_to_signup(data, grain="month").set_index("period")
    assert found["numerator"].head(len(rates)).tolist() == rates["sum"].tolist()
    may, april = rates["sum"].iloc[-1] / rates["size"].iloc[-1], rates["sum"].iloc[-2] / rates["size"].iloc[-2]
    assert said[3].startswith(f"{may:.1%} of {rates['size'].iloc[-1]:,} visitors first seen in May 2026 signed up, below the target of 4%, "
                              f"{100 * (april - may):.1f} points less than")
    quarter = visitors[visitors["day"].dt.to_period("Q") == "2026Q1"].groupby("channel")["hit"].agg(["sum", "size"])
    share = quarter["sum"] / quarter["size"]
    best, least = share.idxmax(), share.idxmin()
    clear = told.apart(told.wilson(*quarter.loc[best]), told.wilson(*quarter.loc[least]))
    assert said[4] == (f"Visitors by {best} sign up most often ({share[best]:.1%}), those by {least} least ({share[least]:.1%}): {clear}.")
    assert said[11] == (f"{quarter['sum'].sum() / quarter['size'].sum():.1%} of visitors sign up; the mean of the channels says {share.mean():.1%}, "
                        "and no change of the product would close that gap.")


def test_how_fast_they_sign_up(said, data, visitors):
    came = visitors.dropna(subset="signed")
    seconds = (came["signed"] - came["visited_at"]).dt.total_seconds()
    months = seconds.groupby(came["day"].dt.to_period("M")).median()
    assert acquisition.time_to_signup(data, grain="month")["median_among"].tolist() == months.tolist()
    assert said[5] == f"Half of those who came in June 2026 and signed up did so within {months.iloc[-1]:.0f} s, above the target of 30 s."


def test_which_channels_activate(said, data, users):
    events = told.table("events", "occurred_at")
    done = events[events["event"] == "card_finished"].merge(users[["user_id", "signed_up_at"]], on="user_id")
    inside = (done["occurred_at"] >= done["signed_up_at"]) & (done["occurred_at"] <= done["signed_up_at"] + pd.Timedelta(days=7))
    hit = users["user_id"].isin(done.loc[inside, "user_id"])
    quarter = users["day"].dt.to_period("Q") == "2026Q1"
    rates = hit[quarter].groupby(users["channel"]).agg(["sum", "size"])
    found = activation.rate(data, by="channel", grain="quarter").query("period == @pd.Timestamp('2026-01-01')")
    assert found["numerator"].tolist() == rates["sum"].tolist()
    share = rates["sum"] / rates["size"]
    best, least = share.idxmax(), share.idxmin()
    clear = told.apart(told.wilson(*rates.loc[best]), told.wilson(*rates.loc[least]))
    assert said[6] == f"People by {best} activate most often ({share[best]:.0%}), those by {least} least ({share[least]:.0%}): {clear}."


def poisson(count: int) -> tuple[float, float]:
    return chi2.ppf(0.025, 2 * count) / 2, chi2.ppf(0.975, 2 * count + 2) / 2


def test_what_a_signup_and_a_customer_cost(said, data, users, payers, spend):
    spent = spend.groupby(["quarter", "channel"])["amount"].sum()
    signups = users.groupby([users["day"].dt.to_period("Q"), "channel"]).size()
    found = acquisition.cost_per_signup(data, grain="quarter").query("spend > 0")
    assert found["value"].tolist() == pytest.approx((spent / signups.reindex(spent.index)).tolist())
    customers = payers.groupby(["quarter", "channel"]).size().reindex(spent.index, fill_value=0)
    for text, counts, what in ((said[7], signups, "A sign-up"), (said[8], customers, "A new customer")):
        price = spent["2026Q2"] / counts["2026Q2"].reindex(PAID)
        spans = {name: tuple(spent["2026Q2"][name] / each for each in reversed(poisson(counts["2026Q2"][name]))) for name in PAID}
        most, least = price.idxmax(), price.idxmin()
        digits = 2 if what == "A sign-up" else 0
        assert text == (f"{what} costs most by {most}, ${price[most]:.{digits}f}, and least by {least}, ${price[least]:.{digits}f}: "
                        f"{told.apart(spans[most], spans[least])}.")


def test_three_ways_to_count_what_a_customer_costs(data, payers, spend):
    spent, customers = spend.groupby("quarter")["amount"].sum(), payers.groupby("quarter").size()
    assert acquisition.cac(data, by=None)["value"].tolist() == pytest.approx((spent / customers).tolist())
    waits = (payers["changed_at"] - payers["created_at"]).dt.total_seconds() / 86_400
    days = round(waits[waits >= 0].median())
    moved = acquisition.cac(data, by=None, lag="shift")
    assert moved.attrs["lag_days"] == days
    later = pd.to_datetime(spend["day"]) + pd.Timedelta(days=days)
    shifted = spend[later <= told.LAST].groupby(later.dt.to_period("Q"))["amount"].sum()
    assert moved["value"].tolist() == pytest.approx((shifted / customers).tolist())
    brought = payers[(payers["changed_at"] >= payers["created_at"]) & (payers["changed_at"] <= payers["created_at"] + pd.Timedelta(days=90))]
    cohort = acquisition.cac(data, by=None, lag="cohort")
    assert cohort["value"].tolist() == pytest.approx((spent / brought.groupby("cohort").size()).tolist())
    assert cohort["complete"].tolist() == [True] * 5 + [False]


def test_when_it_is_earned_back(said, data, payers, spend):
    spent, monthly = spend.groupby("quarter")["amount"].sum(), payers.groupby("quarter")["mrr"].sum()
    months = spent / (MARGIN * monthly)
    assert acquisition.cac_payback(data, by=None)["value"].tolist() == pytest.approx(months.tolist())
    mrr = payers.loc[payers["quarter"] == "2026Q2", "mrr"].to_numpy()
    worth, heavy = (mrr.sum() ** 2 / (mrr**2).sum(), (mrr**2).sum() ** 2 / (mrr**4).sum())
    margin = np.exp(student.ppf(0.975, np.sqrt((worth - 1) * (heavy - 1)) / 1.5) / np.sqrt(worth))
    last = acquisition.cac_payback(data, by=None).iloc[-1]
    assert (last["low"], last["high"]) == pytest.approx((months.iloc[-1] / margin, months.iloc[-1] * margin))
    assert said[9] == (f"Customers won in the second quarter of 2026 earn back their cost in {months.iloc[-1]:.1f} months "
                       f"({last['low']:.1f} months to {last['high']:.1f} months).")


def standing(day: pd.Timestamp) -> pd.Series:
    """What each account pays at the end of a day."""
    money = told.table("subscriptions", "changed_at").sort_values(["changed_at", "mrr_minor"])
    last = money[money["day"] <= day].groupby("account_id")["mrr_minor"].last() / 100
    return last[last > 0]


def test_lifetime_value_over_cost(said, data, payers, spend):
    starts = pd.date_range("2025-07-01", "2026-07-01", freq="MS")
    watched = left = 0
    for start, end in itertools.pairwise(starts):
        before, after = standing(start - told.DAY), standing(end - told.DAY)
        watched, left = watched + len(before), left + len(before.index.difference(after.index))
    arpa, cost = standing(told.LAST).mean(), spend.loc[spend["quarter"] == "2026Q2", "amount"].sum()
    value = MARGIN * arpa / (left / watched) / (cost / (payers["quarter"] == "2026Q2").sum())
    last = acquisition.ltv_to_cac(data, by=None).iloc[-1]
    assert last["value"] == pytest.approx(value)
    assert last["low"] < value < last["high"]
    assert said[10] == ("By the simple formula, margin times revenue per account over monthly churn, a customer is worth "
                        f"{value:.1f} times what it costs ({last['low']:.2f} to {last['high']:.2f}), resting on {left} accounts that left in a year.")
