"""What a paying account brings over its life, by three methods side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import ledger
from plgkit.metrics.expansion import lives, misleading
from plgkit.metrics.expansion.lives import Crowd
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import money, retained
from plgkit.stats.intervals import Floats

_SETTINGS = {"margin": "product.gross_margin"}
_LIFE, _STAYED, _LEFT = "life", "stayed", "left"
_COLUMNS = ["method", "n", "stopped", "arpa", "lifetime", "value", "low", "high", "counted", "beyond", "misleads"]
METHODS = ("formula", "survival", "sbg")


def _check(margin: float, horizon: int, churn_months: int, discount: float) -> None:
    if isinstance(margin, bool) or not 0 < margin <= 1:
        raise BadParameter("margin", margin, expected="a share above 0 and up to 1, such as 0.8")
    for name, value in (("horizon", horizon), ("churn_months", churn_months)):
        if isinstance(value, bool) or value < 1:
            raise BadParameter(name, value, expected="a whole number of months, 1 or more")
    if not 0 <= discount < 10:
        raise BadParameter("discount", discount, expected="a share a year, 0 or more, such as 0.1")


def _cells(data: Data, churn_months: int, by: str | None) -> Table:
    """How many accounts share a life, and how many stayed and left in the last whole months."""
    keys = [by] if by else []
    rows = segmented(data, lives.rows(data), by, unit="account_id")
    rows = rows.group_by(*keys, "closed", "ended", "minor").aggregate(accounts=_.count().cast("int64"))
    until = engine.period_of(data.as_of + engine.DAY, "month")
    since = (pd.Timestamp(until) - pd.DateOffset(months=churn_months)).date()
    moved = segmented(data, ledger.then_and_now(data, "month"), by, unit="account_id")
    moved = moved.filter(moved.period >= ibis.date(since.isoformat()), moved.period < ibis.date(until.isoformat()))
    moved = moved.mutate(kind=(moved.now_minor > 0).ifelse(_STAYED, _LEFT)).group_by("kind", *keys).aggregate(
        accounts=_.count().cast("int64"))
    none = ibis.literal(0, "int64")
    columns = ["kind", *keys, "closed", "ended", "minor", "accounts"]
    return rows.mutate(kind=ibis.literal(_LIFE)).select(columns).union(
        moved.mutate(closed=none, ended=none, minor=none).select(columns))


def _groups(frame: pd.DataFrame, by: str | None) -> list[tuple[list[Any], pd.DataFrame, int, int]]:
    """Per segment its name, its lives, and how many accounts and months stayed and left lately."""
    found = []
    frame = frame.sort_values(["closed", "ended", "minor", "accounts"], kind="stable")
    for name, part in frame.groupby(by or (lambda _: 0), sort=True):
        own = part[part["kind"] == _LIFE].reset_index(drop=True)
        left, stayed = (int(part.loc[part["kind"] == kind, "accounts"].sum()) for kind in (_LEFT, _STAYED))
        if len(own):
            found.append(([name] if by else [], own, stayed, left))
    return found


def _churn(stayed: int, left: int, *, draws: bool) -> Floats:
    """Share of paying accounts lost per month lately; missing while none was lost."""
    lost = money.resampled([1.0], [left], seed=2, draws=lives.DRAWS)[1] if draws else np.array([float(left)])
    watched = float(stayed + left)
    return np.where(lost > 0, np.minimum(lost, watched) / watched, np.nan) if left else np.full(len(lost), np.nan)


def _span(drawn: Floats, value: float, own: pd.DataFrame, level: float) -> tuple[float, float]:
    return money.span(drawn, value, level) if own["accounts"].sum() >= retained.FEWEST else (np.nan, np.nan)


def _shares(crowd: Crowd, churn: Floats, horizon: int) -> dict[str, Floats]:
    """By each method the share still paying at ages 0 to `horizon` months; as far as it goes."""
    formula = np.exp(np.arange(horizon + 1) * np.log1p(-np.minimum(churn, 1 - 1e-12))[:, None])
    return {"formula": formula, "survival": lives.staying(crowd)[:, : horizon + 1], "sbg": lives.fitted(crowd, horizon)}


def _both(own: pd.DataFrame, stayed: int, left: int, horizon: int) -> tuple[Crowd, Crowd, dict, dict]:
    """What was seen and what draws show: crowds, and shares still paying by method."""
    one, many = lives.seen(own), lives.drawn(own)
    point = _shares(one, _churn(stayed, left, draws=False), horizon)
    if not one.leaving.sum():
        point["sbg"][:] = np.nan
    return one, many, point, _shares(many, _churn(stayed, left, draws=True), horizon)


def _values(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, horizon, rows = parameters["by"], parameters["horizon"], []
    scale = parameters["margin"] / ledger.MINOR
    rate = (1 + parameters["discount"]) ** (1 / 12) - 1
    for keys, own, stayed, left in _groups(frame, by):
        one, many, point, draws = _both(own, stayed, left, horizon)
        churn = {False: _churn(stayed, left, draws=False), True: _churn(stayed, left, draws=True)}
        for method in METHODS:
            ages = min(horizon, point[method].shape[1])
            worth = (1 + rate) ** -np.arange(ages)
            paid, drawn = ((each[method][:, :ages] * worth).sum(axis=1) for each in (point, draws))
            if method == "formula":
                paid, drawn = ((1 + rate) / (churn[each] + rate) for each in (False, True))
            value = float(scale * one.arpa[0] * paid[0])
            low, high = _span(scale * many.arpa * drawn, value, own, parameters["level"])
            beyond = 0.0 if method == "formula" else float(point[method][0, min(ages, point[method].shape[1] - 1)])
            said = misleading.said(method, one, point, stayed=stayed, left=left, horizon=horizon)
            rows.append((*keys, method, int(own["accounts"].sum()), int(one.leaving.sum()), one.arpa[0] / ledger.MINOR,
                         paid[0], value, low, high, np.nan if method == "formula" else float(ages),
                         np.nan if np.isnan(value) else beyond, said))
    made = pd.DataFrame(rows, columns=[*([by] if by else []), *_COLUMNS])
    numbers = dict.fromkeys(("arpa", "lifetime", "value", "low", "high", "counted", "beyond"), "float64")
    return made.astype(numbers | {"n": "int64", "stopped": "int64", "method": "str", "misleads": "str"})


@measure(shape="table", unit="currency", better="higher", reads="subscriptions", settings=_SETTINGS, finish=_values,
         interval="bootstrap over accounts")
def lifetime_value(data: Data, *, margin: float | None = None, horizon: int = 60, churn_months: int = 12,
                   discount: float = 0.0, by: str | None = None) -> Table:
    """What a new paying account brings over its life, by three methods: formula, survival, and the sbg projection.

    All take revenue per account as it is now, at a gross margin of `margin`, and multiply it by the months that an
    account is expected to pay. They differ in these months. "formula": 1 / churn, the share of paying accounts lost
    per month over the last `churn_months` whole months. "survival": the months within `horizon` that accounts were
    seen to pay (Kaplan-Meier over all that ever began), and nothing of what comes after the oldest of them.
    "sbg": the months within `horizon` that the shifted-beta-geometric model projects, in which every account has its
    own odds of leaving. The column `misleads` says where a method does.

    Parameters
    ----------
    data
        Reads `subscriptions`. A life begins with the first payment and ends when first nothing is paid; those who come
        back are not counted again. Months run from the day of the first payment, and count once they are over.
    margin
        Gross margin: the part of revenue that is left after serving the customer.
    horizon
        Months of payments to count, by "survival" and "sbg"; "formula" counts them without end.
    churn_months
        Whole months up to the last over which the formula's churn is taken.
    discount
        By how much money is worth less per year that it comes later.
    by
        Column of accounts to cut by; plan and motion are the last ones.

    Returns
    -------
    One row per segment and method: method, n (accounts that ever paid), stopped (how many were seen to leave), arpa
    (currency a month, of accounts paying now), lifetime (payments expected), value (currency; missing where the
    method has none), low, high (none below five accounts), counted (months of payments at most; missing is without end), beyond (share still
    paying after them, of whose payments nothing is counted), misleads (a sentence, or empty).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = lifetime_value(samples.tiny())  # of two accounts in their first months one left; 30 a month at 80 %
    >>> found[["method", "n", "arpa", "lifetime", "value", "counted"]]
         method  n  arpa  lifetime  value  counted
    0   formula  2  30.0       2.0   48.0      NaN
    1  survival  2  30.0       1.5   36.0      2.0
    2       sbg  2  30.0       NaN    NaN     60.0

    References
    ----------
    Skok, "SaaS Metrics 2.0" (2010): the formula. Fader and Hardie, "Customer-base valuation in a contractual setting:
    the perils of ignoring heterogeneity", Marketing Science 29 (2010), 85-93.
    """
    _check(margin, horizon, churn_months, discount)
    return _cells(data, churn_months, by)


def _curves(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, horizon, parts = parameters["by"], parameters["horizon"], []
    scale = parameters["margin"] / ledger.MINOR
    worth = (1 + parameters["discount"]) ** -(np.arange(horizon) / 12)
    columns = [*([by] if by else []), "method", "x", "value", "low", "high", "at_risk"]
    for keys, own, stayed, left in _groups(frame, by):
        one, many, point, draws = _both(own, stayed, left, horizon)
        at_risk = np.zeros(horizon + 1, dtype="int64")
        known = min(horizon + 1, one.at_risk.shape[1])
        at_risk[:known] = np.round(one.at_risk[0, :known])
        for method in METHODS:
            ages = min(horizon, point[method].shape[1])
            value = scale * one.arpa[0] * np.cumsum(point[method][0, :ages] * worth[:ages])
            drawn = scale * many.arpa[:, None] * np.cumsum(draws[method][:, :ages] * worth[:ages], axis=1)
            spans = [_span(drawn[:, age], value[age], own, parameters["level"]) for age in range(ages)]
            low, high = np.transpose(spans)
            made = pd.DataFrame({"method": method, "x": np.arange(1, ages + 1), "value": value, "low": low, "high": high,
                                 "at_risk": at_risk[:ages]})
            parts.append(made.assign(**dict(zip([by] if by else [], keys, strict=True)))[columns])
    made = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    kinds = {"method": "str", "x": "int64", "at_risk": "int64"} | dict.fromkeys(("value", "low", "high"), "float64")
    made = made.astype(kinds).sort_values(columns[:-4], ignore_index=True, kind="stable")
    made.attrs["x_unit"] = "months"
    return made


@measure(shape="curve", unit="currency", better="higher", reads="subscriptions", settings=_SETTINGS, finish=_curves,
         interval="bootstrap over accounts, at each month")
def lifetime_curve(data: Data, *, margin: float | None = None, horizon: int = 36, churn_months: int = 12,
                   discount: float = 0.0, by: str | None = None) -> Table:
    """What a new paying account has brought by each month of its life, up to `horizon`, by the three methods.

    As in `lifetime_value`, month by month, at a gross margin of `margin` and, for the formula, the churn of the last
    `churn_months` months. "survival" stops where the oldest account stands: from there on the others are alone.

    Parameters
    ----------
    data, margin, horizon, churn_months, discount, by
        As in `lifetime_value`; here the formula too is drawn up to `horizon`.

    Returns
    -------
    One row per segment, method and month: method, x (payments so far, from 1), value (currency), low, high, at_risk
    (accounts watched through the month that the payment is for; 0 is a projection).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = lifetime_curve(samples.tiny(), horizon=3)  # 24 a month; half are there for the second
    >>> found.query("method == 'survival'")[["method", "x", "value", "at_risk"]]
         method  x  value  at_risk
    6  survival  1   24.0        2
    7  survival  2   36.0        0
    """
    _check(margin, horizon, churn_months, discount)
    return _cells(data, churn_months, by)
