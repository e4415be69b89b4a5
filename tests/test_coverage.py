"""The kept simulation of coverage: made by today's definitions, and what it says; and that it counts the same things."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plgkit.metrics import find

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

from covering import counting  # noqa: E402
from covering.cases import CASES, WIDE  # noqa: E402
from covering.clean import Clean  # noqa: E402

NAMES = [case.what for case in CASES]


@pytest.fixture(scope="module")
def kept() -> pd.DataFrame:
    """What the simulation came to when it was last run in full."""
    path = ROOT / "docs" / "coverage.csv"
    if not path.exists():
        pytest.skip("no full run of bench/coverage.py is kept in docs/coverage.csv yet")
    return pd.read_csv(path, keep_default_na=False).set_index("what")


def test_the_kept_result_is_that_of_the_cases_of_today(kept):
    assert list(kept.index) == NAMES
    for case in CASES:
        row = kept.loc[case.what]
        assert json.dumps([row["measure"], json.loads(row["parameters"]), json.loads(row["row"]), row["column"]],
                          sort_keys=True) == counting.key(case)
        assert row["interval"] == find(case.measure).interval


def test_the_kept_result_has_runs_enough_and_a_truth_that_is_known_well_enough(kept):
    """With 500 runs, chance alone moves a coverage of 95 % by 2 points at most, nineteen times in twenty."""
    assert (kept["runs"] >= 500).all()
    assert kept["truth_error"].max() < 0.08


@pytest.mark.parametrize("what", NAMES)
def test_intervals_of_95_percent_hold_the_truth_in_93_to_97_of_a_hundred_companies(kept, what):
    low, high = WIDE.get(what, (0.93, 0.97))
    assert low <= kept.loc[what, "covered"] <= high


@pytest.fixture(scope="module")
def both():
    """One company, asked through the measures behind its dirt, and counted before it."""
    seed, people = 20_260_630, 1_200
    return counting.one_run(CASES, seed, people), Clean(seed, people)


@pytest.mark.parametrize("place", range(len(CASES)), ids=NAMES)
def test_measure_and_truth_count_the_same_thing(both, place):
    """The measure of a company is the truth counted in this very company, but for the traces of its dirt."""
    case, found = CASES[place], both[0][place]
    true = counting.truth(case, [{counting.key(case): counting.part(case.truth(both[1]))}])
    near = 0.012 if case.kind == "share" else 0.06  # between two people in the middle may lie minutes
    assert found["value"] == pytest.approx(true, rel=near, abs=0.004)
    assert found["low"] <= found["value"] <= (np.inf if np.isnan(found["high"]) else found["high"])


def test_a_query_written_once_gives_what_the_measure_gives():
    some = CASES[::6]
    first, second = (counting.one_run(some, seed, 150) for seed in (1, 2))
    assert first != second
    data = counting.opened(2, 150)
    for case, found in zip(some, second, strict=True):
        assert counting.pick(case, find(case.measure)(data, **case.parameters)) == pytest.approx(found, nan_ok=True)
