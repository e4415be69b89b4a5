"""Write notebooks the same way every time, so that a difference in them is a difference in the answers."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

from plgkit.notebook.text import tame

_KEPT_METADATA = ("kernelspec", "language_info")
_PICTURES = ("image/png", "image/jpeg", "image/svg+xml", "application/pdf")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,}")


def tidy(notebook: dict[str, Any], *, pictures: bool = True) -> dict[str, Any]:
    """Drop what changes from run to run: times, paths of papermill, random cell ids, versions.

    Parameters
    ----------
    notebook
        An executed notebook as a dictionary.
    pictures
        Whether to keep the pictures; a committed notebook goes without, a report with them.
    """
    plain = copy.deepcopy(notebook)
    known = {name: value for name, value in plain["metadata"].items() if name in _KEPT_METADATA}
    known["language_info"] = {"name": "python"}
    known.setdefault("kernelspec", {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"})
    plain["metadata"] = known
    plain["nbformat"], plain["nbformat_minor"] = 4, 5
    taken: set[str] = set()
    ran = 0
    for cell in plain["cells"]:
        cell["id"] = _cell_id(cell, taken)
        cell["metadata"] = _cell_metadata(cell["metadata"])
        cell["source"] = _joined(cell["source"])
        if cell["cell_type"] == "code":
            ran += cell["execution_count"] is not None
            cell["execution_count"] = ran if cell["execution_count"] is not None else None
            cell["outputs"] = [_output(each, ran, pictures) for each in _merged(cell["outputs"])]
    return plain


def as_text(notebook: dict[str, Any]) -> str:
    """Write a notebook as JSON with sorted keys."""
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def read(path: Path) -> dict[str, Any]:
    """Read a notebook as plain JSON."""
    return json.loads(path.read_text(encoding="utf-8"))


def without_injected(notebook: dict[str, Any]) -> dict[str, Any]:
    """Drop the cell that papermill puts in: a committed notebook shows its own defaults."""
    cells = [each for each in notebook["cells"] if "injected-parameters" not in each["metadata"].get("tags", [])]
    return notebook | {"cells": cells}


def never_run(notebook: dict[str, Any]) -> list[int]:
    """Give the positions of code cells whose count is not the one of a run from top to bottom."""
    code = [(at, cell) for at, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code"]
    full = [(at, cell) for at, cell in code if _joined(cell["source"]).strip()]
    return [at for count, (at, cell) in enumerate(full, start=1) if cell["execution_count"] != count]


def _cell_id(cell: dict[str, Any], taken: set[str]) -> str:
    words = re.findall(r"[a-z0-9]+", _joined(cell["source"]).lower())[:5]
    stem = "-".join(words)[:40].strip("-") or cell["cell_type"]
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name


def _cell_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    kept = {name: metadata[name] for name in ("tags", "plgkit", "jupyter", "editable") if metadata.get(name)}
    return kept


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _merged(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    merged: list[dict[str, Any]] = []
    for each in outputs:
        last = merged[-1] if merged else {}
        if each["output_type"] == "stream" and last.get("name") == each["name"] and last.get("output_type") == "stream":
            last["text"] = _joined(last["text"]) + _joined(each["text"])
        else:
            merged.append(dict(each))
    return merged


def _output(output: dict[str, Any], count: int, pictures: bool) -> dict[str, Any]:
    if output["output_type"] == "execute_result":
        output["execution_count"] = count
    if output["output_type"] == "stream":
        output["text"] = _joined(output["text"])
    if output["output_type"] == "error":
        output["traceback"] = [_ADDRESS.sub("", tame(line)) for line in output["traceback"]]
    if "data" in output:
        kept = {kind: data for kind, data in output["data"].items() if pictures or kind not in _PICTURES}
        output["data"] = {kind: _steady(kind, data) for kind, data in kept.items()}
        words = output.get("metadata", {})
        output["metadata"] = words if pictures else {k: v for k, v in words.items() if k not in _PICTURES}
    return output


def _steady(kind: str, data: Any) -> Any:
    if kind in _PICTURES:
        return _joined(data).strip()
    return _ADDRESS.sub("", _joined(data)) if kind.startswith("text/") and not isinstance(data, dict) else data
