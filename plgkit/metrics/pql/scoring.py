"""Scores: the points of every account on one day, with their reasons."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import ledger, signals
from plgkit.metrics.people import segmented
from plgkit.metrics.pql import standing
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
    made = _of_faded(frame, data) if "left" in frame else _of_patterns(frame, data)
    made["paying"] = made["paying"].astype("bool")
    made = made.sort_values(["score", "account_id"], ascending=[False, True], ignore_index=True)
    return made[["account_id", *([by] if by else []), "score", "signal_points", "fit", "tier", "paying", "last_active", "reasons"]]


def _of_patterns(frame: pd.DataFrame, data: Data) -> pd.DataFrame:
    """Scores where points do not fade: accounts that meet the same signals are alike."""
    own = data.playbook.pql.signals
    kinds, which = np.unique(frame["pattern"].to_numpy(dtype="int64"), return_inverse=True)
    met = [[each for place, each in enumerate(own) if pattern >> place & 1] for pattern in kinds.tolist()]
    fit = np.array([math.fsum(each.points for each in some if each.kind in signals.FIT) for some in met])
    score = np.array([math.fsum(each.points for each in some) for some in met])
    tier = pd.array([_tier(each, data) for each in score], dtype="str")
    reasons = pd.array([_reasons({each.name: each.points for each in some}) for some in met], dtype="str")
    return frame.drop(columns="pattern").assign(
        score=score[which], signal_points=(score - fit)[which], fit=fit[which], tier=tier.take(which), reasons=reasons.take(which))


def _of_faded(frame: pd.DataFrame, data: Data) -> pd.DataFrame:
    """Scores where points fade: one row per account and signal becomes one per account."""
    own = {each.name: each for each in data.playbook.pql.signals}
    worth = frame["left"] * frame["signal"].map({name: float(each.points) for name, each in own.items()}).fillna(0.0)
    fits = frame["signal"].map({name: each.kind in signals.FIT for name, each in own.items()}).eq(True)
    frame = frame.assign(score=worth, signal_points=worth.where(~fits, 0.0), fit=worth.where(fits, 0.0))
    firsts = frame.drop(columns=["score", "signal_points", "fit", "left", "signal"]).drop_duplicates("account_id")
    sums = frame.groupby("account_id")[["score", "signal_points", "fit"]].agg(math.fsum)
    met = frame[frame["score"] > 0]
    said = {account: _reasons(dict(zip(rows["signal"], rows["score"], strict=True))) for account, rows in met.groupby("account_id")}
    made = firsts.merge(sums, left_on="account_id", right_index=True)
    made["tier"] = made["score"].map(lambda score: _tier(score, data)).astype("str")
    made["reasons"] = made["account_id"].map(said).fillna("").astype("str")
    return made


def _reasons(points: Mapping[str, float]) -> str:
    """The signals met with their points, the most telling first."""
    told = sorted(((name, each) for name, each in points.items() if each > 0), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{name} ({each:.3g})" for name, each in told)


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
    One row per account, the best first: account_id, score, signal_points (for what it did), fit (for what it is), tier, paying
    (has revenue on that day), last_active (the last day on which any of its people was active), reasons (the signals met, each
    with its points, the most telling first).

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
    until, fades = day + engine.DAY, lifespan(data, lifespan_days)
    own = data.playbook.pql.signals
    rows = standing.patterns(data, until, own)
    if fades is not None:
        rows = _faded(data, rows.drop("pattern"), ibis.date(until.isoformat()), fades)
    rows = segmented(data, _with_paying(data, rows, day), by, unit="account_id")
    kept = ["signal", "left"] if fades is not None else ["pattern"]
    return rows.select("account_id", *([by] if by else []), "paying", "last_active", *kept)


def _faded(data: Data, rows: Table, until: ibis.Value, lifespan_days: int) -> Table:
    """The rows with each `signal` that an account meets and the part of it that is `left`; one row where it meets none."""
    met = signals.moments(data)
    met = met.filter(signals.held(met, until))
    met = met.select(whose="account_id", signal="signal", left=signals.left_of(met, until, lifespan_days).cast("float64"))
    rows = rows.left_join(met, rows.account_id == met.whose).drop("whose")
    return rows.mutate(left=rows["left"].fill_null(0.0), signal=rows.signal.fill_null(""))


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
