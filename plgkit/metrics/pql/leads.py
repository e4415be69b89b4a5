"""Leads: how many accounts qualify, in which tier accounts stand, and who meets which signal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import ledger, shapes, signals
from plgkit.metrics.accounts import openings
from plgkit.metrics.people import segmented
from plgkit.metrics.pql.scoring import READS, lifespan
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain


def _as_tiers(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Every tier in every period, in the playbook's order, with its share of the accounts."""
    by = parameters.get("by")
    names = [each.name for each in data.playbook.pql.tiers]
    groups = [sorted(frame["period"].unique()), *([sorted(frame[by].unique())] if by else []), names]
    index = pd.MultiIndex.from_product(groups, names=["period", *([by] if by else []), "tier"])
    made = frame.set_index(index.names)["accounts"].reindex(index, fill_value=0).reset_index()
    whole = made.groupby(index.names[:-1])["accounts"].transform("sum")
    made["share"] = made["accounts"] / whole.where(whole > 0).astype("float64")
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    return made


@measure(shape="table", unit="accounts", better="neither", reads=READS, finish=_as_tiers)
def tiers(data: Data, *, lifespan_days: int | None = None, by: str | None = None, grain: Grain = "month") -> Table:
    """Accounts in each routing tier at the end of the period, by their points then.

    Parameters
    ----------
    data
        As `scores`.
    lifespan_days
        Days in which points fade, as in `scores`.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period and tier, from the lowest up: period, tier, accounts, share (of all accounts then),
    complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> tiers(samples.tiny()).tail(4)[["period", "tier", "accounts"]]
          period               tier  accounts
    4 2025-02-01            nurture         2
    5 2025-02-01   upgrade campaign         0
    6 2025-02-01       inside sales         0
    7 2025-02-01  account executive         1
    """
    accounts = openings(data)
    ends = ledger.ends(data, grain, since=accounts)
    there = accounts.inner_join(ends, accounts.day < ends.until).select("account_id", "period")
    there = segmented(data, there, by, unit="account_id")
    met = signals.moments(data)
    rows = met.inner_join(ends, signals.held(met, ends.until))
    summed = rows.mutate(worth=signals.worth(rows, rows.until, lifespan(data, lifespan_days))).group_by(
        "account_id", "period").aggregate(score=_.worth.sum())
    scored = there.left_join(summed, ["account_id", "period"])
    scored = scored.mutate(score=scored.score.fill_null(0.0))
    levels = data.playbook.pql.tiers
    tier = ibis.cases(*[(scored.score >= each.from_ - 1e-9, each.name) for each in reversed(levels[1:])],
                      else_=levels[0].name) if levels[1:] else ibis.literal(levels[0].name)
    return scored.mutate(tier=tier).group_by("period", *([by] if by else []), "tier").aggregate(
        accounts=_.count().cast("int64"))


def _as_leads(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """The total, with how many accounts there were by the period's end and the share that qualified in it."""
    by, grain = parameters["by"], parameters["grain"]
    keys = ["period", *([by] if by else [])]
    frame = shapes.every_period(frame, data, parameters, ["value", "opened"])
    frame = shapes.with_count(frame, parameters).sort_values(keys, ignore_index=True)
    opened = frame.groupby(by)["opened"].cumsum() if by else frame["opened"].cumsum()
    frame["accounts"] = opened.astype("int64")
    frame["share"] = frame["value"] / opened.where(opened > 0).astype("float64")
    frame["complete"] = shapes.complete(frame["period"], data, grain)
    return frame[[*keys, "value", "low", "high", "complete", "accounts", "share"]]


@measure(shape="total", unit="accounts", better="higher", reads=READS, settings={"threshold": "pql.threshold"}, finish=_as_leads)
def leads(data: Data, *, threshold: float | None = None, by: str | None = None, grain: Grain = "month") -> Table:
    """Accounts that reach `threshold` points in the period before they ever paid (product-qualified leads).

    An account qualifies once, at the first instant at which its points reach the threshold; fading
    is left out of this, so that later periods never change earlier ones.

    Parameters
    ----------
    data
        As `scores`.
    threshold
        Points from which an account is a lead.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, value (accounts), low, high, complete, accounts (all there were by its end), share (value of them).

    Examples
    --------
    >>> from plgkit import samples
    >>> leads(samples.tiny())[["value", "accounts", "share"]].round(2)
       value  accounts  share
    0      1         3   0.33
    1      0         3   0.00
    """
    crossed = signals.crossings(data, threshold).select("account_id", day=_.crossed_day, lead=ibis.literal(1, "int64"))
    opened = openings(data).select("account_id", "day", lead=ibis.literal(0, "int64"))
    rows = crossed.union(opened)
    rows = segmented(data, rows.mutate(period=data.period(rows.day, grain)), by, unit="account_id")
    return rows.group_by("period", *([by] if by else [])).aggregate(
        value=_.lead.sum().cast("int64"), opened=(1 - _.lead).sum().cast("int64"))


def _as_reach(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Every signal of the playbook in its order, also those that nobody met, with the reason where none can."""
    asked = data.playbook.pql.signals
    accounts = int(frame["accounts"].max()) if len(frame) else 0
    met = frame.set_index("signal")["met"]
    made = pd.DataFrame({
        "signal": [each.name for each in asked], "kind": [each.kind for each in asked],
        "points": [float(each.points) for each in asked],
        "numerator": [int(met.get(each.name, 0)) for each in asked], "denominator": accounts,
        "note": [signals.silent(data, each) for each in asked]})
    silent = made["note"] != ""
    made = shapes.with_share(made, parameters["level"])
    made.loc[silent, ["value", "low", "high"]] = np.nan
    return made[["signal", "kind", "points", "numerator", "denominator", "value", "low", "high", "note"]]


@measure(shape="table", unit="share of accounts", better="neither", reads=READS, finish=_as_reach)
def reach(data: Data) -> Table:
    """Share of all accounts that ever met each signal of the playbook.

    Parameters
    ----------
    data
        As `scores`.

    Returns
    -------
    One row per signal, in the playbook's order: signal, kind, points, numerator and denominator
    (accounts), value, low, high, note (why it can give no points on these data; else empty).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = reach(samples.tiny()).set_index("signal")
    >>> found.loc["industry in profile", ["numerator", "denominator"]].tolist()
    [2, 3]
    >>> found.note["payment details entered"]
    'the playbook names no event: [payment] event'
    """
    met = signals.moments(data).group_by("signal").aggregate(met=_.count().cast("int64"))
    whole = openings(data).aggregate(accounts=_.count().cast("int64"))
    return whole.left_join(met, ibis.literal(True)).select(
        "accounts", signal=_.signal.fill_null(""), met=_.met.fill_null(0))
