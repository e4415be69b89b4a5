"""The rollups are what plain pandas makes of the events, at any day."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plgkit.playbook import Playbook
from plgkit.sources.connect import connect

NEW_YORK = {"time_zone": "America/New_York", "week_start": "sunday"}


@pytest.fixture(scope="module")
def events() -> pd.DataFrame:
    random = np.random.default_rng(3)
    size = 3000
    at = pd.Timestamp("2025-02-15") + pd.to_timedelta(random.integers(0, 60 * 86400, size), unit="s")
    return pd.DataFrame({"user_id": random.choice([f"u{n}" for n in range(40)], size),
                         "event": random.choice(["open", "save", "mail_sent"], size, p=[0.6, 0.3, 0.1]),
                         "occurred_at": at})


def by_hand(events: pd.DataFrame, as_of: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    local = events.occurred_at.dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None)
    rows = events.assign(day=local.dt.normalize())[lambda each: (each.event != "mail_sent") & (each.day <= as_of)]
    days = rows.groupby(["user_id", "day"]).size().rename("n").reset_index()
    days["first_day"] = days.groupby("user_id").day.transform("min")
    days["prev_day"] = days.groupby("user_id").day.shift()
    weeks = days.assign(week=days.day - pd.to_timedelta((days.day.dt.day_of_week + 1) % 7, unit="D"))
    weeks = weeks.groupby(["user_id", "week"]).agg(n=("n", "sum"), days=("n", "size")).reset_index()
    weeks["first_week"] = weeks.groupby("user_id").week.transform("min")
    weeks["prev_week"] = weeks.groupby("user_id").week.shift()
    return days, weeks


@pytest.mark.parametrize("as_of", ["2025-03-22", "2025-04-02", "2025-04-30"])
@pytest.mark.parametrize("kept", [True, False])
def test_the_rollups_are_what_pandas_makes_of_the_events(events, tmp_path, as_of, kept):
    words = Playbook(product=NEW_YORK, activity={"except": ["mail_sent"]})
    source = {"events": events}
    if kept:
        events.to_parquet(tmp_path / "events.parquet")
        source = tmp_path
    data = connect(source, playbook=words, as_of=as_of)
    for found, expected in zip((data.activity, data.activity_week), by_hand(events, as_of), strict=True):
        found = data.run(found.order_by("user_id", found.columns[1]))[list(expected.columns)]
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_a_change_of_what_counts_as_activity_builds_new_rollups_and_reads_no_file_again(events, tmp_path, monkeypatch):
    monkeypatch.setenv("PLGKIT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "source").mkdir()
    events.to_parquet(tmp_path / "source" / "events.parquet")
    connect(tmp_path / "source")
    connect(tmp_path / "source", playbook=Playbook(activity={"events": ["open"]}))
    connect(tmp_path / "source", playbook=Playbook(activity={"events": ["open"]}, product={"name": "Another name"}))
    assert len(list((tmp_path / "cache").rglob("events_*.duckdb"))) == 1
    assert len(list((tmp_path / "cache").rglob("activity_week_*.duckdb"))) == 2
