"""Accounts to cut by a column, where a person without an account is one alone."""

from __future__ import annotations

from ibis import _
from ibis.expr.types import Table

from plgkit.metrics.people import NONE, segmented, segments
from plgkit.sources.data import Data


def cut(data: Data, rows: Table, by: str | None, *, unit: str) -> Table:
    """Add the column to cut by; an account that is a person alone has the person's own value."""
    found = segmented(data, rows, by, unit=unit)
    if by is None or unit == "user_id" or segments(data)[by] != "users":
        return found
    alone = data.users.filter(_.account_id.isnull()).select(alone_id=_.user_id, own=_[by].cast("string"))
    joined = found.left_join(alone, found.account_id == alone.alone_id)
    own = joined.alone_id.notnull().ifelse(joined.own.fill_null(NONE), joined[by])
    return joined.mutate(**{by: own}).drop("alone_id", "own")
