"""Trials, channels, the cost of a customer and what it brings, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plain
import pytest

from plgkit.errors import BadParameter, UnknownSegment
from plgkit.metrics import acquisition, expansion
from plgkit.playbook import Playbook
from plgkit.sources.connect import connect
from plgkit.stats import intervals, retained

PLAYBOOK = Playbook(channels={"paid": ["ads"]}, product={"gross_margin": 0.8}, conversion={"within_days": 60})


@pytest.fixture(scope="module")
def tables():
    """Twelve accounts of one person each, one created on the fifth of every month of 2024; some pay some days later."""
    created = [pd.Timestamp(2024, month, 5, 9) for month in range(1, 13)]
    ids = [f"a{month:02d}" for month in range(1, 13)]
    users = pd.DataFrame({"user_id": [each.replace("a", "u") for each in ids], "signed_up_at": created, "account_id": ids,
                          "channel": ["ads", "search"] * 6})
    accounts = pd.DataFrame({"account_id": ids, "created_at": created, "trial_started_at": [
        each + pd.Timedelta(days=2) if place % 3 == 0 else pd.NaT for place, each in enumerate(created)]})
    paid = {0: (20, 100), 1: (40, 50), 2: (10, 200), 4: (30, 100), 6: (90, 80), 8: (20, 100)}
    rows = [(ids[place], created[place] + pd.Timedelta(days=days), mrr) for place, (days, mrr) in paid.items()]
    rows += [("a01", pd.Timestamp("2024-08-10"), 0), ("a02", pd.Timestamp("2024-11-03"), 0)]
    money = pd.DataFrame(rows, columns=["account_id", "changed_at", "mrr"])
    spend = pd.DataFrame({"day": pd.date_range("2024-01-01", "2024-12-31"), "channel": "ads", "amount": 10.0})
    return {"users": users, "accounts": accounts, "subscriptions": money, "spend": spend}


@pytest.fixture(scope="module")
def data(tables):
    return connect(tables, as_of="2024-12-31", playbook=PLAYBOOK)


def test_a_customer_costs_the_spend_over_first_payments_of_the_period(data):
    found = acquisition.cac(data, by=None)
    assert found["spend"].tolist() == [910.0, 910.0, 920.0, 920.0]
    # First payments: 25 January, 16 March and 15 March; 4 June; 25 September; 3 October.
    assert found["customers"].tolist() == [3, 1, 1, 1]
    assert found["value"].tolist() == [910 / 3, 910, 920, 920]
    low, high = intervals.poisson(3)
    assert found[["low", "high"]].iloc[0].tolist() == pytest.approx([910 / high, 910 / low])


def test_a_channel_that_won_nobody_has_no_cost_of_a_customer(data):
    found = acquisition.cac(data)
    assert found["period"].dt.quarter.tolist() == [1, 1, 2, 3, 4]
    assert found["channel"].tolist() == ["ads", "search", "ads", "ads", "ads"]
    assert found["customers"].tolist() == [2, 1, 1, 1, 1]
    assert found.query("channel == 'search'")["value"].tolist() == [0.0]
    early = acquisition.cac(data, grain="month", by=None)
    nobody = early[early["customers"] == 0]
    assert len(nobody) == 7
    assert nobody[["value", "low", "high"]].isna().all().all()


def test_spend_can_be_set_against_payments_that_come_later(data):
    found = acquisition.cac(data, lag="shift", lag_days=31, by=None)
    # Spend of 31 days before: 60 days of it fall into the first quarter, 91 and 92 days into the others.
    assert found["spend"].tolist() == [600.0, 910.0, 920.0, 920.0]
    assert found["complete"].tolist() == [False, True, True, True]
    usual = acquisition.cac(data, lag="shift", by=None)
    # Half of those who paid took up to 25 days: 10, 20, 20, 30, 40 and 90.
    assert usual.attrs["lag_days"] == 25
    assert usual["spend"].iloc[0] == 660.0


def test_a_cohort_has_the_customers_it_brought_within_their_days(data):
    found = acquisition.cac(data, lag="cohort", by=None)
    # Created in the first quarter: all three paid within 60 days. July's account took 90 days and is not counted.
    assert found["customers"].tolist() == [3, 1, 1, 0]
    assert found["complete"].tolist() == [True, True, True, False]


def test_payback_is_spend_over_the_margin_of_first_payments(data):
    found = acquisition.cac_payback(data, by=None)
    assert found["arpa"].tolist() == pytest.approx([350 / 3, 100, 100, 80])
    assert found["value"].tolist() == pytest.approx([910 / (0.8 * 350), 910 / 80, 920 / 80, 920 / 64])
    assert found["value"].tolist() == pytest.approx((found["cac"] / found["arpa"] / 0.8).tolist())
    assert found[["low", "high"]].isna().all(axis=None)  # fewer than five customers each


def test_lifetime_value_needs_somebody_to_have_left(data):
    found = acquisition.ltv_to_cac(data, by=None)
    # Paying at the start of a month: 1 account in February and March, 3 from April on, 4 in July and August, 3 in
    # September, 4 in October, 5 in November, 4 in December. One left in August and one in November.
    assert found["churned"].tolist() == [0, 0, 1, 2]
    assert found["churn"].tolist()[2:] == pytest.approx([1 / (1 + 1 + 3 + 3 + 3 + 4 + 4 + 3), 2 / (22 + 4 + 5 + 4)])
    assert found[["lifetime_value", "value", "low", "high"]].iloc[:2].isna().all().all()
    paying = (50 + 200 + 100 + 100) / 4
    assert found["arpa"].iloc[2] == paying
    assert found["lifetime_value"].iloc[2] == pytest.approx(0.8 * paying * 22)
    assert found["value"].iloc[2] == pytest.approx(0.8 * paying * 22 / 920)


def test_churn_can_be_taken_over_fewer_months(data):
    found = acquisition.ltv_to_cac(data, by=None, churn_months=3)
    assert found["churned"].tolist() == [0, 0, 1, 1]
    assert found["churn"].iloc[3] == pytest.approx(1 / (4 + 5 + 4))


def test_lifetime_value_against_cost_is_that_of_expansion_by_the_same_method_as_it_stood_at_each_period_s_end(tables):
    asked = {"by": None, "horizon": 24}
    of = {day: connect(tables, as_of=day, playbook=PLAYBOOK) for day in ("2024-09-30", "2024-12-31")}
    for method in ("formula", "survival", "sbg"):
        found = acquisition.ltv_to_cac(of["2024-12-31"], method=method, **asked)
        for place, data in zip((2, 3), of.values(), strict=True):
            own = expansion.lifetime_value(data, horizon=24).set_index("method").loc[method]
            assert found["lifetime_value"].iloc[place] == pytest.approx(own["value"], rel=1e-6)
    assert found["value"].iloc[3] == pytest.approx(found["lifetime_value"].iloc[3] / found["cac"].iloc[3])


def test_where_nothing_is_spent_lifetime_value_over_cost_is_not_known(data):
    assert "search" not in set(acquisition.ltv_to_cac(data).query("value == value")["channel"])


@pytest.mark.parametrize(("asked", "said"), [
    ({"lag": "later"}, "lag is 'later'; expected one of none, shift, cohort."),
    ({"margin": 1.2}, "margin is 1.2; expected a share above 0 and up to 1, such as 0.8."),
    ({"churn_months": 0}, "churn_months is 0; expected a whole number of months, 1 or more."),
])
def test_what_cannot_be_asked_is_a_sentence(data, asked, said):
    with pytest.raises(BadParameter) as caught:
        acquisition.ltv_to_cac(data, **asked)
    assert str(caught.value) == said


def test_the_cost_of_a_customer_can_only_be_cut_by_channel(data):
    with pytest.raises(UnknownSegment) as caught:
        acquisition.cac(data, by="country")
    assert str(caught.value) == "No column 'country' to cut by. It has: channel."


def test_a_trial_counts_for_the_first_person_of_its_account(tables):
    more = pd.DataFrame({"user_id": ["late"], "signed_up_at": [pd.Timestamp("2024-01-06 09:00")], "account_id": ["a01"],
                         "channel": ["ads"]})
    visits = pd.DataFrame({"visitor_id": ["v1", "v2", "v3"], "visited_at": pd.to_datetime(
        ["2024-01-04", "2024-01-05", "2023-11-01"]), "user_id": ["u01", None, "u04"], "channel": "ads"})
    people = pd.concat([tables["users"], more], ignore_index=True)
    data = connect(tables | {"users": people, "visits": visits}, as_of="2024-12-31", playbook=PLAYBOOK)
    signups = acquisition.trial_signup(data, of="signups", grain="quarter")
    assert signups["numerator"].tolist() == [1, 1, 1, 1]
    assert signups["denominator"].tolist() == [4, 3, 3, 2]
    assert signups["immature"].tolist() == [0, 0, 0, 1]
    # u01 began a trial three days after the first visit, u04 over five months after it.
    visitors = acquisition.trial_signup(data, grain="quarter")
    assert visitors[["numerator", "denominator"]].head(2).to_numpy().tolist() == [[0, 1], [1, 2]]
    with pytest.raises(BadParameter) as caught:
        acquisition.trial_signup(data, of="people")
    assert str(caught.value) == "of is 'people'; expected one of visitors, signups."


def test_the_split_by_channel_adds_up_to_all_and_to_the_organic_share():
    data = plain.usual()
    split = acquisition.channel_split(data, grain="week")
    assert split.groupby("period")["value"].sum().tolist() == pytest.approx([1.0] * split["period"].nunique())
    organic = split[split["kind"] == "organic"].groupby("period")["numerator"].sum()
    share = acquisition.organic_share(data).set_index("period")["numerator"]
    assert organic.to_dict() == share[share > 0].to_dict()
    unsaid = acquisition.channel_split(plain.company(channels={}))
    assert set(unsaid["kind"]) == {"not said"}


def test_who_waits_still_needs_no_row_of_their_own():
    """However many visitors have not signed up, the engine hands over as many rows as there are times of signing up."""
    data = plain.usual()
    rows = data.run(acquisition.time_to_signup.query(data))
    found = acquisition.time_to_signup(data).iloc[0]
    assert len(rows) <= 2 * found["events"] + 1
    assert rows["people"].sum() == found["n"]


def test_intervals_of_payback_hold_the_truth_in_nineteen_of_twenty_and_few_customers_make_them_wider():
    """Accounts come as Poisson's law says and pay amounts of a known mean; the true payback is known."""
    rng, held, amounts = np.random.default_rng(0), 0, np.array([20.0, 50.0, 120.0])
    for _turn in range(400):
        counts = rng.poisson([12, 10, 6])
        _value, low, high = retained.total(amounts, counts)
        held += low <= amounts @ [12, 10, 6] <= high
    assert 0.93 < held / 400 < 0.99
