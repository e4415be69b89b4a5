"""The three quartiles of a column in one aggregate, interpolated between two values.

They are exact but on BigQuery and Trino, which have no such aggregate and estimate them.
"""

from __future__ import annotations

from typing import Any

import ibis.expr.datashape as shapes
import ibis.expr.datatypes as types
import sqlglot.expressions as sql
from ibis.backends.sql.compilers.base import SQLGlotCompiler
from ibis.expr.operations.core import Column
from ibis.expr.operations.reductions import Reduction
from ibis.expr.types import ArrayValue, NumericColumn

SHARES = (0.25, 0.5, 0.75)


class Quartiles(Reduction):
    """The quartiles of a column, as an array of three."""

    arg: Column[types.Numeric]
    dtype = types.Array(types.float64)
    shape = shapes.scalar


def _written(compiler: SQLGlotCompiler, op: Quartiles, *, arg: sql.Expression) -> sql.Expression:
    call = compiler.f.anon
    shares = [sql.Literal.number(each) for each in SHARES]
    engine = type(compiler).__name__.removesuffix("Compiler")

    def within(asked: Any) -> sql.Expression:
        return sql.WithinGroup(this=call.percentile_cont(asked), expression=sql.Order(expressions=[sql.Ordered(this=arg.copy())]))

    if engine == "DuckDB":
        return call.quantile_cont(arg, sql.Array(expressions=shares))
    if engine == "Postgres":
        return within(sql.Array(expressions=shares))
    if engine == "ClickHouse":
        return sql.ParameterizedAgg(this="quantilesExactInclusive", expressions=shares, params=[arg])
    if engine == "Snowflake":
        return call.array_construct(*[within(each) for each in shares])
    if engine == "BigQuery":
        four = call.approx_quantiles(arg, sql.Literal.number(4))
        return sql.Array(expressions=[sql.Bracket(this=four.copy(), expressions=[call.offset(sql.Literal.number(each))])
                                      for each in (1, 2, 3)])
    return call.percentile(arg, call.array(*shares)) if engine == "PySpark" else call.approx_percentile(arg, sql.Array(expressions=shares))


SQLGlotCompiler.visit_Quartiles = _written


def quartiles(column: NumericColumn) -> ArrayValue:
    """The quartiles of a column without its NULLs.

    Examples
    --------
    >>> import ibis
    >>> rows = ibis.table({"seconds": "int64"}, name="rows")
    >>> print(ibis.to_sql(rows.aggregate(found=quartiles(rows.seconds))))
    SELECT
      QUANTILE_CONT("t0"."seconds", [0.25, 0.5, 0.75]) AS "found"
    FROM "rows" AS "t0"
    """
    return Quartiles(column).to_expr()
