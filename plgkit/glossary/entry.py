"""The glossary as a page wants it: each measure with its words, its picture, its query and how others count."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plgkit.errors import PlgkitError
from plgkit.glossary import pictures, tools, words
from plgkit.metrics import registry

if TYPE_CHECKING:
    import pandas as pd

    from plgkit.metrics.registry import Measure
    from plgkit.sources.data import Data

_CLAUSE = re.compile(r" (?=(?:SELECT|FROM|WHERE|GROUP BY|ORDER BY|HAVING|INNER JOIN|LEFT OUTER JOIN|CROSS JOIN|UNION(?: ALL)?|WITH)\b)")


@dataclass(frozen=True)
class Entry:
    """One measure: `sql` is its query in few characters, or `why` says why there is none."""

    name: str
    stage: str
    unit: str
    better: str
    definition: str
    formula: str
    how_to_read: str
    reads: tuple[str, ...]
    picture: str
    tools: tuple[str, ...]
    sql: str
    why: str
    characters: int


def entries(data: Data, *, most: int = 215_000) -> list[Entry]:
    """Explain every measure on these data, with the playbook's own words.

    Parameters
    ----------
    data
        Whose playbook and engine the definitions and queries are those of.
    most
        Characters of all queries together: the shortest are in, of the others only their length is told.
    """
    explained = words.glossary(data).set_index("measure")
    found = {name: _sql(each, data) for name, each in registry.measures().items()}
    left, shown = most, set()
    for name, (sql, _) in sorted(found.items(), key=lambda item: (len(item[1][0]), item[0])):
        left -= len(sql)
        shown |= {name} if left >= 0 else set()
    return [_entry(each, explained.loc[name], *found[name], name in shown) for name, each in registry.measures().items()]


def _entry(measure: Measure, row: pd.Series, sql: str, why: str, fits: bool) -> Entry:
    return Entry(
        measure.name, measure.stage, measure.unit, measure.better, row["definition"], row["formula"], row["how_to_read"], measure.reads,
        pictures.picture(measure), tuple(tools.concerning(measure)), sql if fits else "", why, len(sql))


def _sql(measure: Measure, data: Data) -> tuple[str, str]:
    try:
        return compact(measure.sql(data)), ""
    except PlgkitError as error:
        return "", str(error)


def compact(sql: str) -> str:
    """Write a query in few characters: a line per clause, aliases without quotes; what is quoted as text stays as it is.

    Examples
    --------
    >>> print(compact("SELECT\\n  \\"t0\\".\\"a\\"\\nFROM   \\"users\\" AS \\"t0\\"\\nWHERE \\"t0\\".\\"b\\" = 'two  \\"t1\\"'"))
    SELECT t0."a"
    FROM "users" AS t0
    WHERE t0."b" = 'two  "t1"'
    """
    parts = re.split(r"('(?:[^']|'')*')", sql)
    for at in range(0, len(parts), 2):
        plain = re.sub(r"\s+", " ", parts[at])
        plain = re.sub(r'"(t\d+)"', r"\1", plain).replace("( ", "(").replace(" )", ")")
        parts[at] = _CLAUSE.sub("\n", plain)
    return "".join(parts).strip()
