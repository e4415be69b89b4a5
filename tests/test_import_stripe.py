"""Stripe's export: what the API and the tables say of invoices and subscriptions becomes the same money."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import shared

from plgkit import billing, connect, ledger
from plgkit.cli import cli
from plgkit.playbook import Playbook
from plgkit.readers import import_export

JAN, FEB, MAR = 1_767_225_600, 1_769_904_000, 1_772_323_200  # the firsts of 2026, UTC
MIDDLE = FEB + 14 * 86_400


def line(name: str, amount: int, start: int, end: int, *, sub: str | None = "s1", proration: bool = False, currency: str = "usd") -> dict:
    return {"id": name, "object": "line_item", "amount": amount, "currency": currency, "period": {"start": start, "end": end},
            "subscription": sub, "proration": proration, "quantity": 2, "plan": {"id": "team"} if sub else None}


def invoice(name: str, customer: str, created: int, *lines: dict, status: str = "paid") -> dict:
    return {"id": name, "object": "invoice", "customer": customer, "created": created, "status": status,
            "status_transitions": {"finalized_at": created}, "subscription": "s1", "lines": {"object": "list", "data": list(lines)}}


INVOICES = [
    invoice("i1", "c1", JAN, line("l1", 2000, JAN, FEB)),
    invoice("i2", "c1", FEB, line("l2", 2000, FEB, MAR)),
    invoice("i3", "c1", MIDDLE, line("l3", -1000, MIDDLE, MAR, proration=True), line("l4", 2500, MIDDLE, MAR, proration=True)),
    invoice("i4", "c2", JAN, line("l5", 120000, JAN, JAN + 365 * 86_400, sub="s2"), line("l6", 9900, JAN, JAN, sub=None)),
    invoice("i5", "c3", FEB, line("l7", 5000, FEB, MAR, sub="s3"), status="void"),
    invoice("i6", "c4", FEB, line("l8", 3000, FEB, MAR, sub="s4", currency="jpy")),
]


def written(folder: Path, rows: list[dict], name: str = "invoices.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return folder


def opened(out: Path, as_of: str = "2026-02-28"):
    (out / "playbook.toml").write_text((out / "playbook.toml").read_text() + "\n[revenue]\nrates = { JPY = 0.01 }\n")
    return connect(out, as_of=as_of)


def test_invoices_of_the_api_become_a_ledger_with_their_own_lines_behind_it(tmp_path):
    done = import_export("stripe", written(tmp_path / "export", INVOICES), out=tmp_path / "out")
    assert done.tables == {"accounts": 4, "invoice_lines": 8}
    data = opened(tmp_path / "out")
    lines = billing(data).set_index("line_id")
    assert lines["monthly"].to_dict() == {"l1": 20.0, "l2": 20.0, "l3": -20.0, "l4": 50.0, "l5": 100.0, "l6": 0.0, "l7": 0.0, "l8": 30.0}
    assert lines["billed"]["l8"] == 3000.0, "a yen has no cents"
    assert lines["why_not"][["l6", "l7"]].tolist() == ["it is a one-off", "it is void"]
    found = ledger(data, period="2026-02", per="row")
    assert found[found["movement"] == "expansion"][["line_id", "amount"]].to_numpy().tolist() == [
        ["l1", -20.0], ["l2", 20.0], ["l3", -20.0], ["l4", 50.0]]
    assert found[found["movement"] == "closing"]["amount"].sum() == pytest.approx(50 + 100 + 30)


def test_the_same_export_again_and_a_later_one_double_nothing(tmp_path):
    first = written(tmp_path / "export", INVOICES[:4])
    import_export("stripe", first, out=tmp_path / "out")
    before = (tmp_path / "out" / "invoice_lines.parquet").read_bytes()
    again = import_export("stripe", first, out=tmp_path / "out")
    assert (again.read, again.known_files) == (0, 1)
    assert (tmp_path / "out" / "invoice_lines.parquet").read_bytes() == before
    paid = [*INVOICES[:4], {**INVOICES[4], "created": FEB + 60, "status": "paid"}]
    done = import_export("stripe", written(tmp_path / "later", paid), out=tmp_path / "out")
    assert done.tables["invoice_lines"] == 7
    there = pd.read_parquet(tmp_path / "out" / "invoice_lines.parquet")
    assert there["line_id"].is_unique
    assert there.set_index("line_id")["status"]["l7"] == "paid"


def test_pages_of_the_api_are_read_one_a_line_one_after_another_and_in_a_list(tmp_path):
    pages = [{"object": "list", "url": "/v1/invoices", "has_more": more, "data": part} for part, more in ((INVOICES[:2], True), (INVOICES[2:], False))]
    ways = {"lines.jsonl": "\n".join(map(json.dumps, pages)), "after.json": "\n".join(json.dumps(each, indent=1) for each in pages), "list.json": json.dumps(pages)}
    expected = import_export("stripe", written(tmp_path / "export", INVOICES), out=tmp_path / "out")
    for name, text in ways.items():
        (tmp_path / name).write_text(text)
        done = import_export("stripe", tmp_path / name, out=tmp_path / name.partition(".")[0])
        assert (done.tables, done.read, done.set_aside) == (expected.tables, 6, {})
        assert (done.out / "invoice_lines.parquet").read_bytes() == (expected.out / "invoice_lines.parquet").read_bytes()


def test_objects_in_the_place_of_ids_and_ids_in_the_place_of_objects_are_read(tmp_path):
    whole = INVOICES[0] | {"customer": {"id": "c1", "object": "customer"}, "subscription": {"id": "s1", "object": "subscription"}}
    bare = subscription("s9", "c9", status_transitions="none") | {"items": {"object": "list", "data": [{"id": "si9", "price": "p1", "quantity": 2}]}, "plan": "p1"}
    odd = INVOICES[1] | {"status_transitions": "soon", "lines": "none"}
    done = import_export("stripe", written(tmp_path / "export", [whole, bare, odd, PRICE | {"recurring": "monthly", "id": "p2"}, PRICE]), out=tmp_path / "out")
    assert (done.tables, done.set_aside) == ({"accounts": 2, "subscription_periods": 1, "invoice_lines": 1}, {})
    assert set(pd.read_parquet(tmp_path / "out" / "accounts.parquet")["account_id"]) == {"c1", "c9"}
    assert pd.read_parquet(tmp_path / "out" / "subscription_periods.parquet")[["account_id", "mrr"]].to_numpy().tolist() == [["c9", 200]]


PRICE = {"id": "p1", "object": "price", "created": JAN, "unit_amount": 120000, "currency": "usd", "nickname": "Team",
         "recurring": {"interval": "year", "interval_count": 1, "usage_type": "licensed"}}


def subscription(name: str, customer: str, **more) -> dict:
    """A subscription to one unit, from January."""
    item = {"id": f"{name}-item", "object": "subscription_item", "created": JAN, "subscription": name, "quantity": 1, "price": PRICE}
    return {"id": name, "object": "subscription", "customer": customer, "created": JAN, "start_date": JAN, "status": "active", "ended_at": None,
            "canceled_at": None, "trial_start": None, "trial_end": None, "items": {"object": "list", "data": [item]}} | more


def test_a_subscription_is_paid_for_after_its_trial_and_until_it_ends_not_until_somebody_says_so(tmp_path):
    rows = [subscription("asked", "c1", canceled_at=FEB, cancel_at_period_end=True, current_period_end=MAR),
            subscription("ahead", "c2", canceled_at=FEB, cancel_at=MAR),
            subscription("tried", "c3", status="canceled", trial_start=JAN, trial_end=FEB, ended_at=FEB, canceled_at=JAN),
            subscription("bought", "c4", trial_start=JAN, trial_end=FEB),
            subscription("trying", "c5", status="trialing", trial_start=JAN, trial_end=MAR),
            subscription("late", "c6", status="past_due"), subscription("never", "c7", status="unpaid"), subscription("begun", "c8", status="incomplete")]
    import_export("stripe", written(tmp_path / "export", rows), out=tmp_path / "out")
    periods = pd.read_parquet(tmp_path / "out" / "subscription_periods.parquet").set_index("account_id")
    jan, feb, mar = (pd.Timestamp(each, unit="s") for each in (JAN, FEB, MAR))
    assert periods["started_at"].to_dict() == dict.fromkeys(["c1", "c2", "c3", "c5", "c6", "c7", "c8"], jan) | {"c4": feb}
    assert periods["ended_at"].dropna().to_dict() == {"c1": mar, "c2": mar, "c3": feb}
    assert periods["status"].to_dict() == dict.fromkeys(["c1", "c2", "c4"], "active") | dict.fromkeys(["c3", "c5"], "trialing") | {
        "c6": "past_due", "c7": "unpaid", "c8": "unpaid"}
    found = ledger(connect(tmp_path / "out", as_of="2026-03-31"))
    found["period"] = found["period"].dt.strftime("%Y-%m")
    assert found[["period", "movement", "account_id"]].to_numpy().tolist() == [
        ["2026-01", "new", "c1"], ["2026-01", "new", "c2"], ["2026-01", "new", "c6"], ["2026-02", "new", "c4"], ["2026-03", "churn", "c1"], ["2026-03", "churn", "c2"]]


def test_what_a_coupon_takes_off_and_tax_that_is_included_are_not_paid_for_the_service(tmp_path):
    def less(amount: int, discount) -> dict:
        return {"discount_amounts": [{"amount": amount, "discount": discount}]}

    rows = [{"id": "half", "object": "coupon", "duration": "forever"}, {"id": "start", "object": "coupon", "duration": "once"},
            {"id": "c2", "object": "customer", "created": JAN, "discount": {"id": "di2", "object": "discount", "coupon": {"id": "start", "duration": "once"}}},
            {"id": "di1", "object": "discount", "source": {"type": "coupon", "coupon": "half"}},
            invoice("i1", "c1", JAN, line("l1", 2000, JAN, FEB) | less(1000, "di1")),
            invoice("i2", "c2", JAN, line("l2", 2000, JAN, FEB, sub="s2") | less(500, "di2")),
            invoice("i3", "c3", JAN, line("l3", 2400, JAN, FEB, sub="s3") | {"tax_amounts": [{"amount": 400, "inclusive": True}, {"amount": 70, "inclusive": False}]}),
            invoice("i4", "c4", JAN, line("l4", 1200, JAN, FEB, sub="s4") | {"taxes": [{"amount": 200, "tax_behavior": "inclusive"}]} | less(0, "di1")),
            invoice("i5", "c5", JAN, line("l5", 3000, JAN, FEB, sub="s5") | less(300, {"id": "di5", "coupon": {"id": "x", "duration": "repeating"}})),
            invoice("i6", "c6", JAN, line("l6", 900, JAN, JAN, sub=None) | less(90, "di1"))]
    import_export("stripe", written(tmp_path / "export", rows), out=tmp_path / "out")
    lines = pd.read_parquet(tmp_path / "out" / "invoice_lines.parquet").set_index("line_id")
    assert lines["amount"].astype(float).to_dict() == {
        "l1": 20, "l1/di1": -10, "l2": 20, "l2/di2": -5, "l3": 20, "l4": 10, "l5": 30, "l5/di5": -3, "l6": 9, "l6/di1": -0.9}
    assert lines["kind"].drop(["l1", "l2", "l3", "l4", "l5"]).to_dict() == {
        "l1/di1": "discount", "l2/di2": "one_off_discount", "l5/di5": "one_off_discount", "l6": "one_off", "l6/di1": "one_off"}


def test_what_changed_between_two_exports_counts_as_it_is_now(tmp_path):
    before = [subscription("s1", "c1"), invoice("i1", "c1", JAN, line("l1", 2000, JAN, FEB), status="open")]
    after = [subscription("s1", "c1", status="canceled", canceled_at=FEB, ended_at=FEB), before[1] | {"status": "paid"}]
    for name, steps in (("forth", [before, after]), ("back", [after, before])):
        for number, rows in enumerate(steps):
            import_export("stripe", written(tmp_path / name / str(number), rows), out=tmp_path / name / "out")
        assert pd.read_parquet(tmp_path / name / "out" / "subscription_periods.parquet")["status"].tolist() == ["canceled"]
        assert pd.read_parquet(tmp_path / name / "out" / "invoice_lines.parquet")["status"].tolist() == ["paid"]


def test_a_subscription_tells_what_it_is_worth_by_its_price(tmp_path):
    item = {"id": "si1", "object": "subscription_item", "created": JAN, "subscription": "s1", "quantity": 3, "price": PRICE}
    canceled = subscription("s1", "c1", status="canceled", ended_at=MIDDLE, canceled_at=FEB, items={"object": "list", "data": [item]})
    export = tmp_path / "export"
    export.mkdir()
    (export / "subscriptions.json").write_text(json.dumps({"object": "list", "data": [canceled]}, indent=1))
    import_export("stripe", export, out=tmp_path / "out")
    data = connect(tmp_path / "out", as_of="2026-02-28")
    found = ledger(data)
    assert found[["movement", "account_id", "amount"]].to_numpy().tolist() == [["new", "c1", 300.0], ["churn", "c1", 300.0]]
    assert found["plan"].tolist()[0] == "Team"


def test_the_published_samples_are_read_whole(tmp_path):
    exports = shared("data", "exports", "stripe")
    for name, tables in (("fivetran", {"accounts": 16, "subscription_periods": 2, "invoice_lines": 3}),
                         ("api", {"accounts": 1, "subscription_periods": 1, "invoice_lines": 2}),
                         ("baremetrics_import_template.csv", {"accounts": 1, "subscription_periods": 2})):
        done = import_export("stripe", exports / name, out=tmp_path / name)
        assert done.tables == tables
        assert done.set_aside == {}
        connect(tmp_path / name)
    rows = ledger(connect(tmp_path / "fivetran", as_of="2021-02-18"), per="row")
    assert rows[["reference", "line_id", "billed"]].to_numpy().tolist() == [
        ["bd665", "dsgjnik978", 0.65], ["cde3453", "briieugh4939", 1.0], ["ab1111", "gg665", 0.21]]


def test_payments_of_a_start_up_are_found_again_line_by_line():
    payments = shared("data", "startups") / "volatile_revenue.csv"
    raw = pd.read_csv(payments)
    frame = pd.DataFrame({"account_id": raw["user_id"], "issued_at": pd.to_datetime(raw["activity_date"]), "amount": raw["inc_amt"].round(2)})
    data = connect({"invoice_lines": frame}, as_of="2024-08-17", playbook=Playbook(revenue={"service_months": 1}, data={"duplicates": "keep"}))
    every = billing(data)
    assert len(every) == len(raw) - len(data.rejected())
    assert every["billed"].sum() == pytest.approx(frame["amount"].sum())
    month = ledger(data, period="2024-05", movement="closing")["amount"].sum()
    rows = ledger(data, period="2024-05", movement="closing", per="row")
    last = pd.Timestamp("2024-06-01")
    standing = frame[(frame["issued_at"] < last) & (frame["issued_at"] + pd.DateOffset(months=1) >= last)]
    by_account = standing.groupby("account_id")["amount"].sum().clip(lower=0)
    assert month == pytest.approx(by_account.sum())
    assert rows["amount"].sum() == pytest.approx(month)


def test_the_command_says_what_it_read_and_what_it_set_aside(tmp_path):
    export = written(tmp_path / "export", INVOICES)
    with (export / "invoices.jsonl").open("a") as stream:
        stream.write("{broken\n[1, 2]\n" + json.dumps({"object": "planet", "id": 1}) + "\n")
    said = CliRunner().invoke(cli, ["import", "stripe", str(export), "--out", str(tmp_path / "out")])
    assert said.exit_code == 0, said.output
    assert said.stdout.splitlines()[:6] == [
        "Read 9 rows from 1 new file; 0 files were known.",
        "Now there are: 4 accounts, 8 invoice_lines.",
        f"Set aside, in {tmp_path / 'out' / 'set_aside.csv'}:",
        "  2 rows: it is no JSON object",
        "  1 row: its columns are those of no known row",
        f"The playbook is {tmp_path / 'out' / 'playbook.toml'}. Read it, then run: plgkit report {tmp_path / 'out'}"]
    aside = pd.read_csv(tmp_path / "out" / "set_aside.csv")
    assert aside[["file", "line", "row"]].to_numpy().tolist() == [
        ["invoices.jsonl", 7, "{broken"], ["invoices.jsonl", 8, "[1, 2]"], ["invoices.jsonl", 9, '{"object": "planet", "id": 1}']]


def test_an_invoice_that_says_it_has_more_lines_than_it_holds_is_named_with_what_to_export(tmp_path):
    part = invoice("i1", "c1", JAN, line("l1", 2000, JAN, FEB))
    part["lines"]["has_more"] = True
    done = import_export("stripe", written(tmp_path / "export", [part, INVOICES[1]]), out=tmp_path / "out")
    assert done.tables["invoice_lines"] == 2
    assert done.set_aside == {"it is read, but says that it has more lines than it holds (has_more): export /v1/invoices/ID/lines too": 1}
    assert pd.read_csv(tmp_path / "out" / "set_aside.csv")["row"].str.startswith('{"id": "i1"').all()


def test_of_events_the_object_inside_is_read_as_it_was_at_the_last_of_them(tmp_path):
    def told(created: int, **now) -> dict:
        held = {"id": "s1", "object": "subscription", "customer": "c1", "created": JAN, "start_date": JAN, "status": "active", "currency": "usd", "items": {
            "object": "list", "data": [{"id": "it1", "quantity": now.get("quantity", 1), "price": {
                "id": "p1", "unit_amount": 1000, "currency": "usd", "recurring": {"interval": "month", "interval_count": 1}}}]}}
        return {"id": f"evt_{created}", "object": "event", "type": "customer.subscription.updated", "created": created, "data": {"object": held, "previous_attributes": {}}}

    rows = [told(MAR, quantity=3), told(FEB, quantity=5), told(JAN), {"id": "evt_9", "object": "event", "type": "ping", "data": {}}]
    done = import_export("stripe", written(tmp_path / "export", rows, "events.jsonl"), out=tmp_path / "out")
    periods = pd.read_parquet(tmp_path / "out" / "subscription_periods.parquet")
    assert periods[["subscription_id", "mrr", "seats"]].to_numpy().tolist() == [["s1/it1", 30.0, 3]]
    assert (done.unused, done.set_aside) == ({"event": 1}, {})
