"""Growing accounts, cohorts of revenue and readiness: worked out again by hand, line by line, or from the generator."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from conftest import shared

from plgkit import connect, ledger, samples
from plgkit.errors import BadParameter, MissingSetting
from plgkit.metrics import expansion
from plgkit.playbook import Playbook
from plgkit.samples.tiny import PLAYBOOK, frames


def company(changes: list[tuple], as_of: str, **more):
    columns = ["account_id", "changed_at", "mrr", "plan", "seats", "motion"]
    rows = pd.DataFrame(changes, columns=columns[:len(changes[0])])
    return connect({"subscriptions": rows.assign(changed_at=pd.to_datetime(rows["changed_at"]))} | more, as_of=as_of)


@pytest.fixture(scope="module")
def acme():
    return connect(samples.bundled_path())


@pytest.fixture(scope="module")
def lines(acme):
    return ledger(acme, movement=["opening", "new", "reactivation", "expansion", "contraction", "churn", "closing"])


def sums(rows: pd.DataFrame) -> dict:
    return rows.groupby("period")["amount"].sum().round(2).to_dict()


def test_growth_is_what_the_lines_of_the_ledger_say(acme, lines):
    grown = lines[lines["movement"] == "expansion"]
    alone = grown[grown["motion"] == "self_serve"]
    found = expansion.self_serve_expansion(acme)
    assert found[found["value"] > 0].set_index("period")["value"].round(2).to_dict() == sums(alone)
    higher = expansion.self_serve_upsell(acme)
    assert higher[higher["value"] > 0].set_index("period")["value"].round(2).to_dict() == sums(
        alone[alone["plan"] != alone["plan_before"]])
    kinds = expansion.by_kind(acme).groupby("period")["amount"].sum().round(2).to_dict()
    assert kinds == sums(grown)
    counts = expansion.account_expansion(acme).set_index("period")
    assert counts.loc[counts["denominator"] > 0, "denominator"].to_dict() == (
        lines[lines["movement"] == "opening"].groupby("period").size().to_dict())
    assert counts["numerator"].sum() == len(grown)


def test_who_began_alone_and_expanded_with_sales_is_hybrid(acme, lines):
    first = lines[lines["movement"] == "new"].set_index("account_id")["motion"]
    grown = lines[lines["movement"] == "expansion"]
    turned = grown[grown["account_id"].map(first) != grown["motion"]]
    found = expansion.motion_mix(acme)
    mine = found[(found["movement"] == "expansion") & (found["motion"] == "hybrid")]
    assert len(mine)
    assert mine.set_index("period")["amount"].round(2).to_dict() == sums(turned)
    np.testing.assert_allclose(found.groupby(["period", "movement"])["value"].sum(), 1.0)
    inside = found.dropna(subset=["low"])
    assert ((inside["low"] <= inside["value"]) & (inside["value"] <= inside["high"])).all()


@pytest.mark.parametrize("of", ["net", "gross"])
def test_a_cohort_keeps_what_its_accounts_pay_one_by_one(acme, lines, of):
    closing = lines[lines["movement"] == "closing"].pivot_table(index="account_id", columns="period", values="amount", fill_value=0.0)
    began = lines[lines["movement"].isin(["new"])].set_index("account_id")["period"]
    found = expansion.revenue_cohorts(acme, of=of)
    for row in found.itertuples():
        mine = closing.loc[began.index[began == row.cohort]]
        then, now = mine[row.cohort], mine[row.cohort + pd.DateOffset(months=row.age)]
        assert row.denominator == pytest.approx(then.sum())
        assert row.numerator == pytest.approx((np.minimum(then, now) if of == "gross" else now).sum())
    assert found.groupby("cohort")["age"].max().iloc[[0, -1]].to_list() == [17, 0]
    pooled = expansion.revenue_curve(acme, of=of).set_index("x")
    ripe = found[found["mature"]].groupby("age")[["numerator", "denominator"]].sum()
    np.testing.assert_allclose(pooled["value"], ripe["numerator"] / ripe["denominator"])


def test_the_published_multiple_of_a_cohort_comes_out():
    cases = {each["id"]: each for each in json.loads(shared("oracles", "saas_revenue.json").read_text())["cases"]}
    inputs, expected = cases["saas_revenue-16"]["inputs"], cases["saas_revenue-16"]["expected"]
    then, now = (round(inputs[name] * 1e6 / 12, 2) for name in ("arr_2016_musd", "arr_2021_musd"))
    data = company([("a", "2016-01-10", then - 100), ("b", "2016-01-10", 100.0), ("a", "2020-01-05", now),
                    ("b", "2020-01-05", 0.0), ("later", "2020-01-01", then)], "2021-01-31")
    found = expansion.revenue_cohorts(data)
    found = found[found["age"] == 60]  # only the first is so old
    assert found["value"].iloc[0] == pytest.approx(expected["multiple"], abs=cases["saas_revenue-16"]["tolerance"]["multiple"])


@pytest.mark.parametrize("case", ["saas_revenue-05", "saas_revenue-07", "saas_revenue-08", "saas_revenue-10", "saas_revenue-11"])
def test_published_quick_ratios_come_out(case):
    cases = {each["id"]: each for each in json.loads(shared("oracles", "saas_revenue.json").read_text())["cases"]}
    inputs, expected = cases[case]["inputs"], cases[case]["expected"]
    new, more = inputs.get("new", inputs.get("new_plus_expansion")), inputs.get("expansion", 0)
    gone, less = inputs.get("churn", inputs.get("lost")), inputs.get("contraction", 0)
    data = company([("gone", "2025-01-10", gone), ("less", "2025-01-10", less + 1), ("more", "2025-01-10", 1.0),
                    ("gone", "2025-02-10", 0), ("less", "2025-02-10", 1.0), ("more", "2025-02-10", 1.0 + more),
                    ("new", "2025-02-10", new)], "2025-02-28")
    found = expansion.revenue_quick_ratio(data).iloc[-1]
    assert found.value == pytest.approx(expected["qr"], abs=cases[case]["tolerance"].get("qr", 1e-9))
    assert found.numerator - found.denominator == expected.get("net_new", found.numerator - found.denominator)


@pytest.mark.parametrize("case", ["saas_revenue-13", "saas_revenue-14"])
def test_published_retention_leaves_out_who_came_since_and_keeps_who_left(case):
    # saas_revenue-17: the base is all who paid twelve months before, also those lost since.
    cases = {each["id"]: each for each in json.loads(shared("oracles", "saas_revenue.json").read_text())["cases"]}
    inputs, expected = cases[case]["inputs"], cases[case]["expected"]
    rest = inputs["start"] - inputs["churn"] - inputs["contraction"] - 2
    data = company([("gone", "2024-01-10", inputs["churn"]), ("less", "2024-01-10", inputs["contraction"] + 1), ("more", "2024-01-10", 1.0),
                    ("same", "2024-01-10", rest), ("gone", "2024-06-10", 0), ("less", "2024-06-10", 1.0),
                    ("more", "2024-06-10", 1.0 + inputs["expansion"]), ("came", "2024-07-01", 9_999)], "2025-01-31")
    assert expansion.nrr(data).value.iloc[-1] == pytest.approx(expected["nrr"])
    assert expansion.grr(data).value.iloc[-1] == pytest.approx(expected["grr"])


def test_the_largest_of_eleven_accounts_are_counted_whole():
    data = company([(f"a{number:02}", "2025-01-10", 100.0 if number == 0 else 10.0) for number in range(11)], "2025-01-31")
    found = expansion.concentration(data).iloc[0]
    # A tenth of eleven accounts is two: 100 and 10 of 200.
    assert found[["accounts", "revenue", "largest", "top_1", "top_10"]].tolist() == [11, 200.0, 0.5, 0.5, 0.55]


def test_every_step_of_the_journey_hands_its_accounts_to_the_next(acme):
    found = expansion.journey(acme, months=6).set_index(["period", "step"])
    for period in found.index.get_level_values("period").unique():
        step = found.loc[period]
        assert step.numerator["activated"] == step.denominator["paid"] + step.immature["paid"]
        assert step.numerator["paid"] == step.denominator["expanded"] + step.immature["expanded"]
        lost = step.denominator["activated"] - step.numerator["activated"]
        assert lost == step.denominator["paid without activating"] + step.immature["paid without activating"]
        assert step.value.drop("revenue kept").dropna().between(0, 1).all()
    assert found.xs("revenue kept", level="step")["value"].notna().any()


def test_seats_are_near_when_people_fill_them_and_at_once_after_a_reduction():
    tables = frames()
    tables["subscriptions"] = pd.DataFrame({
        "account_id": ["a1", "a1"], "changed_at": pd.to_datetime(["2025-01-07 09:00", "2025-01-27 09:00"]), "mrr": [30.0, 20.0],
        "plan": "team", "seats": [3, 2]})
    del tables["events"]
    data = connect(tables, as_of="2025-02-28", playbook=Playbook(product=PLAYBOOK["product"]))
    # Ann and Bob fill two of three seats, and all of two from the 27th on: 21 days after the start.
    found = expansion.time_to_expansion_signal(data)
    assert (found.n[0], found.events[0], found.median_among[0]) == (3, 1, 21.0)
    assert expansion.time_to_expansion_signal(data, near=0.66).median_among[0] == 1.0
    best = expansion.next_best_accounts(data)
    assert best[["account_id", "status", "mrr", "people", "reasons"]].to_numpy().tolist() == [
        ["a1", "paying", 20.0, 2, "2 people on 2 seats"]]
    with pytest.raises(BadParameter) as caught:
        expansion.next_best_accounts(data, near=80)
    assert str(caught.value) == "near is 80; expected a share above 0 and up to 1, such as 0.8."


def test_without_any_sign_to_look_for_the_sentence_says_what_to_name():
    data = connect({name: frames()[name] for name in ("users", "accounts", "events")}, as_of="2025-02-28")
    with pytest.raises(MissingSetting) as caught:
        expansion.time_to_expansion_signal(data)
    assert str(caught.value) == (
        "This needs a sign of expansion: [limits] event or [features] premium in the playbook, or the table 'subscriptions' "
        'with seats. Set it in playbook.toml, for example: [limits] event = "limit_hit"')


def test_accounts_of_the_sample_leave_and_grow_as_often_as_they_were_made_to(acme):
    # A change is drawn every 30.44 days and up to two more; what a month loses lies within what so few accounts allow.
    story = samples.story.STORY.money
    left = expansion.gross_churn(acme, of="accounts")[["numerator", "denominator"]].sum()
    grown = expansion.account_expansion(acme, of="revenue")[["numerator", "denominator"]].sum()
    for seen, truth in ((left, story.monthly_churn), (grown, story.monthly_expansion + story.monthly_upgrade)):
        per_month = truth * 30.44 / 31.44
        spread = 2 * np.sqrt(per_month * (1 - per_month) / seen.denominator)
        assert abs(seen.numerator / seen.denominator - per_month) < spread
