"""All reports of one date: `plgkit report` against the commands of papermill and nbconvert, one after another.

Both ways run the same notebooks on the bundled sample in the same minute on the same machine.
Seconds differ from machine to machine; the ratio is what counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import plgkit
from plgkit import samples
from plgkit.reports import books

BIN = Path(sys.executable).parent


def main() -> None:
    """Measure both ways and print the ratio."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--notebooks", type=Path, default=books.folder())
    arguments.add_argument("--as-of", default=None)
    given = arguments.parse_args()
    found = books.find(given.notebooks)
    # Both ways find the cache of the sample filled.
    as_of = given.as_of or str(plgkit.connect(samples.bundled_path()).as_of)
    with tempfile.TemporaryDirectory() as folder:
        ours, our_work = _seconds([[BIN / "plgkit", "report", "--notebooks", given.notebooks, "--as-of", as_of, "--out", folder]])
        again, _ = _seconds([[BIN / "plgkit", "report", "--notebooks", given.notebooks, "--as-of", as_of, "--out", folder]])
        theirs, their_work = _seconds(_commands(found, as_of, Path(folder)))
    print(f"{len(found)} notebooks to {as_of}")
    print(f"papermill and nbconvert commands  {theirs:6.1f} s   ({their_work:.0f} s of processor time)")
    print(f"plgkit report                     {ours:6.1f} s   ({our_work:.0f} s)   {theirs / ours:.1f} times faster")
    print(f"plgkit report, nothing changed    {again:6.1f} s   {theirs / again:.0f} times faster")


def _commands(found: list[Path], as_of: str, folder: Path) -> list[list[object]]:
    commands: list[list[object]] = []
    for notebook in found:
        out = folder / notebook.name
        commands.append([BIN / "papermill", "--no-progress-bar", "--log-level", "ERROR", notebook, out, "-p", "as_of", as_of])
        commands.append([BIN / "jupyter-nbconvert", "--log-level", "ERROR", "--to", "html", out])
    return commands


def _seconds(commands: list[list[object]]) -> tuple[float, float]:
    """Run commands one after another; give the seconds on the wall and those of the processor."""
    began, worked = time.perf_counter(), _work()
    for command in commands:
        subprocess.run([str(each) for each in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - began, _work() - worked


def _work() -> float:
    used = os.times()
    return used.children_user + used.children_system


if __name__ == "__main__":
    main()
