"""Scores: the points of every account on one day, with their reasons."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import ledger, signals
from plgkit.metrics.accounts import openings
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data

READS = "accounts users events invites subscriptions"


def _day(data: Data, as_of: str | dt.date | None) -> dt.date:
    """The day asked for; only what happened through it counts."""
    if as_of is None:
        return data.as_of
    try:
        day = as_of if isinstance(as_of, dt.date) else dt.date.fromisoformat(as_of)
    except (TypeError, ValueError):
        raise BadParameter("as_of", as_of, expected="a day such as 2026-06-30") from None
    if day > data.as_of:
        raise BadParameter("as_of", as_of, expected=f"a day up to {data.as_of}, the last one counted")
    return day


def _as_scores(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """One row per account: points summed, signals named with the most telling first."""
    by = parameters.get("by")
    keys = ["account_id", "paying", *([by] if by else [])]
    met = frame[frame["points"] > 0].sort_values(["account_id", "points", "signal"], ascending=[True, False, True])
    said = pd.Series([f"{name} ({points:.3g})" for name, points in zip(met["signal"], met["points"], strict=True)],
                     index=met.index, dtype="str")
    frame = frame.assign(signal_points=frame["points"].where(frame["fit"] == 0, 0.0),
                         fit=frame["points"].where(frame["fit"] == 1, 0.0))
    made = frame.groupby(keys, as_index=False)[["points", "signal_points", "fit"]].sum()
    made = made.rename(columns={"points": "score"}).astype({"paying": "bool"})
    made["tier"] = made["score"].map(lambda score: _tier(score, data))
    made["reasons"] = made["account_id"].map(said.groupby(met["account_id"]).agg(", ".join)).fillna("").astype("str")
    made = made.sort_values(["score", "account_id"], ascending=[False, True], ignore_index=True)
    return made[["account_id", *([by] if by else []), "score", "signal_points", "fit", "tier", "paying", "reasons"]]


def _tier(score: float, data: Data) -> str:
    return [each.name for each in data.playbook.pql.tiers if score >= each.from_ - 1e-9][-1]


@measure(shape="table", unit="points", better="higher", reads=READS, finish=_as_scores)
def scores(data: Data, *, as_of: str | dt.date | None = None, lifespan_days: int | None = None,
           by: str | None = None) -> Table:
    """Points of every account by the playbook's signals: the more, the readier it is to buy.

    Only what happened through `as_of` counts. A signal counts once it is met, and no longer once
    its own upper bound is passed.

    Parameters
    ----------
    data
        Reads `events`, `users`, and where they are there `accounts`, `invites` and `subscriptions`.
    as_of
        Day at whose end accounts are scored; the last day counted by default.
    lifespan_days
        Days in which points fade evenly to nothing; as the playbook says by default, else none do.
        Points of fit never fade.
    by
        Column to show beside each account.

    Returns
    -------
    One row per account, the best first: account_id, score, signal_points (for what it did), fit (for what
    it is), tier, paying (has revenue on that day), reasons (the signals met, each with its points).

    Examples
    --------
    >>> from plgkit import samples
    >>> scores(samples.tiny())[["account_id", "score", "fit", "tier", "paying"]]
      account_id  score   fit               tier  paying
    0         a1  145.0  20.0  account executive    True
    1         a2   20.0  20.0            nurture   False
    2         a3    0.0   0.0            nurture   False
    >>> scores(samples.tiny(), as_of="2025-01-06").reasons[0]
    'integration connected (20), invited 1 to 3 people (15), company size in profile (10), industry in profile (10), onboarding completed (10)'
    """
    day = _day(data, as_of)
    until = ibis.date((day + engine.DAY).isoformat())
    met = signals.moments(data)
    met = met.filter(signals.held(met, until)).select(
        "account_id", "signal", "fit", points=signals.worth(met, until, lifespan(data, lifespan_days)))
    accounts = openings(data).filter(_.day < until).select("account_id")
    rows = accounts.left_join(met, "account_id").drop("account_id_right")
    rows = rows.mutate(points=rows.points.fill_null(0.0), fit=rows.fit.fill_null(0), signal=rows.signal.fill_null(""))
    rows = _with_paying(data, rows, day)
    rows = segmented(data, rows, by, unit="account_id")
    return rows.select("account_id", *([by] if by else []), "paying", "signal", "points", "fit")


def lifespan(data: Data, given: int | None) -> int | None:
    return given if given is not None else data.playbook.pql.lifespan_days


def _with_paying(data: Data, rows: Table, day: dt.date) -> Table:
    if not data.has("subscriptions"):
        return rows.mutate(paying=ibis.literal(0, "int64"))
    changes, last = ledger.spans(data), ibis.date(day.isoformat())
    now = changes.filter((_.day <= last) & (_.next_day > last) & (_.mrr_minor > 0)).select(
        payer=_.account_id, paying=ibis.literal(1, "int64"))
    joined = rows.left_join(now, rows.account_id == now.payer).drop("payer")
    return joined.mutate(paying=joined.paying.fill_null(0))
