"""The notebooks as they are stored: read, not run. (`plgkit notebooks --check` runs them.)"""

from __future__ import annotations

import ast
import logging
import re
from pathlib import Path

import pytest

from plgkit.reports import normalise, parameters
from plgkit.reports.quick import quicken

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(path: Path) -> list[str]:
    cells = normalise.read(path)["cells"]
    return ["".join(each["source"]) for each in cells if each["cell_type"] == "code"]


@every_notebook
def test_a_stored_notebook_is_as_the_project_writes_it(path):
    notebook = normalise.read(path)
    assert normalise.never_run(notebook) == [], "cells were never run: store it with `plgkit notebooks --write`"
    assert path.read_text(encoding="utf-8") == normalise.as_text(normalise.tidy(notebook, pictures=False))


@every_notebook
def test_a_stored_notebook_has_no_errors_no_warnings_and_no_place_of_one_machine(path):
    outputs = [each for cell in normalise.read(path)["cells"] for each in cell.get("outputs", ())]
    assert [each for each in outputs if each["output_type"] == "error" or each.get("name") == "stderr"] == []
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/home/|/tmp/|C:\\\\", text)
    assert str(Path.home()) + "/" not in text
    assert str(Path(__file__).resolve().parents[1]) not in text


@every_notebook
def test_papermill_reads_the_same_parameters(path, caplog):
    quicken()
    from papermill import inspect_notebook

    with caplog.at_level(logging.WARNING):
        found = inspect_notebook(str(path))
    declared = parameters.declared(path)
    assert caplog.messages == []
    assert list(found) == list(declared)
    assert all(each.meaning and each.kinds for each in declared.values()), "every parameter has a type and a comment"
    assert {"source", "as_of"} <= declared.keys()


@every_notebook
def test_a_notebook_asks_and_shows_and_computes_nothing_itself(path):
    refused = (ast.FunctionDef, ast.Lambda, ast.For, ast.While, ast.ClassDef, ast.Try)
    trees = [ast.parse(each) for each in code(path)]
    assert [type(node).__name__ for tree in trees for node in ast.walk(tree) if isinstance(node, refused)] == []


@every_notebook
def test_a_notebook_has_one_title_and_every_section_says_so_what(path):
    texts = ["".join(each["source"]) for each in normalise.read(path)["cells"] if each["cell_type"] == "markdown"]
    assert [each[:2] for each in texts if re.match(r"# ", each)] == ["# "]
    assert texts[0].startswith("# ")
    assert any(each.startswith("## ") for each in texts)
    assert any(each.lower().startswith("**so what?**") for each in texts)
