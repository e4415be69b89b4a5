"""Days that come, late rows and rows taken away: what is kept in pieces is what reading everything anew would give."""

from __future__ import annotations

import datetime as dt
import random
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import engines
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from plgkit.playbook import Playbook
from plgkit.sources import inside
from plgkit.sources.connect import connect
from plgkit.sources.data import Data
from plgkit.sources.growing import pieces, shelf

START = dt.datetime(2025, 3, 6)


def rows_of(draw: random.Random, day: int, number: int, ids: int = 400) -> pd.DataFrame:
    """A day's events: some of people not known, some with an id that another day may have too, some without a time."""
    made = []
    for _ in range(number):
        moment = START + dt.timedelta(days=day, seconds=draw.randrange(86_400))
        made.append((f"p{draw.randrange(9)}", draw.choice(["opened", "shared", "signed_in"]), None if draw.random() < 0.03 else moment,
                     f"e{draw.randrange(ids)}" if draw.random() < 0.8 else None))
    return pd.DataFrame(made, columns=["user_id", "event", "occurred_at", "event_id"]).astype({"occurred_at": "datetime64[us]"})


def change(draw: random.Random, days: dict[int, pd.DataFrame], users: pd.DataFrame, ids: int = 400) -> pd.DataFrame:
    """One thing that happens to a source: a day comes, rows come late, rows go, people become known, or are left out."""
    what = draw.choice(["day", "day", "day", "late", "gone", "known", "left", "moved"])
    some_day = draw.choice(sorted(days))
    if what == "day":
        days[max(days) + draw.choice([1, 1, 3])] = rows_of(draw, max(days) + 1, draw.randrange(1, 30), ids)
    elif what == "late":
        days[some_day] = pd.concat([days[some_day], rows_of(draw, some_day, 2, ids)], ignore_index=True)
    elif what == "gone" and len(days) > 2:
        del days[some_day]
    elif what == "moved":
        days[some_day] = days[some_day].assign(event="shared")
    elif what == "known":
        users = users[users["user_id"] != f"p{draw.randrange(9)}"]
        users = pd.concat([users, pd.DataFrame({"user_id": [f"p{draw.randrange(9)}"], "signed_up_at": START, "is_internal": False})])
    else:
        users = users.assign(is_internal=[draw.random() < 0.2 for _ in range(len(users))])
    return users.drop_duplicates("user_id")


def everything(data: Data) -> list[pd.DataFrame]:
    """All that measures read of events, and what the checks found."""
    kept = [data.everything["events"], data.rows_set_aside["events"], data.rollups["activity"], data.rollups["activity_week"], data.everything["users"]]
    frames = []
    for rows in kept:
        frame = data.run(rows)
        frame = frame[sorted(name for name in frame.columns if not name.startswith("raw__"))]
        frames.append(frame.sort_values(list(frame.columns), ignore_index=True))
    return [*frames, pd.DataFrame([vars(each) for each in data.findings]), pd.DataFrame({"as_of": [data.as_of]})]


def same(one: Data, other: Data) -> None:
    assert one.version == other.version or one.connection.name != "duckdb"
    for left, right in zip(everything(one), everything(other), strict=True):
        pd.testing.assert_frame_equal(left, right)


def write(folder: Path, days: dict[int, pd.DataFrame], users: pd.DataFrame | None, *, kind: str) -> None:
    """The source as it stands: a file for each day, or one of all."""
    (folder / "events").mkdir(parents=True, exist_ok=True)
    for path in (folder / "events").iterdir():
        path.unlink()
    parts = {f"{day:03}": rows for day, rows in days.items()} if "one" not in kind else {"all": pd.concat(days.values())}
    for name, rows in parts.items():
        if "csv" in kind:
            rows.to_csv(folder / "events" / f"{name}.csv", index=False)
        else:
            rows.to_parquet(folder / "events" / f"{name}.parquet")
    if users is not None:
        users.to_parquet(folder / "users.parquet")


