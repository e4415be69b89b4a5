"""The notebooks as the project stores them: run on the bundled sample, and written the same way every time."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plgkit.reports import execute, normalise

_MOST_LINES = 12


@dataclass(frozen=True)
class Stored:
    """One notebook of the project: `fresh`, `written`, or why it is not as it should be."""

    name: str
    state: str
    detail: str = ""

    @property
    def well(self) -> bool:
        """Whether the stored notebook is as a run would write it."""
        return self.state in ("fresh", "written")


def write(found: list[Path], *, workers: int = 2, timeout: float = 600) -> list[Stored]:
    """Run notebooks with their own defaults and store what they gave, without pictures."""
    answers = []
    for path, outcome in _run(found, workers, timeout):
        if outcome.state != "ok":
            answers.append(_trouble(path, outcome))
            continue
        text = _text(outcome)
        state = "fresh" if path.read_text(encoding="utf-8") == text else "written"
        if state == "written":
            path.write_text(text, encoding="utf-8", newline="\n")
        answers.append(Stored(path.stem, state))
    return sorted(answers, key=lambda each: each.name)


def check(found: list[Path], *, workers: int = 2, timeout: float = 600) -> list[Stored]:
    """Say which notebooks are not stored as a run would write them now."""
    answers = []
    for path, outcome in _run(found, workers, timeout):
        never = normalise.never_run(normalise.read(path))
        if never:
            cells = ", ".join(str(at + 1) for at in never[:_MOST_LINES])
            answers.append(Stored(path.stem, "never run", f"Cells that no run from top to bottom left: {cells}."))
        elif outcome.state != "ok":
            answers.append(_trouble(path, outcome))
        else:
            answers.append(_compared(path, _text(outcome)))
    return sorted(answers, key=lambda each: each.name)


def _run(found: list[Path], workers: int, timeout: float) -> list[tuple[Path, execute.Outcome]]:
    jobs = [execute.Job(path.stem, path) for path in found]
    return [(outcome.job.notebook, outcome) for outcome in execute.execute(jobs, workers=workers, timeout=timeout)]


def _text(outcome: execute.Outcome) -> str:
    executed: dict[str, Any] = json.loads(outcome.executed or "{}")
    return normalise.as_text(normalise.tidy(normalise.without_injected(executed), pictures=False))


def _compared(path: Path, wanted: str) -> Stored:
    stored = path.read_text(encoding="utf-8")
    if stored == wanted:
        return Stored(path.stem, "fresh")
    lines = difflib.unified_diff(stored.splitlines(), wanted.splitlines(), "stored", "now", lineterm="", n=0)
    shown = [line[:160] for line in lines][:_MOST_LINES]
    return Stored(path.stem, "stale", "\n".join(shown))


def _trouble(path: Path, outcome: execute.Outcome) -> Stored:
    at = f" in cell {outcome.cell + 1}" if outcome.cell is not None else ""
    return Stored(path.stem, outcome.state + at, outcome.error)
