"""Five measures on generated events: plgkit against plain SQL on the same tables, polars, pandas, ClickHouse and Spark.

All run in turn in one process, several times; the best time of each counts. Seconds differ from machine to machine;
what counts are the ratios, and that all give the same numbers. Tables are sorted by person and time. Those of polars and
pandas lie in memory before the clock starts, with people or events as categories; "from Parquet" reads them from the
disk, as plgkit, SQL and ClickHouse read their storage.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import duckdb
import pandas as pd

import plgkit
from plgkit.metrics import engagement, retention
from plgkit.metrics.funnels import funnel

STEPS = ["signed_up", "board_created", "card_added", "card_finished"]
QUESTIONS = ("funnel", "retention", "active", "growth", "sessions")


def main() -> None:
    """Measure and print one line per question and contender."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--people", type=int, default=67_000, help="size of the made-up company; 67,000 do 10 million things")
    arguments.add_argument("--source", type=Path, help="a folder of data instead of a new company")
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--only", nargs="*", default=list(QUESTIONS), choices=QUESTIONS)
    arguments.add_argument("--peers", nargs="*", default=["polars", "pandas", "clickhouse", "spark"])
    arguments.add_argument("--memory", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.memory:
        _ask_alone(given.source, given.memory)
        return
    with _company(given) as source, tempfile.TemporaryDirectory() as folder:
        asked = _prepared(source, Path(folder), given.peers)
        print(f"{asked.rows:,} events of {asked.users:,} people, {os.cpu_count()} cores")
        for question in given.only:
            _race(question, asked, given, source)


@contextmanager
def _company(given: argparse.Namespace) -> Iterator[Path]:
    if given.source:
        yield given.source
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PLGKIT_CACHE"] = str(Path(folder) / "cache")
        target = Path(folder) / "acme"
        subprocess.run([sys.executable, "-m", "plgkit", "sample", "--people", str(given.people), "--out", target], check=True,
                       stdout=subprocess.DEVNULL)
        # So that sessions have to be found by their pauses.
        events, bare = target / "events.parquet", target / "bare.parquet"
        duckdb.sql(f"COPY (SELECT * EXCLUDE session_id FROM '{events}') TO '{bare}' (FORMAT parquet)")
        bare.replace(events)
        yield target


def _prepared(source: Path, folder: Path, peers: list[str]) -> SimpleNamespace:
    """What every contender is asked, and the tables of each."""
    data = plgkit.connect(source)
    users, events = data.overview.set_index("table")["rows"][["users", "events"]]
    asked = SimpleNamespace(
        data=data, steps=STEPS, within_days=14, end=data.end, as_of=data.as_of, folder=folder, rows=events, users=users,
        run=lambda text: data.connection.con.execute(text).df(), names=_done(data), tables={}, modules=_modules(peers))
    for name in ("events", "users") if peers else ():
        columns, order = ("user_id, event, occurred_at, day", "user_id, occurred_at") if name == "events" else ("user_id, day", "user_id")
        asked.run(f"COPY (SELECT {columns} FROM kept.{name} WHERE day <= DATE '{data.as_of}' ORDER BY {order}) TO '{folder / name}.parquet' (FORMAT parquet)")
    for name, module in asked.modules.items():
        asked.tables[name] = module.load(asked) if hasattr(module, "load") else None
    return asked


def _modules(peers: list[str]) -> dict[str, ModuleType]:
    from peers import clickhouse, in_pandas, in_polars, in_spark, sql

    return {"SQL": sql} | {name: module for name, module in
                           (("polars", in_polars), ("pandas", in_pandas), ("clickhouse", clickhouse), ("spark", in_spark)) if name in peers}


def _done(data: plgkit.Data) -> list[str]:
    return [name for name in data.event_names if name not in data.playbook.activity.except_]


def ours(question: str, asked: SimpleNamespace, *, events: bool) -> pd.DataFrame:
    """The public functions, from the rollups or with the events named (so that they are read)."""
    data, names = asked.data, asked.names if events else None
    data.answers.clear()
    if question == "funnel":
        found = funnel(data, asked.steps, within_days=asked.within_days)
        return found[["position", "people", "immature"]].assign(seconds=found["median_seconds_from_entry"].fillna(0))
    if question == "retention":
        found = retention.cohorts(data, unit="week", back=names)
        return found[found["numerator"] > 0][["cohort", "age", "numerator"]]
    if question == "active":
        parts = [engagement.active_people(data, grain="day", event=names).assign(kind="day"),
                 engagement.active_people(data, grain="week", event=names).assign(kind="week"),
                 engagement.active_people(data, grain="day", trailing_days=28).assign(kind="trailing")]
        found = pd.concat(parts)[["kind", "period", "value"]]
        return found[found["value"] > 0]
    if question == "growth":
        return retention.growth_accounting(data, event=names)[["period", "new", "retained", "resurrected"]]
    return engagement.sessions(data, grain="week")[["period", "value"]]


def _contenders(question: str, asked: SimpleNamespace) -> dict[str, Callable[[], pd.DataFrame]]:
    sql = asked.modules["SQL"]
    found = {"two columns scanned": lambda: asked.run(sql.FLOOR), "plgkit": lambda: ours(question, asked, events=False)}
    if question in ("retention", "growth"):
        found["plgkit, from events"] = lambda: ours(question, asked, events=True)
    found["SQL"] = lambda: getattr(sql, question)(asked)
    if hasattr(sql, f"rollup_{question}"):
        found["SQL, rollups"] = lambda: getattr(sql, f"rollup_{question}")(asked)
    for name, tables in asked.tables.items():
        if tables is not None:
            found[name] = lambda name=name: getattr(asked.modules[name], question)(asked, asked.tables[name])
        if hasattr(asked.modules[name], "opened"):
            found[f"{name}, from Parquet"] = lambda name=name: getattr(asked.modules[name], question)(
                asked, asked.modules[name].opened(asked))
    if question == "funnel" and "pandas" in asked.tables and asked.rows < 20_000_000:
        found["pandas, person by person"] = lambda: asked.modules["pandas"].naive_funnel(asked, asked.tables["pandas"])
    return found


def _race(question: str, asked: SimpleNamespace, given: argparse.Namespace, source: Path) -> None:
    contenders = _contenders(question, asked)
    best, digests = dict.fromkeys(contenders, float("inf")), {}
    for turn in range(given.repeats):
        for name, run in contenders.items():
            if "person by person" in name and turn:
                continue
            began = time.perf_counter()
            answer = run()
            best[name] = min(best[name], time.perf_counter() - began)
            digests[name] = digest(answer)
    print(f"\n{question:<28}{'seconds':>9}{'x scan':>8}{'x plgkit':>10}  same numbers   {_memory(question, source):.2f} GiB peak")
    for name, seconds in best.items():
        same = "" if name == "two columns scanned" else "yes" if digests[name] == digests["plgkit"] else "NO"
        print(f"  {name:<26}{seconds:>9.3f}{seconds / best['two columns scanned']:>8.1f}{seconds / best['plgkit']:>10.2f}  {same}",
              flush=True)


def digest(frame: object) -> str:
    """A name for the numbers of a frame, whatever its types and the order of its rows and columns' names."""
    frame = frame.to_pandas() if hasattr(frame, "to_pandas") else frame
    made = pd.DataFrame({at: _plain(frame.iloc[:, at]) for at in range(frame.shape[1])})
    made = made.sort_values(list(made.columns), ignore_index=True)
    made = made.reindex(sorted(made.columns, key=lambda at: tuple(made[at].astype(str).head(50))), axis=1)
    return hashlib.sha256(made.to_csv(index=False, header=False).encode()).hexdigest()[:12]


def _plain(column: pd.Series) -> pd.Series:
    if str(column.dtype) in ("str", "object", "string", "category"):
        text = column.astype(str)
        return text.str[:10] if text.str.match(r"\d{4}-\d\d-\d\d").all() else text
    if column.dtype.kind == "M":
        return column.dt.strftime("%Y-%m-%d")
    return column.astype("float64").fillna(0).round(3)


def _memory(question: str, source: Path) -> float:
    """Peak memory in GiB of a process of its own that opens the data and asks one question."""
    command = [sys.executable, __file__, "--source", str(source), "--peers", "--memory"]
    return float(subprocess.run([*command, question], check=True, capture_output=True, text=True).stdout)


def _ask_alone(source: Path, question: str) -> None:
    data = plgkit.connect(source)
    asked = SimpleNamespace(data=data, steps=STEPS, within_days=14, names=_done(data))
    ours(question, asked, events=False)
    # The largest of getrusage is inherited from the process that started this one.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]) / 2**20)


if __name__ == "__main__":
    main()