@pytest.mark.parametrize("kind", ["parquet", "one parquet", "csv"])
@settings(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(seed=some.integers(0, 10**6), ids=some.sampled_from([60, 400, 4000]), with_users=some.booleans(), duplicates=some.sampled_from(["event_id", "event_id", "exact", "keep"]),
       zone=some.sampled_from(["America/New_York", "UTC", "Asia/Kolkata"]))
def test_a_source_that_grew_is_kept_as_if_it_were_read_for_the_first_time(tmp_path_factory, kind, seed, ids, with_users, duplicates, zone):
    draw, here = random.Random(seed), tmp_path_factory.mktemp("growing")
    words = Playbook(product={"time_zone": zone}, data={"duplicates": duplicates})
    days = {day: rows_of(draw, day, 20, ids) for day in range(6)}
    users = pd.DataFrame({"user_id": [f"p{number}" for number in range(7)], "signed_up_at": START, "is_internal": False})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "MANY", 3)
        patch.setattr(pieces, "TOGETHER", 2)
        patch.setattr(pieces, "AT_ONCE", 30)
        for step in range(6):
            write(here / "source", days, users if with_users else None, kind=kind)
            patch.setenv("PLGKIT_CACHE", str(here / "grown"))
            grown = connect(here / "source", playbook=words)
            with pytest.MonkeyPatch.context() as again:
                again.setattr(pieces, "AT_ONCE", 10**9)
                again.setenv("PLGKIT_CACHE", str(here / f"anew_{step}"))
                same(grown, connect(here / "source", playbook=words))
            users = change(draw, days, users, ids)


def test_a_database_that_grew_is_kept_as_if_it_were_read_for_the_first_time(server):
    draw = random.Random(11)
    words = Playbook(product={"time_zone": "America/New_York"})
    days = {day: rows_of(draw, day, 20) for day in range(6)}
    users = pd.DataFrame({"user_id": [f"p{number}" for number in range(7)], "signed_up_at": START, "is_internal": False})
    place = engines.load(server, {"events": pd.concat(days.values(), ignore_index=True), "users": users})
    closed(connect(engines.address_of(place), playbook=words))
    for late, left in [(None, "p3"), (2, None), (None, "p4")][: 2 if place.name == "pyspark" else 3]:
        days[max(days) + 1] = rows_of(draw, max(days) + 1, 9)
        if late is not None:
            days[late] = pd.concat([days[late], rows_of(draw, late, 2)], ignore_index=True)
        users = users.assign(is_internal=users["user_id"] == left)
        now = {"events": pd.concat(days.values(), ignore_index=True), "users": users}
        engines.replace(place, now)
        opened = connect(engines.address_of(place), playbook=words)
        same(opened, connect(now, playbook=words))
        closed(opened)
    names = [name for name in place.list_tables(database=inside.SCHEMA) if name.startswith("events_") and "people" not in name]
    assert len(names) > 2, "days that came have pieces of their own"


def test_days_that_are_settled_are_not_looked_at_again(server):
    draw = random.Random(5)

    def some_rows(day: int, number: int) -> pd.DataFrame:
        return rows_of(draw, day, number).dropna(subset="occurred_at").assign(event_id=lambda rows: [f"{day}-{number}-{place}" for place in rows.index])

    days = {day: some_rows(day, 20) for day in range(12)}
    place = engines.load(server, {"events": pd.concat(days.values(), ignore_index=True)})
    every, settled = Playbook(), Playbook(data={"settled_after_days": 3})
    closed(connect(engines.address_of(place), playbook=settled))
    before = {day: rows.copy() for day, rows in days.items()}
    for day in (2, 10):
        days[day] = pd.concat([days[day], some_rows(day, 2)], ignore_index=True)
    days[12] = some_rows(12, 9)
    engines.replace(place, {"events": pd.concat(days.values(), ignore_index=True)})
    opened = connect(engines.address_of(place), playbook=settled)
    seen = connect({"events": pd.concat([*(rows for day, rows in days.items() if day != 2), before[2]], ignore_index=True)}, playbook=every)
    assert [vars(each) for each in opened.findings if "settled" in each.what] == [
        {"level": "info", "table": "events", "rows": sum(len(rows) for day, rows in before.items() if day < 8),
         "what": "of days before 2025-03-14 are taken as they were (settled_after_days of [data])"}]
    for left, right in list(zip(everything(opened), everything(seen), strict=True))[:5]:
        pd.testing.assert_frame_equal(left, right)
    closed(opened)
    opened = connect(engines.address_of(place), playbook=every)
    same(opened, connect({"events": pd.concat(days.values(), ignore_index=True)}, playbook=every))
    closed(opened)


