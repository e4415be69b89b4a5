"""Buying without a contract: the published numbers of the CDNOW customers and of the donors, and what follows by hand."""

from __future__ import annotations

import json

import conftest
import numpy as np
import pandas as pd
import pytest

from plgkit.stats import bgbb, bgnbd, pareto, spending

# Fader, Hardie and Shang, Marketing Science 29 (2010), 1086-1108: how many of 11,104 people who first gave in 1995 gave x
# times in the six years after it, the last time in year t_x.
DONORS = pd.DataFrame([
    (0, 0, 3464), (1, 1, 1091), (1, 2, 277), (1, 3, 129), (1, 4, 78), (1, 5, 119), (1, 6, 129), (2, 2, 613),
    (2, 3, 255), (2, 4, 155), (2, 5, 173), (2, 6, 234), (3, 3, 322), (3, 4, 181), (3, 5, 225), (3, 6, 357), (4, 4, 240),
    (4, 5, 284), (4, 6, 512), (5, 5, 335), (5, 6, 728), (6, 6, 1203)], columns=["x", "t_x", "people"])


def case(number: int) -> dict:
    """One case of the published numbers."""
    cases = json.loads(conftest.shared("oracles", "btyd_clv.json").read_text(encoding="utf-8"))["cases"]
    return next(each for each in cases if each["id"] == f"btyd_clv-{number:02}")


def agree(found: object, known: dict, name: str) -> None:
    assert found == pytest.approx(known["expected"][name], abs=known["tolerance"][name], rel=0), name


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    """Customers of a music shop: purchases after the first, their mean worth, weeks."""
    return pd.read_csv(conftest.shared("data", "cdnow", "cdnow_customers_summary_with_transactions.csv"))


@pytest.fixture(scope="module")
def buying(customers) -> bgnbd.Fit:
    return bgnbd.fit(customers["x"], customers["t_x"], customers["T"])


@pytest.fixture(scope="module")
def worth(customers) -> spending.Fit:
    return spending.fit(customers["x"], customers["zbar"])


def test_bg_nbd_finds_the_published_parameters_and_their_errors(buying):
    for name in ("r", "alpha", "a", "b", "loglik"):
        agree(getattr(buying, name), case(1), name)
    errors = np.sqrt(np.diag(buying.covariance)) * buying[:4]
    assert errors == pytest.approx([0.0126, 0.378, 0.186, 0.705], rel=0.01)  # as the documentation of lifetimes has them


def test_pareto_nbd_and_mbg_nbd_find_the_published_parameters(customers):
    found = pareto.fit(customers["x"], customers["t_x"], customers["T"])
    for name in ("r", "alpha", "s", "beta", "loglik"):
        agree(getattr(found, name), case(2), name)
    known = case(13)
    agree(pareto.expected_more(found, known["inputs"]["t"], *(known["inputs"][name] for name in ("x", "t_x", "T"))), known, "E")
    early = bgnbd.fit(customers["x"], customers["t_x"], customers["T"], lost_at_once=True)
    for name in ("r", "alpha", "a", "b"):
        agree(getattr(early, name), case(3), name)


def test_what_pareto_nbd_expects_is_what_is_printed():
    known = case(12)
    model = pareto.Fit(*(known["inputs"][name] for name in ("r", "alpha", "s", "beta")))
    agree(pareto.alive(model, *(known["inputs"][name] for name in ("x", "t_x", "T"))), known, "p_alive")
    known = case(14)
    agree(pareto.expected(pareto.Fit(**known["inputs"]["params"]), known["inputs"]["t"]), known, "E")


def test_what_bg_nbd_expects_is_what_is_printed(buying):
    known = case(7)
    agree(bgnbd.expected_more(buying, known["inputs"]["t"], *(known["inputs"][name] for name in ("x", "t_x", "T"))), known, "E")
    agree(bgnbd.expected(buying, case(8)["inputs"]["t"]), case(8), "E")
    for number in (9, 10, 11):
        known = case(number)
        model = bgnbd.Fit(*(known["inputs"].get(name, at) for name, at in zip(
            ("r", "alpha", "a", "b"), (0.243, 4.414, 0.793, 2.426), strict=True)))
        agree(bgnbd.chance(model, known["inputs"]["n"], known["inputs"]["t"]), known, "P")


def test_gamma_gamma_finds_the_published_parameters_and_means(customers, worth):
    for name in ("p", "q", "v"):
        agree(getattr(worth, name), case(4), name)
    known = case(5)
    model = spending.Fit(*(known["inputs"][name] for name in ("p", "q", "v")))
    agree(spending.expected(model, customers["x"], customers["zbar"])[:10], known, "expected_value")
    again = customers[customers["x"] > 0]
    agree(spending.expected(worth, customers["x"], customers["zbar"]).mean(), case(6), "mean_conditional_expected")
    agree(again["zbar"].mean(), case(6), "mean_observed_repeat")
    agree(again["x"].corr(again["zbar"]), case(6), "corr_frequency_value")


def test_twelve_months_of_a_model_in_weeks_are_52_weeks_and_not_360(customers, buying, worth):
    each = spending.expected(worth, customers["x"], customers["zbar"])

    def clv(length: float) -> np.ndarray:
        return spending.value(lambda time: bgnbd.expected_more(buying, time, customers["x"], customers["t_x"], customers["T"]),
                              each, periods=12, length=length, discount=0.01)

    # What is printed as "12 months" took thirty weeks for a month.
    agree(clv(30)[:10], case(15), "clv")
    assert clv(4.345)[:3] == pytest.approx([36.28, 4.64, 8.34], abs=0.005)


def test_bg_bb_finds_the_published_parameters_of_the_donors():
    found = bgbb.fit(DONORS["x"], DONORS["t_x"], np.full(22, 6), DONORS["people"])
    for name in ("alpha", "beta", "gamma", "delta"):
        agree(getattr(found, name), case(16), name)
    agree(bgbb.chance(found, [0, 6], 6) * DONORS["people"].sum(), case(17), "expected")


def test_counting_alike_customers_together_changes_nothing(customers, buying):
    some = customers.head(300)
    cells = some.groupby(["x", "t_x", "T"]).size().reset_index(name="people")
    one, other = bgnbd.fit(some["x"], some["t_x"], some["T"]), bgnbd.fit(cells["x"], cells["t_x"], cells["T"], cells["people"])
    assert one[:5] == pytest.approx(other[:5])


def test_who_bought_long_ago_is_less_likely_still_a_customer():
    model = bgnbd.Fit(0.243, 4.414, 0.793, 2.426)
    shares = bgnbd.alive(model, 3, [5.0, 15.0, 25.0, 38.0], 38.0)
    assert (np.diff(shares) > 0).all()
    assert bgnbd.alive(model, 0, 0.0, 38.0) == 1  # the model cannot lose who never came back
    assert bgnbd.alive(model, 0, 0.0, 38.0, lost_at_once=True) < 1


def test_chances_of_all_counts_add_up_to_one_and_give_the_mean():
    model, counts = bgnbd.Fit(0.8, 4.0, 1.5, 3.0), np.arange(250)
    shares = bgnbd.chance(model, counts, 30.0)
    assert shares.sum() == pytest.approx(1)
    assert shares @ counts == pytest.approx(float(bgnbd.expected(model, 30.0)), rel=1e-6)
