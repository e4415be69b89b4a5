"""What is known of every report: one small JSON file beside its page."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import plgkit

OK = "ok"
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PACKAGES = ("pandas", "ibis-framework", "duckdb", "matplotlib", "seaborn", "scipy", "papermill")

Status = dict[str, Any]


def read(path: Path) -> Status | None:
    """Read one status; `None` if there is none or it was cut short."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"name", "as_of", "state"} <= found.keys() else None


def read_all(out: Path) -> list[Status]:
    """Read the statuses of all dates, by date and name."""
    folders = sorted(each for each in out.glob("????-??-??") if each.is_dir() and DAY.fullmatch(each.name))
    found = (read(path) for folder in folders for path in sorted(folder.glob("*.json")))
    return [each for each in found if each is not None]


def write(path: Path, status: Status) -> None:
    """Write one status in one step."""
    replace(path, json.dumps(status, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def replace(path: Path, text: str) -> None:
    """Write a file in one step: readers see the old text or the new one, never a part."""
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        error.filename = error.filename or str(path)
        raise


def measures(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the tiles that an executed notebook showed, as data."""
    return [tile for about in _shown(notebook, "tiles") for tile in about["tiles"]]


def findings(notebook: dict[str, Any]) -> list[str]:
    """Give the findings of an executed notebook, in order."""
    return [about["text"] for about in _shown(notebook, "finding")]


def missing(notebook: dict[str, Any]) -> list[str]:
    """Give what an executed notebook lacks, each reason once."""
    return list(dict.fromkeys(about["text"] for about in _shown(notebook, "missing")))


def broken_guardrails(status: Status) -> list[str]:
    """Name the guardrails that a report found broken.

    Examples
    --------
    >>> tile = {"label": "Activation", "guardrail": True, "status": "off target", "pill": "below target 40%"}
    >>> broken_guardrails({"measures": [tile]})
    ['Activation: below target 40%']
    """
    tiles = status.get("measures") or []
    return [f"{each['label']}: {each['pill']}" for each in tiles
            if each.get("guardrail") and each.get("status") == "off target"]


def changes(now: Status, then: Status | None) -> list[dict[str, Any]]:
    """Compare the tiles of a report with those of the report before it.

    Examples
    --------
    >>> def report(value, shown):
    ...     return {"measures": [{"label": "Activation", "measure": "activation.rate", "value": value, "shown": shown}]}
    >>> changes(report(0.36, "36%"), report(0.38, "38%"))
    [{'label': 'Activation', 'was': '38%', 'now': '36%', 'rose': False}]
    """
    if then is None:
        return []
    before = {(each.get("measure"), each["label"]): each for each in then.get("measures") or []}
    found = []
    for each in now.get("measures") or []:
        old = before.get((each.get("measure"), each["label"]))
        if old is None or old.get("value") is None or each.get("value") is None or old["value"] == each["value"]:
            continue
        found.append({"label": each["label"], "was": old["shown"], "now": each["shown"],
                      "rose": each["value"] > old["value"]})
    return found


def before(status: Status, every: list[Status]) -> Status | None:
    """Give the good report of the same notebook on the date before."""
    older = [each for each in every
             if each["name"] == status["name"] and each["state"] == OK and each["as_of"] < status["as_of"]]
    return max(older, key=lambda each: each["as_of"], default=None)


def digest(notebook: Path, parameters: dict[str, Any], data_version: str, playbook: str = "") -> str:
    """Name the inputs of a report: equal inputs, equal digest, equal page."""
    parts = [notebook.read_bytes(), json.dumps(parameters, sort_keys=True).encode(), data_version.encode(),
             playbook.encode(), _source_digest(), json.dumps(versions(), sort_keys=True).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def versions() -> dict[str, str]:
    """Give the versions that a number may depend on."""
    return {"plgkit": plgkit.__version__} | {name: metadata.version(name) for name in _PACKAGES}


def commit(folder: Path) -> str:
    """Name the commit of the notebooks, or nothing where there is no repository."""
    try:
        found = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], cwd=folder, capture_output=True, text=True,
                               timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def _source_digest() -> bytes:
    root = Path(plgkit.__file__).parent
    files = sorted(path for path in root.rglob("*") if path.suffix in (".py", ".j2", ".css", ".toml"))
    seen = hashlib.sha256()
    for path in files:
        seen.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return seen.digest()


def _shown(notebook: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    outputs = (each for cell in notebook["cells"] for each in cell.get("outputs", ()))
    about = (each.get("metadata", {}).get("plgkit") for each in outputs)
    return [each for each in about if isinstance(each, dict) and each.get("kind") == kind]
