"""Exercises: what `learn.check` says, and that every folded solution is right."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plgkit import learn
from plgkit.errors import UnknownExercise
from plgkit.reports import normalise

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SOLUTION = re.compile(r"<details><summary>Solution</summary>\s*```python\n(.*?)```.*</details>", re.S)


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """Answers of this test alone."""
    monkeypatch.setattr("plgkit.learn.checking.ANSWERS", tmp_path / "answers.json")


@pytest.mark.usefixtures("answers")
def test_an_answer_is_right_however_it_is_written():
    learn.keep("rate", 0.36172, digits=3)
    for answer in (0.362, 0.36172, np.float64(0.3621)):
        assert str(learn.check("rate", answer)) == "Right."
    learn.keep("day", pd.Timestamp("2026-06-01"))
    assert str(learn.check("day", "2026-06-01")) == "Right."
    learn.keep("names", ["Organic", "ads"])
    assert str(learn.check("names", pd.Series(["organic", " ads"]))) == "Right."


@pytest.mark.usefixtures("answers")
def test_a_usual_mistake_gets_its_hint():
    learn.keep("rate", 0.362, digits=3, wrong={0.5: "you divided by those who came back"})
    assert str(learn.check("rate", 0.5)) == "Not yet: you divided by those who came back."
    assert str(learn.check("rate", 36.2)) == "Nearly: that is in percent; the question asks for a share."
    assert str(learn.check("rate", 0.638)) == "Nearly: that is the other part; take it from 1."
    assert str(learn.check("rate", 0.4)) == "Not yet. The solution is folded below; try once more before you open it."
    assert str(learn.check("rate", float("nan"))).startswith("Not yet.")


@pytest.mark.usefixtures("answers")
def test_the_answers_do_not_stand_in_the_file(tmp_path):
    learn.keep("rate", 0.36172, digits=5, wrong={0.5: "hint"})
    text = (tmp_path / "answers.json").read_text()
    assert "0.36" not in text
    assert "0.5" not in text


@pytest.mark.usefixtures("answers")
def test_an_unknown_exercise_is_named_with_the_nearest_one():
    learn.keep("activation-1", 1)
    with pytest.raises(UnknownExercise) as caught:
        learn.check("activation-2", 1)
    assert str(caught.value) == "No exercise 'activation-2'. Did you mean 'activation-1'?"


def exercises(path: Path) -> list[str]:
    cells = normalise.read(path)["cells"]
    return ["".join(each["source"]) for each in cells if "exercise" in each["metadata"].get("tags", [])]


LESSONS = [path for path in NOTEBOOKS if exercises(path)]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_folded_solution_is_right_and_every_exercise_waits_for_an_answer(path):
    cells = exercises(path)
    asked = [(number, re.search(r'learn\.check\("([\w-]+)", answer\)', cell)) for number, cell in enumerate(cells)]
    asked = [(number, found[1]) for number, found in asked if found]
    assert len(asked) == 3
    names: dict[str, object] = {}
    for number, name in asked:
        exec(cells[number], names)
        assert names["answer"] is None
        solution = SOLUTION.search(cells[number + 1])
        assert solution, f"{name} has no folded solution"
        exec(solution[1], names)
        assert str(learn.check(name, names["answer"])) == "Right."
