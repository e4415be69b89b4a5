"""The page docs/playbook.md and the model say the same."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from plgkit.playbook import Playbook, read_playbook
from plgkit.playbook.document import reference
from plgkit.playbook.section import Section, inside, keys

PAGE = Path(__file__).parents[1] / "docs" / "playbook.md"


def sections(kind: type[Section] = Playbook) -> Iterator[type[Section]]:
    """The model and all models inside it."""
    yield kind
    for field in keys(kind).values():
        of = inside(field.annotation)
        inner = [of, *(inside(each) for each in get_args(of))]
        for each in inner:
            if isinstance(each, type) and issubclass(each, Section):
                yield from sections(each)


def examples() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", reference(), re.DOTALL)


def written(thing: object) -> Iterator[str]:
    """All keys of a TOML document, however deep."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield key
            yield from written(value)
    elif isinstance(thing, list):
        for each in thing:
            yield from written(each)


def test_the_page_is_what_the_model_says():
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "docs/playbook.md is not up to date; write it anew: "
        "python -c \"from plgkit.playbook.document import reference; print(reference(), end='')\" > docs/playbook.md")


def test_every_example_is_a_playbook():
    assert len(examples()) > len(keys(Playbook))
    for each in examples():
        read_playbook(each)


def test_every_key_has_a_meaning_and_stands_in_an_example():
    shown = {key for each in examples() for key in written(tomllib.loads(each))}
    for kind in sections():
        for name, field in keys(kind).items():
            assert field.description, f"{kind.__name__}.{name}"
            assert name in shown, f"{kind.__name__}.{name}"
            assert kind is Playbook or f"| `{name}`" in reference(), f"{kind.__name__}.{name}"
