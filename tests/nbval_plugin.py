"""Rules for comparing stored notebooks with a new run: load with `-p tests.nbval_plugin --nbval`.

A stored notebook whose cells never ran would compare nothing and pass: it fails here. Numbers
are compared with a tolerance, and HTML and pictures are left out, because they change with the
versions of what draws them while the answers stay the same.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Building the grammar of web addresses takes jsonschema a second that no notebook needs.
sys.modules.setdefault("rfc3987_syntax", None)

TOLERANCE = 1e-6
LEFT_OUT = ("text/html", "image/png", "image/svg+xml", "application/json")
_NUMBER = re.compile(r"(?<![\w.])[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def pytest_configure(config: pytest.Config) -> None:
    """Fix what a kernel would otherwise take from its surroundings."""
    empty = tempfile.TemporaryDirectory(prefix="plgkit-ipython-")
    config.add_cleanup(empty.cleanup)
    os.environ.update({"TZ": "UTC", "PYTHONHASHSEED": "0", "IPYTHONDIR": empty.name})
    if not config.pluginmanager.hasplugin("nbval"):
        return
    from nbval.plugin import IPyNbCell

    IPyNbCell.compare_outputs = _with_rules(IPyNbCell.compare_outputs)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse notebooks with cells that no run from top to bottom left."""
    from plgkit.reports.normalise import never_run

    for path in sorted({Path(str(each.path)) for each in items if str(each.path).endswith(".ipynb")}):
        positions = never_run(json.loads(path.read_text(encoding="utf-8")))
        if positions:
            cells = ", ".join(str(at + 1) for at in positions)
            raise pytest.UsageError(f"{path.name}: cells {cells} were never run. Store it with `plgkit notebooks --write`.")


def _with_rules(compare: Callable[..., bool]) -> Callable[..., bool]:
    def compared(cell: Any, test: list, ref: list, skip_compare: tuple[str, ...] | None = None) -> bool:
        if any(each.get("name") == "stderr" for each in [*test, *ref]):
            cell.comparison_traceback = ["A cell of a stored notebook must not write to standard error."]
            return False
        skipped = (*(skip_compare or cell.parent.skip_compare), *LEFT_OUT)
        return compare(cell, _aligned(test, ref), ref, skipped)

    return compared


def _aligned(found: list[dict], stored: list[dict]) -> list[dict]:
    """Put what was stored in the place of what was found wherever both say the same within the tolerance."""
    if len(found) != len(stored):
        return found
    return [_near(new, old) for new, old in zip(found, stored, strict=True)]


def _near(new: dict, old: dict) -> dict:
    near = type(new)(new)
    if "text" in new and _same(new["text"], old.get("text")):
        near["text"] = old["text"]
    if "data" in new and "data" in old:
        kept = old["data"]
        near["data"] = type(new)({kind: kept[kind] if _same(value, kept.get(kind)) else value for kind, value in new["data"].items()})
    return near


def _same(new: object, old: object) -> bool:
    if not (isinstance(new, str) and isinstance(old, str)):
        return new == old
    if _NUMBER.sub("#", new).split() != _NUMBER.sub("#", old).split():
        return False
    pairs = zip(_NUMBER.findall(new), _NUMBER.findall(old), strict=True)
    return all(math.isclose(_number(a), _number(b), rel_tol=TOLERANCE, abs_tol=TOLERANCE) for a, b in pairs)


def _number(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))
