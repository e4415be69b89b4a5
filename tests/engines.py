"""Real servers and engines for the tests: started once, skipped with the reason where they are missing."""

from __future__ import annotations

import getpass
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plgkit.schema import TABLES

ENGINES = ("duckdb", "postgres", "spark", "clickhouse")


def lacking(reason: str) -> None:
    """Skip with the reason on a user's machine; on CI a missing engine is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have every engine: {reason}")
    pytest.skip(reason)


def _postgres_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if found:
        return found[0].parent
    path = shutil.which("initdb")
    return Path(path).parent if path else None


def _as_server(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root; there it runs as the user that its package made."""
    return ["runuser", "-u", "postgres", "--", *command] if getpass.getuser() == "root" else command


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def postgres() -> Iterator[ibis.BaseBackend]:
    """A PostgreSQL server of our own on loopback, with an empty database."""
    programs = _postgres_programs()
    if programs is None:
        lacking("PostgreSQL is not installed (Debian: postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="plgkit-pg-"))
    folder.chmod(0o777)
    port, store = _free_port(), folder / "data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    subprocess.run(_as_server([str(programs / "initdb"), "-D", str(store), "-U", "plgkit", "-A", "trust",
                               "-E", "UTF8", "--no-sync", "--locale=C"]), **quiet)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c timezone=UTC"
    control = [str(programs / "pg_ctl"), "-D", str(store), "-w"]
    subprocess.run(_as_server([*control, "-o", options, "-l", str(folder / "log"), "start"]), **quiet)
    try:
        connection = ibis.postgres.connect(host="127.0.0.1", port=port, user="plgkit", database="postgres")
        yield connection
        for each in [connection, *_places]:
            each.disconnect()
        _places.clear()
    finally:
        subprocess.run(_as_server([*control, "-m", "immediate", "stop"]), **quiet)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def spark() -> Iterator[ibis.BaseBackend]:
    """PySpark in local mode, with two threads."""
    if shutil.which("java") is None:
        lacking("Java is not installed (Debian: openjdk-17-jre-headless)")
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        lacking("pyspark is not installed (requirements-dev.txt)")
    folder = tempfile.mkdtemp(prefix="plgkit-spark-")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = (
            SparkSession.builder.master("local[2]").appName("plgkit tests")
            .config("spark.sql.session.timeZone", "UTC").config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2").config("spark.driver.memory", "5g")
            .config("spark.sql.warehouse.dir", f"{folder}/warehouse").config("spark.log.level", "ERROR")
            # Texts of past plans are megabytes each, and so is each table that is broadcast: a full heap spends its time on being cleared.
            .config("spark.sql.ui.retainedExecutions", "1").config("spark.ui.retainedJobs", "1").config("spark.ui.retainedStages", "1")
            .config("spark.sql.maxPlanStringLength", "1000").config("spark.sql.codegen.wholeStage", "false").config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
            .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseParallelGC")
            .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
            .getOrCreate())
        session.sparkContext.setLogLevel("OFF")
        yield ibis.pyspark.connect(session)
        session.stop()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def clickhouse() -> Iterator[ibis.BaseBackend]:
    """ClickHouse inside this process. Without `join_use_nulls` it fills the missing side of a join with zeros."""
    try:
        import chdb  # noqa: F401
    except ImportError:
        lacking("chdb is not installed (requirements-dev.txt)")
    connection = _in_process("default")
    yield connection
    for each in [connection, *_here]:
        each.disconnect()
    _here.clear()


def _in_process(database: str) -> ibis.BaseBackend:
    return ibis.clickhouse.connect(dsn="chdb://memory", interface="chdb", database=database, settings={"join_use_nulls": 1})


def load(connection: ibis.BaseBackend, frames: dict[str, pd.DataFrame], *, here: bool = False) -> ibis.BaseBackend:
    """Write frames as tables of a place of their own in the engine, and connect there; or of the place that is connected."""
    kinds = {"time": "timestamp(6)", "date": "date", "string": "string", "json": "string", "money": "float64",
             "number": "float64", "whole": "int64", "flag": "boolean"}
    place = connection if here else _place(connection)
    for name, frame in frames.items():
        schema = ibis.schema({column: kinds[TABLES[name][column].kind] for column in frame.columns})
        if place.name == "clickhouse":
            _through_a_file(place, name, _plain(frame, name), schema)
        else:
            place.create_table(name, _plain(frame, name), schema=schema)
    if place.name == "postgres":
        place.raw_sql("ANALYZE").close()
    return place


def replace(place: ibis.BaseBackend, frames: dict[str, pd.DataFrame]) -> None:
    """Write tables anew in a place."""
    for name in frames:
        place.drop_table(name)
    load(place, frames, here=True)


def address_of(place: ibis.BaseBackend) -> str:
    """The address by which a place is opened."""
    if place.name == "postgres":
        return f"postgres://{place.con.info.user}@{place.con.info.host}:{place.con.info.port}/{place.con.info.dbname}"
    return f"chdb://memory/{place.current_database}" if place.name == "clickhouse" else f"spark://local/{place.current_database}?cores=2"


def _through_a_file(place: ibis.BaseBackend, name: str, frame: pd.DataFrame, schema: ibis.Schema) -> None:
    """ClickHouse inside a process takes no rows from outside but files."""
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        pq.write_table(pa.Table.from_pandas(frame, schema=schema.to_pyarrow(), preserve_index=False), file.name)
        place.raw_sql(f"CREATE TABLE {name} ENGINE = MergeTree ORDER BY tuple() AS SELECT * FROM file('{file.name}', Parquet)")


_numbers = itertools.count(1)
_places: list[ibis.BaseBackend] = []
_here: list[ibis.BaseBackend] = []


def _place(connection: ibis.BaseBackend) -> ibis.BaseBackend:
    """An empty database: Spark reads a table when it is asked, so nobody may replace what another test looks at."""
    name = f"place_{next(_numbers)}"
    if connection.name == "postgres":
        connection.raw_sql(f"CREATE DATABASE {name}").close()
        known = connection.con.info
        _places.append(ibis.postgres.connect(host=known.host, port=known.port, user=known.user, database=name))
        return _places[-1]
    if connection.name == "clickhouse":
        connection.raw_sql(f"CREATE DATABASE {name}")
        _here.append(_in_process(name))
        return _here[-1]
    session = connection._session.newSession()
    session.sql(f"CREATE DATABASE {name}")
    session.sql(f"USE {name}")
    return ibis.pyspark.connect(session)


def _plain(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Texts as objects with None, days as dates: what every engine's writer takes."""
    made = frame.copy()
    for column in made.columns:
        kind = TABLES[name][column].kind
        if kind in ("string", "json", "flag"):
            made[column] = made[column].astype(object).where(made[column].notna(), None)
        elif kind == "whole":
            made[column] = made[column].astype("Int64").astype(object).where(made[column].notna(), None)
        elif kind == "date":
            made[column] = pd.to_datetime(made[column]).dt.date
    return made
