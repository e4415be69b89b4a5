"""Properties of events: one expression for a value of the JSON text, right in the dialect it is written in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import ibis.expr.datatypes as types
import ibis.expr.rules as rules
import sqlglot.expressions as sql
from ibis.backends.sql.compilers.base import SQLGlotCompiler
from ibis.expr.operations.core import Value

from plgkit.errors import UnknownProperty
from plgkit.schema import TABLES

if TYPE_CHECKING:
    from ibis.expr.types import BooleanValue, NumericValue, StringValue, Table

    from plgkit.sources.data import Data

NUMBER = r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$"


class Property(Value):
    """A value of a JSON object by its key, as text; NULL where it is missing, null or the text is no JSON."""

    text: Value[types.String]
    key: str
    dtype = types.string
    shape = rules.shape_like("text")


def _written(compiler: SQLGlotCompiler, op: Property, *, text: sql.Expression, key: str) -> sql.Expression:
    call, said = compiler.f.anon, sql.Literal.string
    inside = key.replace("\\", "\\\\").replace('"', '\\"')
    engine = type(compiler).__name__.removesuffix("Compiler")
    if engine == "DuckDB":
        pointer = "/" + key.replace("~", "~0").replace("/", "~1")
        return getattr(call, "try")(call.json_extract_string(text, said(pointer)))
    if engine == "Postgres":
        there = sql.RegexpLike(this=text.copy(), expression=said(r"^\s*\{"))
        found = call.json_extract_path_text(sql.cast(text, "json"), said(key))
        return sql.Case(ifs=[sql.If(this=there, true=found)])
    if engine in ("PySpark", "Databricks"):
        return call.get_json_object(text, said("$['" + key.replace("'", "\\'") + "']"))
    if engine == "ClickHouse":
        raw = call.JSONExtractRaw(text, said(key))
        plain = call.nullIf(call.nullIf(raw, said("")), said("null"))
        return getattr(call, "if")(call.startsWith(raw.copy(), said('"')), call.JSONExtractString(text.copy(), said(key)), plain)
    if engine == "Snowflake":
        return sql.cast(call.get(call.try_parse_json(text), said(key)), "text", dialect="snowflake")
    if engine == "BigQuery":
        return call.json_value(text, said(f'$."{inside}"'))
    return call.json_extract_scalar(text, said(f'$["{inside}"]'))


SQLGlotCompiler.visit_Property = _written


def value(rows: Table, key: str) -> StringValue:
    """A property of events as text: a column kept besides, else a key of the JSON object; empty counts as missing.

    Examples
    --------
    >>> import ibis
    >>> events = ibis.table({"properties": "string", "plan": "string"}, name="events")
    >>> print(ibis.to_sql(events.select(url=value(events, "$url"), plan=value(events, "plan")), dialect="trino"))
    SELECT
      NULLIF(JSON_EXTRACT_SCALAR("t0"."properties", '$["$url"]'), '') AS "url",
      NULLIF("t0"."plan", '') AS "plan"
    FROM "events" AS "t0"
    """
    found = rows[key].cast("string") if key in rows.columns else Property(rows.properties, key=key).to_expr()
    return found.nullif("")


def number(text: StringValue) -> NumericValue:
    """A text as a number, NULL where it is none."""
    return text.re_search(NUMBER).ifelse(text, None).cast("float64")


def check(data: Data, key: str) -> None:
    """Make sure that some event has a property: a misspelt one would otherwise read as missing everywhere.

    Raises
    ------
    UnknownProperty
        If no event has it; the nearest is named.
    """
    events = data.events
    if key in events.columns or ("property", key) in data._memo:
        return
    found = data.run(events.filter(value(events, key).notnull()).select("user_id").limit(1))
    if found.empty and len(data.event_names):
        raise UnknownProperty(key, names(data))
    data._memo["property", key] = True


def names(data: Data) -> list[str]:
    """The names of the properties of events, as far as a thousand of them show."""
    events = data.events
    some = data.run(events.filter(events.properties.notnull()).select("properties").limit(1000))
    found: set[str] = {name for name in events.columns if name not in TABLES["events"].names and name != "day"}
    for text in some["properties"]:
        try:
            read: Any = json.loads(text)
        except ValueError:
            continue
        found |= set(read) if isinstance(read, dict) else set()
    return sorted(found)


def contains(text: StringValue, part: str) -> BooleanValue:
    """Whether a text has a part, whatever the case of its letters."""
    return text.lower().contains(part.lower())
