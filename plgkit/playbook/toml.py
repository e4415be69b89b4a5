"""Write values, keys and comments as TOML."""

from __future__ import annotations

import datetime as dt
import json
import re
import textwrap
from collections.abc import Mapping


def key(name: str) -> str:
    """A key, in quotes where it needs them.

    Examples
    --------
    >>> key("rate"), key("activation.rate")
    ('rate', '"activation.rate"')
    """
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else value(name)


def value(thing: object) -> str:
    """A value, on one line.

    Examples
    --------
    >>> value({"event": ["a", "b"], "at_least": 3})
    '{ event = ["a", "b"], at_least = 3 }'
    """
    if isinstance(thing, bool):
        return str(thing).lower()
    if isinstance(thing, dt.date):
        return thing.isoformat()
    if isinstance(thing, (int, float)):
        return repr(thing)
    if isinstance(thing, Mapping):
        inner = ", ".join(f"{key(name)} = {value(each)}" for name, each in thing.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(thing, (list, tuple)):
        return f"[{', '.join(map(value, thing))}]"
    return json.dumps(str(thing), ensure_ascii=False).replace("\x7f", "\\u007f")


def comment(text: str) -> str:
    """A comment, on as many lines as it needs; signs that TOML does not take there become spaces.

    Examples
    --------
    >>> comment("taken from a\\nb")
    '# taken from a b'
    """
    plain = re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", " ", text)
    lines = textwrap.wrap(plain, 100, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"# {line}" for line in lines)