def test_what_somebody_took_from_a_database_is_made_again(server):
    if server.name == "pyspark":
        pytest.skip("Spark keeps by the same statements, and takes ten times as long")
    days = {day: rows_of(random.Random(day), day, 20) for day in range(4)}
    place = engines.load(server, {"events": pd.concat(days.values(), ignore_index=True)})
    closed(connect(engines.address_of(place)))
    days[4] = rows_of(random.Random(4), 4, 9)
    now = {"events": pd.concat(days.values(), ignore_index=True)}
    engines.replace(place, now)
    closed(connect(engines.address_of(place)))
    for name in place.list_tables(database=inside.SCHEMA):
        if name.startswith(("events_", "activity_")):
            inside._run(place, f"DROP TABLE {inside.SCHEMA}.{name}{' CASCADE' if place.name == 'postgres' else ''}")
    opened = connect(engines.address_of(place))
    same(opened, connect(now))
    closed(opened)


def test_days_that_are_as_they_were_are_not_judged_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PLGKIT_CACHE", str(tmp_path / "cache"))
    draw = random.Random(3)
    days = {day: rows_of(draw, day, 20).assign(event_id=None) for day in range(9)}
    write(tmp_path / "source", days, None, kind="parquet")
    connect(tmp_path / "source")
    before = {path.name for path in (tmp_path / "cache").rglob("events_*.duckdb")}
    days[9] = rows_of(draw, 9, 5).assign(event_id=None)
    write(tmp_path / "source", days, None, kind="parquet")
    data = connect(tmp_path / "source", playbook=Playbook(data={"duplicates": "exact"}))
    days[10] = rows_of(draw, 10, 5).assign(event_id=None)
    write(tmp_path / "source", days, None, kind="parquet")
    again = connect(tmp_path / "source")
    new = {path for path in (tmp_path / "cache").rglob("events_*.duckdb") if path.name not in before}
    sizes = sorted(_rows_in(path) for path in new)
    assert data.version != again.version
    assert sizes == [10, 185], "the two new days for the first playbook, everything for the second"


def test_rows_sent_again_on_the_next_day_open_two_days_however_long_the_chain(tmp_path, monkeypatch):
    monkeypatch.setenv("PLGKIT_CACHE", str(tmp_path / "cache"))
    draw = random.Random(4)
    days = {day: rows_of(draw, day, 20).dropna(subset="occurred_at").assign(event_id=lambda rows, day=day: [f"{day}-{place}" for place in rows.index])
            for day in range(12)}
    for day in range(1, 12):  # Each day holds a row of the day before, too.
        days[day] = pd.concat([days[day], days[day - 1].iloc[:1].assign(occurred_at=START + dt.timedelta(days=day, hours=1))], ignore_index=True)
    write(tmp_path / "source", {day: rows for day, rows in days.items() if day < 11}, None, kind="parquet")
    connect(tmp_path / "source")
    before = {path.name for path in (tmp_path / "cache").rglob("events_*.duckdb")}
    write(tmp_path / "source", days, None, kind="parquet")
    grown = connect(tmp_path / "source")
    new = [_rows_in(path) for path in (tmp_path / "cache").rglob("events_*.duckdb") if path.name not in before]
    assert new == [len(days[10]) + len(days[11])]
    monkeypatch.setenv("PLGKIT_CACHE", str(tmp_path / "anew"))
    same(grown, connect(tmp_path / "source"))


