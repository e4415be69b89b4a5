"""Run notebooks side by side, each in a process of its own, none for ever."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plgkit.errors import BadParameter
from plgkit.reports import normalise
from plgkit.reports.worker import PORTABLE
from plgkit.sources.cache import SHARING

FORK = "fork"
_PAUSE = 0.05
_QUIET = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "TZ": "UTC", "PYTHONHASHSEED": "0",
          "PYDEVD_DISABLE_FILE_VALIDATION": "1", SHARING: "1"}


@dataclass(frozen=True)
class Job:
    """One notebook to run with its parameters, without the cells of some tags."""

    name: str
    notebook: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    without: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Outcome:
    """How a job went: `ok`, `failed` (a cell raised), `timeout` or `died`; and the executed notebook."""

    job: Job
    state: str
    executed: str | None = None
    cell: int | None = None
    error: str = ""
    traceback: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Host:
    """What runs jobs: `start` hands one over, `ended` waits for some and tells how they ended."""

    engine: str
    start: Callable[[dict[str, Any]], None]
    ended: Callable[[], list[dict[str, Any]]]


def best_engine() -> str:
    """Name the fastest engine that this system has."""
    return FORK if hasattr(os, "fork") and sys.platform != "darwin" else PORTABLE


def execute(
    jobs: list[Job], *, workers: int = 2, timeout: float = 600, engine: str | None = None, cwd: Path | None = None,
    host: Host | None = None,
) -> Iterator[Outcome]:
    """Run jobs and give each outcome as soon as it is there.

    Parameters
    ----------
    jobs
        The notebooks to run.
    workers
        How many run at the same time; 0 runs one after another with ordinary kernels.
    timeout
        Seconds that a notebook may take; it is killed with all its children after that.
    engine
        `"fork"` (cells run in a fork of a process with everything imported) or `"kernel"`
        (ordinary Jupyter kernels); the fastest that this system has unless given.
    cwd
        The folder that relative paths in a notebook start from.
    host
        What `hosted` gave, if it was opened before; then `engine` is not asked.
    """
    if not jobs:
        return
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plgkit-")))
        ready = host or stack.enter_context(hosted(workers=workers, engine=engine))
        yield from _drive(ready, jobs, base, max(workers, 1), timeout, cwd or Path.cwd())


@contextmanager
def hosted(*, workers: int = 2, engine: str | None = None) -> Iterator[Host]:
    """Open what runs notebooks; it makes itself ready while the caller does something else."""
    engine = PORTABLE if workers == 0 else engine or best_engine()
    if engine == FORK and not hasattr(os, "fork"):
        raise BadParameter("engine", engine, expected=f"{PORTABLE!r}: this system cannot fork")
    with _nursery() if engine == FORK else _processes() as (start, ended):
        yield Host(engine, start, ended)


def _drive(host: Host, jobs: list[Job], base: Path, workers: int, timeout: float, cwd: Path) -> Iterator[Outcome]:
    waiting, running = list(enumerate(jobs)), {}
    while waiting or running:
        while waiting and len(running) < workers:
            at, job = waiting.pop(0)
            folder = base / str(at)
            folder.mkdir()
            running[str(at)] = (job, folder, time.monotonic())
            host.start({"id": str(at), "folder": str(folder), "notebook": str(_as_run(job, folder)), "engine": host.engine,
                        "parameters": job.parameters, "cwd": str(cwd), "timeout": timeout})
        for answer in host.ended():
            job, folder, began = running.pop(answer["id"])
            yield _outcome(job, folder, answer, timeout, time.monotonic() - began)


def _as_run(job: Job, folder: Path) -> Path:
    """The notebook itself, or a copy that lacks what the job leaves out."""
    if not job.without:
        return job.notebook.resolve()
    whole = normalise.read(job.notebook)
    cells = [each for each in whole["cells"] if not job.without & set(each["metadata"].get("tags", ()))]
    shorter = folder / job.notebook.name
    shorter.write_text(json.dumps(whole | {"cells": cells}), encoding="utf-8")
    return shorter


def _outcome(job: Job, folder: Path, answer: dict[str, Any], timeout: float, seconds: float) -> Outcome:
    written, result = folder / "out.ipynb", folder / "result.json"
    executed = written.read_text(encoding="utf-8") if written.exists() else None
    at_cell = folder / "at_cell"
    cell = int(at_cell.read_text() or 0) if at_cell.exists() else None
    if answer.get("late"):
        return Outcome(job, "timeout", executed, cell, f"It took longer than {timeout:g} seconds and was stopped.",
                       seconds=seconds)
    if not result.exists():
        code = answer.get("exit")
        return Outcome(job, "died", executed, cell, f"Its process ended with {code} before the notebook did.",
                       _last_words(folder), seconds)
    told = json.loads(result.read_text(encoding="utf-8"))
    return Outcome(job, told["state"], executed, told.get("cell"), told.get("error", ""),
                   tuple(told.get("traceback", ())), seconds)


def _last_words(folder: Path) -> tuple[str, ...]:
    words = folder / "words"
    return tuple(words.read_text(errors="replace").splitlines()[-20:]) if words.exists() else ()


@contextmanager
def _nursery() -> Iterator[tuple[Callable, Callable]]:
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "plgkit.reports.nursery"], env=os.environ | _QUIET,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, start_new_session=True,
        )
        unread, used = b"", False

        def start(job: dict[str, Any]) -> None:
            nonlocal used
            used = True
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(job).encode() + b"\n")
                process.stdin.flush()

        def ended() -> list[dict[str, Any]]:
            nonlocal unread
            received = os.read(process.stdout.fileno(), 65536)
            if not received:
                words.seek(0)
                raise RuntimeError(f"The process that runs the notebooks ended:\n{words.read().decode()}")
            *lines, unread = (unread + received).split(b"\n")
            return [json.loads(line) for line in lines]

        try:
            yield start, ended
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.close()
            if not used:
                # It may be importing still, and nobody waits for it any more.
                process.kill()
            process.wait(timeout=30)


@contextmanager
def _processes() -> Iterator[tuple[Callable, Callable]]:
    running: dict[str, tuple[subprocess.Popen, float]] = {}

    def start(job: dict[str, Any]) -> None:
        with open(Path(job["folder"]) / "words", "wb") as words:
            process = subprocess.Popen(
                [sys.executable, "-m", "plgkit.reports.worker"], env=os.environ | _QUIET, stdin=subprocess.PIPE,
                stdout=words, stderr=words, start_new_session=os.name == "posix",
            )
        process.stdin.write(json.dumps(job).encode())
        process.stdin.close()
        running[job["id"]] = (process, time.monotonic() + job["timeout"])

    def ended() -> list[dict[str, Any]]:
        time.sleep(_PAUSE)
        answers = []
        for name, (process, deadline) in list(running.items()):
            late = time.monotonic() > deadline
            if late:
                _kill(process)
            if late or process.poll() is not None:
                answers.append({"id": name, "exit": process.wait(), "late": late})
                del running[name]
        return answers

    try:
        yield start, ended
    finally:
        for process, _ in running.values():
            _kill(process)
            process.wait()


def _kill(process: subprocess.Popen) -> None:
    with suppress(ProcessLookupError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
