"""The pictures of funnels say in words what they show."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from plgkit import charts
from plgkit.metrics.funnels import funnel, instead, time_to_convert
from plgkit.sources.connect import connect

STEPS = ["a", "b", "c"]


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def data():
    """Ten do a; five of them b an hour later, and two c after a day, one without b."""
    rows = [*[(f"u{n}", "a", "2025-01-01") for n in range(10)], *[(f"u{n}", "b", "2025-01-01 01:00") for n in range(5)],
            *[(f"u{n}", "c", "2025-01-02") for n in (4, 5)], ("u9", "x", "2025-01-01 02:00"), ("u0", "a", "2025-02-01")]
    frame = pd.DataFrame(rows, columns=["user_id", "event", "occurred_at"])
    return connect({"events": frame.assign(occurred_at=pd.to_datetime(frame["occurred_at"], format="ISO8601"))}, as_of="2025-03-31")


def words(ax) -> str:
    return ax.figure.plgkit_description["alt"]


def written(ax) -> list[str]:
    return [each.get_text() for each in ax.texts]


def test_a_step_that_may_be_skipped_loses_nobody(data):
    ax = charts.funnel(funnel(data, STEPS, optional=[2]))
    assert written(ax) == ["100%", "", "50%", "skipped by 50% · median 60 min", "20%", "lost 80% · median 24 h"]
    assert words(ax) == "Funnel of 3 steps, from 10 people: a 100%, b 50%, c 20%. The largest loss is 80%, at c."


def test_periods_of_entry_are_lines(data):
    ax = charts.funnel(funnel(data, STEPS, entry="any", grain="month"))
    assert words(ax) == ("Funnel by entered, share of those who entered at each step. Jan 2025: 100%, 50%, 10%. "
                         "Feb 2025: 100%, 0%, 0%.")


def test_times_to_convert_say_their_median_and_mean(data):
    ax = charts.time_to_convert(time_to_convert(data, ["a", "c"]))
    assert words(ax) == "Times to convert. 2 people, median 24 h, mean 24 h."
    assert [each.get_text() for each in ax.get_xticklabels()] == ["24 h", "2 d"]
    empty = time_to_convert(data, ["c", "x"])
    assert words(charts.time_to_convert(empty)) == "There is nothing to draw yet: nobody got there whose time is over."


def test_what_came_next_is_told_for_both(data):
    ax = charts.instead(instead(data, ["a", "b"], after=1))
    assert words(ax) == ("What came next, of those who stopped against those who went on: (nothing) 60% against 0%, "
                         "c 20% against 0%, x 20% against 0%, b 0% against 100%.")
    assert written(ax) == ["+60 (+3 to +88)", "+20 (−26 to +62)", "+20 (−26 to +62)", "−100 (−100 to −39)", "difference, points"]
