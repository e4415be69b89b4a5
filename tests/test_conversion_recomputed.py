"""Every number of the notebook about conversion, worked out again in plain pandas on the company that comes along."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from plgkit import connect, notebook
from plgkit.metrics import conversion
from plgkit.samples import bundled_path
from plgkit.sources.data import Data

DAY = pd.Timedelta(days=1)
DAYS, TRIAL_DAYS, FIRST = 90, 30, 14
PAYING = ["checkout_started", "checkout_finished", "payment_details_entered"]
PASSIVE = ["digest_emailed", "survey_shown"]
CORE = ["card_added", "comment_added", "checklist_used", "file_attached", "timeline_opened"]


@pytest.fixture(scope="module")
def data() -> Data:
    return connect(bundled_path())


@pytest.fixture(scope="module")
def end(data) -> pd.Timestamp:
    return pd.Timestamp(data.end)


@pytest.fixture(scope="module")
def subscriptions(data) -> pd.DataFrame:
    return data.run(data.subscriptions).sort_values(["account_id", "changed_at", "mrr_minor"], ignore_index=True)


@pytest.fixture(scope="module")
def users(data) -> pd.DataFrame:
    rows = data.run(data.users.select("user_id", "account_id", "signed_up_at", "channel", "day"))
    return rows.assign(account_id=rows["account_id"].fillna(rows["user_id"]))


@pytest.fixture(scope="module")
def events(data, users) -> pd.DataFrame:
    rows = data.run(data.events.select("user_id", "event", "occurred_at", "day"))
    return rows.merge(users[["user_id", "account_id", "signed_up_at"]], on="user_id")


@pytest.fixture(scope="module")
def accounts(data, subscriptions, users) -> pd.DataFrame:
    """Accounts with their first payment and the channel of their first person."""
    rows = data.run(data.accounts.select("account_id", "created_at", "trial_started_at", "day"))
    first = subscriptions[subscriptions["mrr_minor"] > 0].groupby("account_id").first()[["changed_at", "mrr_minor", "motion", "day"]]
    first = first.rename(columns={"changed_at": "paid_at", "day": "paid_day"})
    channel = users.sort_values(["signed_up_at", "user_id"]).groupby("account_id")["channel"].first()
    return rows.merge(first, how="left", on="account_id").merge(channel, how="left", on="account_id")


@pytest.fixture(scope="module")
def began(events) -> pd.Series:
    """When the first of an account's people activated."""
    done = events[(events["event"] == "card_finished") & (events["occurred_at"] >= events["signed_up_at"])]
    return done.groupby("account_id")["occurred_at"].min()


def local_day(times: pd.Series) -> pd.Series:
    return times.dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None).dt.normalize()


def start_of(days: pd.Series, grain: str) -> pd.Series:
    return days.dt.to_period(grain[0].upper()).dt.start_time


def wilson(hits: float, n: float) -> tuple[float, float]:
    z = 1.959963984540054
    middle, half = hits + z * z / 2, z * math.sqrt(hits * (n - hits) / n + z * z / 4)
    return (middle - half) / (n + z * z), (middle + half) / (n + z * z)


def newcombe(x1: float, n1: float, x2: float, n2: float, z: float) -> tuple[float, float]:
    def one(x: float, n: float) -> tuple[float, float]:
        middle, half = x + z * z / 2, z * math.sqrt(x * (n - x) / n + z * z / 4)
        return (middle - half) / (n + z * z), (middle + half) / (n + z * z)

    (low1, high1), (low2, high2) = one(x1, n1), one(x2, n2)
    p1, p2 = x1 / n1, x2 / n2
    return p1 - p2 - math.hypot(p1 - low1, high2 - p2), p1 - p2 + math.hypot(high1 - p1, p2 - low2)


def same_rate(found: pd.DataFrame, rows: pd.DataFrame, keys: list[str], *, intervals: bool = True) -> None:
    """`rows` has one row per account or person: the keys, `hit` and `mature`."""
    expected = rows.groupby(keys).apply(lambda each: pd.Series({
        "numerator": (each.hit & each.mature).sum(), "denominator": each.mature.sum(), "immature": (~each.mature).sum()}))
    found = found.set_index(keys)
    there = found[found[["denominator", "immature"]].sum(axis=1) > 0]
    pd.testing.assert_frame_equal(there[list(expected.columns)], expected, check_dtype=False, check_names=False, check_freq=False,
                                  check_index_type=False)
    for row in found[found["denominator"] > 0].itertuples():
        assert row.value == row.numerator / row.denominator
        if intervals:
            assert (row.low, row.high) == pytest.approx(wilson(row.numerator, row.denominator))


