"""Say what is wrong with a playbook: one sentence per fault."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from plgkit.errors import nearest

from .lines import Path
from .model import Playbook, strange_names
from .section import Section, inside, keys

_EXPECTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table of keys",
    "model_type": "a table of keys",
    "date_type": "a date such as 2026-06-30",
    "date_parsing": "a date such as 2026-06-30",
    "date_from_datetime_parsing": "a date such as 2026-06-30",
    "date_from_datetime_inexact": "a date without a time, such as 2026-06-30",
    "datetime_type": "a time",
    "finite_number": "a finite number",
}


def sentences(error: ValidationError, found: dict[str, Any], where: dict[Path, int], name: str) -> list[str]:
    """One sentence per faulty place: the branches of a choice (text or list) fail together and are told together."""
    places: dict[Path, list[dict[str, Any]]] = {}
    for each in error.errors(include_url=False):
        if each["type"] != "unknown":
            places.setdefault(_path(each, found), []).append(each)
    unknown = {path: f"{_dotted(path)} is not a {what}. {hint}" for path, what, hint in strange_names(found)}
    said = unknown | {
        path: _sentence(path, errors)
        for path, errors in places.items()
        if not any(_within(path, other) for other in unknown)
        and not any(_within(other, path) for other in places if other != path)
    }
    told = []
    for path, sentence in said.items():
        line = next((where[path[:n]] for n in range(len(path), 0, -1) if path[:n] in where), None)
        told.append((line or 0, f"{name}, line {line}: {sentence}" if line else f"{name}: {sentence}"))
    return [sentence for _, sentence in sorted(told)]


def _within(path: Path, other: Path) -> bool:
    return path[: len(other)] == other


def _path(error: dict[str, Any], found: Any) -> Path:
    """The place of a fault in the TOML data: pydantic's, without the names it gives to the branches of a choice."""
    path: list[str | int] = []
    for part in error["loc"]:
        here = isinstance(found, dict) and part in found
        if here or (isinstance(found, list) and isinstance(part, int)):
            path.append(part)
            found = found[part]
    if error["type"] == "missing":
        path.append(error["loc"][-1])
    return tuple(path)


def _sentence(path: Path, errors: list[dict[str, Any]]) -> str:
    first = errors[0]
    if first["type"] == "missing":
        example = keys(_section(path[:-1]))[path[-1]].examples[0]
        return (
            f"{_dotted(path[:-1])} has no {path[-1]}; expected for example: {path[-1]} = {_shown(example)}."
        )
    if first["type"] == "extra_forbidden":
        return _no_key(path)
    if first["type"] == "clash":
        return f"{_dotted(path)} {first['ctx']['text']}"
    own = [each["ctx"]["text"] for each in errors if each["type"] == "expected"]
    expected = own[0] if own else _choice([_expected(each) for each in errors])
    return f"{_dotted(path)} is {_shown(first['input'])}; expected {expected}"


def _choice(kinds: list[str]) -> str:
    *others, last = dict.fromkeys(kinds)
    text = f"{', '.join(others)} or {last}" if others else last
    return text if text.endswith("?") else f"{text}."


def _expected(error: dict[str, Any]) -> str:
    about = error.get("ctx", {})
    match error["type"]:
        case "literal_error":
            hint = nearest(str(error["input"]), re.findall(r"'([^']*)'", about["expected"]), listed=0)
            return f"{about['expected']}. {hint}" if hint.startswith("Did") else about["expected"]
        case "greater_than_equal":
            return f"{about['ge']:,.10g} or more"
        case "greater_than":
            return f"more than {about['gt']:,.10g}"
        case "less_than_equal":
            return f"{about['le']:,.10g} or less"
    return _EXPECTED.get(error["type"], error["msg"][0].lower() + error["msg"][1:])


def _no_key(path: Path) -> str:
    name = str(path[-1])
    sections = {each: _section((each,)) for each in keys(Playbook)}
    homes = [each for each, kind in sections.items() if get_origin(kind) is None and name in keys(kind)]
    known = keys(_section(path[:-1]))
    hint = nearest(name, known, listed=99)
    if not hint.startswith("Did") and homes:
        hint = f"It is a key of {', '.join(f'[{each}]' for each in homes)}."
    if len(path) == 1:
        return f"{name} is not a section of a playbook. {hint}"
    return f"{_dotted(path)} is not a key of [{_dotted(path[:-1])}]. {hint}"


def _section(path: Path) -> type[Section]:
    """The model of the section at a path."""
    kind: Any = Playbook
    for part in path:
        kind = keys(kind)[part].annotation if get_origin(kind) is None else get_args(kind)[-1]
        kind = inside(kind)
    return kind


def _dotted(path: Path) -> str:
    """Write a path as in TOML: names with other signs in quotes, places in a list in brackets."""
    written = ""
    for part in path:
        if isinstance(part, int):
            written += f"[{part}]"
        else:
            plain = re.fullmatch("[A-Za-z0-9_-]+", part)
            written += "." * bool(written) + (part if plain else json.dumps(part, ensure_ascii=False))
    return written


def _shown(value: object, *, room: int = 60) -> str:
    """Show a value found, on one line and not too long."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        inner = ("[...]" if isinstance(each, list) else _shown(each) for each in value[:5])
        shown = f"[{', '.join(inner)}{', ...' * (len(value) > 5)}]"
    elif isinstance(value, bool):
        shown = str(value).lower()
    elif isinstance(value, (dt.date, dt.time)):
        shown = value.isoformat()
    else:
        shown = repr(value)
    return shown if len(shown) <= room else f"{shown[: room - 3]}..."