def test_an_opening_that_is_killed_at_any_moment_leaves_nothing_that_the_next_one_takes_for_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("PLGKIT_CACHE", str(tmp_path / "cache"))
    draw = random.Random(5)
    days = {day: rows_of(draw, day, 300) for day in range(40)}
    write(tmp_path / "source", days, None, kind="parquet")
    (tmp_path / "source" / "playbook.toml").write_text('[product]\nname = "Killed"\n')
    code = "import sys; from plgkit.sources.connect import connect; print('on', flush=True); connect(sys.argv[1])"
    for wait in (0.02, 0.1, 0.2, 0.4, 0.6, 0.8):
        run = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "source")], stdout=subprocess.PIPE)
        run.stdout.readline()
        time.sleep(wait)
        run.kill()
        run.wait()
        run.stdout.close()
    after = connect(tmp_path / "source")
    assert list((tmp_path / "cache").rglob(".work-*")) == []
    monkeypatch.setenv("PLGKIT_CACHE", str(tmp_path / "another"))
    same(after, connect(tmp_path / "source"))


def test_only_the_last_states_of_the_data_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("PLGKIT_CACHE", str(tmp_path / "cache"))
    draw = random.Random(4)
    days = {0: rows_of(draw, 0, 20)}
    for day in range(1, 8):
        days[day] = rows_of(draw, day, 20)
        write(tmp_path / "source", days, None, kind="one parquet")
        data = connect(tmp_path / "source")
    users = {path.stem for path in (tmp_path / "cache").rglob("users_*.duckdb")}
    assert len(users) == shelf.STATES
    assert f"users_{data.version}" in users


@pytest.mark.parametrize("lost", ["events_*", "users_*", "activity_*"])
def test_what_somebody_took_from_the_cache_is_made_again(tmp_path, monkeypatch, lost):
    monkeypatch.setenv("PLGKIT_CACHE", str(tmp_path / "cache"))
    days = {day: rows_of(random.Random(day), day, 20) for day in range(3)}
    users = pd.DataFrame({"user_id": [f"p{number}" for number in range(7)], "signed_up_at": START, "is_internal": False})
    write(tmp_path / "source", days, users, kind="parquet")
    before = everything(connect(tmp_path / "source"))
    for path in (tmp_path / "cache").rglob(f"{lost}.duckdb"):
        path.unlink()
    for left, right in zip(before, everything(connect(tmp_path / "source")), strict=True):
        pd.testing.assert_frame_equal(left, right)


def test_data_that_go_back_to_a_state_long_past_are_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PLGKIT_CACHE", str(tmp_path / "cache"))
    days = {day: rows_of(random.Random(day), day, 20) for day in range(9)}
    write(tmp_path / "source", days, None, kind="parquet")
    first = everything(connect(tmp_path / "source"))
    for last in range(8, 3, -1):
        write(tmp_path / "source", {day: days[day] for day in range(last)}, None, kind="parquet")
        connect(tmp_path / "source")
    write(tmp_path / "source", days, None, kind="parquet")
    for left, right in zip(first, everything(connect(tmp_path / "source")), strict=True):
        pd.testing.assert_frame_equal(left, right)


def closed(data: Data) -> None:
    """PostgreSQL's connections are closed by who opened them."""
    if data.connection.name == "postgres":
        data.connection.disconnect()


def _rows_in(path: Path) -> int:
    connection = duckdb.connect(path, read_only=True)
    try:
        return connection.sql("SELECT (SELECT count(*) FROM kept) + (SELECT count(*) FROM aside)").fetchone()[0]
    finally:
        connection.close()
