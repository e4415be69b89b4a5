"""Imports point down only, and what is heavy is imported where it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "plgkit"
LAYERS = [("errors", "schema"), ("stats",), ("playbook",), ("sources",), ("readers", "samples"), ("metrics", "quality"), ("charts",),
          ("definitions", "flywheel", "scorecard", "glossary", "notebook"), ("learn", "reports"), ("cli",)]
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in HEIGHT)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The parts of the package that a file imports, also inside functions, but not for types alone."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.If)
                 and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "plgkit":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {each.name for each in node.names}
        elif isinstance(node, ast.Import):
            found |= {each.name.split(".")[1] for each in node.names if each.name.startswith("plgkit.")}
    return {each for each in found if each in HEIGHT}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down_only(path: Path):
    own = part_of(path)
    above = {each for each in imported(path) if each != own and HEIGHT[each] > HEIGHT[own]}
    assert not above, f"{own} imports {', '.join(above)}, which stands above it"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_file_outgrows_its_subject(path: Path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 400, f"{lines} lines: is it one subject?"


def test_importing_the_package_brings_nothing_heavy():
    code = ("import sys, plgkit; heavy = {'pandas', 'ibis', 'duckdb', 'matplotlib', 'seaborn', 'numpy', 'nbformat'}; "
            "print(sorted(heavy & set(sys.modules)))")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_no_measure_asks_the_clock_or_the_network():
    asked = {"now", "today", "utcnow", "time", "urlopen", "requests", "random"}
    for path in sorted((PACKAGE / "metrics").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = ast.unparse(node.func)
                assert not (node.func.attr in asked and called.split(".")[0] in {"dt", "datetime", "time", "pd", "date",
                                                                                   "np", "urllib"}), f"{path.name}: {called}"
