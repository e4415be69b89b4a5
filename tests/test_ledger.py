"""The ledger line by line: its sums are the waterfall, its closings the revenue, and it is safe to hand on."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from plgkit import connect, ledger
from plgkit.cli.ledger import ledger_command
from plgkit.errors import BadParameter, NotOpened, UnbalancedLedger, UnknownAccount
from plgkit.metrics import expansion
from plgkit.metrics import ledger as rows_of_ledger
from plgkit.playbook import Playbook

MOVES = ["new", "reactivation", "expansion", "contraction", "churn"]
ALL = ["opening", *MOVES, "closing"]


def company(changes: list[tuple], as_of: str, columns: str = "account_id changed_at mrr plan seats motion", **words):
    frame = pd.DataFrame(changes, columns=columns.split()[:len(changes[0])])
    return connect({"subscriptions": frame.assign(changed_at=pd.to_datetime(frame["changed_at"]))}, as_of=as_of,
                   playbook=Playbook(**words))


@pytest.fixture(scope="module")
def many():
    """Eighty accounts that come, grow, shrink, change plan and hands, leave and return within fourteen months."""
    random, rows = np.random.default_rng(8), []
    for account in range(80):
        at = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.sort(random.uniform(0, 420, random.integers(1, 9))), unit="D")
        for moment in at:
            seats = int(random.integers(1, 9))
            plan, mrr = random.choice(["team", "business"]), random.choice([0, 1, 1, 1]) * seats * random.choice([9.99, 12, 20.5])
            rows.append((f"a{account:02}", moment.round("s"), round(float(mrr), 2), plan, seats, random.choice(["self_serve", "sales"])))
    return company(rows, "2026-02-20")


@pytest.mark.parametrize("brief", ["ignore", "both"])
@pytest.mark.parametrize("grain", ["week", "month", "quarter"])
def test_the_lines_add_up_to_every_number_of_the_waterfall(many, grain, brief):
    whole = expansion.mrr_movements(many, grain=grain, brief=brief).set_index("period")
    lines = ledger(many, movement=ALL, grain=grain, brief=brief)
    summed = lines.pivot_table(index="period", columns="movement", values="amount", aggfunc="sum", fill_value=0.0)
    cents = (summed.reindex(index=whole.index, columns=ALL, fill_value=0.0) * 100).round().astype("int64")
    pd.testing.assert_frame_equal(cents, (whole[ALL] * 100).round().astype("int64"), check_names=False)
    paid = expansion.mrr(many, grain=grain)
    assert (cents["closing"].to_numpy() == (paid["value"] * 100).round().astype("int64").to_numpy()).all()
    standing = lines[lines["movement"] == "closing"].groupby("period").size().reindex(whole.index, fill_value=0)
    assert standing.to_list() == paid["n"].to_list()


def test_the_lines_of_an_account_lead_from_each_opening_to_its_closing(many):
    lines = ledger(many, movement=MOVES)
    signed = lines["amount"].where(lines["movement"].isin(["new", "reactivation", "expansion"]), -lines["amount"])
    np.testing.assert_allclose(lines["after"] - lines["before"], signed, atol=1e-9)
    before = lines.groupby("account_id")["after"].shift(1).fillna(0.0)
    pd.testing.assert_series_equal(lines["before"], before, check_names=False)
    assert not lines.duplicated(["account_id", "period"]).any()


def test_one_period_is_listed_from_its_opening_to_its_closing():
    data = company([("a", "2025-01-05", 20.0, "team", 2, "self_serve"), ("b", "2025-01-06", 50.0, "team", 5, "sales"),
                    ("a", "2025-02-10", 60.0, "business", 3, "self_serve"), ("b", "2025-02-11", 40.0, "team", 4, "sales"),
                    ("c", "2025-02-12", 9.0, "team", 1, "self_serve")], "2025-02-28")
    found = ledger(data, period="2025-02-14")
    assert list(map(tuple, found[["movement", "account_id", "before", "after", "amount", "kind"]].to_numpy())) == [
        ("opening", "a", 20, 20, 20, ""), ("opening", "b", 50, 50, 50, ""), ("new", "c", 0, 9, 9, ""),
        ("expansion", "a", 20, 60, 40, "several"), ("contraction", "b", 50, 40, 10, "seats"),
        ("closing", "a", 60, 60, 60, ""), ("closing", "b", 40, 40, 40, ""), ("closing", "c", 9, 9, 9, "")]
    changed = found[found["movement"] == "expansion"].iloc[0]
    assert (changed.plan_before, changed.plan, changed.seats_before, changed.seats) == ("team", "business", 2, 3)
    assert changed.changed_at == pd.Timestamp("2025-02-10")
    assert ledger(data, account="c")["movement"].tolist() == ["new", "closing"]
    assert ledger(data, movement="churn").empty


@pytest.mark.parametrize(("after", "kind"), [
    ((30.0, "team", 3), "seats"), ((30.0, "business", 2), "plan"), ((30.0, "business", 3), "several"),
    ((30.0, "team", 2), "price"), ((30.0, "team", 1), "price"), ((30.0, None, None), "unknown"), ((30.0, None, 3), "seats")])
def test_the_kind_is_what_moved_with_the_money(after, kind):
    data = company([("a", "2025-01-05", 20.0, "team", 2, "sales"), ("a", "2025-02-05", *after, "sales")], "2025-02-28")
    assert ledger(data, movement="expansion")["kind"].tolist() == [kind]
    assert expansion.by_kind(data)["kind"].tolist() == [kind]


def test_add_ons_and_usage_are_kinds_of_their_own_where_the_billing_tells():
    month = ("2025-01-01", "2025-02-01"), ("2025-02-01", "2025-03-01")
    lines = [(account, *at, amount, kind) for account, kind in (("a", "add_on"), ("b", "usage"), ("c", "subscription"))
             for at, more in zip(month, (0, 7), strict=True)
             for amount, kind in ((50.0, "subscription"), (10.0 + more, kind))]
    rows = pd.DataFrame(lines, columns=["account_id", "service_from", "service_to", "amount", "kind"])
    rows = rows.assign(issued_at=rows["service_from"], plan="team")
    times = {name: pd.to_datetime(rows[name]) for name in ("service_from", "service_to", "issued_at")}
    data = connect({"invoice_lines": rows.assign(**times)}, as_of="2025-02-28", playbook=Playbook(revenue={"usage": "count"}))
    found = expansion.by_kind(data)
    assert found[["kind", "amount"]].to_numpy().tolist() == [["add_on", 7.0], ["price", 7.0], ["usage", 7.0]]


@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 200), st.integers(0, 3), st.sampled_from(["x", "y", None])),
                min_size=1, max_size=14))
def test_whatever_happens_every_period_of_every_cut_adds_up(changes):
    start = pd.Timestamp("2025-01-01")
    data = company([(name, start + pd.Timedelta(days=day), amount * 3.33, plan) for name, day, amount, plan in changes],
                   "2025-07-25")
    for grain, brief, by in (("week", "both", None), ("month", "ignore", "plan"), ("quarter", "both", "plan")):
        # It raises where a period does not add up.
        found = expansion.mrr_movements(data, grain=grain, brief=brief, by=by).groupby("period")["closing"].sum()
        paid = expansion.mrr(data, grain=grain).set_index("period")["value"]
        np.testing.assert_allclose(found, paid.reindex(found.index, fill_value=0.0), atol=1e-9)


def test_a_cent_too_many_stops_the_waterfall(monkeypatch):
    data = company([("a", "2025-01-05", 20.0), ("a", "2025-02-10", 30.0)], "2025-02-28")
    honest = rows_of_ledger.standing_in
    monkeypatch.setattr(rows_of_ledger, "standing_in", lambda *given: honest(*given).mutate(closing=lambda each: each.closing + 1))
    with pytest.raises(UnbalancedLedger) as caught:
        expansion.mrr_movements(data)
    assert str(caught.value).startswith("Recurring revenue does not add up in the period of 2025-01-01: from 0.00 the "
                                        "movements lead to 20.00, but accounts pay 20.01 at its end.")


def test_the_csv_holds_no_formula_and_no_lost_cent(tmp_path):
    pd.DataFrame({"account_id": ["=HYPERLINK(1)", "b"], "changed_at": ["2025-01-05", "2025-01-06"], "mrr": [20.01, 50.0],
                  "plan": ["@team", "team"]}).to_csv(tmp_path / "subscriptions.csv", index=False)
    (tmp_path / "playbook.toml").write_text("")
    done = CliRunner().invoke(ledger_command, [str(tmp_path), "--as-of", "2025-01-31", "--format", "csv"])
    assert done.exit_code == 0, done.output
    found = pd.read_csv(io.StringIO(done.stdout))
    assert found["account_id"].tolist() == ["'=HYPERLINK(1)", "b"]
    assert found["plan"].tolist() == ["'@team", "team"]
    assert found["amount"].tolist() == [20.01, 50.0]


@pytest.mark.parametrize(("asked", "said"), [
    ({"period": "May"}, "period is 'May'; expected a day such as 2026-05-31, or a month such as 2026-05."),
    ({"period": "2027-05"}, "period is '2027-05'; expected a day up to 2026-02-20, the last one counted."),
    ({"movement": "upsell"}, "movement is 'upsell'; expected one of opening, new, reactivation, expansion, contraction, churn, closing."),
    ({"brief": "some"}, "brief is 'some'; expected one of ignore, both."),
    ({"grain": "year"}, "grain is 'year'; expected one of day, week, month, quarter."),
])
def test_what_cannot_be_listed_is_a_sentence(many, asked, said):
    with pytest.raises(BadParameter) as caught:
        ledger(many, **asked)
    assert str(caught.value) == said


def test_an_account_that_never_paid_is_named_with_the_nearest_one(many):
    with pytest.raises(UnknownAccount) as caught:
        ledger(many, account="a9O")
    assert str(caught.value).startswith("No account 'a9O' in table 'subscriptions'.")
    with pytest.raises(NotOpened):
        ledger(None)
