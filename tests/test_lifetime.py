"""Lifetime value: the published projections, the methods by hand, and data whose truth is known."""

from __future__ import annotations

import itertools
import json

import conftest
import numpy as np
import pandas as pd
import pytest

from plgkit import charts
from plgkit.errors import BadParameter
from plgkit.metrics import find
from plgkit.metrics.conversion import buying_forecast, repeat_buying
from plgkit.metrics.expansion import forecast, lifetime_curve, lifetime_value
from plgkit.playbook import Playbook
from plgkit.samples import bundled_path
from plgkit.sources.connect import connect
from plgkit.stats import bdw, bgnbd, sbg, survival

CASES = {f"sbg-{number:02}" for number in range(1, 9)}


def case(name: str) -> dict:
    """One case of the published numbers."""
    cases = json.loads(conftest.shared("oracles", "sbg.json").read_text(encoding="utf-8"))["cases"]
    assert {each["id"] for each in cases} == CASES
    return next(each for each in cases if each["id"] == name)


def agree(found: object, known: dict, name: str) -> None:
    assert found == pytest.approx(known["expected"][name], abs=known["tolerance"][name], rel=0), name


@pytest.mark.parametrize("name", ["sbg-01", "sbg-02", "sbg-06"])
def test_one_cohort_gives_the_published_parameters(name):
    known = case(name)
    found = sbg.fit(*sbg.of_survivors(known["inputs"]["survivors_by_year"]))
    agree(found.alpha, known, "alpha")
    agree(found.beta, known, "beta")
    if "loglik_per_1000" in known["expected"]:
        agree(found.loglik, known, "loglik_per_1000")


@pytest.mark.parametrize("name", ["sbg-03", "sbg-04"])
def test_the_projection_to_year_12_is_the_published_one_and_near_what_came(name):
    known = case(name)
    shares = 100 * sbg.survival(known["inputs"]["alpha"], known["inputs"]["beta"], 12)
    agree(shares, known, "S_pct")
    assert np.abs(shares - known["expected"]["actual_pct"]).max() < 2


def test_the_likelihood_the_joint_fit_of_cohorts_and_the_weibull_are_the_published_ones():
    known = case("sbg-05")
    seen = sbg.of_survivors([1.0, *known["inputs"]["retention"]])
    agree(float(sbg.loglik(known["inputs"]["alpha"], known["inputs"]["beta"], *seen)), known, "loglik")
    known = case("sbg-07")
    found = sbg.fit(*sbg.of_survivors(*known["inputs"]["cohorts"]))
    agree(found.alpha, known, "alpha")
    agree(found.beta, known, "beta")
    known = case("sbg-08")
    weibull = bdw.fit(*sbg.of_survivors(known["inputs"]["survival_pct"]))
    agree(list(weibull[:3]), known, "params_a_b_c")
    agree(-weibull.loglik, known, "negLL")
    agree(100 * bdw.survival(*weibull[:3], 10), known, "projection_pct")


def test_where_all_customers_are_alike_the_model_is_one_churn_for_ever():
    found = sbg.fit([1000, 900, 810, 729], [100, 90, 81, 72.9])
    assert found.spread == pytest.approx(0, abs=1e-4)
    assert sbg.survival(found.alpha, found.beta, 30)[30] == pytest.approx(0.9**30, rel=1e-3)


def test_the_profile_holds_the_true_lifetime_about_as_often_as_it_says():
    random, truth, held = np.random.default_rng(7), float(sbg.lifetime(0.8, 4.0, 24)), 0
    chance = sbg.hazard(0.8, 4.0, 10)
    for _ in range(100):
        there, at_risk, leaving = 300, [], []
        for each in chance:
            gone = random.binomial(there, each)
            at_risk.append(there)
            leaving.append(gone)
            there -= gone
        months = sbg.lifetime(*sbg.likely(sbg.fit(at_risk, leaving), at_risk, leaving), 24)
        held += bool(months.min() <= truth <= months.max())
    assert 89 <= held <= 99


def subscriptions(rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["account_id", "changed_at", "mrr", "plan"])
    return frame.assign(changed_at=pd.to_datetime(frame["changed_at"]))


def of_survivors(there: list[int], *, price: float = 50.0) -> pd.DataFrame:
    """Accounts that all began on 10 January 2025, with so many left on the 10th of each month after it."""
    rows = [(f"a{number}", "2025-01-10 09:00", price, "team") for number in range(there[0])]
    for month, (before, after) in enumerate(itertools.pairwise(there), start=2):
        rows += [(f"a{number}", f"2025-{month:02}-10 09:00", 0.0, "team") for number in range(after, before)]
    return subscriptions(rows)


