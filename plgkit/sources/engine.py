"""The seam to Ibis: everything that differs between engines passes through here."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import os
import tempfile
import zoneinfo
from functools import lru_cache
from pathlib import Path
from typing import Literal

import duckdb
import ibis
import pandas as pd
from ibis.expr.types import Column, DateColumn, Table, TimestampColumn

from plgkit.errors import BadParameter
from plgkit.sources import cache, faults

Grain = Literal["day", "week", "month", "quarter"]
GRAINS = ("day", "week", "month", "quarter")
DAY = dt.timedelta(days=1)
DIALECTS = ("duckdb", "postgres", "clickhouse", "pyspark", "databricks", "trino", "snowflake", "bigquery")
STORAGE = "duckdb" + ".".join(duckdb.__version__.split(".")[:2])
"""How kept tables are stored: a file of another version of DuckDB may not open."""
_LEAST_MIB = 420
_numbers = itertools.count(1)


def open_duckdb(path: Path | None = None) -> ibis.BaseBackend:
    """Open a DuckDB in memory, or in a file, whose clock is UTC."""
    connection = ibis.duckdb.connect(path or ":memory:")
    connection.raw_sql("SET TimeZone = 'UTC'")
    if path is None:
        # What does not fit into memory goes where temporary files go, not into the folder somebody works in.
        spill = Path(tempfile.gettempdir()) / f"plgkit-spill-{os.getpid()}-{next(_numbers)}"
        connection.raw_sql(f"SET temp_directory = '{str(spill).replace(chr(39), chr(39) * 2)}'")
    # DuckDB draws its bar on standard output, between the rows of a --json. In a notebook without
    # ipywidgets it has none and refuses the setting.
    with contextlib.suppress(duckdb.InvalidInputException):
        connection.raw_sql("SET enable_progress_bar = false")
    return connection


def spare(connection: ibis.BaseBackend, size: int) -> None:
    """Take only so much memory as the bytes of the kept tables make likely, where several processes share a machine."""
    if os.environ.get(cache.SHARING):
        connection.raw_sql(f"SET memory_limit = '{max(_LEAST_MIB, int(1.6 * size / 2**20))}MiB'")


def promised(connection: ibis.BaseBackend, rows: Table) -> str:
    """A query whose columns have the types that they promise.

    What an engine makes may be wider: a truncated day is a timestamp, a sum is huge.
    """
    import sqlglot as sg

    compiler = connection.compiler
    columns = [sg.exp.Cast(this=sg.to_identifier(name, quoted=True), to=compiler.type_mapper.from_ibis(kind)).as_(name, quoted=True)
               for name, kind in rows.schema().items()]
    inner = compiler.to_sqlglot(rows.unbind()).subquery("made")
    return sg.select(*columns).from_(inner).sql(compiler.dialect)


def store(connection: ibis.BaseBackend, rows: Table, target: str) -> Table:
    """Write rows into a DuckDB file that is attached, as `<file>.<table>`, with the types they promise."""
    connection.raw_sql(f"CREATE TABLE {target} AS {promised(connection, rows)}")
    place, _, table = target.partition(".")
    return connection.table(table, database=(place, "main"))


def keep(connection: ibis.BaseBackend, name: str, rows: Table) -> Table:
    """Work rows out once, for as long as the connection lasts, and return them as a table.

    They never leave the engine: a temporary table, or a cached frame in Spark. Without
    this every measure would judge every row again, and planners go astray in what they
    cannot estimate.
    """
    place = f"plgkit_{name}_{next(_numbers)}"
    if connection.name == "pyspark" and type(connection._session).__module__.startswith("pyspark.sql.connect"):
        # Spark Connect does not tell of a frame that it is cached, and Ibis insists on being told.
        connection.raw_sql(f"CACHE TABLE {place} AS {sql(rows)}")
        return as_promised(connection.table(place), rows)
    kept = connection._create_cached_table(place, rows)
    if connection.name == "postgres":
        connection.raw_sql(f'ANALYZE "{kept.get_name()}"').close()
    return as_promised(kept, rows)


def as_promised(kept: Table, rows: Table) -> Table:
    """The kept rows with the types that their query promised; engines turn a shifted day into a time."""
    promised = {name: kind for name, kind in rows.schema().items() if kept.schema()[name] != kind}
    return kept.cast(promised) if promised else kept


def run(expression: Table) -> pd.DataFrame:
    """Run a query and bring its rows as pandas with plain types.

    Days and times become `datetime64[us]`, whole numbers `int64` (`Int64` where some
    are missing), other numbers `float64`, texts `str`, on every engine alike.
    """
    try:
        frame = expression.execute()
    except Exception as error:
        faults.check(error)
        raise
    for name, kind in expression.schema().items():
        if kind.is_date() or kind.is_timestamp():
            found = pd.to_datetime(frame[name])
            frame[name] = (found.dt.tz_convert("UTC").dt.tz_localize(None) if found.dt.tz else found).astype("datetime64[us]")
        elif kind.is_integer():
            frame[name] = frame[name].astype("Int64" if frame[name].isna().any() else "int64")
        elif kind.is_floating() or kind.is_decimal():
            frame[name] = frame[name].astype("float64")
        elif kind.is_boolean():
            frame[name] = frame[name].astype("boolean" if frame[name].isna().any() else "bool")
        elif kind.is_string():
            frame[name] = frame[name].astype("str")
    return frame


def sql(expression: Table, dialect: str | None = None) -> str:
    """The query as text, in the engine's own dialect or in the one asked for."""
    if not dialect:
        return str(ibis.to_sql(expression))
    if dialect not in DIALECTS:
        raise BadParameter("dialect", dialect, expected=f"one of {', '.join(DIALECTS)}")
    return str(ibis.to_sql(expression, dialect=dialect))


