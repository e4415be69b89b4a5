"""Check an answer without giving it away: right answers and the usual wrong ones are kept as hashes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import numbers
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plgkit.errors import UnknownExercise
from plgkit.notebook.shown import Shown
from plgkit.notebook.text import escape

ANSWERS = Path(__file__).with_name("answers.json")


def check(name: str, answer: object) -> Shown:
    """Say whether an answer is right; a usual mistake gets a hint.

    Parameters
    ----------
    name
        The exercise, such as "activation-1".
    answer
        A number (rounded or not), a text, a day, or a list of those; None is not answered yet.

    Returns
    -------
    One sentence, shown where the cell ends.

    Raises
    ------
    UnknownExercise
        If there is no such exercise; the nearest is named.

    Examples
    --------
    >>> check("example-1", None)
    Not answered yet.
    >>> check("example-1", 0.8)
    Not yet: you counted every visit, not every visitor.
    >>> check("example-1", 60)
    Nearly: that is in percent; the question asks for a share.
    >>> check("example-1", 0.6)
    Right.
    """
    known = _answers()
    if name not in known:
        raise UnknownExercise(name, known)
    if answer is None:
        return _said("Not answered yet.")
    return _said(_verdict(name, answer, known[name]))


def keep(name: str, right: object, *, digits: int = 3, wrong: Mapping[Any, str] | None = None) -> None:
    """Keep the right answer of an exercise and hints for usual wrong ones, hashed.

    Parameters
    ----------
    name
        The exercise, such as "activation-1".
    right
        The answer.
    digits
        Decimals to which numbers are compared.
    wrong
        Wrong answer = hint, in words that follow "Not yet: ".
    """
    known = _answers() if ANSWERS.exists() else {}
    hints = {_hash(name, value, digits): hint for value, hint in (wrong or {}).items()}
    known[name] = {"digits": digits, "right": _hash(name, right, digits), "wrong": hints}
    ANSWERS.write_text(json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _verdict(name: str, answer: object, known: Mapping[str, Any]) -> str:
    def is_right(value: object) -> bool:
        return _hash(name, value, known["digits"]) == known["right"]

    if is_right(answer):
        return "Right."
    hint = known["wrong"].get(_hash(name, answer, known["digits"]))
    if hint:
        return f"Not yet: {hint}."
    if _is_number(answer):
        if is_right(float(answer) / 100):
            return "Nearly: that is in percent; the question asks for a share."
        if is_right(float(answer) * 100):
            return "Nearly: that is a share; the question asks for percent."
        if is_right(1 - float(answer)):
            return "Nearly: that is the other part; take it from 1."
    return "Not yet. The solution is folded below; try once more before you open it."


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(float(value))


def _hash(name: str, value: object, digits: int) -> str:
    return hashlib.sha256(f"{name}={_plain(value, digits)}".encode()).hexdigest()[:16]


def _plain(value: object, digits: int) -> str:
    """One way to write each answer: rounded numbers, days as dates, texts without regard to case."""
    if _is_number(value):
        return f"{round(float(value), digits) + 0.0:.{digits}f}"
    if isinstance(value, dt.date):
        return value.isoformat()[:10]
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), digits)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_plain(each, digits) for each in value) + "]"
    return str(value).strip().casefold()


def _answers() -> dict[str, Any]:
    return json.loads(ANSWERS.read_text(encoding="utf-8"))


def _said(text: str) -> Shown:
    return Shown("note", text, f"<p>{escape(text)}</p>", {"text": text})
