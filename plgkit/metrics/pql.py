"""Product-qualified leads: which accounts are ready to buy, by what they do?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import ledger, shapes, signals
from plgkit.metrics.accounts import first_payments, openings
from plgkit.metrics.people import closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

QUALIFIED, NEVER = "qualified", "never qualified"
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
        "account_id", "signal", "fit", points=signals.worth(met, until, _lifespan(data, lifespan_days)))
    accounts = openings(data).filter(_.day < until).select("account_id")
    rows = accounts.left_join(met, "account_id").drop("account_id_right")
    rows = rows.mutate(points=rows.points.fill_null(0.0), fit=rows.fit.fill_null(0), signal=rows.signal.fill_null(""))
    rows = _with_paying(data, rows, day)
    rows = segmented(data, rows, by, unit="account_id")
    return rows.select("account_id", *([by] if by else []), "paying", "signal", "points", "fit")


def _lifespan(data: Data, given: int | None) -> int | None:
    return given if given is not None else data.playbook.pql.lifespan_days


def _with_paying(data: Data, rows: Table, day: dt.date) -> Table:
    if not data.has("subscriptions"):
        return rows.mutate(paying=ibis.literal(0, "int64"))
    changes, last = ledger.spans(data), ibis.date(day.isoformat())
    now = changes.filter((_.day <= last) & (_.next_day > last) & (_.mrr_minor > 0)).select(
        payer=_.account_id, paying=ibis.literal(1, "int64"))
    joined = rows.left_join(now, rows.account_id == now.payer).drop("payer")
    return joined.mutate(paying=joined.paying.fill_null(0))


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
    summed = rows.mutate(worth=signals.worth(rows, rows.until, _lifespan(data, lifespan_days))).group_by(
        "account_id", "period").aggregate(score=_.worth.sum())
    scored = there.left_join(summed, ["account_id", "period"])
    scored = scored.mutate(score=scored.score.fill_null(0.0))
    levels = data.playbook.pql.tiers
    tier = ibis.cases(*[(scored.score >= each.from_ - 1e-9, each.name) for each in reversed(levels[1:])],
                      else_=levels[0].name) if levels[1:] else ibis.literal(levels[0].name)
    return scored.mutate(tier=tier).group_by("period", *([by] if by else []), "tier").aggregate(
        accounts=_.count().cast("int64"))


@measure(shape="total", unit="accounts", better="higher", reads=READS, settings={"threshold": "pql.threshold"})
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
    One row per period: period, value (accounts), low, high, complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> leads(samples.tiny())[["period", "value"]]
          period  value
    0 2025-01-01      1
    1 2025-02-01      0
    """
    crossed = signals.crossings(data, threshold)
    rows = segmented(data, crossed.mutate(period=data.period(_.crossed_day, grain)), by, unit="account_id")
    return shapes.total(rows, _.count().cast("int64"), by=by)


@measure(shape="rate", unit="share of qualified accounts", better="higher", reads=READS,
         settings={"threshold": "pql.threshold", "within_days": "pql.within_days"})
def to_customer(data: Data, *, threshold: float | None = None, within_days: int | None = None,
                by: str | None = None, grain: Grain = "month") -> Table:
    """Share of accounts that first pay within `within_days` days of reaching `threshold` points.

    Parameters
    ----------
    data
        As `scores`; needs `subscriptions`.
    threshold
        Points from which an account is qualified.
    within_days
        Days of 24 hours after qualifying; the last instant counts.
    by
        Column to cut by. "qualified" sets the accounts that never qualified beside those that did;
        their days run from their creation, and they include those that paid before they could qualify.
    grain
        Length of a period.

    Returns
    -------
    One row per period of qualifying: period, numerator and denominator (accounts), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> to_customer(samples.tiny())[["period", "numerator", "denominator", "immature"]].head(1)
          period  numerator  denominator  immature
    0 2025-01-01          1            1         0
    >>> to_customer(samples.tiny(), by="qualified")[["qualified", "numerator", "denominator"]].head(2)
             qualified  numerator  denominator
    0  never qualified          1            2
    1        qualified          1            1
    """
    paid = first_payments(data).select(payer=_.account_id, paid_at=_.paid_at)
    crossed = signals.crossings(data, threshold)
    if by == "qualified":
        rows = _all_accounts(data, crossed)
    else:
        rows = segmented(data, crossed.select("account_id", start=_.crossed_at, day=_.crossed_day), by,
                         unit="account_id")
    rows = rows.left_join(paid, rows.account_id == paid.payer).mutate(period=data.period(_.day, grain))
    return shapes.rate(rows, by=by, hit=within(rows.paid_at, rows.start, within_days),
                       mature=closed(data, rows.start, within_days))


def _all_accounts(data: Data, crossed: Table) -> Table:
    rows = openings(data).left_join(crossed, "account_id").drop("account_id_right")
    did = rows.crossed_at.notnull()
    return rows.select("account_id", qualified=did.ifelse(QUALIFIED, NEVER),
                       start=did.ifelse(rows.crossed_at, rows.created_at),
                       day=did.ifelse(rows.crossed_day, rows.day))


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