def test_from_subscriptions_come_the_published_parameters_and_three_lifetimes_by_hand():
    # The survivors of case sbg-06, with months for years.
    data = connect({"subscriptions": of_survivors([1000, 631, 468, 382, 326])}, as_of="2025-05-10",
                   playbook=Playbook(product={"gross_margin": 0.5}))
    found = lifetime_value(data, horizon=12, churn_months=3).set_index("method")
    # Who began in January is first there at the start of a month in February: 1000, 631 and 468 then, and 674 left.
    left = (1000 - 382) / (1000 + 631 + 468)
    assert found.loc["formula", "value"] == pytest.approx(0.5 * 50 / left)
    assert found.loc["survival", "lifetime"] == pytest.approx(1 + 0.631 + 0.468 + 0.382 + 0.326)
    assert found.loc["survival", "value"] == pytest.approx(25 * 2.807)
    assert found.loc["sbg", "lifetime"] == pytest.approx(float(sbg.lifetime(0.7637, 1.2958, 12)), rel=1e-3)
    assert (found["low"] < found["value"]).all()
    assert (found["value"] < found["high"]).all()
    assert found["n"].tolist() == [1000] * 3
    assert found["stopped"].tolist() == [674] * 3
    assert found.loc["survival", "misleads"] == (
        "It counts 5 monthly payments; 33% still paid then, and what they pay later is left out.")
    assert found.loc["sbg", "misleads"] == "35% of it lies beyond the 4 months that the oldest account has been watched."
    assert found.loc["formula", "misleads"] == (
        "Churn falls with age, from 37.1% in the first month to 15.1% in month 4: one rate for all is right for neither "
        "new accounts nor old.")


def test_nothing_is_judged_in_a_month_that_is_not_over():
    rows = of_survivors([4, 3, 3])
    begun = subscriptions([("new", "2025-03-01 09:00", 50.0, "team"), ("gone", "2025-03-01 09:00", 50.0, "team"),
                           ("gone", "2025-03-05 09:00", 0.0, "team")])
    found = lifetime_value(connect({"subscriptions": pd.concat([rows, begun])}, as_of="2025-03-15"), horizon=3)
    # The one that left after four days is seen to leave when its month, and that of the other, is over.
    assert found["stopped"].tolist() == [1] * 3
    assert found.set_index("method").loc["survival", "lifetime"] == pytest.approx(1 + 3 / 4 + 3 / 4)
    later = lifetime_value(connect({"subscriptions": pd.concat([rows, begun])}, as_of="2025-04-01"), horizon=3)
    assert later["stopped"].tolist() == [2] * 3
    assert later.set_index("method").loc["survival", "lifetime"] == pytest.approx(1 + 4 / 6 + 4 / 6)


def test_the_formula_is_that_of_ltv_to_cac(tiny):
    alone = lifetime_value(tiny).set_index("method").loc["formula"]
    ratio = find("acquisition.ltv_to_cac")(tiny, by=None)
    assert alone["value"] == pytest.approx(ratio["lifetime_value"].iloc[-1])


def test_money_later_is_worth_less_and_the_curve_ends_where_the_value_stands(tiny):
    data = connect({"subscriptions": of_survivors([1000, 631, 468, 382, 326])}, as_of="2025-05-10")
    plain, less = (lifetime_value(data, horizon=12, discount=each).set_index("method")["value"] for each in (0.0, 0.2))
    assert (less < plain).all()
    ends = lifetime_curve(data, horizon=12).groupby("method")["value"].last()
    assert ends[["survival", "sbg"]].to_numpy() == pytest.approx(plain[["survival", "sbg"]].to_numpy())


def test_a_forecast_is_fitted_to_what_was_known_then_and_told_beside_what_came():
    data = connect({"subscriptions": of_survivors([1000, 631, 468, 382, 326, 289, 262, 241])}, as_of="2025-08-10")
    found = forecast(data, months=3)
    assert found["at_risk"].tolist() == [326] * 4
    assert found["actual"].to_numpy() == pytest.approx(np.array([326, 289, 262, 241]) / 326)
    then = sbg.fit(*sbg.of_survivors([1000, 631, 468, 382, 326]))
    shares = sbg.survival(then.alpha, then.beta, 7)
    assert found["value"].to_numpy() == pytest.approx(shares[4:] / shares[4])
    assert found["actual"].between(found["low"], found["high"]).all()


def test_a_forecast_from_customers_whose_churn_first_rose_is_left_by_what_came():
    # The "High End" customers of the same paper: 13.1 % left in the first year and 14.5 % in the second.
    data = connect({"subscriptions": of_survivors([1000, 869, 743, 653, 593, 551, 517, 491])}, as_of="2025-08-10")
    found = forecast(data, months=3)
    assert found["actual"].iloc[-1] > found["high"].iloc[-1]
    said = lifetime_value(data).set_index("method").loc["sbg", "misleads"]
    assert said.endswith("Accounts left in other months than the model can have them leave (p = 0.031).")


