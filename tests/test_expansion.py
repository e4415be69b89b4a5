"""Recurring revenue: the ledger adds up, and retention is what an account-by-account count gives."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from conftest import shared

from plgkit import connect
from plgkit.errors import BadParameter, UnbalancedLedger
from plgkit.metrics import expansion

MOVES = ["opening", "new", "reactivation", "expansion", "contraction", "churn", "closing"]


def company(changes: list[tuple[str, str, float]], as_of: str):
    """A company known only by what its accounts pay."""
    frame = pd.DataFrame(changes, columns=["account_id", "changed_at", "mrr"])
    return connect({"subscriptions": frame.assign(changed_at=pd.to_datetime(frame["changed_at"]))}, as_of=as_of)


@pytest.fixture(scope="module")
def changes() -> pd.DataFrame:
    """Sixty accounts that come, grow, shrink, leave and return over two years."""
    random = np.random.default_rng(3)
    rows = [(f"a{account}", pd.Timestamp("2024-01-01") + pd.Timedelta(days=float(day)), float(mrr))
            for account in range(60)
            for day, mrr in zip(np.sort(random.uniform(0, 720, random.integers(1, 8))),
                                random.choice([0, 0, 19.99, 49.5, 100.01, 250], 8), strict=False)]
    return pd.DataFrame(rows, columns=["account_id", "changed_at", "mrr"])


@pytest.fixture(scope="module")
def random_company(changes):
    return connect({"subscriptions": changes}, as_of="2025-12-20")


def paid_at(changes: pd.DataFrame, moment: pd.Timestamp) -> pd.Series:
    """What each account paid just before a moment, one loop per account."""
    before = changes[changes["changed_at"] < moment].sort_values("changed_at")
    return before.groupby("account_id")["mrr"].last().reindex(changes["account_id"].unique(), fill_value=0.0)


def test_the_published_life_of_a_customer_falls_into_its_movements():
    case = json.loads(shared("oracles", "saas_revenue.json").read_text())["cases"][0]
    expected = dict(case["expected"]["movements"])
    data = company([("a", "2025-01-05", 166.67), ("a", "2025-02-05", 226.67), ("a", "2025-03-05", 166.67),
                    ("a", "2025-04-05", 0.0), ("a", "2025-06-05", 150.0)], "2025-06-30")
    found = expansion.mrr_movements(data).set_index("period")
    assert found["new"].iloc[0] == expected["new"]
    assert found["expansion"].iloc[1] == expected["expansion"]
    assert found["contraction"].iloc[2] == -expected["contraction"]
    assert found["churn"].iloc[3] == -expected["churn"]
    assert found["reactivation"].iloc[5] == expected["reactivation"]
    assert found[MOVES[1:6]].gt(0).sum().sum() == 5


@pytest.mark.parametrize("grain", ["week", "month", "quarter"])
@pytest.mark.parametrize("brief", ["ignore", "both"])
def test_every_period_adds_up_to_the_cent(random_company, changes, grain, brief):
    found = expansion.mrr_movements(random_company, grain=grain, brief=brief)
    cents = (found[MOVES] * 100).round().astype("int64")
    gained, lost = cents[MOVES[1:4]].sum(axis=1), cents[MOVES[4:6]].sum(axis=1)
    assert (cents["opening"] + gained - lost == cents["closing"]).all()
    assert (cents["opening"].iloc[1:].to_numpy() == cents["closing"].iloc[:-1].to_numpy()).all()
    assert found["closing"].iloc[-1] == pytest.approx(paid_at(changes, pd.Timestamp("2025-12-21")).sum())
    assert (cents[MOVES] >= 0).all().all()


def test_the_ledger_agrees_with_a_loop_over_accounts(random_company, changes):
    starts = pd.date_range("2024-01-01", "2025-12-01", freq="MS")
    ends = [min(start + pd.offsets.MonthBegin(1), pd.Timestamp("2025-12-21")) for start in starts]
    held = pd.DataFrame({start: paid_at(changes, end) for start, end in zip(starts, ends, strict=True)})
    before = held.shift(1, axis=1).fillna(0.0)
    first = (held > 0).cumsum(axis=1).shift(1, axis=1).fillna(0) == 0
    came, both = (before == 0) & (held > 0), (before > 0) & (held > 0)
    expected = pd.DataFrame({
        "new": held.where(came & first, 0).sum(), "reactivation": held.where(came & ~first, 0).sum(),
        "expansion": (held - before).where(both, 0).clip(lower=0).sum(),
        "contraction": (before - held).where(both, 0).clip(lower=0).sum(),
        "churn": before.where(held == 0, 0).sum()})
    found = expansion.mrr_movements(random_company).set_index("period")
    np.testing.assert_allclose(found.loc[starts, expected.columns], expected, atol=1e-6)
    np.testing.assert_allclose(expansion.mrr(random_company)["value"], held.sum(), atol=1e-6)


def test_retention_agrees_with_a_loop_over_the_accounts_of_the_base(random_company, changes):
    net = expansion.nrr(random_company).set_index("period")
    gross = expansion.grr(random_company).set_index("period")
    for period in net.index:
        until = min(period + pd.offsets.MonthBegin(1), pd.Timestamp("2025-12-21"))
        then, now = paid_at(changes, until - pd.DateOffset(months=12)), paid_at(changes, until)
        base = then > 0
        if not base.any():
            assert np.isnan(net.value[period])
            continue
        assert net.value[period] == pytest.approx(now[base].sum() / then[base].sum())
        assert gross.value[period] == pytest.approx(np.minimum(now, then)[base].sum() / then[base].sum())
        assert net.n[period] == base.sum()
    assert (gross.value.dropna() <= 1).all()
    assert (gross.value.dropna() <= net.value.dropna() + 1e-12).all()


def test_retention_before_a_year_is_missing_and_not_zero(tiny):
    assert expansion.nrr(tiny).value.isna().all()


def test_published_ratios_come_out_of_their_movements():
    cases = {each["id"]: each for each in json.loads(shared("oracles", "saas_revenue.json").read_text())["cases"]}
    inputs, expected = cases["saas_revenue-13"]["inputs"], cases["saas_revenue-13"]["expected"]
    lost, cut, grown = inputs["churn"], inputs["contraction"], inputs["expansion"]
    rest = inputs["start"] - lost - cut - grown
    data = company([("gone", "2024-01-10", lost), ("cut", "2024-01-10", 2 * cut), ("grown", "2024-01-10", grown),
                    ("same", "2024-01-10", rest - cut), ("gone", "2024-06-10", 0), ("cut", "2024-06-10", cut),
                    ("grown", "2024-06-10", 2 * grown), ("late", "2024-07-01", 9_999)], "2025-01-31")
    assert expansion.nrr(data).value.iloc[-1] == pytest.approx(expected["nrr"])
    assert expansion.grr(data).value.iloc[-1] == pytest.approx(expected["grr"])
    quick = cases["saas_revenue-08"]
    amounts = quick["inputs"]
    data = company([("old", "2025-01-10", amounts["churn"]), ("cut", "2025-01-10", 2 * amounts["contraction"]),
                    ("up", "2025-01-10", 1.0), ("old", "2025-02-10", 0), ("cut", "2025-02-10", amounts["contraction"]),
                    ("up", "2025-02-10", 1.0 + amounts["expansion"]), ("new", "2025-02-10", amounts["new"])], "2025-02-28")
    assert expansion.revenue_quick_ratio(data).value.iloc[-1] == quick["expected"]["qr"]


def test_an_account_that_comes_and_goes_within_a_month_is_ignored_or_counted_in_both():
    data = company([("a", "2025-01-05", 10.0), ("b", "2025-02-03", 30.0), ("b", "2025-02-20", 0.0),
                    ("b", "2025-03-02", 5.0)], "2025-03-31")
    ignored = expansion.mrr_movements(data)
    assert ignored["new"].tolist() == [10.0, 0.0, 5.0]
    both = expansion.mrr_movements(data, brief="both")
    assert both["new"].tolist() == [10.0, 30.0, 0.0]
    assert both["churn"].tolist() == [0.0, 30.0, 0.0]
    assert both["reactivation"].tolist() == [0.0, 0.0, 5.0]
    with pytest.raises(BadParameter) as caught:
        expansion.mrr_movements(data, brief="neither")
    assert str(caught.value) == "brief is 'neither'; expected one of ignore, both, or None."


def test_churn_counts_revenue_or_accounts_and_net_churn_lets_growth_make_good(tiny):
    # In February a1 grows from 20 to 30 and a2 leaves with 50.
    assert expansion.gross_churn(tiny).value.iloc[-1] == pytest.approx(50 / 70)
    assert expansion.net_churn(tiny).value.iloc[-1] == pytest.approx(40 / 70)
    assert expansion.gross_churn(tiny, of="accounts").value.iloc[-1] == 0.5


def test_a_ledger_that_does_not_add_up_is_not_shown():
    said = str(UnbalancedLedger(pd.Timestamp("2025-02-01"), opening=70.0, moved=30.0, closing=31.5))
    assert said == ("Recurring revenue does not add up in the period of 2025-02-01: from 70.00 the movements lead to "
                    "30.00, but accounts pay 31.50 at its end. Nothing is shown, because one of the two is wrong; "
                    "look at the changes of this period in the table 'subscriptions'.")
