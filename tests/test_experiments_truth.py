"""The kept simulation of experiments: what was run in full, and what it says."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

import experiments_truth  # noqa: E402

from plgkit.metrics import experiments  # noqa: E402
from plgkit.samples import bundled_path  # noqa: E402
from plgkit.samples.block import blocks  # noqa: E402
from plgkit.sources.connect import connect  # noqa: E402


@pytest.fixture(scope="module")
def kept() -> pd.DataFrame:
    return pd.read_csv(ROOT / "docs" / "experiments.csv").set_index("what")


def test_it_was_run_over_two_hundred_companies(kept):
    companies = kept[kept.index.str.startswith("companies")]
    assert set(companies["runs"]) == {200}
    assert len(companies) == 6 * len(experiments_truth.SIZES)


def test_everything_is_found_and_held_as_often_as_stated(kept):
    stated = kept[kept["stated"].notna() & ~kept.index.str.contains("always-valid|guardrails")]
    chance = np.sqrt(stated["stated"] * (1 - stated["stated"]) / stated["runs"])
    assert (stated["rate"] - stated["stated"]).abs().le(3.5 * chance).all(), stated


def test_looking_every_day_finds_too_much_unless_the_interval_allows_for_it(kept):
    laws = kept[~kept.index.str.startswith("companies")]
    assert (laws.loc[laws.index.str.contains("fixed horizon"), "rate"] > 0.2).all()
    always = kept[kept.index.str.contains("always-valid") & kept["stated"].notna()]
    assert len(always) == 7
    assert (always["rate"] <= 0.05).all()
    assert kept.loc["guardrails: worse by the margin and said to hold", "rate"] <= 0.035


def test_a_company_drawn_for_the_simulation_is_counted_as_the_measures_count_it():
    import json

    truth = json.loads((bundled_path() / "truth.json").read_text(encoding="utf-8"))
    drawn = experiments_truth._read(list(blocks(truth["people"], truth["seed"])), 0, "card_finished")
    found = experiments.results(connect(bundled_path()), experiment="guided_start", metric="card_finished").set_index("variant")
    assert [drawn["n1"], drawn["n2"]] == found["n"].tolist()
    assert [drawn["x1"] / drawn["n1"], drawn["x2"] / drawn["n2"]] == found["value"].tolist()
    assert drawn["end"] == pytest.approx(found.loc["guided", "p"])
