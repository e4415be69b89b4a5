"""SQL that reads fields of JSON objects, each object once however many of its fields are asked for."""

from __future__ import annotations

import re

_FIELD = re.compile(r'"([a-z]+)\.([a-z_.]+)"')


def field(name: str) -> str:
    """A field of an object as a column of text: `s.plan.id` is `plan.id` in the JSON column `s`."""
    return f'"{name}"'


def reading(query: str, source: str) -> str:
    """A query whose table `fields` is `source` with all the fields that the query names.

    Examples
    --------
    >>> print(reading('SELECT "s.id", "s.plan.id" FROM fields', "rows"))
    WITH fields AS (SELECT * EXCLUDE (f_s), f_s[1] AS "s.id", f_s[2] AS "s.plan.id" FROM (SELECT *, json_extract_string(s, ['$.id', '$.plan.id']) AS f_s FROM rows)) SELECT "s.id", "s.plan.id" FROM fields
    """
    wanted: dict[str, dict[str, None]] = {}
    for whose, name in _FIELD.findall(query):
        wanted.setdefault(whose, {})[name] = None
    paths = {whose: ", ".join(f"'$.{name}'" for name in names) for whose, names in wanted.items()}
    found = ", ".join(f"json_extract_string({whose}, [{listed}]) AS f_{whose}" for whose, listed in paths.items())
    columns = ", ".join(f'f_{whose}[{place}] AS "{whose}.{name}"' for whose, names in wanted.items() for place, name in enumerate(names, 1))
    used = ", ".join(f"f_{whose}" for whose in wanted)
    return f"WITH fields AS (SELECT * EXCLUDE ({used}), {columns} FROM (SELECT *, {found} FROM {source})) {query}"
