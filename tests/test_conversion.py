"""Who pays, how soon and how much: cohorts that are old enough, first payments, and nothing counted twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plgkit import connect
from plgkit.errors import BadParameter, MissingSetting, MissingTable
from plgkit.metrics import conversion
from plgkit.playbook import Playbook
from plgkit.samples.tiny import AS_OF, PLAYBOOK, frames
from plgkit.sources.data import Data

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


def frames_of(subscriptions: list[tuple], accounts: list[tuple]) -> dict[str, pd.DataFrame]:
    paid = pd.DataFrame(subscriptions, columns=["account_id", "changed_at", "mrr"])
    opened = pd.DataFrame(accounts, columns=["account_id", "created_at", "trial_started_at"])
    return {"subscriptions": paid.assign(changed_at=pd.to_datetime(paid["changed_at"], format="ISO8601")),
            "accounts": opened.assign(**{name: pd.to_datetime(opened[name], format="ISO8601") for name in ("created_at", "trial_started_at")})}


def some(subscriptions: list[tuple], accounts: list[tuple], **more: pd.DataFrame) -> Data:
    return connect(frames_of(subscriptions, accounts) | more, as_of="2026-06-30")


def test_a_person_who_comes_into_a_paying_account_was_never_free():
    users = pd.DataFrame({"user_id": ["ann", "bob", "cho"], "account_id": ["a", "a", None],
                          "signed_up_at": pd.to_datetime(["2026-01-01", "2026-01-20", "2026-01-02"])})
    data = some([("a", "2026-01-10", 10.0)], [("a", "2026-01-01", None)], users=users)
    found = conversion.free_to_paid(data, unit="people", within_days=30)
    assert found[["numerator", "denominator"]].iloc[0].tolist() == [1, 2]


def test_a_year_of_ten_a_month_brings_a_hundred_and_twenty():
    data = some([("a", "2025-02-01", 10.0), ("b", "2025-02-01", 0.01), ("b", "2025-02-11", 0.0), ("c", "2025-02-01", 10.0),
                 ("c", "2025-02-01 09:00", 0.0)],
                [(each, "2025-02-01", "2025-02-01") for each in "abcd"])
    found = conversion.revenue_per_trial(data, within_days=365).iloc[0]
    # a pays all year; b ten days of a cent a month; c paid for less than a day, d never.
    assert found["value"] == pytest.approx((120 + 0.01 * 10 * 12 / 365) / 4, rel=1e-12)
    assert [found["n"], found["paid"], found["immature"]] == [4, 2, 0]


def test_a_trial_is_judged_only_when_its_last_day_is_over():
    trials = [("a", "2026-06-01", "2026-06-01"), ("b", "2026-06-02", "2026-06-02")]
    found = conversion.revenue_per_trial(some([("a", "2026-06-01", 10.0)], trials), within_days=30).iloc[0]
    assert [found["n"], found["immature"], found["complete"]] == [1, 1, False]
    assert found["value"] == pytest.approx(10 * 30 * 12 / 365)


def test_where_no_payment_says_its_motion_self_service_is_not_none_but_unknown():
    data = some([("a", "2026-01-10", 10.0)], [("a", "2026-01-01", None)])
    with pytest.raises(MissingSetting) as caught:
        conversion.free_to_paid(data, motion="self_serve")
    assert str(caught.value) == (
        "No payment says whether it came by self-service or by sales: 'motion' is empty in 'subscriptions'. Set it in playbook.toml, "
        'for example: [tables.subscriptions] columns = { motion = "its name in the file" }')


def test_a_card_entered_after_the_trial_began_makes_no_card_first_trial():
    users = pd.DataFrame({"user_id": ["u", "v"], "account_id": ["a", "b"], "signed_up_at": pd.Timestamp("2026-01-01")})
    events = pd.DataFrame({"user_id": ["u", "v"], "event": "card_entered",
                           "occurred_at": pd.to_datetime(["2026-01-05 09:00", "2026-01-05 09:01"])})
    tables = frames_of([("a", "2026-01-20", 10.0)], [(each, "2026-01-01", "2026-01-05 09:00") for each in "ab"])
    data = connect(tables | {"users": users, "events": events}, as_of="2026-06-30", playbook=Playbook(payment={"event": "card_entered"}))
    found = conversion.trial_to_paid(data, by="card_first").query("denominator > 0").set_index("card_first")
    assert found[["numerator", "denominator"]].to_dict("list") == {"numerator": [1, 0], "denominator": [1, 1]}
    assert list(found.index) == ["card first", "no card"]
    with pytest.raises(MissingSetting) as caught:
        conversion.trial_to_paid(connect(tables, as_of="2026-06-30"), by="card_first")
    assert str(caught.value) == (
        "To tell trials with a card from those without needs [payment] event or [trial] card_first. Set it in playbook.toml, for "
        'example: [payment] event = "payment_details_entered"')
    told = connect(tables, as_of="2026-06-30", playbook=Playbook(trial={"card_first": True}))
    assert set(conversion.trial_to_paid(told, by="card_first")["card_first"]) == {"card first"}


def test_motions_cannot_be_cut_by_motion(tiny):
    with pytest.raises(BadParameter) as caught:
        conversion.by_motion(tiny, by="motion")
    assert str(caught.value) == "by is 'motion'; expected another column: motion is what the rows are."


def test_what_a_channel_spends_for_nobody_is_borne_by_all_customers():
    tables = frames()
    tables["spend"] = pd.concat([tables["spend"], pd.DataFrame({"day": [pd.Timestamp("2025-01-06")], "channel": "fairs", "amount": 50.0})])
    found = conversion.by_motion(connect(tables, as_of=AS_OF, playbook=Playbook(**PLAYBOOK))).set_index("motion")
    # 100 by paid search for a2; 50 by fairs for nobody, half of it for each of the two customers.
    assert found["cac"].to_dict() == {"hybrid": 125.0, "self_serve": 25.0}


def test_looking_at_nothing_finds_nothing():
    """Behaviour and paying drawn apart: of sixty tries none may be called tied, although some have small p-values."""
    random = np.random.default_rng(3)
    ids = [f"a{place:03d}" for place in range(400)]
    users = pd.DataFrame({"user_id": ids, "account_id": ids, "signed_up_at": pd.Timestamp("2026-01-01")})
    events = pd.DataFrame([(user, f"did_{kind}", pd.Timestamp("2026-01-01") + pd.Timedelta(days=random.uniform(0, 14)))
                           for user in ids for kind in range(15) for _ in range(random.poisson(1.0))],
                          columns=["user_id", "event", "occurred_at"])
    paid = [(each, "2026-02-01", 10.0) for each in ids if random.random() < 0.2]
    tables = frames_of(paid, [(each, "2026-01-01", None) for each in ids])
    data = connect(tables | {"users": users, "events": events}, as_of="2026-06-30")
    found = conversion.drivers(data, to_days=60, every=True)
    assert len(found) > 40
    assert (found["p"] < 0.05).any()
    assert not found["tied"].any()
    assert found["difference"].between(found["low"], found["high"]).all()
