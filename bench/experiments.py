"""An experiment of generated people with CUPED: plgkit against plain SQL on the same tables.

Both run in turn in one process, several times; the best time of each counts. What counts are the ratio, and that both give the same
sums. Every person is exposed once and does some things before and after; the answer is a mean and a share, each adjusted for what
was done before.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SQL = """
WITH people AS (
  SELECT user_id, min(variant) AS variant, min(exposed_at) AS start FROM kept.exposures
  WHERE experiment = 'page' GROUP BY user_id HAVING min(variant) = max(variant)),
done AS (
  SELECT p.user_id,
    count(*) FILTER (WHERE e.occurred_at >= p.start) AS x, count(*) FILTER (WHERE e.occurred_at < p.start) AS a
  FROM kept.events e JOIN people p ON e.user_id = p.user_id
  WHERE e.event = 'used' AND e.occurred_at >= p.start - INTERVAL 28 DAY AND e.occurred_at <= p.start + INTERVAL 14 DAY
  GROUP BY p.user_id),
each AS (
  SELECT variant, coalesce(x, 0) AS x, coalesce(a, 0) AS a, (coalesce(x, 0) > 0)::INT AS hit, (coalesce(a, 0) > 0)::INT AS was
  FROM people LEFT JOIN done USING (user_id) WHERE start + INTERVAL 14 DAY < TIMESTAMP '2026-03-01')
SELECT variant, count(*) AS n, sum(x) AS x, sum(a) AS a, sum(x * x) AS xx, sum(x * a) AS xa, sum(a * a) AS aa, sum(hit) AS hit, sum(was) AS was,
  sum(hit * was) AS both FROM each GROUP BY variant ORDER BY variant"""
BOOK = """
[experiments.page]
control = "old"
[[experiments.page.metrics]]
name = "uses"
event = "used"
kind = "mean"
role = "primary"
[[experiments.page.metrics]]
name = "used"
event = "used"
"""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--people", type=int, default=10_000_000)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--cpu", action="store_true", help="count seconds of all cores instead, for a machine that is not idle")
    arguments.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    arguments.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.memory:
        _ask_alone(given.source)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PLGKIT_CACHE"] = str(Path(folder) / "cache")
        source = Path(folder) / "page"
        events = _write(source, given.people)
        print(f"{given.people:,} exposures, {events:,} events, {os.cpu_count()} cores", flush=True)
        _race(source, given.repeats, time.process_time if given.cpu else time.perf_counter)


def _write(source: Path, people: int) -> int:
    """People who come over 30 days, half in each variant, with two events each before or after."""
    import duckdb

    source.mkdir(parents=True)
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")
    each = f"SELECT range AS i, TIMESTAMP '2026-01-10' + to_seconds((hash(range) % 2592000)::BIGINT) AS start FROM range({people})"
    person = "'u' || lpad(i::VARCHAR, 8, '0')"
    connection.execute(f"""COPY (SELECT {person} AS user_id, 'page' AS experiment,
        CASE WHEN hash(i, 1) % 2 = 0 THEN 'old' ELSE 'new' END AS variant, start AS exposed_at FROM ({each}))
        TO '{source}/exposures.parquet'""")
    connection.execute(f"COPY (SELECT {person} AS user_id, TIMESTAMP '2025-10-01' AS signed_up_at FROM ({each})) TO '{source}/users.parquet'")
    connection.execute(f"""COPY (SELECT {person} AS user_id, CASE WHEN hash(i, k) % 5 = 0 THEN 'looked' ELSE 'used' END AS event,
        start + to_seconds((hash(i, k, 3) % 3456000)::BIGINT - 2246400) AS occurred_at
        FROM ({each}), range(2) t(k)) TO '{source}/events.parquet'""")
    (source / "playbook.toml").write_text(BOOK)
    return 2 * people


def _opened(source: Path):
    import plgkit

    return plgkit.connect(source, as_of="2026-02-28")


def ours(data):
    """The public function, with nothing kept from the turn before."""
    from plgkit.metrics import experiments

    data.answers.clear()
    return experiments.results(data, experiment="page")


def _race(source: Path, repeats: int, clock: Callable[[], float]) -> None:
    from plgkit.stats import arms

    data = _opened(source)
    best, pairs = {"plgkit": float("inf"), "SQL": float("inf")}, []
    for _ in range(repeats):
        began = clock()
        found = ours(data)
        middle = clock()
        plain = data.connection.con.execute(SQL).df()
        took = {"plgkit": middle - began, "SQL": clock() - middle}
        best = {name: min(best[name], took[name]) for name in best}
        pairs.append(took["plgkit"] / took["SQL"])
    sides = [plain[plain["variant"] == name].iloc[0].drop("variant").astype(float).to_dict() for name in ("old", "new")]
    one, other = arms.estimates(*sides, adjusted=True)
    same = abs(found[found["metric"] == "uses"].iloc[-1].difference - (other.value - one.value)) < 1e-12
    print(f"\n{'':<10}{'seconds':>9}{'x SQL':>8}  same numbers: {'yes' if same else 'NO'}   {_memory(source):.2f} GiB peak")
    print(f"{'plgkit':<10}{best['plgkit']:>9.2f}{best['plgkit'] / best['SQL']:>8.2f}  (median of pairs {sorted(pairs)[len(pairs) // 2]:.2f})")
    print(f"{'SQL':<10}{best['SQL']:>9.2f}{1:>8.2f}", flush=True)


def _memory(source: Path) -> float:
    """Peak memory in GiB of a process of its own that opens the data and asks."""
    command = [sys.executable, __file__, "--source", str(source), "--memory"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _ask_alone(source: Path) -> None:
    ours(_opened(source))
    # The largest of getrusage is inherited from the process that started this one.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]) / 2**20)


if __name__ == "__main__":
    main()
