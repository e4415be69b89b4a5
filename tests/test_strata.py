"""Differences among alike people: intervals that hold also where hardly anybody stands on one side."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plgkit.stats import strata


@pytest.mark.parametrize(("shares", "sizes"), [
    ((0.1, 0.2, 0.05), ((3, 300), (2, 150), (2, 500))),
    ((0.05,), ((8, 1000),)),
    ((0.2, 0.6, 0.5), ((60, 150), (140, 50), (12, 9))),
])
def test_the_interval_holds_also_where_one_side_is_nearly_empty(shares, sizes):
    """With the variance of what was seen, 57, 34 and 95 of a hundred intervals held the truth."""
    random, runs = np.random.default_rng(3), 1_500
    cells = pd.DataFrame([
        {"run": run, "x1": random.binomial(n1, share), "n1": n1, "x2": random.binomial(n2, share), "n2": n2}
        for run in range(runs) for share, (n1, n2) in zip(shares, sizes, strict=True)])
    found = strata.mantel_haenszel(cells, "run")
    assert 0.93 <= ((found["low"] <= 0) & (found["high"] >= 0)).mean() <= 0.975
    assert found["difference"].between(found["low"], found["high"]).all()


def test_the_interval_of_one_stratum_is_the_published_one():
    """Newcombe, Statistics in Medicine 17 (1998), table II, method 6: 56 of 70 against 48 of 80, and 9 of 10 against 3 of 10."""
    cells = pd.DataFrame({"of": ["a", "b"], "x1": [56, 9], "n1": [70, 10], "x2": [48, 3], "n2": [80, 10]})
    found = strata.mantel_haenszel(cells, "of")
    assert found["low"].round(4).tolist() == [0.0528, 0.1700]
    assert found["high"].round(4).tolist() == [0.3382, 0.8406]
