"""Columns with holes."""

from __future__ import annotations

import pandas as pd
from ibis import _

from plgkit.quality.holes import HOLES
from plgkit.quality.touched import percent
from plgkit.schema import TABLES
from plgkit.sources import clean
from plgkit.sources.data import Data

_ROWS = {"users": ("person", "people"), "accounts": ("account", "accounts"), "events": ("event", "events"), "visits": ("visit", "visits"),
         "invites": ("invitation", "invitations"), "surveys": ("answer", "answers")}


def missing_values(data: Data) -> pd.DataFrame:
    """How much of each column is empty, in the rows that are used.

    Returns
    -------
    One row per table and column that may be empty and is in some row, the emptiest first: table, column, rows, missing, share, read_by (what reads it), effect
    (what the rows without it do there). A column that the source does not have is empty in every row.

    Examples
    --------
    >>> from plgkit import samples
    >>> missing_values(samples.tiny()).head(1)[["table", "column", "rows", "missing", "share"]]
        table    column  rows  missing  share
    0  events  event_id    21       21    1.0
    """
    found = []
    for name in TABLES:
        if not data.has(name) or name in data.derived or name not in data.everything:
            continue
        rows = data.table(name)
        columns = [each for each in TABLES[name].columns if not each.required and clean.stored_name(each.name, each.kind) in rows.columns]
        if not columns:
            continue
        empty = {each.name: rows[clean.stored_name(each.name, each.kind)].isnull().ifelse(1, 0).sum().fill_null(0) for each in columns}
        one = data.run(rows.aggregate(all_rows=_.count(), **empty)).iloc[0]
        found += [{"table": name, "column": each.name, "rows": int(one["all_rows"]), "missing": int(one[each.name]),
                   "read_by": HOLES[name, each.name][0]} for each in columns]
    made = pd.DataFrame(found, columns=["table", "column", "rows", "missing", "read_by"])
    made["share"] = made["missing"] / made["rows"].where(made["rows"] > 0).astype("float64")
    made = made[made["missing"] > 0].sort_values(["share", "table", "column"], ascending=[False, True, True], ignore_index=True)
    made["effect"] = [_effect(row.table, row.column, row.rows, row.missing) for row in made.itertuples()]
    return made[["table", "column", "rows", "missing", "share", "read_by", "effect"]]


def _effect(table: str, column: str, rows: int, missing: int) -> str:
    one, many = _ROWS.get(table, ("row", "rows"))
    read_by, said = HOLES[table, column]
    return f"{said} ({read_by})".format(n="all" if missing == rows > 1 else f"{missing:,}", rest=f"{rows - missing:,}", part=percent(missing / rows), rows=one if missing == 1 else many,
                       are="is" if missing == 1 else "are", s="s" if missing == 1 else "")
