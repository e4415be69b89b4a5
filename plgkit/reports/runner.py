"""Run the notebooks of a date into a folder of reports."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from plgkit.errors import BadParameter, Busy, ServerGone, UnknownParameter
from plgkit.reports import books, execute, index, parameters, shelf, status
from plgkit.reports.status import Status

Progress = Callable[[str, str], None]
_FILLED_BY_US = ("source", "as_of", "playbook")
_RUNS_REMEMBERED = 20
_FOR_LEARNERS = frozenset({"exercise"})


@dataclass(frozen=True)
class Report:
    """How one notebook went; `state` is `ok`, `skipped` (unchanged), `failed`, `timeout` or `died`."""

    name: str
    state: str
    page: Path
    error: str = ""
    cell: int | None = None
    changes: tuple[dict[str, Any], ...] = ()
    broken_guardrails: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether there is a good page of this notebook."""
        return self.state in ("ok", "skipped")


@dataclass(frozen=True)
class RunResult:
    """What a run did."""

    as_of: str
    out: Path
    reports: tuple[Report, ...]
    hook_status: int | None = None
    removed: tuple[str, ...] = field(default=())

    @property
    def exit_status(self) -> int:
        """0 if all went well, 1 if a report or the hook failed or a guardrail broke, 4 if the database went away."""
        if any(each.error.startswith(ServerGone.__name__) for each in self.reports):
            return 4
        well = all(each.well and not each.broken_guardrails for each in self.reports)
        return 0 if well and not self.hook_status else 1

    def as_data(self) -> dict[str, Any]:
        """Give the result as JSON types."""
        reports = [
            {"name": each.name, "state": each.state, "page": str(each.page), "error": each.error, "cell": each.cell,
             "changes": list(each.changes), "broken_guardrails": list(each.broken_guardrails)}
            for each in self.reports
        ]
        return {"as_of": self.as_of, "out": str(self.out), "exit_status": self.exit_status, "reports": reports,
                "hook_status": self.hook_status, "removed": list(self.removed)}


@dataclass(frozen=True)
class _Source:
    source: str
    as_of: str
    playbook: str
    words: str
    version: str
    rows: dict[str, int]
    product: str


