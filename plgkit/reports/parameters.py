"""Check what a notebook is asked with against the typed, commented cell that declares it."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plgkit.errors import BadParameter, UnknownParameter

_KINDS = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict, "None": type(None)}
_WORDS = {"str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false", "list": "a list",
          "dict": "an object", "None": "null"}


@dataclass(frozen=True)
class Declared:
    """One parameter of a notebook: its name, the types it takes, its default and its meaning."""

    name: str
    kinds: tuple[str, ...]
    default: Any
    meaning: str = ""


def declared(notebook: Path) -> dict[str, Declared]:
    """Read the parameters that a notebook declares in its cell tagged `parameters`."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    source = next((each["source"] for each in cells if "parameters" in each["metadata"].get("tags", [])), "")
    source = source if isinstance(source, str) else "".join(source)
    lines = source.splitlines()
    found = {}
    for each in ast.parse(source).body:
        target = each.target if isinstance(each, ast.AnnAssign) else getattr(each, "targets", [None])[0]
        if isinstance(target, ast.Name) and each.value is not None:
            default = _value(each.value)
            kinds = _kinds(getattr(each, "annotation", None), default)
            _, _, meaning = lines[each.end_lineno - 1][each.end_col_offset :].partition("#")
            found[target.id] = Declared(target.id, kinds, default, meaning.strip())
    return found


def checked(given: dict[str, Any], known: dict[str, Declared], *, of: str) -> dict[str, Any]:
    """Give the parameters in the types that a notebook declares, or say which one cannot be used.

    Texts are read as the declared type: `"7"` for a whole number, `"true"` for a flag. A name
    that is not declared never reaches the notebook, because papermill would write it there as code.

    Examples
    --------
    >>> known = {"within_days": Declared("within_days", ("int",), 7)}
    >>> checked({"within_days": "14"}, known, of="02_activation")
    {'within_days': 14}
    >>> checked({"within_day": "14"}, known, of="02_activation")
    Traceback (most recent call last):
    plgkit.errors.UnknownParameter: 02_activation takes no parameter 'within_day'. Did you mean 'within_days'?
    """
    for name in given:
        if name not in known:
            raise UnknownParameter(name, known, of=of)
    return {name: _typed(value, known[name]) for name, value in given.items()}


def split(pairs: tuple[str, ...] | list[str]) -> dict[str, str]:
    """Split `name=value` pairs of a command line.

    Examples
    --------
    >>> split(["within_days=14", "event=a=b"])
    {'within_days': '14', 'event': 'a=b'}
    """
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip().isidentifier():
            raise BadParameter("--set", pair, expected="name=value, for example --set within_days=14")
        given[name.strip()] = value
    return given


def _typed(value: Any, parameter: Declared) -> Any:
    expected = " or ".join(_WORDS[kind] for kind in parameter.kinds)
    for kind in parameter.kinds:
        found = _as(value, kind)
        if found is not _NOT:
            return found
    raise BadParameter(parameter.name, value, expected=expected)


_NOT = object()


def _as(value: Any, kind: str) -> Any:
    read = value
    if isinstance(value, str) and kind != "str":
        try:
            read = json.loads(value)
        except ValueError:
            return _NOT
    if kind == "float" and isinstance(read, int) and not isinstance(read, bool):
        return float(read)
    # A flag is a whole number to Python, and nowhere else.
    fits = isinstance(read, _KINDS[kind]) and (kind == "bool" or not isinstance(read, bool))
    return read if fits and _is_json(read) else _NOT


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(each) for name, each in value.items())
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    return value is None or type(value) in (str, int, bool)


def _kinds(annotation: ast.expr | None, default: Any) -> tuple[str, ...]:
    if annotation is None:
        return ("None", "str") if default is None else (type(default).__name__,)
    names = [each.id for each in ast.walk(annotation) if isinstance(each, ast.Name)]
    names += ["None" for each in ast.walk(annotation) if isinstance(each, ast.Constant) and each.value is None]
    kinds = tuple(dict.fromkeys(name for name in names if name in _KINDS))
    if "list" in kinds or "dict" in kinds:
        kinds = tuple(each for each in kinds if each in ("list", "dict", "None"))
    # A text fits anything: the other types are tried first.
    return tuple(sorted(kinds, key=lambda kind: kind == "str"))


def _value(default: ast.expr) -> Any:
    try:
        return ast.literal_eval(default)
    except ValueError:
        return ast.unparse(default)