def test_the_accounts_that_come_to_pay(data, accounts, end):
    rows = accounts[~(accounts["paid_at"] < accounts["created_at"])]
    rows = rows.assign(hit=rows["paid_at"] - rows["created_at"] <= DAYS * DAY, mature=rows["created_at"] + DAYS * DAY < end)
    same_rate(conversion.free_to_paid(data), rows.assign(period=start_of(rows["day"], "month")), ["period"])
    cut = rows.assign(period=start_of(rows["day"], "quarter"))
    same_rate(conversion.free_to_paid(data, by="channel", grain="quarter"), cut, ["period", "channel"])
    alone = rows.assign(period=start_of(rows["day"], "month"), hit=rows["hit"] & (rows["motion"] == "self_serve"))
    same_rate(conversion.free_to_paid(data, motion="self_serve"), alone, ["period"])


def test_the_people_whose_accounts_come_to_pay(data, accounts, users, end):
    rows = users.merge(accounts[["account_id", "paid_at"]], how="left", on="account_id")
    rows = rows[~(rows["paid_at"] < rows["signed_up_at"])]
    rows = rows.assign(hit=rows["paid_at"] - rows["signed_up_at"] <= DAYS * DAY, mature=rows["signed_up_at"] + DAYS * DAY < end,
                       period=start_of(rows["day"], "month"))
    same_rate(conversion.free_to_paid(data, unit="people"), rows, ["period"], intervals=False)


def test_the_time_to_pay(data, accounts, end):
    waits = (accounts["paid_at"].fillna(end) - accounts["created_at"]).dt.total_seconds() / 86_400
    paid, left = accounts["paid_at"].notna(), 1.0
    for moment in sorted(set(waits[paid & (waits <= DAYS)])):
        left *= 1 - (paid & (waits == moment)).sum() / (waits >= moment).sum()
    found = conversion.time_to_paid(data).iloc[0]
    assert (found.n, found.events, found.median_among) == (len(accounts), paid.sum(), pytest.approx(waits[paid].median()))
    assert found.paid_share == pytest.approx(1 - left)
    assert found.paid_low < found.paid_share < found.paid_high
    curve = conversion.time_to_paid_curve(data).iloc[-1]
    assert (curve.value, curve.low, curve.high) == pytest.approx((found.paid_share, found.paid_low, found.paid_high))


@pytest.fixture(scope="module")
def trials(accounts, end) -> pd.DataFrame:
    rows = accounts[accounts["trial_started_at"].notna()]
    rows = rows[~(rows["paid_at"] < rows["trial_started_at"])]
    day = local_day(rows["trial_started_at"])
    return rows.assign(trial_day=day, hit=rows["paid_at"] - rows["trial_started_at"] <= TRIAL_DAYS * DAY,
                       mature=rows["trial_started_at"] + TRIAL_DAYS * DAY < end, period=start_of(day, "month"))


def test_the_trials_that_pay_and_the_trap(data, trials, events):
    same_rate(conversion.trial_to_paid(data), trials, ["period"])
    entered = events[events["event"] == "payment_details_entered"].groupby("account_id")["occurred_at"].min()
    card = trials["account_id"].map(entered) <= trials["trial_started_at"]
    cut = trials.assign(card_first=np.where(card, "card first", "no card"))
    same_rate(conversion.trial_to_paid(data, by="card_first"), cut, ["period", "card_first"])
    both = notebook.same_period(data).set_index(["way", "period"])
    paid = start_of(local_day(trials["paid_at"].dropna()), "month").value_counts()
    begun = trials["period"].value_counts()
    careless = both.loc["payments over trials", "value"]
    assert careless.to_dict() == pytest.approx((paid.reindex(begun.index, fill_value=0) / begun).to_dict(), nan_ok=True)
    assert both["numerator"].loc["payments over trials"].sum() == trials["paid_at"].notna().sum()


