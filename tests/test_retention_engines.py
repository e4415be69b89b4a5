"""Ways of asking for retention that are not the default ones, on every engine."""

from __future__ import annotations

import pandas as pd
import pytest

from plgkit.metrics import retention, trends
from plgkit.metrics.funnels import step

ASKED = [
    (retention.cohorts, {"entry": "recurring", "first_age": 1, "unit": "week"}),
    (retention.cohorts, {"entry": "recurring", "start": "signed_in", "back": "report_created", "unit": "month"}),
    (retention.cohorts, {"unit": "day", "rule": "bracket", "brackets": [(0, 0), (1, 7), (8, 30)], "reference": "previous"}),
    (retention.cohorts, {"unit": "hour", "rule": "on_or_after", "start": "profile_filled", "back": "data_connected"}),
    (retention.cohorts, {"unit": "week", "clock": "rolling", "min_events": 2, "by": "channel"}),
    (retention.cohorts, {"unit": "month", "reference": "previous"}),
    (retention.cohorts, {"start": step(["pricing_viewed", "limit_hit"]), "back": "signed_in", "entry": "first_matching"}),
    (retention.curve, {"entry": "recurring", "first_age": 1, "average": "mean"}),
    (retention.curve, {"reference": "previous"}),
    (retention.growth_accounting, {"trailing_days": 28, "inactive": [7, 30], "grain": "month", "by": "channel"}),
    (retention.growth_accounting, {"count": "accounts"}),
    (retention.activated_day_n, {"day": 3, "until": 9, "clock": "rolling"}),
    (retention.by_activation, {"unit": "day", "horizon": 20}),
    (retention.free_people, {"grain": "week", "by": "channel"}),
    (retention.paying_accounts, {"months": 1, "by": "plan"}),
    (retention.at_risk, {"recent_days": 14, "usual_days": 42, "least_days": 1, "by": "industry"}),
    (retention.survival, {"of": "people", "silent_days": 7, "by": "channel"}),
    (retention.survival, {"stop": "payment", "by": "motion"}),
    (retention.survival_compared, {"by": "channel", "silent_days": 7}),
    (retention.plateau, {"unit": "day", "by": "channel"}),
    (trends.trend, {"event": "signed_in", "of": "firsts", "grain": "week"}),
    (trends.trend, {"of": "people", "by": "channel", "grain": "month"}),
    (trends.active_periods, {"unit": "hour", "periods": 2000, "by": "channel"}),
    (trends.active_periods, {"event": "signed_in", "unit": "week", "periods": 9}),
]


@pytest.mark.parametrize(("measure", "parameters"), ASKED, ids=lambda each: getattr(each, "name", None) or "-".join(each))
def test_other_ways_of_asking_give_the_same_on_every_engine(tiny, tiny_elsewhere, measure, parameters):
    pd.testing.assert_frame_equal(measure(tiny_elsewhere, **parameters), measure(tiny, **parameters), rtol=1e-9)


@pytest.mark.parametrize("dialect", ["clickhouse", "snowflake", "bigquery", "trino"])
@pytest.mark.parametrize(("measure", "parameters"), ASKED, ids=lambda each: getattr(each, "name", None) or "-".join(each))
def test_other_ways_of_asking_can_be_written_for_every_dialect(tiny, measure, parameters, dialect):
    assert "SELECT" in measure.sql(tiny, dialect=dialect, **parameters).upper()