def test_where_churn_does_not_fall_with_age_the_projection_says_that_it_is_plain_geometric():
    data = connect({"subscriptions": of_survivors([100, 80, 63, 49, 38])}, as_of="2025-05-10")
    found = lifetime_value(data, horizon=5).set_index("method").loc["sbg"]
    assert found["misleads"] == (
        "It found nobody who leaves more easily than others: it became one churn for all, 21.2% a month (plain geometric).")
    alike = 1 - (100 - 38) / (100 + 80 + 63 + 49)
    assert found["lifetime"] == pytest.approx(sum(alike**month for month in range(5)), rel=1e-5)


def test_without_leavers_a_method_says_so_and_gives_nothing():
    data = connect({"subscriptions": of_survivors([3, 3, 3])}, as_of="2025-03-31")
    found = lifetime_value(data).set_index("method")
    assert found.loc[["formula", "sbg"], ["value", "low", "high"]].isna().all(axis=None)
    assert found.loc["formula", "misleads"] == "No account left in these months: there is no churn to divide by."
    assert found.loc["sbg", "misleads"] == "No account was seen to leave: there is no curve to project."


@pytest.mark.parametrize(("given", "said"), [
    ({"margin": 1.2}, "margin is 1.2; expected a share above 0 and up to 1, such as 0.8."),
    ({"horizon": 0}, "horizon is 0; expected a whole number of months, 1 or more."),
    ({"discount": -0.1}, "discount is -0.1; expected a share a year, 0 or more, such as 0.1."),
])
def test_what_cannot_be_is_refused_with_what_is_expected(tiny, given, said):
    with pytest.raises(BadParameter) as caught:
        lifetime_value(tiny, **given)
    assert str(caught.value) == said


@pytest.fixture(scope="module")
def telco() -> tuple[pd.DataFrame, object]:
    """Customers of a telephone company on the day of the snapshot, as changes of what they pay."""
    raw = pd.read_csv(conftest.shared("data", "telco_churn", "Telco-Customer-Churn.csv"))
    day = pd.Timestamp("2020-01-15")
    starts = [day - pd.DateOffset(months=each) for each in raw["tenure"]]
    rows = pd.DataFrame({"account_id": raw["customerID"], "changed_at": starts, "mrr": raw["MonthlyCharges"], "plan": raw["Contract"]})
    gone = rows[raw["Churn"] == "Yes"].assign(changed_at=day, mrr=0.0)
    return raw, connect({"subscriptions": pd.concat([rows, gone.assign(changed_at=gone["changed_at"] + pd.Timedelta(hours=1))])},
                        as_of="2020-01-31")


def test_telephone_customers_are_counted_and_survive_by_contract_as_published(telco):
    raw, data = telco
    found = lifetime_value(data, by="plan", horizon=72).set_index(["plan", "method"])
    counts = found.xs("survival", level="method")[["stopped", "n"]].to_numpy().tolist()
    assert counts == [[1655, 3875], [166, 1473], [48, 1695]]
    for plan, part in raw.groupby("Contract"):
        curve = survival.kaplan_meier(part["tenure"], part["Churn"] == "Yes")
        shares = curve.set_index("time")["survival"].reindex(range(72), method="ffill")
        assert found.loc[(plan, "survival"), "lifetime"] == pytest.approx(shares.sum())


def test_for_monthly_contracts_the_projection_follows_the_years_and_one_rate_does_not(telco):
    _raw, data = telco
    found = lifetime_value(data, by="plan", horizon=72, churn_months=1).set_index(["plan", "method"]).loc["Month-to-month"]
    assert found.loc["sbg", "lifetime"] == pytest.approx(found.loc["survival", "lifetime"], rel=0.05)
    assert "Churn falls with age" in found.loc["formula", "misleads"]
    # A snapshot knows the leavers of its last month only, and they were all there when it began.
    assert found.loc["formula", "lifetime"] == pytest.approx(3875 / 1655, rel=0.2)


@pytest.fixture(scope="module")
def acme():
    return connect(bundled_path())


def test_on_the_made_up_company_every_method_holds_the_true_churn(acme):
    # Of each hundred 1.5 leave every 30.44 days and up to two days more (`samples.story`, `samples.billing`).
    monthly = 1 - (1 - 0.015) ** (30.44 / 31.44)
    found = lifetime_value(acme).set_index("method")
    for method, row in found.iterrows():
        months = 1 / monthly if method == "formula" else ((1 - monthly) ** np.arange(int(row["counted"]))).sum()
        worth = acme.playbook.product.gross_margin * row["arpa"] * months
        assert row["low"] <= worth <= row["high"], method


