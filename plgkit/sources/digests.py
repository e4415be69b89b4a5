"""A digest of an id that is the same on every engine: to deal people out the same way everywhere, and next year."""

from __future__ import annotations

import ibis.expr.datatypes as types
import ibis.expr.rules as rules
import sqlglot.expressions as sql
from ibis.backends.sql.compilers.base import SQLGlotCompiler
from ibis.expr.operations.core import Value
from ibis.expr.types import IntegerValue, StringValue


class Digest(Value):
    """The MD5 digest of a text as 32 small hexadecimal signs."""

    text: Value[types.String]
    dtype = types.string
    shape = rules.shape_like("text")


def _written(compiler: SQLGlotCompiler, op: Digest, *, text: sql.Expression) -> sql.Expression:
    call = compiler.f.anon
    engine = type(compiler).__name__.removesuffix("Compiler")
    if engine == "ClickHouse":
        return call.lower(call.hex(call.MD5(text)))
    if engine == "BigQuery":
        return call.to_hex(call.md5(text))
    if engine == "Trino":
        return call.lower(call.to_hex(call.md5(call.to_utf8(text))))
    return call.md5(text)


SQLGlotCompiler.visit_Digest = _written


def half(text: StringValue) -> IntegerValue:
    """0 for one half of all ids and 1 for the other.

    Examples
    --------
    >>> import ibis
    >>> users = ibis.table({"user_id": "string"}, name="users")
    >>> print(ibis.to_sql(users.select(half=half(users.user_id)), dialect="postgres"))
    SELECT
      CASE WHEN MD5("t0"."user_id") < '8' THEN 0 ELSE 1 END AS "half"
    FROM "users" AS "t0"
    """
    return (Digest(text).to_expr() < "8").ifelse(0, 1)
