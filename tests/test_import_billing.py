"""Exports of Chargebee, Recurly and HubSpot: what they say of money and customers, by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from conftest import shared

from plgkit import billing, connect, ledger
from plgkit.readers import import_export

JAN, FEB, MAR = 1_767_225_600, 1_769_904_000, 1_772_323_200  # the firsts of 2026, UTC
MIDDLE = FEB + 14 * 86_400


def listed(folder: Path, name: str, *rows: dict) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"list": list(rows), "next_offset": None}))
    return folder


def table(folder: Path, name: str, *rows: dict) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with (folder / f"{name}.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def opened(out: Path, as_of: str = "2026-02-28", more: str = ""):
    (out / "playbook.toml").write_text((out / "playbook.toml").read_text() + more)
    return connect(out, as_of=as_of)


def movements(data) -> list[list[object]]:
    return ledger(data)[["period", "movement", "account_id", "amount"]].assign(
        period=lambda rows: rows["period"].dt.strftime("%Y-%m")).to_numpy().tolist()


def bee_line(name: str, amount: int, start: int, end: int, *, sort: str = "plan_item_price", **more: object) -> dict:
    return {"id": name, "subscription_id": "s1", "date_from": start, "date_to": end, "amount": amount, "quantity": 2, "entity_type": sort,
            "entity_id": "team-USD-monthly", "tax_amount": 0, "discount_amount": 0} | more


def bee_invoice(name: str, customer: str, at: int, *lines: dict, **more: object) -> dict:
    return {"invoice": {"id": name, "customer_id": customer, "status": "paid", "date": at, "currency_code": "USD", "price_type": "tax_exclusive",
                        "updated_at": at, "line_items": list(lines)} | more}


BEE_INVOICES = (
    bee_invoice("i1", "c1", JAN, bee_line("l1", 2000, JAN, FEB), bee_line("l2", 500, JAN, FEB, sort="addon_item_price"),
                bee_line("l3", 9900, JAN, JAN, sort="charge_item_price"), bee_line("l4", 700, JAN, JAN, sort="addon")),
    bee_invoice("i2", "c1", FEB, bee_line("l5", 2000, FEB, MAR)),
    bee_invoice("i3", "c1", MIDDLE, bee_line("l6", 2500, MIDDLE, MAR)),
    bee_invoice("i4", "c2", JAN, bee_line("l7", 12000, JAN, JAN + 365 * 86_400, tax_amount=2000, subscription_id="s2"), price_type="tax_inclusive",
                line_item_discounts=[{"line_item_id": "l7", "discount_type": "document_level_coupon", "coupon_id": "half", "discount_amount": 4000},
                                     {"line_item_id": "l7", "discount_type": "promotional_credits", "discount_amount": 1000}]),
    bee_invoice("i5", "c3", FEB, bee_line("l8", 3000, FEB, MAR, subscription_id="s3"), currency_code="JPY"),
    bee_invoice("i6", "c4", FEB, bee_line("l9", 3000, FEB, MAR, subscription_id="s4"), status="not_paid"),
    {"credit_note": {"id": "n1", "customer_id": "c1", "type": "refundable", "reason_code": "subscription_change", "status": "refunded", "date": MIDDLE,
                     "currency_code": "USD", "price_type": "tax_exclusive", "line_items": [bee_line("k1", 1000, MIDDLE, MAR)]}},
    {"credit_note": {"id": "n2", "customer_id": "c1", "type": "refundable", "reason_code": "service_unsatisfactory", "status": "refunded",
                     "date": MIDDLE, "currency_code": "USD", "line_items": [bee_line("k2", 300, FEB, MAR)]}},
)
RATE = '[revenue]\nrates = { JPY = 0.01 }\n'


def test_chargebees_invoices_and_credit_notes_become_a_ledger(tmp_path):
    done = import_export("chargebee", listed(tmp_path / "export", "invoices", *BEE_INVOICES), out=tmp_path / "out")
    assert done.tables == {"accounts": 4, "invoice_lines": 12}
    assert done.set_aside == {}
    data = opened(tmp_path / "out", more=RATE)
    lines = billing(data).set_index("line_id")
    assert lines["source_kind"].to_dict() == {
        "l1": "subscription", "l2": "add_on", "l3": "one_off", "l4": "one_off", "l5": "subscription", "l6": "subscription", "l7": "subscription",
        "l7/half": "discount", "l8": "subscription", "l9": "subscription", "k1": "credit", "k2": "refund"}
    assert lines["monthly"].to_dict() == {
        "l1": 20.0, "l2": 5.0, "l3": 0.0, "l4": 0.0, "l5": 20.0, "l6": 50.0, "l7": 8.33, "l7/half": -3.33, "l8": 30.0, "l9": 0.0, "k1": -20.0, "k2": 0.0}
    assert lines["billed"][["l7", "l7/half", "l8", "k1"]].tolist() == [100.0, -40.0, 3000.0, -10.0], "without tax, and a yen has no cents"
    assert lines["why_not"][["l9", "k2"]].tolist() == ["it is unpaid", "it is a refund"]
    assert movements(data) == [
        ["2026-01", "new", "c1", 25.0], ["2026-01", "new", "c2", 5.0], ["2026-02", "new", "c3", 30.0], ["2026-02", "expansion", "c1", 25.0]]


def test_a_coupon_of_chargebee_that_holds_once_is_no_lasting_discount(tmp_path):
    export = listed(tmp_path / "export", "invoices", BEE_INVOICES[3])
    listed(export, "coupons", {"coupon": {"id": "half", "duration_type": "one_time", "updated_at": JAN}})
    import_export("chargebee", export, out=tmp_path / "out")
    lines = billing(opened(tmp_path / "out")).set_index("line_id")
    assert (lines["source_kind"]["l7/half"], lines["why_not"]["l7/half"]) == ("one_off_discount", "it is a discount for once")


def bee(name: str, status: str, said: int, **more: object) -> dict:
    return {"subscription": {"id": name, "customer_id": f"c-{name}", "status": status, "created_at": JAN, "started_at": JAN, "activated_at": JAN,
                             "updated_at": said, "currency_code": "USD", "billing_period": 1, "billing_period_unit": "month"} | more,
            "customer": {"id": f"c-{name}", "created_at": JAN - 86_400}}


def test_versions_of_a_subscription_of_chargebee_are_its_periods(tmp_path):
    out, items = tmp_path / "out", [{"item_price_id": "p", "item_type": "plan", "quantity": 3, "amount": 24000},
                                    {"item_price_id": "a", "item_type": "addon", "amount": 12000},
                                    {"item_price_id": "x", "item_type": "charge", "amount": 5000}]
    first = (
        bee("grows", "active", JAN + 5, mrr=3000),
        bee("items", "active", JAN, subscription_items=items, billing_period_unit="year"),
        bee("tried", "cancelled", FEB, activated_at=None, trial_start=JAN, trial_end=FEB, cancelled_at=FEB, mrr=0),
        bee("ends", "non_renewing", FEB, mrr=1000, cancelled_at=MAR, cancel_schedule_created_at=FEB),
        bee("rests", "paused", MIDDLE, mrr=2000, pause_date=FEB),
        bee("later", "future", JAN, start_date=MAR, started_at=None, activated_at=None, mrr=900))
    import_export("chargebee", listed(tmp_path / "first", "subscriptions", *first), out=out)
    done = import_export("chargebee", listed(tmp_path / "second", "subscriptions", bee("grows", "active", MIDDLE, mrr=4000), *first[1:],
                                             bee("over", "cancelled", MIDDLE, mrr=0, plan_id="p", plan_quantity=2, plan_amount=1500, cancelled_at=MIDDLE)), out=out)
    assert done.tables == {"accounts": 7, "subscription_periods": 9}
    data = opened(out, as_of="2026-03-01")
    assert movements(data) == [
        ["2026-01", "new", "c-ends", 10.0], ["2026-01", "new", "c-grows", 30.0], ["2026-01", "new", "c-items", 30.0], ["2026-01", "new", "c-over", 15.0],
        ["2026-01", "new", "c-rests", 20.0], ["2026-02", "expansion", "c-grows", 10.0], ["2026-02", "churn", "c-over", 15.0], ["2026-02", "churn", "c-rests", 20.0],
        ["2026-03", "new", "c-later", 9.0], ["2026-03", "churn", "c-ends", 10.0]]
    rows = billing(data).set_index("account_id")
    assert rows["why_not"]["c-tried"] == "it is a trial"
    assert rows["plan"]["c-items"] == "p"
    accounts = pd.read_parquet(out / "accounts.parquet").set_index("account_id")
    assert accounts.loc["c-tried", ["trial_started_at", "trial_ended_at"]].tolist() == [pd.Timestamp("2026-01-01"), pd.Timestamp("2026-02-01")]
    assert accounts["created_at"]["c-grows"] == pd.Timestamp("2025-12-31")


def test_events_of_chargebee_say_the_same_as_its_lists(tmp_path):
    versions = [bee("s", "active", JAN, mrr=1000), bee("s", "active", FEB, mrr=1500)]
    import_export("chargebee", listed(tmp_path / "lists", "subscriptions", *versions), out=tmp_path / "listed")
    lines = [{"event": {"id": "e1", "object": "event", "content": versions[0]}}, {"id": "e2", "object": "event", "content": versions[1]}]
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, lines)))
    flat = [{"object": "subscription"} | each["subscription"] for each in versions]
    (tmp_path / "flat.jsonl").write_text("\n".join(map(json.dumps, [*flat, {"object": "customer"} | versions[0]["customer"]])))
    for name in ("events", "flat"):
        assert import_export("chargebee", tmp_path / f"{name}.jsonl", out=tmp_path / name).set_aside == {}
        for made in ("accounts", "subscription_periods"):
            pd.testing.assert_frame_equal(*(pd.read_parquet(tmp_path / folder / f"{made}.parquet") for folder in ("listed", name)))


def rec(name: str, said: str, state: str = "active", **more: object) -> dict:
    return {"id": name, "updated_at": said, "created_at": "2026-01-01 00:00:00", "activated_at": "2026-01-01 00:00:00", "account_id": f"id-{name}",
            "plan_id": "p1", "state": state, "canceled_at": "", "expires_at": "", "trial_started_at": "", "trial_ends_at": "", "currency": "USD",
            "unit_amount": 30.0, "quantity": 2, "add_ons_total": 0.0, "subtotal": 60.0, "_fivetran_synced": said} | more


def rec_line(name: str, amount: float, start: str, end: str, *, origin: str = "plan", sort: str = "charge", invoice: str = "i1", **more: object) -> dict:
    return {"id": name, "updated_at": start, "created_at": start, "account_id": "id-a", "invoice_id": invoice, "subscription_id": "s1", "plan_code": "team",
            "type": sort, "state": "invoiced", "origin": origin, "currency": "EUR", "amount": amount, "subtotal": amount, "discount": 0.0, "tax": 3.0,
            "refund": "false", "proration_rate": "", "quantity": 1, "start_date": start, "end_date": end} | more


def rec_invoice(name: str, at: str, state: str = "paid", origin: str = "renewal") -> dict:
    return {"id": name, "account_id": "id-a", "created_at": at, "updated_at": at, "number": name, "origin": origin, "state": state}


ACCOUNTS = tuple({"id": f"id-{name}", "created_at": "2025-12-31 00:00:00", "updated_at": "2026-01-01 00:00:00", "code": name, "bill_to": "self"}
                 for name in ("a", "grows", "ends", "tried", "rests", "back"))


def test_versions_of_a_subscription_of_recurly_are_its_periods(tmp_path):
    export = table(tmp_path / "export", "account_history", *ACCOUNTS)
    table(export, "plan_history", {"id": "p1", "updated_at": "2026-01-01", "code": "team", "name": "Team", "interval_unit": "months", "interval_length": 3})
    stop = {"canceled_at": "2026-02-01 00:00:00", "expires_at": "2026-02-20 00:00:00"}
    table(export, "subscription_history",
          rec("grows", "2026-01-10 00:00:00"), rec("grows", "2026-01-20 00:00:00"), rec("grows", "2026-02-10 00:00:00", quantity=3, subtotal=90.0),
          rec("ends", "2026-01-01 00:00:00"), rec("ends", "2026-02-01 00:00:00", "canceled", **stop), rec("ends", "2026-02-20 00:00:05", "expired", **stop),
          rec("tried", "2026-01-15 00:00:00", "expired", trial_started_at="2026-01-01 00:00:00", trial_ends_at="2026-01-15 00:00:00",
              canceled_at="2026-01-08 00:00:00", expires_at="2026-01-15 00:00:00"),
          rec("rests", "2026-02-07 00:00:00", "paused", paused_at="2026-02-05 00:00:00"),
          rec("back", "2026-01-01 00:00:00"), rec("back", "2026-01-20 00:00:00", "expired", expires_at="2026-01-20 00:00:00"),
          rec("back", "2026-02-15 00:00:00", activated_at="2026-02-15 00:00:00"))
    done = import_export("recurly", export, out=tmp_path / "out")
    assert done.tables == {"accounts": 6, "subscription_periods": 8}
    data = opened(tmp_path / "out")
    assert movements(data) == [
        ["2026-01", "new", "ends", 20.0], ["2026-01", "new", "grows", 20.0], ["2026-01", "new", "rests", 20.0],
        ["2026-02", "new", "back", 20.0], ["2026-02", "expansion", "grows", 10.0], ["2026-02", "churn", "ends", 20.0], ["2026-02", "churn", "rests", 20.0]], \
        "who paid inside January alone is in no period's opening or closing"
    rows = billing(data)
    back = rows[rows["account_id"] == "back"]
    assert [back["from_day"].astype(str).tolist(), back["until_day"].astype(str).tolist()[0], back["until_day"].isna().tolist()] == [
        ["2026-01-01", "2026-02-15"], "2026-01-20", [False, True]]
    assert rows.set_index("account_id")["why_not"]["tried"] == "it is a trial"
    assert set(rows["plan"]) == {"Team"}
    asked = pd.read_parquet(tmp_path / "out" / "subscription_periods.parquet").set_index("account_id")["canceled_at"]
    assert asked["ends"] == pd.Timestamp("2026-02-01")


RECURLY_LINES = (
    rec_line("l1", 20.0, "2026-01-01 00:00:00", "2026-02-01 00:00:00", discount=4.0),
    rec_line("l2", 6.0, "2026-01-01 00:00:00", "2026-02-01 00:00:00", origin="add_on"),
    rec_line("l3", 99.0, "2026-01-01 00:00:00", "", origin="setup_fee"),
    rec_line("l4", 20.0, "2026-02-01 00:00:00", "2026-03-01 00:00:00", invoice="i2"),
    rec_line("l5", -10.0, "2026-02-15 00:00:00", "2026-03-01 00:00:00", sort="credit", refund="true", invoice="i3"),
    rec_line("l6", 25.0, "2026-02-15 00:00:00", "2026-03-01 00:00:00", proration_rate="0.5", invoice="i3"),
    rec_line("l7", -5.0, "2026-02-01 00:00:00", "2026-03-01 00:00:00", sort="credit", refund="true", invoice="i4"),
    rec_line("l8", 50.0, "2026-02-01 00:00:00", "2026-03-01 00:00:00", invoice="", state="pending"),
)
RECURLY_INVOICES = (
    rec_invoice("i1", "2026-01-01 00:00:00"), rec_invoice("i2", "2026-02-01 00:00:00", "past_due"),
    rec_invoice("i3", "2026-02-15 00:00:00", origin="immediate_change"), rec_invoice("i4", "2026-02-20 00:00:00", origin="line_item_refund"))


def test_recurlys_lines_are_without_tax_and_know_corrections_from_refunds(tmp_path):
    export = table(tmp_path / "export", "line_item_history", *RECURLY_LINES)
    table(export, "invoice_history", *RECURLY_INVOICES)
    table(export, "account_history", *ACCOUNTS[:1])
    done = import_export("recurly", export, out=tmp_path / "out")
    assert done.tables == {"accounts": 1, "invoice_lines": 9}
    data = opened(tmp_path / "out", more="[revenue]\nrates = { EUR = 1 }\n")
    lines = billing(data).set_index("line_id")
    assert lines["source_kind"].to_dict() == {
        "l1": "subscription", "l1/discount": "discount", "l2": "add_on", "l3": "one_off", "l4": "subscription", "l5": "credit", "l6": "proration",
        "l7": "refund", "l8": "subscription"}
    assert lines["monthly"].to_dict() == {
        "l1": 20.0, "l1/discount": -4.0, "l2": 6.0, "l3": 0.0, "l4": 20.0, "l5": -20.0, "l6": 50.0, "l7": 0.0, "l8": 0.0}
    assert lines["why_not"]["l8"] == "it is a draft"
    assert movements(data) == [["2026-01", "new", "a", 22.0], ["2026-02", "expansion", "a", 28.0]]


def test_recurlys_api_says_the_same_as_its_tables(tmp_path):
    export = table(tmp_path / "tables", "line_item_history", *RECURLY_LINES[:7])
    table(export, "invoice_history", *RECURLY_INVOICES)
    table(export, "account_history", *ACCOUNTS[:1])
    import_export("recurly", export, out=tmp_path / "out")

    def as_object(kind: str, row: dict) -> dict:
        who = {"account": {"id": row["account_id"], "code": "a"}} if "account_id" in row else {}
        return {"object": kind} | who | {name: value for name, value in row.items() if name not in ("account_id", "invoice_id") and value != ""}

    invoices = [as_object("invoice", each) | {"line_items": [as_object("line_item", line) for line in RECURLY_LINES[:7] if line["invoice_id"] == each["id"]]}
                for each in RECURLY_INVOICES]
    (tmp_path / "api.json").write_text(json.dumps({"object": "list", "has_more": False, "data": [*invoices, as_object("account", ACCOUNTS[0])]}))
    assert import_export("recurly", tmp_path / "api.json", out=tmp_path / "api").set_aside == {}
    pd.testing.assert_frame_equal(*(pd.read_parquet(tmp_path / folder / "invoice_lines.parquet") for folder in ("out", "api")))


def test_hubspots_companies_contacts_and_recurring_deals(tmp_path):
    export = table(
        tmp_path / "export", "company",
        {"id": "7", "is_deleted": "false", "property_name": "Seven", "property_createdate": "2026-01-01 9:00:00", "property_industry": "RETAIL", "property_numberofemployees": "40"},
        {"id": "8", "is_deleted": "true", "property_name": "Gone", "property_createdate": "2026-01-01 9:00:00"})
    table(export, "contact",
          {"id": "1", "property_email": "a", "property_createdate": "2026-01-05 10:00:00", "property_lifecyclestage": "customer", "property_associatedcompanyid": "7",
           "property_hs_analytics_source": "ORGANIC_SEARCH", "property_hs_calculated_merged_vids": "2:1767650000000;9:1767650000001"},
          {"id": "2", "property_email": "b", "property_createdate": "2026-01-03 10:00:00"},
          {"id": "3", "property_email": "c", "property_createdate": "2026-01-04 10:00:00"})
    won = {"property_dealname": "x", "deal_pipeline_stage_id": "closedwon", "property_closedate": "2026-01-10 0:00:00"}
    table(export, "deal",
          {"deal_id": "d1", "property_recurring_revenue_amount": "120.5", "property_recurring_revenue_inactive_date": "2026-02-10 0:00:00"} | won,
          {"deal_id": "d2", "property_recurring_revenue_amount": "80"} | won,
          {"deal_id": "d3", "property_amount": "9000"} | won,
          {"deal_id": "d4", "property_recurring_revenue_amount": "80"} | won | {"deal_pipeline_stage_id": "lost"})
    table(export, "deal_company", {"deal_id": "d1", "company_id": "7"}, {"deal_id": "d4", "company_id": "7"})
    table(export, "deal_contact", {"deal_id": "d2", "contact_id": "1"})
    done = import_export("hubspot", export, out=tmp_path / "out")
    assert (done.tables, done.set_aside) == ({"users": 2, "accounts": 1, "subscription_periods": 2}, {})
    users = pd.read_parquet(tmp_path / "out" / "users.parquet").set_index("user_id")
    merged = users[users["role"] == "customer"]
    assert merged[["account_id", "channel", "signed_up_at"]].to_numpy().tolist() == [["7", "organic_search", pd.Timestamp("2026-01-03 10:00")]]
    data = opened(tmp_path / "out")
    assert movements(data) == [["2026-01", "new", "7", 200.5], ["2026-02", "contraction", "7", 120.5]]
    assert set(pd.read_parquet(tmp_path / "out" / "subscription_periods.parquet")["motion"]) == {"sales"}


SAMPLES = {
    "chargebee/subscription_list.json": {"accounts": 2, "subscription_periods": 2},
    "recurly/fivetran": {"accounts": 4, "subscription_periods": 4, "invoice_lines": 5},
    "hubspot/fivetran": {"users": 19, "accounts": 24},
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_published_samples_are_read_whole_and_once(sample, tmp_path):
    kind, path = sample.split("/")[0], shared("data", "exports") / sample
    done = import_export(kind, path, out=tmp_path)
    assert (done.tables, done.set_aside) == (SAMPLES[sample], {})
    before = {file.name: file.read_bytes() for file in tmp_path.glob("*.parquet")}
    again = import_export(kind, path, out=tmp_path)
    assert (again.read, again.new_files, again.tables) == (0, 0, done.tables)
    assert {file.name: file.read_bytes() for file in tmp_path.glob("*.parquet")} == before
    assert connect(tmp_path).has("accounts")


def test_the_sample_of_recurly_is_worth_what_its_two_running_subscriptions_are(tmp_path):
    import_export("recurly", shared("data", "exports", "recurly"), out=tmp_path)
    found = ledger(connect(tmp_path, as_of="2022-08-31"), period="2022-08", movement="closing")
    assert found["amount"].sum() == 99.0 + 5596.0


GOOD_BEE = json.dumps(bee("ok", "active", JAN, mrr=100))
GOOD_RECURLY = json.dumps({"object": "account", "id": "a", "code": "a", "created_at": "2026-01-01T00:00:00Z"})


@pytest.mark.parametrize(("kind", "name", "text", "reasons"), [
    ("chargebee", "x.jsonl", f'{GOOD_BEE}\n{{"subscription": "s"}}\n{{"invoice": {{"id": "i", "line_items": "none"}}}}\n{{"invoice": {{}}}}\n{{"moon": 1}}\n'
     '{"object": "subscription", "id": "s", "status": 5, "mrr": "a", "subscription_items": {}, "trial_end": "soon"}\n{"event": []}\n',
     {"its invoice has no id": 1, "its columns are those of no known row": 1, "its subscription has no id": 1}),
    ("recurly", "x.jsonl", f'{GOOD_RECURLY}\n{{"object": "invoice", "id": "i", "line_items": 4}}\n{{"object": "plan"}}\n{{"object": "moon", "id": 1}}\n'
     '{"object": "subscription", "id": "s", "plan": "p", "account": [1], "subtotal": "x", "updated_at": {}}\n',
     {"its columns are those of no known row": 1, "its plan has no id": 1}),
    ("hubspot", "contact.csv", "id,property_email,property_hs_calculated_merged_vids,property_createdate\n1,a,;:;7:x;,never\n,b,,2026-01-01\n2,c,,2026-01-01\n",
     {"its contact has no id": 1}),
])
def test_what_is_no_row_is_set_aside_with_a_reason_and_nothing_breaks(tmp_path, kind, name, text, reasons):
    (tmp_path / name).write_text(text)
    assert import_export(kind, tmp_path / name, out=tmp_path / "out").set_aside == reasons
