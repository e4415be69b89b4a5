"""Who pays, how soon and how much: cohorts that are old enough, first payments, and nothing counted twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plgkit import connect
from plgkit.errors import BadParameter, MissingTable
from plgkit.metrics import conversion
from plgkit.playbook import Playbook
from plgkit.samples.tiny import AS_OF, PLAYBOOK, frames

AS_OF_LARGE = pd.Timestamp("2025-06-30")


@pytest.fixture(scope="module")
def made() -> dict[str, pd.DataFrame]:
    """Two hundred accounts of half a year, of which about a third pays at some time."""
    random = np.random.default_rng(11)
    created = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.sort(random.uniform(0, 180, 200)), unit="D").floor("s")
    ids = [f"a{place:03d}" for place in range(200)]
    trial = pd.Series(created + pd.to_timedelta(random.uniform(0, 10, 200), unit="D")).dt.floor("s")
    accounts = pd.DataFrame({"account_id": ids, "created_at": created,
                             "trial_started_at": trial.where(random.random(200) < 0.5)})
    waits = pd.to_timedelta(random.exponential(40, 200), unit="D").floor("s")
    paid = pd.DataFrame({"account_id": ids, "changed_at": created + waits, "mrr": random.choice([10.0, 25.5], 200),
                         "motion": random.choice(["self_serve", "sales"], 200)})[random.random(200) < 0.35]
    return {"accounts": accounts, "subscriptions": paid}


@pytest.fixture(scope="module")
def company(made):
    return connect(made, as_of=AS_OF_LARGE.date(), playbook=Playbook(**{"conversion": {"within_days": 30}}))


def joined(made, start: str) -> pd.DataFrame:
    rows = made["accounts"].merge(made["subscriptions"], how="left", on="account_id").dropna(subset=[start])
    known = rows["changed_at"] < AS_OF_LARGE + pd.Timedelta(days=1)
    rows.loc[~known, ["changed_at", "motion"]] = None
    rows = rows[rows[start] < AS_OF_LARGE + pd.Timedelta(days=1)]
    rows = rows[rows["changed_at"].isna() | (rows["changed_at"] >= rows[start])]
    wait = rows["changed_at"] - rows[start]
    return rows.assign(hit=wait <= pd.Timedelta(days=30), month=rows[start].dt.to_period("M").dt.start_time,
                       mature=rows[start] + pd.Timedelta(days=30) < AS_OF_LARGE + pd.Timedelta(days=1))


@pytest.mark.parametrize(("measure", "start"), [(conversion.free_to_paid, "created_at"),
                                                (conversion.trial_to_paid, "trial_started_at")])
def test_a_rate_agrees_with_counting_account_by_account(made, company, measure, start):
    rows = joined(made, start)
    expected = rows.groupby("month").apply(lambda each: pd.Series({
        "numerator": (each.hit & each.mature).sum(), "denominator": each.mature.sum(),
        "immature": (~each.mature).sum()}))
    found = measure(company).set_index("period")
    pd.testing.assert_frame_equal(found[list(expected.columns)], expected, check_names=False, check_dtype=False,
                                  check_freq=False)


def test_the_two_motions_add_up_to_all_first_payments(company):
    counts = [conversion.free_to_paid(company, motion=each).numerator.sum() for each in (None, "self_serve", "sales")]
    assert counts[0] == counts[1] + counts[2]
    with pytest.raises(BadParameter) as caught:
        conversion.free_to_paid(company, motion="phone")
    assert str(caught.value) == "motion is 'phone'; expected one of self_serve, sales, or None."


def test_more_days_never_lower_the_share_of_a_month_that_is_old_enough(company):
    values = [conversion.free_to_paid(company, within_days=days).value[0] for days in (1, 10, 30, 90)]
    assert values == sorted(values)
    assert values[0] < values[-1]


def test_the_last_instant_of_the_days_counts():
    accounts = pd.DataFrame({"account_id": ["in", "out"], "created_at": pd.Timestamp("2025-01-01 10:00")})
    paid = pd.DataFrame({"account_id": ["in", "out"], "mrr": 10.0, "changed_at": pd.to_datetime(
        ["2025-01-31 10:00:00.000000", "2025-01-31 10:00:00.000001"])})
    data = connect({"accounts": accounts, "subscriptions": paid}, as_of="2025-03-31")
    assert conversion.free_to_paid(data, within_days=30).numerator[0] == 1


def test_an_account_that_paid_before_its_trial_is_no_trial():
    accounts = pd.DataFrame({"account_id": ["a", "b"], "created_at": pd.Timestamp("2025-01-01"),
                             "trial_started_at": pd.Timestamp("2025-01-10")})
    paid = pd.DataFrame({"account_id": ["a", "b"], "mrr": 10.0,
                         "changed_at": pd.to_datetime(["2025-01-05", "2025-01-20"])})
    data = connect({"accounts": accounts, "subscriptions": paid}, as_of="2025-03-31")
    assert conversion.trial_to_paid(data).denominator[0] == 1


def test_without_accounts_the_first_signup_opens_one_and_an_event_starts_the_trial(tiny):
    tables = {name: rows for name, rows in frames().items() if name != "accounts"}
    words = Playbook(**{**PLAYBOOK, "trial": {"start_event": "data_connected", "pay_within_days": 30}})
    data = connect(tables, as_of=AS_OF, playbook=words)
    same = ["period", "numerator", "denominator", "immature"]
    pd.testing.assert_frame_equal(conversion.free_to_paid(data)[same], conversion.free_to_paid(tiny)[same])
    # Only a1 ever connects data: on 6 January, and it pays on the 20th.
    assert conversion.trial_to_paid(data)[same[1:]].iloc[0].tolist() == [1, 1, 0]
    plain = connect(tables, as_of=AS_OF, playbook=Playbook(**{**PLAYBOOK, "trial": {}}))
    with pytest.raises(MissingTable) as caught:
        conversion.trial_to_paid(plain)
    assert str(caught.value).startswith("This needs the table 'accounts'")


def test_who_has_not_paid_yet_still_counts_in_the_time_to_pay(company, made):
    found = conversion.time_to_paid(company).iloc[0]
    rows = joined(made, "created_at")
    assert (found.n, found.events) == (len(rows), rows.changed_at.notna().sum())
    assert np.isnan(found.value)
    waited = (rows.changed_at - rows.created_at).dt.total_seconds() / 86_400
    assert found.median_among == pytest.approx(waited.median())
    assert found.among_low < found.median_among < found.among_high


def test_opening_a_checkout_twice_is_one_checkout():
    events = pd.DataFrame([("ann", "start", "2025-01-06 09:00"), ("ann", "start", "2025-01-06 09:10"),
                           ("ann", "finish", "2025-01-06 09:12"), ("bob", "start", "2025-01-06 09:00"),
                           ("bob", "finish", "2025-01-08 09:00")], columns=["user_id", "event", "occurred_at"])
    data = connect({"events": events.assign(occurred_at=pd.to_datetime(events["occurred_at"]))}, as_of="2025-01-31")
    words = {"started": "start", "finished": "finish"}
    assert conversion.checkout_completion(data, **words).iloc[0][["numerator", "denominator"]].tolist() == [1, 2]
    assert conversion.checkout_completion(data, **words, within_days=2).numerator[0] == 2


def test_means_of_money_are_per_account_with_an_interval_over_accounts(company, made):
    known = made["subscriptions"][made["subscriptions"]["changed_at"] < AS_OF_LARGE + pd.Timedelta(days=1)]
    last = conversion.arpa(company).iloc[-1]
    assert (last.value, last.n) == (pytest.approx(known.mrr.mean()), len(known))
    assert last.low < last.value < last.high
    yearly = conversion.contract_value(company)
    assert (yearly.value * yearly.n).sum() == pytest.approx(known.mrr.sum() * 12)
