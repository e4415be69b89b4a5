"""The rows of the billing behind each line of the ledger, so that every cent can be found in the export."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics.ledger import rows as ledger_rows
from plgkit.metrics.ledger.finish import MINOR
from plgkit.metrics.ledger.rows import GAINS, MOVEMENTS
from plgkit.sources import billing, engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

_KEYS = ["period", "movement", "account_id"]
_SOURCE = ["reference", "line_id", "subscription_id", "source_kind", "billed_at", "billed", "currency", "from_day",
           "until_day"]
BELOW, BRIDGED, WITHIN, OTHER = "nobody pays less than nothing", "a gap that is bridged", "came and went within the period", "not told by any row"


def behind(data: Data, lines: pd.DataFrame, *, grain: Grain, start: dt.date | None, accounts: list[str] | None) -> pd.DataFrame:
    """The rows of the billing that stand behind lines of the ledger; they add up to each line, to the cent.

    What the rows alone do not explain (a gap that is bridged, an account whose credits exceed its charges) is
    a row of its own, with its `note` and without reference.
    """
    wanted = list(dict.fromkeys(lines["movement"]))
    parts = [_rows(data, each, grain, start, accounts) for each in wanted]
    found = pd.concat([part.merge(lines[_KEYS], on=_KEYS) for part in parts if len(part)] or [_nothing()], ignore_index=True)
    found = pd.concat([part for part in (found, _left_over(found, lines, data)) if len(part)] or [found], ignore_index=True)
    for name in ("amount", "before", "after"):
        found[name] = found[name].astype("float64") / MINOR
    order = {name: place for place, name in enumerate(["opening", *MOVEMENTS, "closing"])}
    found = found.assign(place=found["movement"].map(order), last=found["note"] != "")
    found = found.sort_values(["period", "place", "account_id", "last", "from_day", "reference", "line_id", "billed"],
                              ignore_index=True)
    made = found[[*_KEYS, *_SOURCE, "before", "after", "amount", "note"]]
    made.attrs = dict(lines.attrs)
    return made


def _rows(data: Data, movement: str, grain: Grain, start: dt.date | None, accounts: list[str] | None) -> pd.DataFrame:
    """Every row of the billing that counts when the period begins or ends, with what it adds then."""
    rows, periods = billing.stretches(data), ledger_rows.ends(data, grain)
    rows = rows.filter(rows.account_id.isin(accounts)) if accounts is not None else rows
    if movement in MOVEMENTS:
        moved = ledger_rows.moves(data, grain, brief="both", words=False)
        moved = moved.filter(moved.period == ibis.date(start.isoformat())) if start else moved
        periods = moved.filter(moved[movement] > 0).select("account_id", "period", "came_and_went")
        periods = periods.inner_join(ledger_rows.ends(data, grain), "period")
        rows = rows.inner_join(periods, [rows.account_id == periods.account_id, rows.from_day < periods.until,
                                         rows.until_day >= periods.before])
    else:
        periods = periods.filter(periods.period == ibis.date(start.isoformat())) if start else periods
        rows = rows.inner_join(periods, [rows.from_day < periods.until, rows.until_day >= periods.before])
        rows = rows.mutate(came_and_went=ibis.literal(0, "int64"))
    return _told(engine.run(_sided(rows)), movement)


def _sided(rows: Table) -> Table:
    then = (rows.from_day < rows.before) & (rows.until_day >= rows.before)
    now = rows.until_day >= rows.until
    names = ["account_id", "period", *[name for name in _SOURCE if name not in ("billed", "billed_at")]]
    return rows.select(*names, billed=rows.amount_minor, billed_at=rows.issued_at, before=then.ifelse(rows.mrr_minor, 0).cast("int64"),
                       after=now.ifelse(rows.mrr_minor, 0).cast("int64"), came_and_went=rows.came_and_went).filter(
                           (_.before != 0) | (_.after != 0) | (_.came_and_went > 0)).drop("came_and_went")


def _told(frame: pd.DataFrame, movement: str) -> pd.DataFrame:
    frame = frame.assign(movement=movement, note="", billed=frame["billed"].astype("float64") / MINOR,
                         until_day=frame["until_day"].where(frame["until_day"] < pd.Timestamp("2100-01-01")))
    if movement in ("opening", "closing"):
        side = "before" if movement == "opening" else "after"
        frame = frame[frame[side] != 0]
        return frame.assign(before=frame[side], after=frame[side], amount=frame[side])
    sign = 1 if movement in GAINS else -1
    return frame.assign(amount=(frame["after"] - frame["before"]) * sign)


def _left_over(found: pd.DataFrame, lines: pd.DataFrame, data: Data) -> pd.DataFrame:
    """What is left between each line and its rows, in minor units."""
    money = ["before", "after", "amount"]
    whole = lines.set_index(_KEYS)[money].mul(MINOR).round().astype("int64")
    told = found.groupby(_KEYS)[money].sum().reindex(whole.index, fill_value=0).astype("int64")
    rest = whole - told
    rest = rest[(rest != 0).any(axis=1)]
    if rest.empty:
        return _nothing()
    passing = (told.loc[rest.index, "before"] == 0) & (told.loc[rest.index, "after"] == 0) & (rest["amount"] > 0) & (
        (rest["before"] == 0) | (rest["after"] == 0)) & ~rest.index.get_level_values("movement").isin(["opening", "closing"])
    credit = (rest[["before", "after"]] >= 0).all(axis=1) & (
        (told.loc[rest.index, ["before", "after"]] < 0).any(axis=1))
    note = pd.Series(OTHER, index=rest.index)
    note[bool(data.playbook.revenue.bridge_days) & (rest[["before", "after"]] >= 0).all(axis=1)] = BRIDGED
    note[passing & (note == OTHER)] = WITHIN
    note[credit] = BELOW
    made = rest.assign(note=note).reset_index()
    return made.assign(**{name: pd.Series(dtype=kind) for name, kind in _nothing().dtypes.items() if name not in made})


def _nothing() -> pd.DataFrame:
    texts = dict.fromkeys(["movement", "account_id", "reference", "line_id", "subscription_id", "source_kind", "currency", "note"], "str")
    days = dict.fromkeys(["period", "billed_at", "from_day", "until_day"], "datetime64[us]")
    numbers = {"billed": "float64"} | dict.fromkeys(["before", "after", "amount"], "int64")
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in (texts | days | numbers).items()})
