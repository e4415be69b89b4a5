"""What the flywheel is asked: what will come, what would come if a rate rose, and which rate to raise."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from plgkit.errors import BadParameter, MissingTable, UnknownLever
from plgkit.flywheel import turning
from plgkit.flywheel.counting import Counts, counts, earlier, whole_months
from plgkit.flywheel.fitting import Rates, fit
from plgkit.flywheel.levering import LEVERS, Lever
from plgkit.schema import TABLES
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats.intervals import Floats

OUTCOMES = {"signups": "people who sign up", "people": "active people", "revenue": "recurring revenue"}

_LEVER_COLUMNS = ["lever", "what", "value", "changed", "people", "people_low", "people_high", "revenue", "revenue_low", "revenue_high"]


class _Wheel(NamedTuple):
    """A fitted flywheel, with the chance of the months to come."""

    data: Data
    counts: Counts
    rates: Rates
    chance: Floats
    beside: tuple[float, float]

    @property
    def ahead(self) -> pd.DatetimeIndex:
        return pd.date_range(self.counts.months[-1], periods=self.chance.shape[1] + 1, freq="MS")[1:].astype("datetime64[us]")

    @property
    def outcomes(self) -> list[str]:
        return [name for name in OUTCOMES if name != "revenue" or self.counts.money is not None]

    def turned(self, rates: Rates | None = None) -> dict[str, Floats]:
        course = turning.turn(self.counts, rates or self.rates, self.chance, self.beside)
        return {name: getattr(course, name) for name in self.outcomes}


def flywheel(data: Data, *, months: int = 12, recent: int = 6, level: float = 0.95, draws: int = 400, seed: int = 0) -> pd.DataFrame:
    """Forecast sign-ups, active people and recurring revenue, if everything goes on as in the last months.

    People sign up by themselves (with their trend) or because somebody invited them; some activate; who is active by age
    depends on that; the active invite others and, if they were the first of an account, begin to pay; what is paid grows
    and shrinks. Each rate is that of the last months. Left out: what teammates, prices, seasons, rivals and new products
    change, and whether who pays stays active.

    Parameters
    ----------
    data
        Reads `users` and `events`; for invitations `invites`, for revenue `subscriptions`.
    months
        How far ahead, from the last complete month on.
    recent
        Complete months behind the rates that are seen often; the trend, payments and money take up to twelve.
    level
        Share of courses that the interval holds.
    draws, seed
        How many crowds of accounts are drawn anew, and which.

    Returns
    -------
    One row per month and outcome (signups, people, revenue at the month's end): period, outcome, value, low, high and
    forecast. The interval of what came is missing; that of what may come holds both what forty groups of accounts leave open
    (drawn anew) and the chance of single months.

    Raises
    ------
    ShortHistory
        Before six complete months.
    """
    wheel = _fitted(data, months=months, recent=recent, level=level, draws=draws, seed=seed)
    came, turned = turning.past(wheel.counts), wheel.turned()
    parts = []
    for name in wheel.outcomes:
        parts.append(pd.DataFrame({"period": wheel.counts.months.astype("datetime64[us]"), "outcome": name,
                                   "value": getattr(came, name), "low": np.nan, "high": np.nan, "forecast": False}))
        parts.append(pd.DataFrame({"period": wheel.ahead, "outcome": name, **_quantiles(turned[name], level), "forecast": True}))
    return _said(pd.concat(parts, ignore_index=True), wheel, recent)


def what_if(data: Data, rate: str, *, by: float = 0.01, months: int = 12, recent: int = 6, level: float = 0.95,
            draws: int = 400, seed: int = 0) -> pd.DataFrame:
    """Tell what active people and revenue would be, were a `rate` higher from now on.

    Both courses have the same luck, so that the interval of the difference is that of what the data leave open about the
    rates. That raising the rate brings it, and leaves the others as they are, is assumed and not shown: an experiment shows it.

    Parameters
    ----------
    data, months, recent, level, draws, seed
        As of `flywheel`.
    rate
        A measure of the catalogue that turns the wheel; `levers` has them all.
    by
        How much is added: 0.01 is a point of a share. Of a count or an amount it is that share of it (0.01: one per cent).

    Returns
    -------
    One row per month and outcome: period, outcome, value (as it is), changed, difference, low, high.
    """
    lever = _lever(rate, data)
    wheel = _fitted(data, months=months, recent=recent, level=level, draws=draws, seed=seed)
    now = lever.value(wheel.data, wheel.counts, wheel.rates, recent)
    to = now + by if lever.is_rate else now * (1 + by)
    if not to > 0 or (lever.is_rate and to > 1):
        raise BadParameter("by", by, expected=f"a change that leaves {rate}, now {now:.4g}, between 0 and 1"
                           if lever.is_rate else f"more than -1, as {rate} cannot be below nothing")
    before, after = wheel.turned(), wheel.turned(lever.change(wheel.rates, to / now))
    parts = []
    for name in wheel.outcomes:
        gap = _quantiles(after[name] - before[name], level)
        parts.append(pd.DataFrame({
            "period": wheel.ahead, "outcome": name, "value": _rounded(np.median(before[name][1:], axis=0)),
            "changed": _rounded(np.median(before[name][1:], axis=0)) + gap["value"], "difference": gap["value"], "low": gap["low"],
            "high": gap["high"]}))
    made = _said(pd.concat(parts, ignore_index=True), wheel, recent)
    made.attrs |= {"rate": rate, "now": now, "to": to, "what": lever.what}
    return made


def levers(data: Data, *, per: Literal["tenth", "point"] = "tenth", months: int = 12, recent: int = 6, level: float = 0.95,
           draws: int = 400, seed: int = 0) -> pd.DataFrame:
    """Rank the rates by what raising each of them alone would bring.

    Parameters
    ----------
    data, months, recent, level, draws, seed
        As of `flywheel`.
    per
        "tenth": each rate a tenth better than it is, taken as a like effort for all; "point": each a point better, and counts
        and amounts by one per cent. A rate where less is better is lowered.

    Returns
    -------
    One row per lever, the one that brings most revenue (without revenue, most active people) on top: rank, lever, what,
    value, changed, and the difference after so many months with its interval: people, people_low, people_high, revenue,
    revenue_low, revenue_high; first (share of the crowds drawn anew in which no other brings more).
    """
    if per not in ("tenth", "point"):
        raise BadParameter("per", per, expected="tenth or point")
    wheel = _fitted(data, months=months, recent=recent, level=level, draws=draws, seed=seed)
    before, rows, gaps = wheel.turned(), [], []
    order = "revenue" if wheel.counts.money is not None else "people"
    for name, lever in LEVERS.items():
        if not data.has(*lever.needs) or (name == "acquisition.signups" and data.has("visits")):
            continue
        now = lever.value(wheel.data, wheel.counts, wheel.rates, recent)
        if not now > 0:
            continue
        sign = 1 if lever.better == "higher" else -1
        step = sign * (now / 10 if per == "tenth" else 0.01 if lever.is_rate else now / 100)
        to = min(now + step, 1.0) if lever.is_rate else now + step
        after = wheel.turned(lever.change(wheel.rates, max(to, 0.0) / now))
        row = {"lever": name, "what": lever.what, "value": now, "changed": max(to, 0.0)}
        for outcome in ("people", "revenue"):
            gap = _quantiles((after[outcome] - before[outcome])[:, -1:], level) if outcome in after else {}
            row |= {outcome + ("" if part == "value" else f"_{part}"): gap[part][0] if gap else np.nan
                    for part in ("value", "low", "high")}
        rows.append(row)
        gaps.append((after[order] - before[order])[1:, -1])
    frame = pd.DataFrame(rows, columns=_LEVER_COLUMNS)
    frame["first"] = np.bincount(np.argmax(gaps, axis=0), minlength=len(gaps)) / draws if gaps else []
    frame = frame.sort_values([order, "people", "lever"], ascending=[False, False, True], ignore_index=True)
    frame.insert(0, "rank", np.arange(1, len(frame) + 1))
    made = _said(frame, wheel, recent)
    made.attrs |= {"per": per, "months": months} | {name: float(np.median(before[name][1:, -1])) for name in before}
    return made


def backtest(data: Data, *, months: int = 3, recent: int = 6, level: float = 0.95, draws: int = 400, seed: int = 0) -> pd.DataFrame:
    """Forecast the last months from what was known before them, beside what came.

    Parameters
    ----------
    data, recent, level, draws, seed
        As of `flywheel`.
    months
        How many of the last complete months are held back.

    Returns
    -------
    One row per month and outcome: period, outcome, value (forecast), low, high, actual, inside (whether what came lies in the
    interval).
    """
    whole = whole_months(data)
    held = [engine.period_of(whole.as_of, "month")]
    for _ in range(_checked("months", months) - 1):
        held.append(engine.period_of(held[-1] - engine.DAY, "month"))
    wheel = _fitted(earlier(whole, held[-1] - engine.DAY), months=months, recent=recent, level=level, draws=draws, seed=seed)
    came, turned, parts = turning.past(counts(data)), wheel.turned(), []
    for name in wheel.outcomes:
        actual = getattr(came, name)[-months:]
        part = pd.DataFrame({"period": wheel.ahead, "outcome": name, **_quantiles(turned[name], level), "actual": actual})
        parts.append(part.assign(inside=(part["actual"] >= part["low"]) & (part["actual"] <= part["high"])))
    return _said(pd.concat(parts, ignore_index=True), wheel, recent)


def _fitted(data: Data, *, months: int, recent: int, level: float, draws: int, seed: int) -> _Wheel:
    _checked("months", months)
    _checked("recent", recent)
    _checked("draws", draws, least=50)
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
        raise BadParameter("level", level, expected="a share between 0 and 1, such as 0.95")
    known = counts(data)
    data = whole_months(data)
    rates = fit(known, recent=min(recent, len(known.months)), draws=draws, seed=seed, horizon=months)
    return _Wheel(data, known, rates, turning.luck(draws, months, seed), turning.beside(known, rates))


def _checked(name: str, value: int, *, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadParameter(name, value, expected=f"a whole number, {least} or more")
    return value


def _lever(name: str, data: Data) -> Lever:
    if name not in LEVERS:
        raise UnknownLever(name, LEVERS)
    for table in LEVERS[name].needs:
        if not data.has(table):
            raise MissingTable(table, data.everything, one_row=TABLES[table].one_row)
    return LEVERS[name]


def _quantiles(drawn: Floats, level: float) -> dict[str, Floats]:
    """The middle and the interval of the draws, month by month; the first draw is no draw."""
    low, middle, high = np.quantile(drawn[1:], [(1 - level) / 2, 0.5, (1 + level) / 2], axis=0)
    return {"value": _rounded(middle), "low": _rounded(low), "high": _rounded(high)}


def _rounded(values: Floats) -> Floats:
    """What a processor's way of adding could change is cut off."""
    return np.round(values, 2) + 0.0


def _said(frame: pd.DataFrame, wheel: _Wheel, recent: int) -> pd.DataFrame:
    product = wheel.data.playbook.product
    frame.attrs = {
        "currency": product.currency, "as_of": wheel.data.as_of.isoformat(), "unit": "people",
        "definition": (
            f"Flywheel through {wheel.data.as_of:%d %b %Y}: the trend of sign-ups goes on, rates stay as in the last {recent} months, "
            f"those of payments and money as in the last twelve. Interval: {wheel.chance.shape[0] - 1} crowds of accounts drawn anew, "
            "and the chance of single months. Left out: seasons, prices, rivals, new products.")}
    return frame
