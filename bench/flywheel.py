"""How often the intervals of the flywheel's forecasts hold what came, over many made-up companies.

Each company is forecast from what was known three, six and twelve months before its end. What came is what the tables say.

    python bench/flywheel.py                                   a quick look: 10 companies
    python bench/flywheel.py --companies 200 --work DIR --keep docs
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import pandas as pd

from plgkit import connect, flywheel, samples

PEOPLE, FIRST_SEED, HELD = 3_000, 5_000, (3, 6, 12)
NOT_NEEDED = ("visits", "surveys", "spend", "exposures")


def main() -> None:
    """Back-test what is missing, count, print, and keep where asked to."""
    given = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PLGKIT_CACHE"] = folder
        work = given.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        runs = pd.concat([_company(FIRST_SEED + number, work) for number in range(given.companies)], ignore_index=True)
    table = _table(runs)
    print(table.to_string(index=False))
    if given.keep:
        table.to_csv(given.keep / "flywheel.csv", index=False, float_format="%.3f", lineterminator="\n")


def _company(seed: int, work: Path) -> pd.DataFrame:
    kept = work / f"{seed}.csv"
    if not kept.exists():
        with tempfile.TemporaryDirectory() as folder:
            samples.write_company(folder, people=PEOPLE, seed=seed)
            for name in NOT_NEEDED:
                Path(folder, f"{name}.parquet").unlink()
            data = connect(folder)
            parts = [flywheel.backtest(data, months=months).assign(held=months) for months in HELD]
        pd.concat(parts, ignore_index=True).assign(seed=seed).to_csv(kept, index=False)
        for each in Path(os.environ["PLGKIT_CACHE"]).glob("*.duckdb*"):
            each.unlink()
    return pd.read_csv(kept, parse_dates=["period"])


def _table(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per outcome, months held back and month ahead: how often what came lay inside, and how the middle erred."""
    order = runs.sort_values(["seed", "held", "outcome", "period"], kind="stable")
    order["ahead"] = order.groupby(["seed", "held", "outcome"]).cumcount() + 1
    order["error"] = order["value"] / order["actual"] - 1
    order["below"], order["above"] = order["actual"] < order["low"], order["actual"] > order["high"]
    order["width"] = (order["high"] - order["low"]) / order["value"]
    found = order[order["ahead"].isin(HELD) | (order["ahead"] == 1)].groupby(["outcome", "held", "ahead"], as_index=False).agg(
        companies=("seed", "nunique"), inside=("inside", "mean"), below=("below", "mean"), above=("above", "mean"),
        error=("error", "median"), width=("width", "median"))
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--companies", type=int, default=10)
    parser.add_argument("--work", type=Path, help="Folder that keeps what was run.")
    parser.add_argument("--keep", type=Path, help="Folder to write flywheel.csv to.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
