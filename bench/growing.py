"""What a day's new rows cost, by how long the history is: opening the data again after each of several days, against reading all anew.

Seconds and processor time of `connect` in this process, the median of some days; a late row of the first day, and the same in PostgreSQL
(`--postgres ADDRESS`, an empty database) and in ClickHouse inside this process (`--clickhouse`). With `--settled DAYS` a database is asked
about its last days only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from plgkit.playbook import Playbook
from plgkit.sources.connect import connect

PEOPLE = 5
"""New people a day come to one for so many events; people come back on one day in ten."""


def main() -> None:
    """Measure histories of several lengths."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--days", type=int, nargs="+", default=[1, 10, 100, 1000], help="lengths of the history")
    ask.add_argument("--events", type=int, default=10_000, help="events a day")
    ask.add_argument("--more", type=int, default=20, help="days that come one by one")
    ask.add_argument("--postgres", default=None, metavar="ADDRESS", help="also in this empty database")
    ask.add_argument("--clickhouse", action="store_true", help="also in ClickHouse")
    ask.add_argument("--settled", type=int, default=None, metavar="DAYS", help="days of a database that are looked at again; all by default")
    asked = ask.parse_args()
    words = Playbook(data={"settled_after_days": asked.settled})
    print(f"{asked.events:,} events a day; seconds (of them processor time)\n")
    print("| where | history, days | read anew | a day more, median | slowest | late row of the first day | opened again |")
    print("|---|---|---|---|---|---|---|")
    places = {"files": lambda folder: _in_files(folder)}
    if asked.postgres:
        places["PostgreSQL"] = lambda _folder: _in_postgres(asked.postgres, words)
    if asked.clickhouse:
        places["ClickHouse"] = lambda folder: _in_clickhouse(folder, words)
    for where, place in places.items():
        for days in asked.days:
            with tempfile.TemporaryDirectory() as folder:
                os.environ["PLGKIT_CACHE"] = f"{folder}/cache"
                print(f"| {where} | {days:,} | " + " | ".join(measured(place(Path(folder)), days, asked)) + " |", flush=True)
                shutil.rmtree(folder, ignore_errors=True)


def measured(source: tuple[Callable, Callable], days: int, asked: argparse.Namespace) -> list[str]:
    """The columns of one row."""
    write, opened = source
    for first in range(0, days, 100):
        write(first, min(first + 100, days), asked.events)
    anew, more = opened(), []
    for day in range(days, days + asked.more):
        write(day, day + 1, asked.events)
        more.append(opened())
    write(0, 1, asked.events + 1)
    late, again = opened(), opened()
    middle = statistics.median(each[0] for each in more), statistics.median(each[1] for each in more)
    return [f"{one:.2f} ({two:.2f})" for one, two in (anew, middle, max(more), late, again)]


def timed(source: str, words: Playbook | None = None) -> tuple[float, float]:
    """Seconds and seconds of the processor that opening takes."""
    start, used = time.perf_counter(), time.process_time()
    data = connect(source, playbook=words)
    found = time.perf_counter() - start, time.process_time() - used
    if data.connection.name != "clickhouse":  # That engine ends with its last connection.
        data.connection.disconnect()
    return found


def rows(first: int, last: int, events: int) -> str:
    """SQL for the events of some days: a tenth of all people come on a day, each with ten events; the same for the same day."""
    return f"""
        SELECT 'p' || (hash(day, n % ({events} // 10)) % greatest((day + 1) * {events} // {PEOPLE} // 10, {events} // 5)) AS user_id,
            ['opened', 'edited', 'shared', 'commented'][1 + n % 4] AS event,
            TIMESTAMP '2022-01-01' + INTERVAL 1 DAY * day + INTERVAL 1 SECOND * (n * 86399 // {events + 1}) AS occurred_at,
            'e' || day || '-' || n AS event_id, '{{"board": ' || n % 100 || '}}' AS properties
        FROM range({first}, {last}) d(day), range({events}) e(n)"""


def _in_files(folder: Path) -> tuple[Callable, Callable]:
    """A file of Parquet for each day."""
    (folder / "source" / "events").mkdir(parents=True)

    def write(first: int, last: int, events: int) -> None:
        for day in range(first, last):
            duckdb.sql(f"COPY ({rows(day, day + 1, events)}) TO '{folder}/source/events/{day:05}.parquet'")

    return write, lambda: timed(str(folder / "source"))


def _in_postgres(address: str, words: Playbook) -> tuple[Callable, Callable]:
    """A table with an index on its time, in a database whose schemas are emptied first."""
    import ibis

    place = ibis.connect(address)
    for text in ("DROP SCHEMA IF EXISTS plgkit_kept CASCADE", "DROP TABLE IF EXISTS events",
                 "CREATE TABLE events (user_id text, event text, occurred_at timestamp, event_id text, properties text)",
                 "CREATE INDEX ON events (occurred_at)"):
        place.raw_sql(text).close()

    def write(first: int, last: int, events: int) -> None:
        made = duckdb.sql(rows(first, last, events)).arrow()
        with place.con.cursor() as cursor:
            cursor.execute(f"DELETE FROM events WHERE occurred_at >= date '2022-01-01' + {first} AND occurred_at < date '2022-01-01' + {last}")
            with cursor.copy("COPY events FROM STDIN") as copy:
                for batch in (made.to_batches() if hasattr(made, "to_batches") else made):
                    for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        copy.write_row(row)
        place.con.commit()

    return write, lambda: timed(address, words)


def _in_clickhouse(folder: Path, words: Playbook) -> tuple[Callable, Callable]:
    """A table by person and time, in databases that are emptied first."""
    import logging

    import ibis

    logging.getLogger("clickhouse_connect").setLevel(logging.ERROR)
    place = ibis.clickhouse.connect(dsn="chdb://memory", interface="chdb")
    for text in ("DROP DATABASE IF EXISTS plgkit_kept", "DROP DATABASE IF EXISTS shop", "CREATE DATABASE shop",
                 "CREATE TABLE shop.events (user_id String, event String, occurred_at DateTime64(6, 'UTC'), event_id String, properties String) "
                 "ENGINE = MergeTree ORDER BY (user_id, occurred_at)"):
        place.raw_sql(text)

    def write(first: int, last: int, events: int) -> None:
        duckdb.sql(f"COPY ({rows(first, last, events)}) TO '{folder}/some.parquet'")
        place.raw_sql(f"DELETE FROM shop.events WHERE occurred_at >= toDateTime('2022-01-01', 'UTC') + INTERVAL {first} DAY "
                      f"AND occurred_at < toDateTime('2022-01-01', 'UTC') + INTERVAL {last} DAY")
        place.raw_sql(f"INSERT INTO shop.events SELECT * FROM file('{folder}/some.parquet', Parquet)")

    return write, lambda: timed("chdb://memory/shop", words)


if __name__ == "__main__":
    main()
