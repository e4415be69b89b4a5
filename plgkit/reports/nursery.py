"""A process with everything imported that forks a child for every notebook (POSIX only).

It reads one job per line and answers one line when the child of a job has ended. When its
input closes, because the run is over or was killed, it kills what is left and goes.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import pkgutil
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

_IMPORTS = (
    "pandas", "pandas.io.formats.string", "pyarrow", "pyarrow.parquet", "pyarrow.pandas_compat", "scipy.stats",
    "matplotlib.pyplot", "matplotlib.patheffects", "matplotlib_inline.backend_inline", "seaborn", "PIL.PngImagePlugin",
    "duckdb", "ibis", "ibis.backends.duckdb.converter", "ibis.expr.types.groupby", "ibis.formats.pandas", "filelock",
    "IPython.core.completer", "IPython.core.magics", "IPython.core.oinspect", "papermill", "plgkit.reports.engine",
)
_OWN = ("playbook", "stats", "sources", "samples", "metrics", "charts", "notebook", "flywheel", "scorecard", "glossary")
_PAUSE = 0.02


def main() -> None:
    """Import everything, then fork on request until the input ends."""
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    from plgkit.reports.quick import quicken

    quicken()
    for name in (*_IMPORTS, *_own()):
        importlib.import_module(name)
    _draw_once()
    _serve()


def _own() -> Iterator[str]:
    """Name every module of plgkit that a notebook may use."""
    for name in _OWN:
        found = importlib.util.find_spec(f"plgkit.{name}")
        if found is not None:
            yield f"plgkit.{name}"
            folders = found.submodule_search_locations or ()
            yield from (f"plgkit.{name}.{each.name}" for each in pkgutil.iter_modules(folders))


def _serve() -> None:
    life_read, life_write = os.pipe()
    children: dict[int, tuple[str, float]] = {}
    unread = b""
    while True:
        ready, _, _ = select.select([0], [], [], _PAUSE if children else None)
        if ready:
            received = os.read(0, 65536)
            if not received:
                break
            *lines, unread = (unread + received).split(b"\n")
            for line in lines:
                job = json.loads(line)
                children[_fork(job, life_read, life_write)] = (job["id"], time.monotonic() + job["timeout"])
        _kill_late(children)
        _answer(children)
    for pid in children:
        _kill(pid)


def _fork(job: dict[str, Any], life_read: int, life_write: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        os.close(life_write)
        _leave_lines_alone(job)
        threading.Thread(target=_end_with_parent, args=(life_read,), daemon=True).start()
        _reseed()
        from plgkit.reports.worker import work

        work(job)
    finally:
        os._exit(0)


def _leave_lines_alone(job: dict[str, Any]) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    words = os.open(os.path.join(job["folder"], "words"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(nothing, 0)
    os.dup2(words, 1)
    os.dup2(words, 2)


def _end_with_parent(life_read: int) -> None:
    os.read(life_read, 1)
    os.killpg(0, signal.SIGKILL)


def _reseed() -> None:
    import random

    import numpy as np

    random.seed(0)
    np.random.seed(0)


def _kill_late(children: dict[int, tuple[str, float]]) -> None:
    for pid, (name, deadline) in list(children.items()):
        if time.monotonic() > deadline:
            _kill(pid)
            os.waitpid(pid, 0)
            del children[pid]
            _say({"id": name, "late": True})


def _answer(children: dict[int, tuple[str, float]]) -> None:
    for pid in list(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            name, _ = children.pop(pid)
            _kill(pid)
            _say({"id": name, "exit": os.waitstatus_to_exitcode(status)})


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _say(words: dict[str, Any]) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def _draw_once() -> None:
    """Read the fonts before the fork, so that no child has to."""
    import io

    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    ax.set(title="0", xlabel="0", ylabel="0")
    figure.savefig(io.BytesIO(), format="png")
    plt.close(figure)


if __name__ == "__main__":
    # The answers need the pipe for themselves: what imports print goes to standard error.
    sys.stdout = sys.stderr
    main()