@lru_cache(maxsize=64)
def offsets(zone: str, first: dt.date, last: dt.date) -> tuple[tuple[dt.datetime, int], ...]:
    """The zone's distance from UTC in seconds, as (valid until this UTC instant, seconds) pairs.

    Examples
    --------
    >>> offsets("America/New_York", dt.date(2025, 1, 1), dt.date(2025, 6, 1))
    ((datetime.datetime(2025, 3, 9, 7, 0), -18000), (datetime.datetime(9999, 1, 1, 0, 0), -14400))
    """
    place = zoneinfo.ZoneInfo(zone)

    def at(moment: dt.datetime) -> int:
        return int(moment.replace(tzinfo=dt.UTC).astimezone(place).utcoffset().total_seconds())

    moment = dt.datetime.combine(first, dt.time()) - 2 * DAY
    end = dt.datetime.combine(last, dt.time()) + 2 * DAY
    found = []
    while moment < end:
        following = moment + DAY
        if at(moment) != at(following):
            low, high = moment, following
            while high - low > dt.timedelta(seconds=1):
                middle = low + (high - low) // 2
                low, high = (middle, high) if at(middle) == at(moment) else (low, middle)
            change = high.replace(microsecond=0)
            found.append((change, at(moment)))
        moment = following
    return (*found, (dt.datetime(9999, 1, 1), at(end)))


def local(time: TimestampColumn, zone: str, *, first: dt.date, last: dt.date) -> TimestampColumn:
    """The wall-clock time in `zone`, right through every change of offset between the two days.

    Written as comparisons with the instants at which the zone changes its offset,
    which every engine understands and computes alike.
    """
    steps = offsets(zone, first, last)
    if len(steps) == 1:
        return time + ibis.interval(seconds=steps[0][1]) if steps[0][1] else time
    return ibis.cases(
        *[(time < ibis.timestamp(until), time + ibis.interval(seconds=gap)) for until, gap in steps[:-1]],
        else_=time + ibis.interval(seconds=steps[-1][1]),
    )


def to_utc(day: dt.date, zone: str) -> dt.datetime:
    """The UTC instant at which a day begins in `zone`, without its zone.

    Examples
    --------
    >>> to_utc(dt.date(2025, 7, 1), "America/New_York")
    datetime.datetime(2025, 7, 1, 4, 0)
    """
    midnight = dt.datetime.combine(day, dt.time(), tzinfo=zoneinfo.ZoneInfo(zone))
    return midnight.astimezone(dt.UTC).replace(tzinfo=None)


def period(day: DateColumn, grain: Grain, week_start: str = "monday") -> DateColumn:
    """The first day of the day's period; weeks may begin on Sunday."""
    if grain == "day":
        return day
    if grain != "week":
        return day.truncate({"month": "M", "quarter": "Q"}[grain])
    if week_start == "sunday":
        return shift((shift(day, 1)).truncate("W"), -1)
    return day.truncate("W")


def shift(day: DateColumn, days: int) -> DateColumn:
    """The day so many days later; a date on every engine."""
    return (day + ibis.interval(days=days)).cast("date") if days else day


def period_of(day: dt.date, grain: Grain, week_start: str = "monday") -> dt.date:
    """The same cut as `period`, for one day in Python."""
    if grain == "week":
        back = (day.weekday() + 1) % 7 if week_start == "sunday" else day.weekday()
        return day - back * DAY
    if grain == "month":
        return day.replace(day=1)
    if grain == "quarter":
        return day.replace(month=3 * ((day.month - 1) // 3) + 1, day=1)
    return day


def next_period(start: dt.date, grain: Grain) -> dt.date:
    """The first day of the period after the one that begins on `start`."""
    if grain == "day":
        return start + DAY
    if grain == "week":
        return start + 7 * DAY
    months = start.month - 1 + (1 if grain == "month" else 3)
    return start.replace(year=start.year + months // 12, month=months % 12 + 1)


def days_between(later: DateColumn, earlier: DateColumn) -> Column:
    """Whole days from one day to another."""
    return later.delta(earlier, unit="day").cast("int64")


def whole(value: Column) -> Column:
    """A count as a signed whole number: ClickHouse counts without a sign, and such numbers do not mix with others."""
    return value.cast("float64").cast("int64")


def seconds_between(later: TimestampColumn, earlier: TimestampColumn) -> Column:
    """Seconds from one instant to another, with their fraction, alike on every engine."""
    return (later.delta(earlier, unit="microsecond")).cast("float64") / 1_000_000
