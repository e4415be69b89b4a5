"""Recurring revenue: what is paid at the end of each period, and how it came to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis.expr.types import Table

from plgkit.errors import UnbalancedLedger
from plgkit.metrics import ledger, shapes
from plgkit.metrics.ledger import MOVEMENTS
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain


def as_money(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Sums of minor units, and how many accounts they are of, as totals in the currency."""
    frame = shapes.every_period(frame, data, parameters, ["value", "n"])
    frame["value"] = frame["value"] / ledger.MINOR
    frame["low"] = frame["high"] = np.nan
    frame["complete"] = shapes.complete(frame["period"], data, parameters["grain"])
    return shapes.ordered(frame, parameters, ["value", "low", "high", "n", "complete"])


@measure(shape="total", unit="currency", better="higher", reads="subscriptions", finish=as_money,
         interval="none: it is no sample")
def mrr(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Monthly recurring revenue at the end of the period; a year's is twelve times as much.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    by
        Column to cut by; plan and motion are those at the period's end.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, value (currency), low and high (missing: it is no sample), n (paying
    accounts), complete. The last period counts what is known by `as_of`.

    Examples
    --------
    >>> from plgkit import samples
    >>> mrr(samples.tiny())[["period", "value", "n", "complete"]]
          period  value  n  complete
    0 2025-01-01   70.0  2      True
    1 2025-02-01   30.0  1      True
    """
    return ledger.closings(data, grain, by, own=True).rename(value="closing", n="accounts")


def _as_movements(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Openings from the closings before them; every period is proved before money leaves minor units."""
    by = parameters.get("by")
    frame = shapes.every_period(frame, data, parameters, [*MOVEMENTS, "closing"])
    frame = frame.sort_values([*([by] if by else []), "period"], ignore_index=True)
    closings = frame.groupby(by)["closing"] if by else frame["closing"]
    frame["opening"] = closings.shift(1).fillna(0).astype("int64")
    _prove(frame)
    frame["complete"] = shapes.complete(frame["period"], data, parameters["grain"])
    money = ["opening", *MOVEMENTS, "closing"]
    frame[money] = frame[money] / ledger.MINOR
    return shapes.ordered(frame, parameters, [*money, "complete"])


def _prove(frame: pd.DataFrame) -> None:
    moved = frame["opening"] + frame[ledger.GAINS].sum(axis=1) - frame[ledger.LOSSES].sum(axis=1)
    wrong = frame[moved != frame["closing"]]
    if len(wrong):
        first = wrong.iloc[0]
        raise UnbalancedLedger(first["period"], opening=first["opening"] / ledger.MINOR,
                               moved=moved[wrong.index[0]] / ledger.MINOR, closing=first["closing"] / ledger.MINOR)


@measure(shape="table", unit="currency", better="higher", reads="subscriptions", finish=_as_movements,
         settings={"brief": "revenue.brief"})
def mrr_movements(data: Data, *, brief: Literal["ignore", "both"] | None = None, by: str | None = None,
                  grain: Grain = "month") -> Table:
    """How recurring revenue came to be: opening + new + reactivation + expansion - contraction - churn = closing.

    New is an account's first revenue ever. Reactivation: it paid before, but not at the end of
    the last period. Expansion and contraction: it paid at both ends, more or less now. Churn: it
    paid at the start and nothing at the end. The sum is checked to the cent in every period.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    brief
        What becomes of an account that pays at neither end of a period but inside it: "ignore", as
        if it never had, or "both", its highest payment as new (or reactivation) and as churn. None is what the
        playbook says.
    by
        Column of accounts to cut by; plan and motion are the account's last ones, so that no money
        moves between groups.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, opening, new, reactivation, expansion, contraction, churn, closing
    (currency; losses above 0), complete.

    Raises
    ------
    UnbalancedLedger
        If a period does not add up.

    Examples
    --------
    >>> from plgkit import samples
    >>> mrr_movements(samples.tiny())[["opening", "new", "expansion", "churn", "closing"]]
       opening   new  expansion  churn  closing
    0      0.0  70.0        0.0    0.0     70.0
    1     70.0   0.0       10.0   50.0     30.0

    References
    ----------
    ChartMogul help centre, "Lifecycle of a customer": the five movements.
    """
    keys = [by] if by else []
    moves = ledger.moves(data, grain, brief=brief, words=False).select("account_id", "period", "left", "closing", *MOVEMENTS)
    cells = segmented(data, moves, by, unit="account_id")
    cells = cells.group_by("period", "left", *keys).aggregate(
        **{name: cells[name].sum().cast("int64") for name in ["closing", *MOVEMENTS]})
    # What stands at a period's end is told by each change's next one, openings by the one before: each proves the other.
    none = ibis.literal(0, "int64")
    closings = ledger.standing_in(data, cells, grain, keys, ["closing"]).mutate(**dict.fromkeys(MOVEMENTS, none))
    moved = cells.select("period", *keys, *MOVEMENTS, closing=none)
    both = moved.union(closings.select(moved.columns))
    return both.group_by("period", *keys).aggregate(
        **{name: both[name].sum().cast("int64") for name in ["closing", *MOVEMENTS]})
