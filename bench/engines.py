"""Opening and asking the made-up company inside each engine: seconds, core-seconds, nanoseconds an event, and the disk that is kept.

Each engine and size runs in a process of its own, with two threads and less than 8 GiB; a step that uses more than so many minutes
of processor time is stopped, and what comes after it is not asked. Loading the tables into a server is not plgkit's work and is told
apart. Core-seconds are what all processes of an engine used, so that a busy machine changes them little.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ENGINES = {"duckdb": "DuckDB, files", "postgres": "PostgreSQL 15", "clickhouse": "ClickHouse (chdb)", "spark": "Spark 4, two threads"}
TABLES = ("events", "users", "accounts", "subscriptions")
COLUMNS = {"events": "user_id, event, occurred_at, event_id, account_id"}
STEPS = ["signed_up", "board_created", "card_added", "card_finished"]
QUESTIONS = ("signups", "activation", "funnel", "retention", "active", "growth", "nrr")
PEOPLE_PER_MILLION = 6_700
_TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure every cell and print one table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--millions", type=int, nargs="+", default=[1], help="sizes, in millions of events")
    arguments.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    arguments.add_argument("--limit", type=float, default=15, help="minutes of processor time that one step may use, or four times as many by the clock")
    arguments.add_argument("--work", type=Path, help="folder for the companies and the servers' files; a temporary one by default")
    arguments.add_argument("--one", choices=list(ENGINES), help=argparse.SUPPRESS)
    arguments.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        _measure(given.one, given.source, given.work)
        return
    with _working(given.work) as work:
        for millions in given.millions:
            source = _company(work, millions)
            cells = {engine: _cell(engine, source, work, given.limit * 60) for engine in given.engines}
            print(_as_markdown(millions, cells, given.limit), flush=True)


@contextmanager
def _working(given: Path | None) -> Iterator[Path]:
    if given:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _company(work: Path, millions: int) -> Path:
    """The made-up company of so many events, written unless it is there."""
    target = work / f"company_{millions}"
    if not (target / "events.parquet").exists():
        made = work / f"whole_{millions}"
        subprocess.run([sys.executable, "-m", "plgkit", "sample", "--people", str(millions * PEOPLE_PER_MILLION), "--out", made], check=True,
                       stdout=subprocess.DEVNULL)
        target.mkdir(parents=True)
        for name in [*(f"{each}.parquet" for each in TABLES), "playbook.toml"]:
            (made / name).rename(target / name)
        shutil.rmtree(made)
    return target


def _cell(engine: str, source: Path, work: Path, limit: float) -> list[dict]:
    """What one engine did before it was through or a step took too long."""
    folder = Path(tempfile.mkdtemp(prefix=f"{engine}-", dir=work))
    folder.chmod(0o777)
    command = [sys.executable, __file__, "--one", engine, "--source", str(source), "--work", str(folder)]
    with open(f"{folder}.log", "wb") as words:
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, start_new_session=True,
                               env=os.environ | {"PLGKIT_CACHE": str(folder / "cache"), "TMPDIR": str(folder)})
    told = []
    try:
        for line in _lines(run, limit, folder):
            told.append(line)
            print(f"  {engine}: {line}", file=sys.stderr, flush=True)
        if run.poll() is None:
            told.append({"step": "stopped"})
    finally:
        _end(run)
        _stop_postgres(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return told


def _lines(run: subprocess.Popen, limit: float, folder: Path) -> Iterator[dict]:
    """Lines as they come; an end of them when what comes next uses too much."""
    with selectors.DefaultSelector() as ready:
        ready.register(run.stdout, selectors.EVENT_READ)
        began, used, peak = time.monotonic(), 0.0, 0.0
        while True:
            roots = [run.pid, *_postmaster(folder)]
            peak = max(peak, _memory(roots))
            if ready.select(1):
                line = run.stdout.readline()
                if not line:
                    run.wait()
                    return
                yield json.loads(line) | {"peak_gib": peak}
                began, used = time.monotonic(), _used(roots)
            elif _used(roots) - used > limit or time.monotonic() - began > 4 * limit:
                return


def _end(run: subprocess.Popen) -> None:
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()


def _measure(engine: str, source: Path, work: Path) -> None:
    """Load, open, open again and ask; a line of JSON for each."""
    import duckdb
    from measures import digest

    import plgkit

    rows = duckdb.sql(f"SELECT count(*) FROM '{source}/events.parquet'").fetchone()[0]
    roots = [os.getpid()]
    address, kept = _timed("load", roots, lambda: SERVERS[engine](source, work, roots), rows=rows)
    words = source / "playbook.toml"
    data = _timed("open", roots, lambda: plgkit.connect(address, playbook=words), rows=rows)
    again = _timed("open again", roots, lambda: plgkit.connect(address, playbook=words))
    for name, ask in _questions(again).items():
        data.answers.clear()
        again.answers.clear()
        _timed(name, roots, ask, digest=digest)
    _say(step="kept", mib=kept() / 2**20)


def _questions(data) -> dict[str, Callable]:
    from plgkit.metrics import acquisition, activation, engagement, expansion, retention
    from plgkit.metrics.funnels import funnel

    return {
        "signups": lambda: acquisition.signups(data)[["period", "value"]],
        "activation": lambda: activation.rate(data)[["period", "numerator", "denominator"]],
        "funnel": lambda: funnel(data, STEPS, within_days=14)[["position", "people", "immature"]],
        "retention": lambda: retention.cohorts(data, unit="week")[["cohort", "age", "numerator"]],
        "active": lambda: engagement.active_people(data, grain="week")[["period", "value"]],
        "growth": lambda: retention.growth_accounting(data)[["period", "new", "retained", "resurrected"]],
        "nrr": lambda: expansion.nrr(data)[["period", "numerator", "denominator"]],
    }


def _timed(step: str, roots: list[int], run: Callable, digest: Callable | None = None, **facts: object):
    used, began = _used(roots), time.perf_counter()
    answer = run()
    _say(step=step, seconds=time.perf_counter() - began, cores=_used(roots) - used, **facts,
         **({"digest": digest(answer)} if digest else {}))
    return answer


def _say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def _family(roots: list[int]) -> dict[int, list[str]]:
    """The words of /proc/PID/stat behind the name, of the processes that descend from these."""
    every = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            every[int(path.parent.name)] = path.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
    family = {pid for pid in roots if pid in every}
    while more := {pid for pid, words in every.items() if int(words[1]) in family} - family:
        family |= more
    return {pid: every[pid] for pid in family}


def _used(roots: list[int]) -> float:
    """Processor time of these processes, of those that came from them, and of those of them that have ended."""
    return sum(sum(map(int, words[11:15])) for words in _family(roots).values()) / _TICK


def _memory(roots: list[int]) -> float:
    """What these processes hold together now, in GiB; pages that several share count once."""
    held = 0
    for pid in _family(roots):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        held += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return held / 2**20


def _size(folder: Path) -> int:
    return sum(each.stat().st_blocks * 512 for each in folder.rglob("*") if each.is_file())


def _duckdb(source: Path, work: Path, roots: list[int]) -> tuple[str, Callable[[], int]]:
    """The files themselves: plgkit keeps its tables in its cache."""
    import duckdb

    folder = work / "files"
    folder.mkdir()
    for name in TABLES:
        duckdb.sql(f"COPY (SELECT {COLUMNS.get(name, '*')} FROM '{source}/{name}.parquet') TO '{folder}/{name}.parquet' (FORMAT parquet)")
    _limit_duckdb("6GB")
    return str(folder), lambda: _size(work / "cache")


def _limit_duckdb(memory: str) -> None:
    from plgkit.sources import engine

    opened = engine.open_duckdb

    def limited(path: Path | None = None):
        connection = opened(path)
        connection.raw_sql(f"SET memory_limit = '{memory}'")
        connection.raw_sql("SET threads = 2")
        return connection

    engine.open_duckdb = limited


def _clickhouse(source: Path, work: Path, roots: list[int]) -> tuple[str, Callable[[], int]]:
    import ibis

    place = ibis.clickhouse.connect(dsn="chdb://memory", interface="chdb", settings={"max_threads": 2})
    place.raw_sql("CREATE DATABASE shop")
    for name in TABLES:
        order = {"events": "user_id, occurred_at", "users": "user_id"}.get(name, "account_id")
        place.raw_sql(f"CREATE TABLE shop.{name} ENGINE = MergeTree ORDER BY ({order}) SETTINGS allow_nullable_key = 1 "
                      f"AS SELECT {COLUMNS.get(name, '*')} FROM file('{source}/{name}.parquet', Parquet)")

    def kept() -> int:
        found = place.raw_sql("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database LIKE 'plgkit%'")
        return int(found.result_rows[0][0])

    spill = 2_500_000_000
    return (f"chdb://memory/shop?max_threads=2&max_memory_usage=7000000000&max_bytes_before_external_group_by={spill}"
            f"&max_bytes_before_external_sort={spill}"), kept


def _spark(source: Path, work: Path, roots: list[int]) -> tuple[str, Callable[[], int]]:
    from pyspark.sql import SparkSession

    settings = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.driver.memory": "5g",
                "spark.sql.shuffle.partitions": "8", "spark.sql.session.timeZone": "UTC", "spark.driver.bindAddress": "127.0.0.1",
                "spark.driver.host": "127.0.0.1", "spark.sql.warehouse.dir": str(work / "warehouse"), "spark.local.dir": str(work)}
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    session.sql("CREATE DATABASE shop")
    for name in TABLES:
        rows = session.read.parquet(str(source / f"{name}.parquet"))
        for column, kind in rows.dtypes:
            if kind == "timestamp_ntz":
                rows = rows.withColumn(column, rows[column].cast("timestamp"))
        if name in COLUMNS:
            rows = rows.select(*COLUMNS[name].split(", "))
        rows.write.saveAsTable(f"shop.{name}")
    return "spark://local/shop?cores=2", lambda: _size(work / "warehouse" / "plgkit_kept.db")


def _postgres(source: Path, work: Path, roots: list[int]) -> tuple[str, Callable[[], int]]:
    import psycopg

    store, port = work / "store", _free_port()
    programs = _postgres_programs()
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": work}
    subprocess.run(_as_server([f"{programs}/initdb", "-D", str(store), "-U", "plgkit", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]), **quiet)
    settings = {"listen_addresses": "127.0.0.1", "timezone": "UTC", "fsync": "off", "wal_level": "minimal", "max_wal_senders": 0,
                "max_wal_size": "4GB", "shared_buffers": "1GB", "work_mem": "512MB", "maintenance_work_mem": "512MB",
                "max_parallel_workers_per_gather": 1, "jit": "off"}
    options = " ".join([f"-p {port} -k {work}", *(f"-c {name}={value}" for name, value in settings.items())])
    subprocess.run(_as_server([f"{programs}/pg_ctl", "-D", str(store), "-w", "-o", options, "-l", str(work / "log"), "start"]), **quiet)
    roots += _postmaster(work)
    there = f"host=127.0.0.1 port={port} user=plgkit dbname=postgres"
    with psycopg.connect(there, autocommit=True) as connection:
        for name in TABLES:
            _copy(connection, name, source / f"{name}.parquet", work)
        connection.execute("VACUUM ANALYZE")

    def kept() -> int:
        with psycopg.connect(there) as connection:
            return int(connection.execute("SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                                          "WHERE n.nspname = 'plgkit_kept' AND c.relkind = 'r'").fetchone()[0])

    return f"postgres://plgkit@127.0.0.1:{port}/postgres", kept


def _copy(connection, name: str, path: Path, work: Path, rows: int = 2_000_000) -> None:
    """A table by COPY, some rows at a time, so that no whole table lies on the disk as text."""
    import duckdb

    columns = COLUMNS.get(name, "*")
    kinds = duckdb.sql(f"DESCRIBE SELECT {columns} FROM '{path}'").fetchall()
    names = {"VARCHAR": "text", "DOUBLE": "double precision"}
    connection.execute(f"CREATE TABLE {name} ({', '.join(f'{column} {names.get(kind, kind)}' for column, kind, *_ in kinds)})")
    columns = ", ".join(column for column, *_ in kinds)
    total = duckdb.sql(f"SELECT count(*) FROM '{path}'").fetchone()[0]
    text = work / "some.csv"
    for first in range(0, total, rows):
        duckdb.sql(f"COPY (SELECT {columns} FROM read_parquet('{path}', file_row_number = true) WHERE file_row_number >= {first} "
                   f"AND file_row_number < {first + rows}) TO '{text}' (HEADER false)")
        with connection.cursor().copy(f"COPY {name} FROM STDIN (FORMAT csv)") as copy, text.open("rb") as stream:
            while some := stream.read(1 << 20):
                copy.write(some)
        text.unlink()


def _postmaster(folder: Path) -> list[int]:
    """The process of the server in this folder, if one runs there; it descends from none of ours."""
    told = folder / "store" / "postmaster.pid"
    return [int(told.read_text().split()[0])] if told.exists() and told.stat().st_size else []


def _stop_postgres(folder: Path) -> None:
    if (folder / "store" / "postmaster.pid").exists():
        subprocess.run(_as_server([f"{_postgres_programs()}/pg_ctl", "-D", str(folder / "store"), "-m", "immediate", "stop"]), check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)


def _postgres_programs() -> Path:
    return sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))[-1].parent


def _as_server(command: list[str]) -> list[str]:
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


SERVERS = {"duckdb": _duckdb, "postgres": _postgres, "clickhouse": _clickhouse, "spark": _spark}


def _as_markdown(millions: int, cells: dict[str, list[dict]], limit: float) -> str:
    """One table for a size: a row for each step, seconds and core-seconds of each engine."""
    found = {engine: {each["step"]: each for each in told} for engine, told in cells.items()}
    rows = next((each["load"]["rows"] for each in found.values() if "load" in each), 0)
    lines = [f"\n{rows:,} events ({millions} million asked for): seconds (core-seconds)\n",
             f"| | {' | '.join(ENGINES[each] for each in cells)} |", "|---" * (len(cells) + 1) + "|"]
    for step in ("load", "open", "open again", *QUESTIONS):
        lines.append(f"| {step} | {' | '.join(_shown(found[each], step, limit) for each in cells)} |")
    for name, tell in _FACTS.items():
        lines.append(f"| {name} | {' | '.join(tell(each, rows) for each in found.values())} |")
    same = {step: len({each[step]["digest"] for each in found.values() if step in each}) < 2 for step in QUESTIONS}
    lines.append(f"\nThe same numbers from every engine that answered: {'yes' if all(same.values()) else f'NO: {same}'}")
    return "\n".join(lines)


def _shown(steps: dict[str, dict], step: str, limit: float) -> str:
    if step in steps:
        return f"{_number(steps[step]['seconds'])} ({_number(steps[step]['cores'])})"
    order = ["load", "open", "open again", *QUESTIONS]
    first = next(each for each in order if each not in steps)
    if first != step:
        return ""
    return f"stopped (over {limit:g} core-min)" if "stopped" in steps else "failed"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


_FACTS: dict[str, Callable[[dict, int], str]] = {
    "events opened a second": lambda steps, rows: f"{rows / steps['open']['seconds']:,.0f}" if "open" in steps else "",
    "core-nanoseconds an event, open": lambda steps, rows: f"{steps['open']['cores'] / rows * 1e9:,.0f}" if "open" in steps else "",
    "core-nanoseconds an event, all questions": lambda steps, rows: (
        f"{sum(steps[each]['cores'] for each in QUESTIONS) / rows * 1e9:,.0f}" if set(QUESTIONS) <= set(steps) else ""),
    "disk of kept tables, bytes an event": lambda steps, rows: f"{steps['kept']['mib'] * 2**20 / rows:,.0f}" if "kept" in steps else "",
    "peak memory, GiB": lambda steps, rows: f"{max(each['peak_gib'] for each in steps.values() if 'peak_gib' in each):.1f}" if steps else "",
}


if __name__ == "__main__":
    main()
