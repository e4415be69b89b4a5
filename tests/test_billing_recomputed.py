"""What accounts pay, against plain recomputations: random subscriptions, and real data of others."""

from __future__ import annotations

import engines
import pandas as pd
import plain_billing
import pytest
from billing_rows import opened, paid, table
from conftest import shared

from plgkit.metrics import expansion
from plgkit.playbook import Playbook
from plgkit.sources.connect import connect

SHOWN = ["account_id", "day", "mrr_minor", "plan", "seats", "currency", "kind", "source_rows"]


def told(data) -> pd.DataFrame:
    return data.run(data.subscriptions)[SHOWN].sort_values(["account_id", "day"], ignore_index=True)


def different(changes: pd.DataFrame) -> pd.DataFrame:
    """The changes of the amount alone; plans and seats may change without it."""
    before = changes.groupby("account_id")["mrr_minor"].shift().fillna(0)
    return changes.loc[changes["mrr_minor"] != before, ["account_id", "day", "mrr_minor"]].reset_index(drop=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_subscriptions_pay_is_found_again_in_their_invoices_to_the_cent(seed):
    lines, truth = plain_billing.company(seed)
    found = different(told(opened({"invoice_lines": lines}, as_of="2030-01-01")))
    pd.testing.assert_frame_equal(found, truth, check_dtype=False)


def test_months_times_the_monthly_amount_is_the_amount_of_a_line_to_half_a_cent_a_month():
    lines, _ = plain_billing.company(3)
    data = opened({"invoice_lines": lines}, as_of="2030-01-01")
    spread = data.run(data.billing_lines)
    assert len(spread) == len(lines)
    assert spread["amount_minor"].sum() == round(lines["amount"].sum() * 100)
    whole = spread[spread["kind"] == "subscription"]
    assert ((whole["months"] * whole["mrr_minor"] - whole["amount_minor"]).abs() <= whole["months"] / 2).all()


def test_lines_written_after_the_last_day_counted_change_nothing():
    lines, _ = plain_billing.company(4)
    early = lines[lines["issued_at"] < "2024-10-01"]
    for words in ({}, {"bridge_days": 20}):
        known, all_of_it = (told(opened({"invoice_lines": rows}, as_of="2024-09-30", **words)) for rows in (early, lines))
        pd.testing.assert_frame_equal(known, all_of_it)


def test_the_ledger_of_invoices_adds_up():
    lines, truth = plain_billing.company(5)
    frame = expansion.mrr_movements(opened({"invoice_lines": lines}, as_of="2025-06-30"))
    last = truth[truth["day"] <= "2025-06-30"].groupby("account_id")["mrr_minor"].last().sum() / 100
    assert frame["closing"].iloc[-1] == pytest.approx(last, abs=0.05)


def test_days_are_those_of_the_products_zone():
    rows = table("account_id issued_at amount service_from service_to", ("a", "2025-01-01 04:30", 10.0, "2025-01-01 04:30", "2025-04-01 04:30"))
    found = paid(opened({"invoice_lines": rows}, product={"time_zone": "America/New_York"}))
    assert found == [("2024-12-31", 3.33), ("2025-04-01", 0.0)]


def test_every_engine_reads_the_same_from_invoices_periods_and_changes(server):
    lines, _ = plain_billing.company(6, accounts=12)
    lines = lines.assign(currency="eur", status="open")
    periods = table("account_id subscription_id started_at ended_at mrr status", ("a", "s", "2025-01-01", "2025-02-01", 20.0, "active"),
                    ("a", "s", "2025-02-01", None, 30.0, "past due"), ("b", "t", "2025-01-31", None, 9.0, "in_trial"))
    changes = table("account_id subscription_id changed_at mrr plan", ("a", "s", "2025-01-01", 20.0, "x"),
                    ("a", "t", "2025-02-01", 30.0, "y"), ("a", "s", "2025-03-01", 0.0, "x"), ("a", "s", "2025-03-04", 5.0, "z"))
    for tables in ({"invoice_lines": lines}, {"subscription_periods": periods}, {"subscriptions": changes}):
        words = Playbook(revenue={"rates": {"EUR": 1.0837}, "bridge_days": 4}, product={"time_zone": "America/New_York"})
        here, there = connect(tables, as_of="2025-05-31", playbook=words), connect(
            engines.load(server, tables), as_of="2025-05-31", playbook=words)
        pd.testing.assert_frame_equal(told(there), told(here))


def test_the_published_periods_of_subscriptions_give_their_published_movements():
    path = shared("data", "mrr_playbook", "subscription_periods.csv")
    given = pd.read_csv(path, parse_dates=["start_date", "end_date"])
    columns = {"account_id": "customer_id", "started_at": "start_date", "ended_at": "end_date", "mrr": "monthly_amount"}
    words = Playbook(tables={"subscription_periods": {"file": path.name, "columns": columns}})
    data = connect(path, as_of="2020-03-31", playbook=words)
    months = pd.period_range(given["start_date"].min(), "2020-03", freq="M")
    plain = pd.DataFrame({month: given[(given["start_date"] <= month.to_timestamp()) & (given["end_date"] > month.to_timestamp())]
                         .groupby("customer_id")["monthly_amount"].sum() for month in months}).fillna(0)
    frame = expansion.mrr_movements(data).set_index("period")
    assert frame["closing"].tolist() == plain.sum().tolist()
    assert (frame[["opening", "new", "reactivation", "expansion"]].sum(axis=1) - frame["contraction"] - frame["churn"]
            == frame["closing"]).all()
    assert frame["new"].sum() == sum(row[row > 0].iloc[0] for _, row in plain.iterrows())


@pytest.mark.parametrize(("name", "columns"), [
    ("monthly_subscriptions", {"account_id": "user_id", "issued_at": "activity_date", "amount": "inc_amt"}),
    ("volatile_revenue", {"account_id": "user_id", "issued_at": "activity_date", "amount": "inc_amt"})])
def test_real_payments_of_start_ups_are_spread_over_a_month_each(name, columns):
    path = shared("data", "startups", f"{name}.csv")
    given = pd.read_csv(path, parse_dates=["activity_date"])
    words = Playbook(tables={"invoice_lines": {"file": path.name, "columns": columns}}, data={"duplicates": "keep"},
                     revenue={"service_months": 1})
    day = pd.Timestamp("2023-10-15")
    data = connect(path, as_of=str(day.date()), playbook=words)
    known = given[given["activity_date"] <= day]
    ends = known["activity_date"].map(lambda each: each + pd.DateOffset(months=1))
    alive = known[ends > day].groupby("user_id")["inc_amt"].sum().clip(lower=0)
    changes = told(data)
    last = changes.groupby("account_id")["mrr_minor"].last()
    assert last.sum() == round(alive.sum() * 100)
    assert (last > 0).sum() == (alive.round(2) > 0).sum()
    assert data.run(data.billing_lines)["amount_minor"].sum() == round(known["inc_amt"].sum() * 100)


def test_the_lines_of_a_payment_services_export_can_be_named():
    path = shared("data", "exports", "stripe", "fivetran", "invoice_line_item.csv")
    columns = {"account_id": "subscription_id", "issued_at": "period_start", "service_from": "period_start",
               "service_to": "period_end", "line_id": "id", "seats": "quantity", "plan": "plan_id"}
    words = Playbook(tables={"invoice_lines": {"file": path.name, "columns": columns, "money_in": "minor"}})
    data = connect(path, as_of="2021-02-18", playbook=words)
    spread = data.run(data.billing_lines)
    assert sorted(spread["amount_minor"]) == sorted(pd.read_csv(path)["amount"])
    assert spread["months"].tolist() == pytest.approx([1 / 31] * len(spread))
    assert spread["reason"].isna().all()
