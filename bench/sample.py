"""Ten million events of the made-up company: seconds and peak memory of writing them, and of opening them."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PEOPLE = 70_000
OPEN = "import plgkit, sys; data = plgkit.connect(sys.argv[1]); print(data.overview.set_index('table')['rows']['events'])"


def main() -> None:
    """Measure in processes of their own, so that memory is each one's own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PLGKIT_CACHE"] = str(Path(folder) / "cache")
        target = str(Path(folder) / "acme")
        made, _said = _measured([sys.executable, "-m", "plgkit", "sample", "--people", str(PEOPLE), "--out", target])
        first, events = _measured([sys.executable, "-c", OPEN, target])
        again, _said = _measured([sys.executable, "-c", OPEN, target])
    print(f"{int(events):,} events of {PEOPLE:,} people")
    print(f"write the sample                   {made:6.1f} s")
    print(f"open it the first time             {first:6.1f} s   checked, sorted, rollups made")
    print(f"open it again                      {again:6.1f} s")
    print(f"largest peak memory of the three   {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20:6.2f} GiB")


def _measured(command: list[str]) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout.strip()


if __name__ == "__main__":
    main()
