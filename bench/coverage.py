"""How often the 95 % intervals hold the truth, over many made-up companies.

Each run makes up another company with all its dirt, opens it as a user would, and asks every case for its number
and interval. The truth of a case is counted in plain numpy on thousands of other draws of the same company, before
any dirt. Runs and reference are kept in a folder, so that a run that was broken off goes on where it stopped.

    python bench/coverage.py                              a quick look: 40 runs, nothing is kept
    python bench/coverage.py money                        the same of the cases about money
    python bench/coverage.py use --runs 500 --reference 3000 --work DIR --keep docs
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import pandas as pd
from covering import counting
from covering.suites import MONEY, USE, Suite

SUITES = {suite.name: suite for suite in (USE, MONEY)}


def main() -> None:
    """Run what is missing, count, print, and keep where asked to."""
    given = _arguments()
    suite = SUITES[given.suite]
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("PLGKIT_CACHE", folder)
        work = given.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        runs = counting.runs(suite, given.runs, work)
        reference = counting.reference(suite, given.reference, work)
    table = counting.table(suite.cases, runs, reference)
    with pd.option_context("display.width", 200, "display.max_rows", None, "display.max_columns", None):
        shown = ["what", "measure", "truth", "width", "truth_error", "covered", "under", "over"]
        print(table[shown].round(4).to_string(index=False))
    out = table[~table["covered"].between(0.93, 0.97)]
    print(f"{given.runs} companies of {suite.people} people, truth from {given.reference} others, "
          f"{time.perf_counter() - start:.0f} s; {len(out)} of {len(table)} outside 93 to 97 %")
    if given.keep:
        table.to_csv(given.keep / suite.kept, index=False, lineterminator="\n", float_format="%.6g")
        page = given.keep / "coverage.md"
        before, heading, after = page.read_text(encoding="utf-8").partition(suite.heading)
        rest = "".join(after.partition("\n## ")[1:])
        page.write_text(before + heading + _page(table, suite, given) + rest, encoding="utf-8")


def _page(table: pd.DataFrame, suite: Suite, given: argparse.Namespace) -> str:
    """The table as the page shows it."""
    lines = [f"\n\n{given.runs} companies of {suite.people:,} people; the truth from {given.reference:,} others.\n",
             "| | measure | truth | median width | covered | under | over | truth's error | interval |",
             "|---|---|---|---|---|---|---|---|---|"]
    for row in table.itertuples():
        lines.append(f"| {row.what} | {row.measure} | {row.truth:.4g} | {row.width:.3g} | **{100 * row.covered:.1f} %** "
                     f"| {100 * row.under:.1f} | {100 * row.over:.1f} | {100 * row.truth_error:.0f} % | {row.interval or 'exact'} |")
    return "\n".join(lines) + "\n"


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("suite", nargs="?", choices=list(SUITES), default=USE.name)
    arguments.add_argument("--runs", type=int, default=40)
    arguments.add_argument("--reference", type=int, default=200)
    arguments.add_argument("--work", type=Path, default=None)
    arguments.add_argument("--keep", type=Path, default=None)
    return arguments.parse_args()


if __name__ == "__main__":
    main()
