"""Write the reference of playbook.toml from its model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from plgkit.schema import TABLES

from . import toml
from .goals import KINDS
from .model import Playbook
from .section import Section, inside, keys

_HEAD = """\
# The playbook

A playbook says what a product means by its words: when a person is activated, which events are core features, what a
qualified lead is. It is one TOML file, `playbook.toml`, beside the data. Every key is optional unless it is marked with
a star; what is not there has its default. `plgkit init SOURCE` writes a first playbook from the data, with a reason
beside every guess. A short one is enough to begin:

```toml
[product]
name = "Reportly"
time_zone = "Europe/Vienna"

[activation]
event = "report_created"
within_days = 7
```

In Python the path of a key is the path of the attribute: `data.playbook.activation.within_days`. Two keys that Python
keeps for itself end with an underscore there: `activity.except_` and, in a tier, `from_`.

A playbook with faults is refused, with all of them at once, each as one sentence:

> playbook.toml, line 12: activation.evnt is not a key of [activation]. Did you mean 'event'?

Text stands in quotes, lists in brackets, days as 2026-06-30. A name of a measure holds a dot and therefore stands in
quotes, too: `[targets."activation.rate"]`."""

_PEOPLE = """\
People who are only known by their events begin with the first of them:

```toml
[tables.users]
file = "export/events-*.csv.gz"
keep = "first"
columns = { user_id = "distinct_id", signed_up_at = "timestamp", channel = "utm_source" }
```"""

_NAMED = {"tables": "events", "targets": "activation.rate", "experiments": "start_page"}
"""A name for the example of each section that has one part for each name."""


def reference() -> str:
    """Write the page: every section and key with its meaning, its default and an example.

    Examples
    --------
    >>> print(reference()[:14])
    # The playbook
    """
    parts = [_HEAD]
    for name, field in keys(Playbook).items():
        parts += _section(name, field)
    return "\n\n".join(parts) + "\n"


def _section(name: str, field: FieldInfo) -> list[str]:
    kind = inside(field.annotation)
    if get_origin(kind) is dict:
        title, kind, path = f"[{name}.<name>]", get_args(kind)[-1], (name, _NAMED[name])
    else:
        title, path = f"[{name}]", (name,)
    parts = [f"## `{title}`", _said(kind), _table(kind)]
    for inner, of in _parts(kind):
        parts += [f"Keys of {inner}:", _table(of)]
    parts += [_block(path, each) for each in _examples(path, kind)]
    if name == "tables":
        parts += [_PEOPLE, "The tables and their columns; those with a star are needed.", _schema()]
    if name == "pql":
        parts += ["What a signal of each kind counts for an account:", _kinds()]
        parts += ["The signals and tiers that hold where the playbook gives none:", _defaults()]
    return parts


def _said(kind: type[Section]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _parts(kind: type[Section]) -> Iterator[tuple[str, type[Section]]]:
    """The sections inside a section: of a list's entries, or of a key."""
    for name, field in keys(kind).items():
        of = inside(field.annotation)
        if get_origin(of) is list:
            of, name = inside(get_args(of)[0]), f"each entry of `{name}`"
        else:
            name = f"`{name}`"
        if isinstance(of, type) and issubclass(of, Section):
            yield name, of


def _table(kind: type[Section]) -> str:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in keys(kind).items():
        star = "*" if field.is_required() else ""
        rows.append(f"| `{name}`{star} | {_default(field)} | {field.description}{_choices(field)} |")
    return "\n".join(rows)


def _choices(field: FieldInfo) -> str:
    kind = inside(field.annotation)
    if get_origin(kind) is not Literal or len(get_args(kind)) > 5:
        return ""
    return f" One of {', '.join(f'`{toml.value(each)}`' for each in get_args(kind))}."


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return ""
    if default is None:
        return "none"
    if isinstance(default, Section):
        default = default.model_dump(by_alias=True)
    if isinstance(default, list) and default and isinstance(default[0], Section):
        return "see below"
    return f"`{toml.value(default)}`"


def _examples(path: tuple[str, ...], kind: type[Section]) -> Iterator[dict[str, Any]]:
    """The examples of all keys, in as few sections as can be read: keys that exclude each other stand apart."""
    example: dict[str, Any] = {}
    for name, field in keys(kind).items():
        more = example | {name: field.examples[0]}
        if example and not _reads(path, kind, more):
            yield example
            more = {name: field.examples[0]}
        example = more
    yield example


def _reads(path: tuple[str, ...], kind: type[Section], example: Mapping[str, Any]) -> bool:
    needed = {name: field.examples[0] for name, field in keys(kind).items() if field.is_required()}
    try:
        kind.model_validate(needed | dict(example))
    except ValidationError:
        return False
    return True


def _block(path: tuple[str, ...], example: Mapping[str, Any]) -> str:
    header = ".".join(map(toml.key, path))
    plain = {name: each for name, each in example.items() if not _is_entries(each)}
    lines = (
        [f"[{header}]", *(f"{toml.key(name)} = {toml.value(each)}" for name, each in plain.items())]
        if plain
        else []
    )
    for name, entries in example.items():
        for entry in entries if _is_entries(entries) else ():
            lines += [
                "",
                f"[[{header}.{name}]]",
                *(f"{key} = {toml.value(each)}" for key, each in entry.items()),
            ]
    return "\n".join(["```toml", *lines, "```"]).replace("```toml\n\n", "```toml\n")


def _is_entries(thing: object) -> bool:
    return isinstance(thing, list) and bool(thing) and isinstance(thing[0], Mapping)


def _schema() -> str:
    rows = ["| table | one row per | columns |", "|---|---|---|"]
    for table in TABLES.values():
        names = ", ".join(f"`{each.name}`{'*' if each.required else ''}" for each in table.columns)
        rows.append(f"| `{table.name}` | {table.one_row} | {names} |")
    return "\n".join(rows)


def _kinds() -> str:
    return "\n".join(
        ["| kind | counts |", "|---|---|", *(f"| `{kind}` | {counts} |" for kind, counts in KINDS.items())]
    )


def _defaults() -> str:
    pql = Playbook().pql
    lists = {"signals": pql.signals, "tiers": pql.tiers}
    return _block(("pql",), {name: [_plain(each) for each in entries] for name, entries in lists.items()})


def _plain(entry: Section) -> dict[str, Any]:
    """What an entry says besides defaults, whole points without decimals."""
    said = entry.model_dump(by_alias=True, exclude_defaults=True)
    return {
        key: int(each) if isinstance(each, float) and each.is_integer() else each
        for key, each in said.items()
    }