def test_what_a_trial_brings_day_by_day(data, trials, subscriptions):
    brought = {}
    for trial in trials.itertuples():
        own, minor = subscriptions[subscriptions["account_id"] == trial.account_id], 0
        for day in pd.date_range(trial.trial_day, periods=DAYS):
            so_far = own[own["day"] <= day]
            minor += so_far["mrr_minor"].iloc[-1] if len(so_far) else 0
        brought[trial.account_id] = minor * 12 / 365 / 100
    rows = trials.assign(money=trials["account_id"].map(brought), period=start_of(trials["trial_day"], "quarter"),
                         mature=trials["trial_day"] + DAYS * DAY <= pd.Timestamp(data.as_of) + DAY)
    found = conversion.revenue_per_trial(data, grain="quarter").set_index("period")
    for period, own in rows.groupby("period"):
        old = own[own["mature"]]
        row = found.loc[period]
        assert [row["n"], row["paid"], row["immature"]] == [len(old), (old["money"] > 0).sum(), (~own["mature"]).sum()]
        assert row["value"] == pytest.approx(old["money"].mean(), nan_ok=True)
        assert row["complete"] == bool(own["mature"].all())
    judged = found[found["n"] > 20]
    assert (judged["low"] < judged["value"]).all()
    assert (judged["value"] < judged["high"]).all()


def test_the_upgrades_after_activation(data, accounts, began, end):
    rows = accounts.assign(activated_at=accounts["account_id"].map(began)).dropna(subset="activated_at")
    rows = rows[~(rows["paid_at"] < rows["activated_at"])]
    waited = rows["paid_at"] - rows["activated_at"] <= DAYS * DAY
    rows = rows.assign(hit=waited & (rows["motion"] == "self_serve"), mature=rows["activated_at"] + DAYS * DAY < end,
                       period=start_of(local_day(rows["activated_at"]), "quarter"))
    same_rate(conversion.upgrade_after_activation(data, grain="quarter"), rows, ["period"])


def test_the_checkouts(data, events, end):
    begun = events[events["event"] == "checkout_started"].assign(period=lambda each: start_of(each["day"], "quarter"))
    done = events[events["event"] == "checkout_finished"]
    rows = []
    for (user, period), own in begun.groupby(["user_id", "period"]):
        first = own["occurred_at"].min()
        finished = done[(done["user_id"] == user) & (done["occurred_at"] >= first)]["occurred_at"].min()
        rows.append((period, finished - first <= DAY, first + DAY < end))
    same_rate(conversion.checkout_completion(data, grain="quarter"), pd.DataFrame(rows, columns=["period", "hit", "mature"]), ["period"])


def test_what_customers_and_people_bring(data, accounts, subscriptions, events, users):
    paid = accounts.dropna(subset="paid_at")
    yearly = (paid["mrr_minor"] * 12 / 100).groupby(start_of(paid["paid_day"], "quarter")).agg(["mean", "size"])
    found = conversion.contract_value(data, grain="quarter").set_index("period")
    assert found["value"].to_dict() == pytest.approx(yearly["mean"].to_dict())
    assert found["n"].to_dict() == yearly["size"].to_dict()
    per_account, per_person = (each(data, grain="month").set_index("period") for each in (conversion.arpa, conversion.arpu))
    signed = conversion.arpu(data, of="signed_up", grain="month").set_index("period")
    active = events[~events["event"].isin(PASSIVE)]
    for period in per_person.index:
        last = period + pd.offsets.MonthEnd(0)
        standing = subscriptions[subscriptions["day"] <= last].groupby("account_id")["mrr_minor"].last()
        people = active[start_of(active["day"], "month") == period]["user_id"].nunique()
        assert per_account.loc[period, "value"] == pytest.approx(standing[standing > 0].mean() / 100)
        assert per_person.loc[period, ["value", "people"]].tolist() == pytest.approx([standing.sum() / 100 / people, people])
        assert signed.loc[period, "value"] == pytest.approx(standing.sum() / 100 / (users["day"] <= last).sum())
        assert per_person.loc[period, "low"] <= per_person.loc[period, "value"] <= per_person.loc[period, "high"]


def test_the_ways_to_a_first_payment(data, accounts, began, end):
    old = accounts[accounts["created_at"] + DAYS * DAY < end]
    won = old[old["paid_at"] - old["created_at"] <= DAYS * DAY]
    by_itself = won["account_id"].map(began) < won["paid_at"]
    motion = won["motion"].mask((won["motion"] == "sales") & by_itself, "hybrid")
    found = conversion.by_motion(data).set_index("motion")
    assert found["customers"].to_dict() == motion.value_counts().to_dict()
    assert found["value"].to_dict() == pytest.approx((motion.value_counts() / len(old)).to_dict())
    assert found["contract_value"].to_dict() == pytest.approx((won["mrr_minor"] * 12 / 100).groupby(motion).mean().to_dict())
    waited = (won["paid_at"] - won["created_at"]).dt.total_seconds() / 86_400
    assert found["median_days"].to_dict() == pytest.approx(waited.groupby(motion).median().to_dict())
    spend = data.run(data.spend)
    spend = spend[spend["day"] <= old["day"].max()].groupby("channel")["amount_minor"].sum() / 100
    customers = won["channel"].value_counts()
    each = won["channel"].map(spend.reindex(customers.index, fill_value=0.0) / customers)
    assert set(spend.index) <= set(customers.index)
    assert found["cac"].to_dict() == pytest.approx(each.groupby(motion).mean().to_dict())
    assert (found["cac"] * found["customers"]).sum() == pytest.approx(spend.sum())


