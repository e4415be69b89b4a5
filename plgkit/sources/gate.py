"""The last gate: the tables handed to measures satisfy the schema, as pandera sees it."""

from __future__ import annotations

from collections.abc import Mapping

import ibis.expr.datatypes as types
from ibis import _
from ibis.expr.types import Table as Expression

from plgkit.errors import BadData
from plgkit.schema import TABLES, Table
from plgkit.sources import engine
from plgkit.sources.clean import stored_name


def rules(table: Table):
    """The schema's rules for one clean table, as a pandera schema: types, missing values, ranges."""
    import pandera.ibis as pandera

    kinds = {"string": types.String, "json": types.String, "time": types.Timestamp, "date": types.Date,
             "money": types.Int64, "number": types.Float64, "whole": types.Int64, "flag": types.Boolean}
    columns = {
        stored_name(column.name, column.kind): pandera.Column(
            kinds[column.kind] if column.kind not in ("time", "date") else None,
            pandera.Check.ge(0) if column.kind == "money" and not column.below_zero else None,
            nullable=not column.required,
        )
        for column in table.columns
    }
    return pandera.DataFrameSchema(columns, strict=False)


def pass_through(tables: Mapping[str, Expression]) -> None:
    """Let tables pass that satisfy their rules.

    Raises
    ------
    BadData
        If a clean table breaks a rule; cleaning should have set those rows aside.
    """
    from pandera.errors import SchemaErrors

    problems = []
    for name, rows in tables.items():
        try:
            rules(TABLES[name]).validate(rows, lazy=True)
        except SchemaErrors as errors:
            cases = set(errors.failure_cases["check"].astype(str))
            if engine.run(rows.aggregate(n=_.count()))["n"].iloc[0] == 0:
                # Whether any of no values is missing comes back as NULL, which is taken for a failure.
                cases -= {"not_nullable"}
            problems += [f"{name}: {case}" for case in sorted(cases)]
    if problems:
        raise BadData(problems)
