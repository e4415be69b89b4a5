"""Columns with holes, and clocks that go wrong."""

from __future__ import annotations

import pandas as pd
from ibis import _

from plgkit.schema import TABLES
from plgkit.sources import clean, engine
from plgkit.sources.data import Data

_READ_BY = {
    ("users", "channel"): "acquisition by channel", ("users", "account_id"): "everything about accounts, and the width of intervals", ("users", "invited_by"): "advocacy",
    ("users", "role"): "viewers and editors", ("events", "account_id"): "use by account", ("events", "received_at"): "late rows and clocks",
    ("events", "session_id"): "nothing: sessions are cut by pauses", ("visits", "user_id"): "visitor to sign-up, time to sign-up",
    ("accounts", "industry"): "points for fit", ("accounts", "employees"): "points for fit", ("subscriptions", "motion"): "self-serve against sales",
    ("subscriptions", "plan"): "expansion by kind", ("subscriptions", "seats"): "expansion by kind", ("invites", "accepted_at"): "acceptance: empty means not accepted",
}


def missing_values(data: Data) -> pd.DataFrame:
    """How much of each column is empty, in the rows that are used.

    Returns
    -------
    One row per table and column that the source has and that may be empty, the emptiest first: table, column, rows, missing, share, read_by (what suffers).

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
                   "read_by": _READ_BY.get((name, each.name), "")} for each in columns]
    made = pd.DataFrame(found, columns=["table", "column", "rows", "missing", "read_by"])
    made["share"] = made["missing"] / made["rows"].where(made["rows"] > 0).astype("float64")
    made = made[made["missing"] > 0].sort_values(["share", "table", "column"], ascending=[False, True, True], ignore_index=True)
    return made[["table", "column", "rows", "missing", "share", "read_by"]]


def clocks(data: Data) -> pd.DataFrame:
    """Events that happened after they were received: clocks ahead of the server's, by how much.

    Returns
    -------
    One row per table of events: rows (with a known receiving), ahead (of them after it), share, worst_minutes, effect. Empty where nobody knows when rows were received.

    Examples
    --------
    >>> from plgkit import samples
    >>> clocks(samples.tiny()).empty
    True
    """
    rows = data.events.filter(_.received_at.notnull())
    ahead = engine.seconds_between(rows.occurred_at, rows.received_at)
    one = data.run(rows.aggregate(rows=_.count(), ahead=(ahead > 0).ifelse(1, 0).sum().fill_null(0), worst=ahead.max())).iloc[0]
    columns = ["rows", "ahead", "share", "worst_minutes", "effect"]
    if not one["rows"]:
        return pd.DataFrame(columns=columns)
    worst = max(float(one["worst"]), 0.0) / 60
    effect = "the order of things within a visit may be wrong; days and rates hardly change" if one["ahead"] else "none"
    return pd.DataFrame([[int(one["rows"]), int(one["ahead"]), int(one["ahead"]) / int(one["rows"]), worst, effect]], columns=columns)