@pytest.fixture(scope="module")
def early(accounts, events, end) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accounts watched long enough that had not paid in their first days, and what they did in them."""
    old = accounts[accounts["created_at"] + DAYS * DAY < end]
    old = old[~(old["paid_at"] < old["created_at"] + FIRST * DAY)]
    old = old.assign(hit=old["paid_at"] - old["created_at"] <= DAYS * DAY).set_index("account_id")
    done = events[~events["event"].isin(PASSIVE)].merge(old[["created_at"]], left_on="account_id", right_index=True)
    age = done["occurred_at"] - done["created_at"]
    return old, done.assign(age=age)[(age >= 0 * DAY) & (age < FIRST * DAY)]


def test_the_use_before_paying(data, early):
    old, done = early
    groups = done.groupby("account_id")
    amounts = pd.DataFrame({
        "days active": groups["day"].nunique(), "people active": groups["user_id"].nunique(), "events": groups.size(),
        "core features used": done[done["event"].isin(CORE)].groupby("account_id")["event"].nunique()}).reindex(old.index).fillna(0)
    found = conversion.usage_before_paying(data)
    assert set(found["measure"]) == set(amounts.columns)
    for row in found.itertuples():
        own = amounts.loc[old["hit"] == (row.group == "paid later"), row.measure]
        assert (row.n, row.value) == (len(own), pytest.approx(own.mean()))
        assert row.low < row.value < row.high
        if row.group == "paid later":
            assert row.times == pytest.approx(own.mean() / amounts.loc[~old["hit"], row.measure].mean())


def test_what_goes_with_paying_later(data, early):
    from scipy.stats import norm

    old, done = early
    old = old[old.index.isin(done[done["age"] >= FIRST * DAY / 2]["account_id"])]
    done = done[done["account_id"].isin(old.index)]
    days = done.groupby("account_id")["day"].nunique()
    found = conversion.drivers(data, every=True)
    assert found.attrs["tried"] == len(found)
    counts = done.groupby(["event", "account_id"]).size()
    widths = norm.isf(0.05 * max(found["tied"].sum(), 1) / len(found) / 2)
    for row in found[found["kind"] == "event"].itertuples():
        times = counts.loc[row.behaviour].reindex(old.index, fill_value=0)
        did = times >= row.at_least
        x1, n1, x2, n2 = (old["hit"] & did).sum(), did.sum(), (old["hit"] & ~did).sum(), (~did).sum()
        assert [row.n, row.did] == [len(old), n1]
        assert (row.value, row.others, row.recall) == pytest.approx((x1 / n1, x2 / n2, x1 / old["hit"].sum()))
        assert (row.low, row.high) == pytest.approx(newcombe(x1, n1, x2, n2, widths))
    best = found.iloc[0]
    did = counts.loc[best["behaviour"]].reindex(old.index, fill_value=0) >= best["at_least"]
    busy = np.digitize(days.reindex(old.index), [2, 3, 4, 6, 8])
    above = weight = 0.0
    for level in set(busy):
        one, two = old["hit"][(busy == level) & did], old["hit"][(busy == level) & ~did]
        if len(one) and len(two):
            share = len(one) * len(two) / (len(one) + len(two))
            above, weight = above + share * (one.mean() - two.mean()), weight + share
    assert best["beyond"] == pytest.approx(above / weight)
    ranked = found.sort_values("p")
    scaled = (ranked["p"] * len(ranked) / np.arange(1, len(ranked) + 1))[::-1].cummin()[::-1].clip(upper=1)
    np.testing.assert_allclose(ranked["p_corrected"], scaled)
    assert not set(PAYING) & set(found["behaviour"])


def test_the_planted_drivers_are_found_and_no_decoy_is(data):
    found = conversion.drivers(data)
    tied = set(found.loc[found["tied"], "behaviour"])
    assert tied == {"trial_started", "limit_hit", "integration_connected", "premium_tried"}
