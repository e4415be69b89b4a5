"""Charts of revenue by cohort: what they say has the numbers of the frame."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
import pytest

mpl.use("agg")
import matplotlib.pyplot as plt

from plgkit import charts


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def cohorts() -> pd.DataFrame:
    """January keeps 90 of 100 at age 1, and 80 so far at age 2; February is at 60 of 50 so far."""
    frame = pd.DataFrame({
        "cohort": pd.to_datetime([*["2026-01-01"] * 3, *["2026-02-01"] * 2, "2026-03-01"]),
        "age": [0, 1, 2, 0, 1, 0], "numerator": [100.0, 90, 80, 50, 60, 70], "denominator": [100.0, 100, 100, 50, 50, 70],
        "mature": [True, True, False, True, False, False]})
    frame["value"] = frame["numerator"] / frame["denominator"]
    frame = frame.assign(low=frame["value"] - 0.05, high=frame["value"] + 0.05)
    frame.attrs.update(unit="share of revenue at first", currency="USD")
    return frame


def test_cohorts_are_compared_at_one_age_and_together_by_money():
    words = charts.cohort_values(cohorts().assign(mature=True), age=1).figure.plgkit_description
    assert words["alt"] == ("Dots of share of revenue at first by cohort at age 1: Jan 2026 90.0%, Feb 2026 120.0%. "
                            "Together: 100.0%.")
    assert words["caption"] == ("Each dot is the accounts that began in one month, 1 month on; bar: the interval (95%). "
                                "Dotted: 100.0%.")


def test_an_age_that_nobody_has_reached_gives_way_to_the_last_that_is_over():
    words = charts.cohort_values(cohorts(), age=12).figure.plgkit_description
    assert words["alt"] == "Dots of share of revenue at first by cohort at age 1: Jan 2026 90.0%. Together: 90.0%."


def test_layers_add_up_to_the_revenue_of_each_month():
    ax = charts.revenue_layers(cohorts())
    tops = {}
    for bar in ax.patches:
        tops[bar.get_x()] = max(tops.get(bar.get_x(), 0), bar.get_y() + bar.get_height())
    assert [tops[place] for place in sorted(tops)] == [100.0, 90.0 + 50.0, 80.0 + 60.0 + 70.0]
    assert ax.figure.plgkit_description["alt"].endswith(
        "at the end: began Jan 2026 80 USD, began Feb 2026 60 USD, began Mar 2026 70 USD.")