def test_on_the_made_up_company_what_came_stays_within_the_forecast(acme):
    found = forecast(acme, months=6)
    assert found["at_risk"].iloc[0] == 44
    assert found["actual"].between(found["low"], found["high"]).all()


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    """Orders of a music shop as events."""
    raw = pd.read_csv(conftest.shared("data", "cdnow", "CDNOW_sample.txt"), sep=r"\s+", header=None,
                      names=["old", "id", "date", "cds", "dollars"], dtype={"id": str, "date": str})
    words = [json.dumps({"amount": each}) for each in raw["dollars"]]
    return pd.DataFrame({"user_id": raw["id"], "event": "order", "occurred_at": pd.to_datetime(raw["date"]), "properties": words})


KEEP = Playbook(data={"duplicates": "keep"}, product={"gross_margin": 0.3})


def test_raw_orders_give_the_published_customers_and_parameters(orders):
    data = connect({"events": orders}, as_of="1997-09-30", playbook=KEEP)
    found = repeat_buying(data, event="order", amount="amount", horizon_days=273)
    assert found["orders"].tolist() == ["1", "2", "3 to 5", "6 and more", "all"]
    assert found["n"].tolist() == [1411, 439, 376, 131, 2357]  # 946 of 2,357 bought again
    cells = data.run(repeat_buying.query(data, event="order", amount="amount"))
    again = cells[cells["x"] > 0]
    assert np.average(again["minor"] / 100 / again["x"], weights=again["people"]) == pytest.approx(35.0786, abs=0.001)
    model = found.attrs["models"]["buying"]
    assert [model["r"], model["alpha"] / 7, model["a"], model["b"]] == pytest.approx([0.243, 4.414, 0.793, 2.426], abs=0.003)
    spending = found.attrs["models"]["spending"]
    assert [spending[name] for name in "pqv"] == pytest.approx([6.25, 3.74, 15.44], abs=0.02)


def test_value_is_purchases_times_worth_times_margin_and_the_groups_make_the_whole(orders):
    data = connect({"events": orders}, as_of="1997-09-30", playbook=KEEP)
    found = repeat_buying(data, event="order", amount="amount")
    assert found["value"].to_numpy() == pytest.approx((0.3 * found["purchases"] * found["worth"]).to_numpy())
    whole, parts = found.iloc[-1], found.iloc[:-1]
    for name in ("alive", "purchases", "value"):
        assert whole[name] == pytest.approx(np.average(parts[name], weights=parts["n"]))
    plain = repeat_buying(data, event="order")
    assert plain["value"].isna().all()
    assert plain["purchases"].to_numpy() == pytest.approx(found["purchases"].to_numpy(), rel=1e-6)


def test_what_the_shop_sold_later_is_told_beside_the_forecast_of_then(orders):
    data = connect({"events": orders}, as_of="1998-06-30", playbook=KEEP)
    found = buying_forecast(data, event="order", back_days=273)
    later = orders[(orders["occurred_at"] > "1997-09-30")].drop_duplicates(["user_id", "occurred_at"])
    assert found["actual"].iloc[-1] == pytest.approx(len(later) / 2357)
    first = repeat_buying(connect({"events": orders}, as_of="1997-09-30", playbook=KEEP), event="order", horizon_days=273)
    assert found["value"].iloc[-1] == pytest.approx(first["purchases"].iloc[-1])


def test_the_forecast_of_buying_holds_what_customers_of_the_model_buy():
    random, truth, last = np.random.default_rng(3), bgnbd.Fit(0.8, 20.0, 1.2, 3.0), pd.Timestamp("2025-12-31")
    rows = []
    for person in range(1500):
        start, lost = random.integers(0, 120), random.beta(truth.a, truth.b)
        at, rate = float(start), random.gamma(truth.r) / truth.alpha
        while at < 365:
            rows.append((f"p{person}", "order", pd.Timestamp("2025-01-01") + pd.Timedelta(days=int(at))))
            if at > start and random.random() < lost:
                break
            at += 1 + random.exponential(1 / rate)
    events = pd.DataFrame(rows, columns=["user_id", "event", "occurred_at"])
    found = buying_forecast(connect({"events": events}, as_of=last.date().isoformat(), playbook=KEEP), event="order", back_days=126)
    assert found["actual"].between(found["low"], found["high"]).mean() > 0.9


def test_pictures_say_what_they_show_and_where_nobody_was_watched(acme):
    words = charts.lifetimes(lifetime_curve(acme)).figure.plgkit_description
    assert words["caption"] == ("The bands hold what so many accounts leave plausible (95%). "
                                "Dashed: no account has been watched for so long.")
    assert "survival 1,790 USD after 17 months" in words["alt"]
    assert "business" in charts.lifetimes(lifetime_curve(acme, by="plan"), method="sbg").figure.plgkit_description["alt"]
    words = charts.forecast(forecast(acme)).figure.plgkit_description
    assert words["alt"].endswith("expected 92.0%, came 90.9%; the actual line stays within the band.")
