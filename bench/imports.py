"""A large export of PostHog's made up and imported: megabytes a second, peak memory, a second run, a day's file more."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2025, 1, 1, tzinfo=UTC)
IMPORT = "import sys, plgkit.readers as r; d = r.import_export('posthog', sys.argv[1], out=sys.argv[2]); print(d.read, d.tables.get('events'))"
PAGES = [f"https://app.example.com/{name}/{number}" for name in ("board", "card", "report", "settings") for number in range(200)]
EVENTS = ("$pageview", "card moved", "card created", "report opened", "comment written", "file attached", "invite sent")


def main() -> None:
    """Measure imports in processes of their own, so that memory is each one's own."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--gb", type=float, default=0.5, help="size of the export before compression")
    ask.add_argument("--days", type=int, default=180, help="days over which the events lie")
    ask.add_argument("--files", type=int, default=1, help="files into which they are cut, by time")
    ask.add_argument("--gz", action="store_true", help="compress the files")
    ask.add_argument("--at-once", action="store_true", help="only one import of everything, nothing killed")
    ask.add_argument("--work", default=None, help="folder to work in; a temporary one by default")
    asked = ask.parse_args()
    work = Path(asked.work or tempfile.gettempdir()) / "plgkit-imports"
    export, out = work / "export", work / "out"
    shutil.rmtree(work, ignore_errors=True)
    export.mkdir(parents=True)
    rows, size = written(export, int(asked.gb * 1e9), days=asked.days, files=asked.files, gz=asked.gz)
    print(f"{rows:,} events, {size / 1e9:.2f} GB in {asked.files} file(s) over {asked.days} days", flush=True)
    if not asked.at_once:
        print(f"{'killed in the middle':22}{measured(export, out, kill_after=rows // 2)}", flush=True)
        for name in ("goes on", "again"):
            print(f"{name:22}{measured(export, out)}", flush=True)
        written(export, 10**18, days=1, files=1, gz=asked.gz, rows=rows // asked.days, start=START + timedelta(days=asked.days), name="later", seed=2)
        print(f"{'a day more':22}{measured(export, out)}", flush=True)
        shutil.rmtree(out)
    print(f"{'all at once':22}{measured(export, out)}", flush=True)
    shutil.rmtree(work, ignore_errors=True)


def measured(export: Path, out: Path, kill_after: int | None = None) -> str:
    """Seconds, processor time and memory of an import, which is killed when so many rows were read."""
    start = time.perf_counter()
    run = subprocess.Popen([sys.executable, "-c", IMPORT, str(export), str(out)], stdout=subprocess.PIPE, text=True)
    while kill_after and _read(out) < kill_after:
        time.sleep(0.5)
    if kill_after:
        run.kill()
    said = (run.stdout.read() if run.stdout else "").split() or [str(_read(out)), "no"]
    _pid, _status, used = os.wait4(run.pid, 0)
    return (f"{time.perf_counter() - start:8.1f} s {used.ru_utime + used.ru_stime:8.1f} s of processor  {int(said[0]):,} rows read, {said[1]} events  "
            f"peak {used.ru_maxrss // 1024} MiB")


def _read(out: Path) -> int:
    """Rows that an import has kept so far."""
    return sum(json.loads(path.read_text())["rows"] for path in out.glob(".import/*/*/state.json"))


def written(folder: Path, size: int, *, days: int, files: int, gz: bool, rows: int | None = None, start: datetime = START, name: str = "part",
            seed: int = 1) -> tuple[int, int]:
    """Write rows until there are so many bytes, evenly over the days; how many rows and bytes."""
    draw = random.Random(seed)
    sample = sum(len(line) for line in (_line(draw, number, start, start.isoformat()) for number in range(200))) / 200
    rows = rows or int(size / sample)
    people = max(100, rows // 60)
    step, done = timedelta(days=days) / rows, 0
    for part in range(files):
        path = folder / f"{name}-{part:04d}.jsonl{'.gz' if gz else ''}"
        with gzip.open(path, "wb", compresslevel=1) if gz else path.open("wb") as stream:
            for number in range(rows * part // files, rows * (part + 1) // files):
                moment = start + number * step
                line = _line(draw, number, moment, (moment + timedelta(seconds=draw.random() * 9)).isoformat(), people)
                done += stream.write(line)
    return rows, done


_SAID = ('"$lib": "web", "$lib_version": "1.68.1", "$browser": "Chrome", "$browser_version": 124, "$os": "Mac OS X", "$screen_width": 1920, '
         '"$screen_height": 1080, "$referring_domain": "www.google.com"')


def _line(draw: random.Random, number: int, moment: datetime, arrived: str, people: int = 100) -> bytes:
    person, known, chance = int(people * draw.random() ** 2), draw.random() > 0.2, draw.random()
    device, marks, at = f"0187c5f8-2b10-7e1c-9a51-{person:012x}", f"{draw.getrandbits(592):0148x}", moment.isoformat()
    event = "$identify" if known and chance < 0.02 else EVENTS[int(chance * len(EVENTS))]
    name, before = f"person_{person}" if known else device, f', "$anon_distinct_id": "{device}"' if event == "$identify" else ""
    return (
        f'{{"uuid": "{marks[:32]}", "timestamp": "{at}", "created_at": "{arrived}", "event": "{event}", "properties": {{{_SAID}, '
        f'"$current_url": "{PAGES[number * 7919 % len(PAGES)]}", "$device_id": "{device}", "$session_id": "{device}-{at[:10]}", "$insert_id": "{marks[32:48]}", '
        f'"$groups": {{"company": "company_{person // 5}"}}, "seats": {person % 9}, "text": "{marks[48:]}"{before}}}, '
        f'"distinct_id": "{name}", "elements_chain": "", "person_properties": {{"email": "p{person}@example.com", "plan": "free"}}, '
        f'"person_id": "{person:032x}", "inserted_at": "{arrived}"}}\n').encode()


if __name__ == "__main__":
    main()
