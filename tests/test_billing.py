"""Lines of invoices and periods give the changes of what accounts pay: nothing lost, doubled or guessed."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from billing_rows import invoiced, opened, paid, table
from conftest import shared

from plgkit.errors import BadSource, MissingRates, MissingTable
from plgkit.metrics import expansion
from plgkit.playbook import Playbook
from plgkit.samples.tiny import frames
from plgkit.sources.connect import connect


@pytest.mark.parametrize(("start", "end", "months"), [
    ("2025-01-01", "2026-01-01", 12), ("2025-01-31", "2025-02-28", 1), ("2025-02-28", "2025-03-31", 1),
    ("2025-01-30", "2025-02-28", 1), ("2024-02-29", "2025-02-28", 12), ("2025-01-01", "2025-04-01", 3),
    ("2025-01-15 14:16:37", "2025-02-15 14:16:37", 1), ("2025-01-01", "2025-01-31 23:59:59", 1),
    ("2025-02-01", "2025-02-28 23:59:59", 1), ("2025-03-14 23:00", "2025-04-14 22:00", 1),
    ("2024-12-31 23:00", "2025-06-30 22:00", 6), ("2025-01-15", "2025-03-01", 1 + 17 / 31),
    ("2025-01-30 12:00", "2025-02-01", 1.5 / 31), ("2025-03-01", "2025-03-08", 7 / 28),
])
def test_whole_months_count_as_such_and_the_rest_as_its_share_of_a_month(start, end, months):
    data = invoiced((100.0, start, end))
    assert data.run(data.billing_lines)["months"][0] == pytest.approx(months, rel=1e-12)


def test_an_annual_invoice_is_twelve_months_and_not_one_big_one():
    cases = {case["id"]: case for case in json.loads(shared("oracles", "saas_revenue.json").read_text())["cases"]}
    said = cases["saas_revenue-02"]
    data = invoiced((float(said["inputs"]["amount"]), "2025-01-01", "2026-01-01"))
    assert paid(data) == [("2025-01-01", said["expected"]["mrr"]), ("2026-01-01", 0.0)]
    rules = cases["saas_revenue-04"]["expected"]
    assert paid(invoiced((1200.0, "2025-01-01", "2026-01-01")))[0][1] == rules["annual_1200_is"]
    for kind, rule in (("tax", "tax_counts"), ("usage", "metered_counts")):
        assert bool(paid(invoiced((50.0, "2025-01-01", "2025-02-01", kind), columns="kind"))) is rules[rule]
    for kind, rule in (("discount", "coupon_forever_reduces"), ("one_off_discount", "coupon_once_or_repeating_reduces")):
        data = invoiced((50.0, "2025-01-01", "2025-02-01", None), (-20.0, "2025-01-01", "2025-02-01", kind), columns="kind")
        assert (paid(data)[0][1] == 30) is rules[rule]
    for status in ("trialing", "past_due", "unpaid"):
        periods = table("account_id started_at mrr status", ("a", "2025-01-01", 50.0, status))
        assert bool(paid(opened({"subscription_periods": periods}))) is rules[f"{status}_counts"]
    assert bool(paid(invoiced((0.0, "2025-01-01", "2025-02-01")))) is rules["free_plan_counts"]


def _life(kind: str):
    """The published life of a customer, told in three ways."""
    if kind == "lines":
        rows = [(2000.0, "2025-01-01", "2026-01-01", "gold"), (60.0, "2025-03-01", "2025-04-01", "silver"),
                (60.0, "2025-04-01", "2025-05-01", "silver"), (150.0, "2026-04-01", "2026-05-01", "gold")]
        return invoiced(*rows, columns="subscription_id", as_of="2026-04-20")
    if kind == "periods":
        rows = table("account_id subscription_id started_at ended_at mrr", ("a", "gold", "2025-01-01", "2026-01-01", 166.67),
                     ("a", "silver", "2025-03-01", "2025-05-01", 60.0), ("a", "gold", "2026-04-01", None, 150.0))
        return opened({"subscription_periods": rows}, as_of="2026-04-20")
    rows = table("account_id subscription_id changed_at mrr", ("a", "gold", "2025-01-01", 166.67), ("a", "silver", "2025-03-01", 60.0),
                 ("a", "silver", "2025-05-01", 0.0), ("a", "gold", "2026-01-01", 0.0), ("a", "gold", "2026-04-01", 150.0))
    return opened({"subscriptions": rows}, as_of="2026-04-20")


@pytest.mark.parametrize("kind", ["lines", "periods", "changes"])
def test_a_second_subscription_is_expansion_and_ending_one_of_two_contraction(kind):
    cases = json.loads(shared("oracles", "saas_revenue.json").read_text())["cases"]
    expected = next(case for case in cases if case["id"] == "saas_revenue-01")["expected"]["movements"]
    frame = expansion.mrr_movements(_life(kind))
    moved = [(name, row[name] if name not in ("contraction", "churn") else -row[name])
             for _, row in frame.iterrows() for name in ("new", "reactivation", "expansion", "contraction", "churn") if row[name]]
    assert moved == [tuple(each) for each in expected]


STARTED = ("2025-01-01 14:16:37", "2025-02-01 14:16:37")


@pytest.mark.parametrize("moment", ["2025-01-15 06:03:20", "2025-01-31 22:00:00", "2025-01-02 00:00:00"])
def test_a_change_of_plan_in_the_middle_of_a_month_is_one_change_to_the_new_price(moment):
    left = (pd.Timestamp(STARTED[1]) - pd.Timestamp(moment)) / (pd.Timestamp(STARTED[1]) - pd.Timestamp(STARTED[0]))
    data = invoiced(
        (50.0, *STARTED, "small", 2, None), (round(-50 * left, 2), moment, STARTED[1], "small", 2, "proration"),
        (round(100 * left, 2), moment, STARTED[1], "large", 5, "proration"),
        (100.0, STARTED[1], "2025-03-01 14:16:37", "large", 5, None), columns="plan seats kind", as_of="2025-02-20")
    assert paid(data, "plan", "seats") == [("2025-01-01", 50.0, "small", 2), (moment[:10], 100.0, "large", 5)]


def test_a_change_of_plan_in_the_middle_of_a_year_is_measured_by_the_year():
    data = invoiced(
        (1200.0, "2025-01-01", "2026-01-01", "small"), (round(-1200 * 200 / 365, 2), "2025-06-15", "2026-01-01", "small"),
        (round(2400 * 200 / 365, 2), "2025-06-15", "2026-01-01", "large"), columns="plan", as_of="2025-12-31")
    assert paid(data, "plan") == [("2025-01-01", 100.0, "small"), ("2025-06-15", 200.0, "large")]


def test_a_month_is_a_month_also_beside_a_year_that_ends_with_it():
    data = invoiced((1200.0, "2025-01-01", "2026-01-01"), (50.0, "2025-12-01", "2026-01-01"), as_of="2025-12-31")
    assert paid(data) == [("2025-01-01", 100.0), ("2025-12-01", 150.0)]


def test_cancelling_at_once_with_a_credit_leaves_not_a_cent():
    data = invoiced((50.0, "2025-01-01", "2025-02-01"), (-1.61, "2025-01-31", "2025-02-01"), (-1.61, "2025-03-01", "2025-03-02"))
    assert paid(data) == [("2025-01-01", 50.0), ("2025-01-31", 0.0)]


def test_credit_notes_reduce_the_service_they_correct_and_refunds_only_when_asked():
    month = ("2025-01-01", "2025-02-01")
    assert paid(invoiced((50.0, *month, None), (-20.0, *month, "credit"), columns="kind"))[0] == ("2025-01-01", 30.0)
    for refunds, left in (("ignore", 50.0), ("reduce", 30.0)):
        data = invoiced((50.0, *month, None), (-20.0, *month, "refund"), columns="kind", refunds=refunds)
        assert paid(data)[0][1] == left


def test_add_ons_and_usage_are_told_apart():
    month = ("2025-01-01", "2025-02-01")
    rows = [(50.0, *month, None, 3), (10.0, *month, "add_on", 1), (7.0, *month, "usage", None)]
    shown = ("kind", "seats", "add_on_minor", "usage_minor", "source_rows")
    assert paid(invoiced(*rows, columns="kind seats"), *shown)[0] == ("2025-01-01", 60.0, "subscription and add_on", 3, 1000, 0, 2)
    assert paid(invoiced(*rows, columns="kind seats", usage="count"), *shown)[0] == (
        "2025-01-01", 67.0, "subscription, add_on and usage", 3, 1000, 700, 3)


def test_a_late_renewal_is_bridged_as_far_as_the_playbook_says():
    rows = [(50.0, "2025-01-01", "2025-02-01"), (50.0, "2025-02-06", "2025-03-06")]
    gap = [("2025-01-01", 50.0), ("2025-02-01", 0.0), ("2025-02-06", 50.0)]
    assert paid(invoiced(*rows, as_of="2025-02-20")) == gap
    assert paid(invoiced(*rows, as_of="2025-02-20", bridge_days=4)) == gap
    assert paid(invoiced(*rows, as_of="2025-02-20", bridge_days=5)) == gap[:1]
    assert paid(invoiced(*rows, as_of="2025-02-05", bridge_days=5)) == gap[:1]
    assert paid(invoiced(*rows[:1], as_of="2025-02-06", bridge_days=5)) == gap[:2]


def test_a_late_renewal_beside_another_subscription_is_bridged_too():
    rows = [(50.0, "2025-01-01", "2025-02-01", "s"), (50.0, "2025-02-06", "2025-03-06", "s"), (7.0, "2025-01-01", "2025-03-01", "t")]
    assert paid(invoiced(*rows, columns="subscription_id", as_of="2025-02-20", bridge_days=5)) == [("2025-01-01", 53.5)]


def test_churn_comes_at_the_end_of_service_or_at_cancellation():
    rows = [(1200.0, "2025-01-01", "2026-01-01", "2025-05-05 08:00")]
    for when, end in (("end of service", "2026-01-01"), ("cancellation", "2025-05-05")):
        data = invoiced(*rows, columns="canceled_at", churn_at=when)
        assert paid(data) == [("2025-01-01", 100.0), (end, 0.0)]


def test_a_pause_stops_revenue_unless_the_playbook_says_otherwise():
    rows = table("account_id subscription_id started_at ended_at mrr status", ("a", "s", "2025-01-01", "2025-02-01", 20.0, "active"),
                 ("a", "s", "2025-02-01", "2025-03-01", 20.0, "paused"), ("a", "s", "2025-03-01", None, 20.0, "non_renewing"))
    assert [amount for _, amount in paid(opened({"subscription_periods": rows}))] == [20, 0, 20]
    assert [amount for _, amount in paid(opened({"subscription_periods": rows}, paused="counts"))] == [20]


def test_there_are_not_two_periods_of_one_subscription_at_once():
    rows = table("account_id subscription_id started_at ended_at mrr", ("a", "s", "2025-01-01", None, 20.0),
                 ("a", "s", "2025-02-01", None, 30.0), ("a", "t", "2025-02-01", None, 5.0))
    assert paid(opened({"subscription_periods": rows})) == [("2025-01-01", 20.0), ("2025-02-01", 35.0)]


def test_a_canceled_subscription_ends_when_it_did_and_as_of_a_day_before_it_runs():
    rows = table("account_id started_at ended_at canceled_at mrr status",
                 ("a", "2025-01-01", "2025-04-01", "2025-03-10", 20.0, "canceled"), ("b", "2025-01-01", None, "2025-03-10", 20.0, "canceled"),
                 ("c", "2025-01-01", None, None, 20.0, "canceled"))
    data = opened({"subscription_periods": rows}, as_of="2025-05-31")
    assert [paid(data, account=each)[-1:] for each in "abc"] == [[("2025-04-01", 0.0)], [("2025-03-10", 0.0)], []]
    assert [(each.rows, each.what) for each in data.findings] == [
        (1, "no recurring revenue: it was canceled, and nobody knows when")]
    early = opened({"subscription_periods": rows}, as_of="2025-03-09")
    assert [paid(early, account=each) for each in "ab"] == [[("2025-01-01", 20.0)]] * 2


def test_a_plain_payment_lasts_as_long_as_the_playbook_says():
    rows = table("account_id issued_at amount", ("a", "2025-01-31", 9.0), ("a", "2025-02-28", 9.0))
    assert paid(opened({"invoice_lines": rows}, service_months=1)) == [("2025-01-31", 9.0), ("2025-03-28", 0.0)]
    silent = opened({"invoice_lines": rows})
    assert paid(silent) == []
    assert [(each.level, each.rows, each.what) for each in silent.findings] == [
        ("warning", 2, "no recurring revenue: it has no service to spread it over ([revenue] service_months says how long a "
         "line without an end lasts)")]


def test_the_last_day_of_service_can_be_the_one_that_is_written():
    for said, end in (("next day", "2025-01-31"), ("last day", "2025-02-01")):
        assert paid(invoiced((50.0, "2025-01-01", "2025-01-31"), service_end=said))[-1] == (end, 0.0)


def test_currencies_without_a_rate_are_a_sentence_and_with_one_no_movement():
    rows = [(100.0, "2025-01-01", "2025-02-01", "eur"), (100.0, "2025-02-01", "2025-03-01", "EUR"), (30.0, "2025-02-01", "2025-03-01", None)]
    without = invoiced(*rows, columns="currency", as_of="2025-02-20")
    with pytest.raises(MissingRates) as caught:
        _ = without.subscriptions
    assert str(caught.value) == (
        "The table 'invoice_lines' has money in EUR, and the product's is in USD. Amounts of different currencies are not "
        "added. Say in the playbook what one of each is worth in USD: [revenue] rates = { EUR = ... }; or, if all money is "
        'in EUR: [product] currency = "EUR".')
    assert [each.what for each in without.findings] == [str(caught.value)]
    assert "invoice_lines" in repr(without)
    with_rates = invoiced(*rows, columns="currency", as_of="2025-02-20", rates={"EUR": 1.08})
    assert paid(with_rates, "currency") == [("2025-01-01", 108.0, "EUR"), ("2025-02-01", 138.0, "EUR")]


def test_smallest_coins_are_read_as_what_they_are_in_their_currency():
    rows = table("account_id started_at mrr currency", ("a", "2025-01-01", 1250, "usd"), ("b", "2025-01-01", 1250, "jpy"),
                 ("c", "2025-01-01", 1250, "kwd"))
    data = opened({"subscription_periods": rows}, tables_said={"subscription_periods": {"money_in": "minor"}},
                  rates={"JPY": 0.01, "KWD": 3.0})
    assert [paid(data, account=each)[0][1] for each in "abc"] == [12.5, 12.5, 3.75]


def test_words_that_nobody_knows_are_asked_for_and_not_guessed():
    rows = [(50.0, "2025-01-01", "2025-02-01", "Invoice Item")]
    with pytest.raises(BadSource) as caught:
        _ = invoiced(*rows, columns="kind").subscriptions
    assert str(caught.value) == (
        "The column 'kind' of table 'invoice_lines' holds 'invoice_item', of which nobody knows what it means. Known are: "
        "subscription, add_on, usage, proration, discount, one_off_discount, one_off, credit, refund, tax. Say it in the "
        'playbook, for example: [revenue] kinds = { invoice_item = "subscription" }')
    assert paid(invoiced(*rows, columns="kind", kinds={"Invoice Item": "one_off"})) == []


def test_the_most_direct_table_tells_and_the_playbook_can_name_another():
    both = {"subscriptions": table("account_id changed_at mrr", ("a", "2025-01-01", 10.0)),
            "subscription_periods": table("account_id started_at mrr", ("a", "2025-01-01", 20.0))}
    assert paid(opened(both)) == [("2025-01-01", 10.0)]
    assert [each.what for each in opened(both).findings] == [
        "tells what accounts pay; subscription_periods could too ([revenue] source)"]
    assert paid(opened(both, source="periods")) == [("2025-01-01", 20.0)]
    with pytest.raises(BadSource) as caught:
        opened(both, source="invoices")
    assert str(caught.value) == (
        "[revenue] source is 'invoices', the table 'invoice_lines' (one row per line of an invoice or credit note), which these "
        "data do not have. They have: subscriptions, subscription_periods.")


def test_changes_of_accounts_stay_as_they_are(tiny):
    given = frames()["subscriptions"]
    assert len(tiny.run(tiny.subscriptions)) == len(given)
    assert tiny.revenue_facts == ["from subscription changes"]
    with pytest.raises(MissingTable):
        _ = tiny.billing_lines


def test_the_lines_in_force_add_up_to_what_the_account_pays():
    data = _life("lines")
    changes, lines = data.run(data.subscriptions), data.run(data.billing_lines)
    for change in changes.itertuples():
        here = lines[(lines["from_day"] <= change.day) & (lines["until_day"] > change.day)]
        assert (here["mrr_minor"].sum(), len(here)) == (change.mrr_minor, change.source_rows)
    assert repr(data).splitlines()[1] == "  subscriptions            5 rows  01 Jan 2025 - 01 Apr 2026, from lines of invoices"


def test_every_number_of_money_says_what_it_rests_on():
    lines = pd.DataFrame({"account_id": ["a"], "issued_at": pd.to_datetime(["2025-01-01"]), "amount": [120.0],
                          "service_from": pd.to_datetime(["2025-01-01"]), "service_to": pd.to_datetime(["2026-01-01"])})
    data = connect({"invoice_lines": lines}, as_of="2025-03-31", playbook=Playbook(revenue={"bridge_days": 7}))
    told = str(expansion.mrr.define(data))
    assert ("Revenue from lines of invoices, payments past due count, gaps of up to 7 days are bridged, churn at the end of "
            "service, refunds are ignored, one-off discounts are ignored, usage is left out.") in " ".join(told.split())
    assert expansion.mrr(data)["value"].tolist() == [10.0, 10.0, 10.0]


def test_a_company_of_which_only_the_billing_is_known_has_a_head_to_its_pages():
    from plgkit.notebook.opening import facts

    lines = pd.DataFrame({"account_id": ["a", "a", "b"], "issued_at": pd.to_datetime(["2025-01-01", "2025-02-01", "2025-02-03"]),
                          "amount": 10.0})
    data = connect({"invoice_lines": lines}, as_of="2025-02-28", playbook=Playbook(revenue={"service_months": 1}))
    known = facts(data)
    assert known["counts"] == ["2 accounts that ever paid"]
    assert known["since"] == "2025-01-01"
