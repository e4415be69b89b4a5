"""The rows behind the ledger: they are the export's own rows, and every cent of every number is in them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from billing_rows import opened, table
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from plgkit import billing, ledger
from plgkit.cli.ledger import billing_command, ledger_command
from plgkit.errors import BadParameter, UnknownAccount
from plgkit.metrics.ledger.behind import BELOW, BRIDGED, WITHIN

ALL = ["opening", "new", "reactivation", "expansion", "contraction", "churn", "closing"]
KEYS = ["period", "movement", "account_id"]
LINES = "account_id line_id invoice_id issued_at service_from service_to amount kind"


def invoiced(*rows: tuple, as_of: str = "2026-04-30", **revenue):
    return opened({"invoice_lines": table(LINES, *rows)}, as_of=as_of, **revenue)


def cents(frame: pd.DataFrame) -> pd.DataFrame:
    return (frame.groupby(KEYS)[["before", "after", "amount"]].sum() * 100).round().astype("int64")


def test_an_upgrade_in_the_middle_of_a_month_is_told_by_its_invoice_lines():
    data = invoiced(("a", "l1", "i1", "2026-01-01", "2026-01-01", "2026-02-01", 20.0, "subscription"),
                    ("a", "l2", "i2", "2026-02-01", "2026-02-01", "2026-03-01", 20.0, "subscription"),
                    ("a", "l3", "i3", "2026-02-15", "2026-02-15", "2026-03-01", -10.0, "proration"),
                    ("a", "l4", "i3", "2026-02-15", "2026-02-15", "2026-03-01", 25.0, "proration"), as_of="2026-02-28")
    found = ledger(data, period="2026-02", movement="expansion", per="row")
    assert list(map(tuple, found[["reference", "line_id", "billed", "before", "after", "amount", "note"]].to_numpy())) == [
        ("i1", "l1", 20, 20, 0, -20, ""), ("i2", "l2", 20, 0, 20, 20, ""),
        ("i3", "l3", -10, 0, -20, -20, ""), ("i3", "l4", 25, 0, 50, 50, "")]
    assert ledger(data, period="2026-02", movement="expansion")["amount"].tolist() == [30.0]


def test_what_no_row_tells_is_a_row_that_says_why():
    late = invoiced(("a", "l1", "i1", "2026-01-05", "2026-01-05", "2026-02-05", 20.0, "subscription"),
                    ("a", "l2", "i2", "2026-03-03", "2026-03-03", "2026-04-03", 20.0, "subscription"),
                    as_of="2026-03-31", bridge_days=30)
    closing = ledger(late, period="2026-02", movement="closing", per="row")
    assert closing[["note", "amount"]].to_numpy().tolist() == [[BRIDGED, 20.0]]
    credit = invoiced(("a", "l1", "i1", "2026-01-01", "2026-01-01", "2026-03-01", 20.0, "subscription"),
                      ("a", "l2", "i2", "2026-02-01", "2026-02-01", "2026-03-01", -30.0, "credit"), as_of="2026-02-28")
    churn = ledger(credit, period="2026-02", movement="churn", per="row")
    assert churn["note"].tolist() == ["", "", BELOW]
    assert churn["amount"].sum() == pytest.approx(10.0)
    changes = table("account_id changed_at mrr", ("a", "2026-01-05", 7.0), ("a", "2026-01-09", 0.0))
    brief = ledger(opened({"subscriptions": changes}, as_of="2026-01-31"), per="row", brief="both")
    assert brief[["movement", "note", "billed", "amount"]].fillna(0).to_numpy().tolist() == [
        ["new", "", 7.0, 0.0], ["new", WITHIN, 0.0, 7.0], ["churn", "", 7.0, 0.0], ["churn", WITHIN, 0.0, 7.0]]


@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100), st.integers(1, 90), st.integers(-300, 2500),
                               st.sampled_from(["subscription", "proration", "credit", "add_on", "tax", None])),
                     min_size=1, max_size=12),
       bridge=st.sampled_from([0, 20]), brief=st.sampled_from(["ignore", "both"]), grain=st.sampled_from(["week", "month"]))
def test_the_rows_add_up_to_every_line_whatever_is_invoiced(rows, bridge, brief, grain):
    start = pd.Timestamp("2026-01-01")
    frame = [(name, f"l{n}", f"i{n}", start + pd.Timedelta(days=day), start + pd.Timedelta(days=day),
              start + pd.Timedelta(days=day + days), amount / 100, kind) for n, (name, day, days, amount, kind) in enumerate(rows)]
    data = invoiced(*frame, bridge_days=bridge)
    lines = ledger(data, movement=ALL, grain=grain, brief=brief)
    found = ledger(data, movement=ALL, grain=grain, brief=brief, per="row")
    pd.testing.assert_frame_equal(cents(found), cents(lines))
    assert set(found["note"]) <= {"", BELOW, WITHIN, *([BRIDGED] if bridge else [])}
    told = found[found["note"] == ""]
    exported = {f"l{n}": amount for n, (*_, amount, _kind) in enumerate(rows)}
    assert (told["line_id"].map(exported) == (told["billed"] * 100).round()).all()


def test_subscriptions_of_one_account_are_told_apart():
    changes = table("account_id subscription_id changed_at mrr", ("a", "s1", "2026-01-05", 20.0), ("a", "s2", "2026-01-09", 5.0),
                    ("a", "s1", "2026-02-03", 30.0), ("a", "s2", "2026-02-10", 0.0))
    data = opened({"subscriptions": changes}, as_of="2026-02-28")
    found = ledger(data, period="2026-02", movement="expansion", per="row")
    assert found[["subscription_id", "before", "after"]].to_numpy().tolist() == [
        ["s1", 20.0, 0.0], ["s2", 5.0, 0.0], ["s1", 0.0, 30.0]]


def test_every_row_of_the_export_is_listed_with_what_it_adds_or_why_it_adds_nothing():
    data = invoiced(("a", "l1", "i1", "2026-01-10", "2026-01-10", "2027-01-10", 1200.0, "subscription"),
                    ("a", "l2", "i1", "2026-01-10", "2026-01-10", "2027-01-10", 240.0, "tax"),
                    ("b", "l3", "i2", "2026-02-01", "2026-02-01", "2026-03-01", 50.0, "one_off"),
                    ("b", "l4", "i3", "2026-02-01", "2026-02-01", "2026-03-01", 50.0, "subscription"))
    found = billing(data).set_index("line_id")
    assert found["counted"].to_dict() == {"l1": True, "l2": False, "l3": False, "l4": True}
    assert found["monthly"].to_dict() == {"l1": 100.0, "l2": 0.0, "l3": 0.0, "l4": 50.0}
    assert found["why_not"].to_dict() == {"l1": "", "l2": "it is tax", "l3": "it is a one-off", "l4": ""}
    assert found["billed"].sum() == 1540.0
    assert found["months"].to_dict() == {"l1": 12.0, "l2": 12.0, "l3": 1.0, "l4": 1.0}
    assert billing(data, period="2026-03")["line_id"].tolist() == ["l1", "l2"]
    assert billing(data, period="2026-02", account="b")["line_id"].tolist() == ["l3", "l4"]
    counted = billing(data, period="2026-04").query("counted")["monthly"].sum()
    assert counted == ledger(data, period="2026-04", movement="closing")["amount"].sum() == 100.0


def test_the_rows_of_a_large_company_add_up_too():
    random, rows = np.random.default_rng(3), []
    for account in range(150):
        day = pd.Timestamp("2026-01-01") + pd.Timedelta(days=int(random.integers(0, 60)))
        for n in range(int(random.integers(1, 6))):
            until = day + pd.DateOffset(months=int(random.choice([1, 1, 1, 3])))
            rows.append((f"a{account}", f"l{account}-{n}", f"i{account}-{n}", day, day, until, float(random.integers(100, 9999)) / 100,
                         random.choice(["subscription", "add_on", "usage"])))
            day = until + pd.Timedelta(days=int(random.choice([0, 0, 3, 40])))
    data = invoiced(*rows, as_of="2026-07-31", bridge_days=5, usage="count")
    lines, found = ledger(data, movement=ALL), ledger(data, movement=ALL, per="row")
    pd.testing.assert_frame_equal(cents(found), cents(lines))
    assert set(found["note"]) == {"", BRIDGED}


def test_wrong_words_are_answered_with_what_there_is():
    data = invoiced(("a", "l1", "i1", "2026-01-10", "2026-01-10", "2026-02-10", 12.0, "subscription"))
    with pytest.raises(BadParameter) as error:
        ledger(data, per="cell")
    assert str(error.value) == "per is 'cell'; expected one of account, row."
    with pytest.raises(UnknownAccount):
        billing(data, account="nobody")


def test_the_command_line_lists_rows_safe_for_a_spreadsheet(tmp_path):
    rows = table(LINES, ("=a", "l1", "i1", "2026-01-10", "2026-01-10", "2026-02-10", 12.0, "subscription"))
    rows.to_parquet(tmp_path / "invoice_lines.parquet")
    (tmp_path / "playbook.toml").write_text('[tables.invoice_lines]\nfile = "invoice_lines.parquet"\n')
    for command, more in ((ledger_command, ["--rows", "--movement", "new"]), (billing_command, ["--period", "2026-01"])):
        said = CliRunner().invoke(command, [str(tmp_path), "--as-of", "2026-01-31", "--format", "csv", *more])
        assert said.exit_code == 0, said.output
        line = said.stdout.splitlines()
        assert len(line) == 2
        assert "'=a" in line[1]
        assert "i1,l1," in line[1]


def test_databases_list_the_same_rows(tiny, tiny_elsewhere):
    pd.testing.assert_frame_equal(ledger(tiny_elsewhere, per="row", movement=ALL), ledger(tiny, per="row", movement=ALL))
    pd.testing.assert_frame_equal(billing(tiny_elsewhere, period="2025-02"), billing(tiny, period="2025-02"))