def run(
    source: str = "",
    *,
    as_of: str | None = None,
    playbook: str | Path | None = None,
    only: tuple[str, ...] = (),
    out: str | Path = "reports",
    notebooks: str | Path | None = None,
    workers: int = 2,
    engine: str | None = None,
    set: Mapping[str, Any] | None = None,
    force: bool = False,
    timeout: float = 600,
    keep: int | None = None,
    hook: str | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Run notebooks into HTML reports. Running twice changes nothing; what is unchanged is skipped.

    Parameters
    ----------
    source
        What `plgkit.connect` takes as a path; empty for the bundled sample.
    as_of
        The last day counted; the last complete day unless given.
    playbook
        The playbook to use; the source's own unless given.
    only
        Names of notebooks, such as `activation`; all unless given.
    out
        The folder of reports: one folder per date, `latest`, and `index.html`.
    notebooks
        The folder of notebooks; those of the project unless given.
    workers
        How many run at the same time; 0 for ordinary kernels, one after another.
    engine
        `"fork"` or `"kernel"`; the fastest that this system has unless given.
    set
        Parameters of the notebooks by name; each must be declared by at least one of them.
    force
        Whether to run what is unchanged too.
    timeout
        Seconds that one notebook may take.
    keep
        How many dates to keep; all unless given.
    hook
        A command to run at the end, with PLGKIT_OUT, PLGKIT_AS_OF, PLGKIT_EXIT_STATUS and
        PLGKIT_FAILED in its environment.
    progress
        Called with a notebook's name and its state when it is done.

    Returns
    -------
    What happened, with the exit status that the command line gives.
    """
    from filelock import FileLock, Timeout

    if keep is not None and keep < 1:
        raise BadParameter("keep", keep, expected="a number of dates, 1 or more")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    where = Path(notebooks) if notebooks else books.folder()
    found = books.find(where, tuple(only))
    asked = _parameters(found, dict(set or {}), playbook)
    try:
        with FileLock(folder / ".lock", timeout=0):
            began = time.monotonic()
            with execute.hosted(workers=workers, engine=engine) as host:
                data = _look(source, as_of, playbook)
                planned, skipped = _plan(found, asked, data, folder, force=force)
                for name in skipped:
                    (progress or _silent)(name, "skipped")
                done = _run_all(planned, data, folder, partial(execute.execute, workers=workers, timeout=timeout, host=host),
                                progress or _silent)
            reports = _reports(found, folder, data, done, skipped)
            removed = shelf.keep_last(folder, keep) if keep else []
            shelf.relink(folder)
            index.write(folder)
            result = RunResult(data.as_of, folder, tuple(reports), removed=tuple(removed))
            _log(result, time.monotonic() - began, {name: seconds for name, (_, seconds) in done.items()})
    except Timeout:
        raise Busy(folder) from None
    return replace(result, hook_status=_call(hook, result)) if hook else result


def _parameters(
    found: list[Path], given: dict[str, Any], playbook: str | Path | None = None
) -> dict[str, tuple[dict, dict]]:
    """Give for each notebook its defaults and what it is to be asked with."""
    known = {each.stem: parameters.declared(each) for each in found}
    deaf = [stem for stem, declared in known.items() if "playbook" not in declared]
    if playbook and deaf:
        raise UnknownParameter("playbook", known[deaf[0]], of=deaf[0])
    names = {name for each in known.values() for name in each}
    for name in given:
        if name in _FILLED_BY_US:
            raise BadParameter("--set", name, expected="another parameter: SOURCE, --as-of and --playbook fill this one")
        if name not in names:
            raise UnknownParameter(name, names - {*_FILLED_BY_US}, of="A report")
    asked = {}
    for stem, declared in known.items():
        mine = {name: value for name, value in given.items() if name in declared}
        asked[stem] = (declared, parameters.checked(mine, declared, of=stem))
    return asked


def _look(source: str, as_of: str | None, playbook: str | Path | None) -> _Source:
    """Open the data once: to learn the date and the version, and to fill the cache before the notebooks do."""
    import plgkit

    place: str | Path = source
    if not source:
        from plgkit import samples

        place = samples.bundled_path()
    data = plgkit.connect(place, as_of=as_of, playbook=playbook)
    rows = {name: int(data.table(name).count().execute()) for name in data.everything}
    return _Source(source, str(data.as_of), str(playbook or ""), data.playbook.model_dump_json(), str(data.version), rows,
                   str(data.playbook.product.name))


def _plan(
    found: list[Path], asked: dict[str, tuple[dict, dict]], data: _Source, out: Path, *, force: bool
) -> tuple[list[tuple[execute.Job, Status]], dict[str, Status]]:
    """Say what has to run, each with the status it will have if all goes well, and what is unchanged."""
    shared = {"versions": status.versions(), "commit": status.commit(found[0].parent), "product": data.product,
              "data": {"version": data.version, "rows": data.rows}, "as_of": data.as_of, "state": status.OK}
    planned, skipped = [], {}
    for notebook in found:
        declared, given = asked[notebook.stem]
        ours = {"source": data.source, "as_of": data.as_of, "playbook": data.playbook}
        given = given | {name: value for name, value in ours.items() if name in declared and value}
        shown = {name: each.default for name, each in declared.items()} | given
        shown |= {"playbook": Path(data.playbook).name} if data.playbook else {}
        shown = {name: value for name, value in shown.items() if name != "source" and (name != "playbook" or value)}
        fresh = shared | {"name": notebook.stem, "title": books.title(notebook), "parameters": shown,
                          "digest": status.digest(notebook, given, data.version, data.words)}
        old = status.read(out / data.as_of / f"{notebook.stem}.json")
        if not force and _unchanged(out, fresh, old):
            skipped[notebook.stem] = old
        else:
            planned.append((execute.Job(notebook.stem, notebook, given, without=_FOR_LEARNERS), fresh))
    return _longest_first(planned, out), skipped


def _longest_first(planned: list[tuple[execute.Job, Status]], out: Path) -> list[tuple[execute.Job, Status]]:
    """Begin with what took longest last time, so that no worker waits at the end; the last notebook sums up the rest."""
    took: dict[str, float] = {}
    log = out / "runs.jsonl"
    if log.exists():
        for line in log.read_text(encoding="utf-8").splitlines()[-_RUNS_REMEMBERED:]:
            took |= json.loads(line).get("seconds_each", {})
    place = {job.name: at for at, (job, _) in enumerate(planned)}
    return sorted(planned, key=lambda each: (took.get(each[0].name, float("inf")), place[each[0].name]), reverse=True)


def _run_all(
    planned: list[tuple[execute.Job, Status]], data: _Source, out: Path,
    run_jobs: Callable[[list[execute.Job]], Iterator[execute.Outcome]], progress: Progress,
) -> dict[str, tuple[Status, float]]:
    fresh = {job.name: each for job, each in planned}
    every = [each for each in status.read_all(out) if each["as_of"] != data.as_of or each["name"] not in fresh]
    done = {}
    for outcome in run_jobs([job for job, _ in planned]):
        finished = _finish(out, fresh[outcome.job.name], outcome, every + list(fresh.values()))
        done[outcome.job.name] = (finished, round(outcome.seconds, 1))
        progress(outcome.job.name, finished["state"])
    shelf.update_latest(out, [each for each in status.read_all(out) if each["as_of"] == data.as_of])
    return done


def _reports(
    found: list[Path], out: Path, data: _Source, done: dict[str, tuple[Status, float]], skipped: dict[str, Status]
) -> list[Report]:
    every = status.read_all(out)
    reports = []
    for name in (each.stem for each in found):
        known = skipped[name] if name in skipped else done[name][0]
        changes = status.changes(known, status.before(known, every)) if known["state"] == status.OK else []
        reports.append(Report(
            name, "skipped" if name in skipped else known["state"], out / data.as_of / f"{name}.html", known["error"],
            known["cell"], tuple(changes), tuple(status.broken_guardrails(known)),
        ))
    return reports


def _unchanged(out: Path, fresh: Status, old: Status | None) -> bool:
    if old is None or old["state"] != status.OK or old["digest"] != fresh["digest"]:
        return False
    return (out / fresh["as_of"] / f"{fresh['name']}.html").exists()


def _finish(out: Path, fresh: Status, outcome: execute.Outcome, every: list[Status]) -> Status:
    from plgkit.reports import normalise

    executed = None
    if outcome.executed:
        executed = normalise.tidy(json.loads(outcome.executed))
    seen = executed or {"cells": []}
    done = fresh | {
        "state": outcome.state, "error": outcome.error, "cell": outcome.cell, "traceback": list(outcome.traceback),
        "measures": status.measures(seen), "findings": status.findings(seen),
        "missing": status.missing(seen),
    }
    shelf.put(out, done, executed, every)
    return done


def _log(result: RunResult, seconds: float, each: dict[str, float]) -> None:
    """Add a line to the log of runs: the one file here that knows when it was written."""
    ended = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    states = {report.name: report.state for report in result.reports}
    line = {"ended_at": ended, "seconds": round(seconds, 1), "as_of": result.as_of, "reports": states,
            "exit_status": result.exit_status, "seconds_each": each}
    with open(result.out / "runs.jsonl", "a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")


def _call(hook: str, result: RunResult) -> int:
    failed = [each.name for each in result.reports if not each.well]
    told = {"PLGKIT_OUT": str(result.out), "PLGKIT_AS_OF": result.as_of, "PLGKIT_FAILED": " ".join(failed),
            "PLGKIT_EXIT_STATUS": str(result.exit_status)}
    return subprocess.run(hook, shell=True, env=os.environ | told, check=False).returncode


def _silent(name: str, state: str) -> None:
    pass
