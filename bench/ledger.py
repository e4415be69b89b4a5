"""The revenue ledger of generated accounts: plgkit against plain SQL on the same table.

Both run in turn in one process, several times; the best time of each counts. What counts are the ratios, and that both
give the same numbers to the cent. The SQL is what one would write for DuckDB by hand: it proves nothing, while plgkit
works the closings out a second way and holds the movements against them.
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

import ledger_by_hand
import numpy as np
import pandas as pd

MEASURES = {"movements": "mrr_movements", "mrr": "mrr", "nrr": "nrr", "gross_churn": "gross_churn", "cohorts": "revenue_cohorts",
            "lifetimes": "lifetime_value"}
_MONEY = ["opening", "new", "reactivation", "expansion", "contraction", "churn", "closing"]
_FIRST = pd.Timestamp("2023-01-01")
_RATIO = ["numerator", "denominator"]
COLUMNS = {"movements": ["period", *_MONEY], "mrr": ["period", "value", "n"], "nrr": ["period", *_RATIO],
           "gross_churn": ["period", *_RATIO], "cohorts": ["cohort", "age", *_RATIO], "lifetimes": ["n", "stopped"]}


def main() -> None:
    """Measure and print one line per question and contender."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--accounts", type=int, default=1_000_000)
    arguments.add_argument("--months", type=int, default=36)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--cpu", action="store_true", help="count seconds of all cores instead, for a machine that is not idle")
    arguments.add_argument("--questions", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    arguments.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    arguments.add_argument("--memory", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.memory:
        _ask_alone(given.source, given.memory, given.months)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PLGKIT_CACHE"] = str(Path(folder) / "cache")
        source = Path(folder) / "accounts"
        changes = _write(source, given.accounts, given.months)
        print(f"{changes:,} changes of {given.accounts:,} accounts over {given.months} months, {os.cpu_count()} cores")
        for question in given.questions:
            _race(question, source, given.months, given.repeats, time.process_time if given.cpu else time.perf_counter)


def _write(source: Path, accounts: int, months: int) -> int:
    """Accounts that begin all over the time, change about every eighth month, and stop and come back now and then.

    One change in a thousand has another at the same instant, of which the larger counts.
    """
    random, days = np.random.default_rng(7), months * 30
    number = 1 + random.poisson(months / 8, accounts)
    account = np.repeat(np.arange(accounts), number)
    start = np.repeat(random.uniform(0, days, accounts), number)
    second = ((start + random.exponential(120, len(account)) * (np.arange(len(account)) != np.repeat(
        np.cumsum(number) - number, number))) * 86_400_000).astype("int64")
    keep = second < days * 86_400_000
    account, second = account[keep], second[keep]
    seats = random.integers(1, 40, len(account))
    mrr = np.where(random.random(len(account)) < 0.12, 0.0, seats * random.choice([12.0, 20.0, 9.99], len(account)))
    frame = pd.DataFrame({
        "account_id": pd.Series(account).map("a{:07}".format), "changed_at": _FIRST + pd.to_timedelta(second, unit="ms"),
        "mrr": mrr.round(2), "plan": random.choice(["team", "business"], len(account)), "seats": seats,
        "motion": random.choice(["self_serve", "sales"], len(account), p=[0.9, 0.1])})
    twice = frame.sample(frac=0.001, random_state=2)
    frame = pd.concat([frame, twice.assign(mrr=twice["mrr"] + 1)]).drop_duplicates(["account_id", "changed_at", "mrr"])
    frame = frame.sample(frac=1, random_state=1)
    source.mkdir(parents=True)
    frame.to_parquet(source / "subscriptions.parquet", index=False)
    (source / "playbook.toml").write_text('[product]\nname = "Accounts"\n')
    return len(frame)


def _opened(source: Path, months: int):
    """The accounts up to the end of the last month."""
    import plgkit

    return plgkit.connect(source, as_of=(_FIRST + pd.DateOffset(months=months)).date() - pd.Timedelta(days=1))


def ours(question: str, data) -> pd.DataFrame:
    """The public functions, with nothing kept from the turn before."""
    from plgkit.metrics import expansion

    data.answers.clear()
    found = getattr(expansion, MEASURES[question])(data)[COLUMNS[question]]
    if question == "lifetimes":
        return found.head(1)
    return found[found["denominator"] > 0] if "denominator" in found else found


def _by_hand(question: str, data) -> pd.DataFrame:
    day = f"DATE '{data.as_of}'"
    text = getattr(ledger_by_hand, question.upper())
    for name, said in {"last_day": day, "last": f"date_trunc('month', {day})", "end": f"{day} + 1"}.items():
        text = text.replace("{" + name + "}", said)
    found = data.connection.con.execute(text).df()
    money = [name for name in found.columns if name in ("value", "numerator", "denominator", *_MONEY)]
    found[money] = found[money].astype("float64") / 100
    return found[COLUMNS[question]]


def _race(question: str, source: Path, months: int, repeats: int, clock: Callable[[], float]) -> None:
    data = _opened(source, months)
    contenders = {"plgkit": lambda: ours(question, data), "SQL": lambda: _by_hand(question, data)}
    best, pairs, cents = dict.fromkeys(contenders, float("inf")), [], {}
    for _ in range(repeats):
        took = {}
        for name, run in contenders.items():
            began = clock()
            answer = run()
            took[name] = clock() - began
            best[name] = min(best[name], took[name])
            cents[name] = (answer.select_dtypes("number").to_numpy(dtype=float) * 100).round().astype("int64")
        pairs.append(took["plgkit"] / took["SQL"])
    same = "yes" if np.array_equal(cents["plgkit"], cents["SQL"]) else "NO"
    print(f"\n{question:<12}{'seconds':>9}{'x SQL':>8}  same to the cent: {same}   {_memory(question, source, months):.2f} GiB peak")
    print(f"  {'plgkit':<10}{best['plgkit']:>9.3f}{best['plgkit'] / best['SQL']:>8.2f}  (median of pairs {np.median(pairs):.2f})")
    print(f"  {'SQL':<10}{best['SQL']:>9.3f}{1:>8.2f}", flush=True)


def _memory(question: str, source: Path, months: int) -> float:
    """Peak memory in GiB of a process of its own that opens the data and asks one question."""
    command = [sys.executable, __file__, "--source", str(source), "--memory", question, "--months", str(months)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _ask_alone(source: Path, question: str, months: int) -> None:
    ours(question, _opened(source, months))
    # The largest of getrusage is inherited from the process that started this one.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]) / 2**20)


if __name__ == "__main__":
    main()
