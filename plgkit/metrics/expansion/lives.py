"""Lives of paying accounts in whole months: how many came to the end of each month, and how many left in it."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import DateColumn, IntegerValue, Table

from plgkit.metrics import ledger
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import draws, sbg
from plgkit.stats.intervals import Floats

DRAWS = 500


class Crowd(NamedTuple):
    """What was seen of some accounts, or of draws of as many of them, one per row.

    `at_risk` and `leaving` have a column per month of life; `paid` is what those paying now pay in all, `payers` how
    many these are.
    """

    at_risk: Floats
    leaving: Floats
    paid: Floats
    payers: Floats

    @property
    def arpa(self) -> Floats:
        """What a paying account pays a month, in minor units."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.paid / self.payers


def rows(data: Data, *, then: dt.date | None = None) -> Table:
    """One row per account that ever paid: `closed`, `ended`, `minor`, and `closed_then` where a day is given.

    A life begins on the day of the first payment and ends on the first day at whose end nothing is paid; who comes back
    later stays gone. `closed` is how many months from its beginning were over by `as_of`, `ended` in which of its
    months it left (0 if it did not), `minor` what it pays now. With `then`, only accounts that paid by that day.
    """
    found = _begun(data)
    made = {"closed": _over(found.start, data.as_of.year * 12 + data.as_of.month, data.as_of.day), "ended": _ended(found)}
    if then is not None:
        found = found.filter(found.start <= ibis.date(then.isoformat()))
        made["closed_then"] = _over(found.start, then.year * 12 + then.month, then.day)
    return found.select("account_id", minor=found.minor.cast("int64"), **made)


def at_ends(data: Data, grain: Grain) -> Table:
    """One row per account and period by whose end it had begun to pay: `closed` and `ended` as known by then."""
    found, periods = _begun(data), ledger.ends(data, grain).select("period", "until")
    found = found.inner_join(periods, found.start < periods.until)
    found = found.mutate(last=engine.shift(found.until, -1))
    known = (found.stop < found.until).fill_null(False)
    return found.select("account_id", "period", ended=known.ifelse(_ended(found), 0).cast("int64"), closed=_over(
        found.start, found["last"].year() * 12 + found["last"].month(), found["last"].day()))


def _begun(data: Data) -> Table:
    """One row per account that ever paid: the days on which it began and stopped, and what it pays now."""
    changes = ledger.spans(data)
    own = ibis.window(group_by=changes.account_id)
    begun = (changes.mrr_minor > 0).ifelse(changes.changed_at, ibis.null("timestamp(6)")).min().over(own)
    changes = changes.mutate(begun_at=begun)
    ends = (changes.mrr_minor == 0) & (changes.changed_at > changes.begun_at) & (changes.next_day > changes.day)
    stands = changes.next_day > ibis.date(data.as_of.isoformat())
    found = changes.mutate(
        paid_day=(changes.mrr_minor > 0).ifelse(changes.day, ibis.null("date")),
        end_day=ends.fill_null(False).ifelse(changes.day, ibis.null("date")),
        now=stands.ifelse(changes.mrr_minor, 0))
    found = found.group_by("account_id").aggregate(start=_.paid_day.min(), stop=_.end_day.min(), minor=_.now.max())
    return found.filter(found.start.notnull())


def _ended(found: Table) -> IntegerValue:
    whole = _months(found.start, found.stop) + (found.stop.day() > found.start.day()).ifelse(1, 0)
    return ibis.cases((found.stop.isnull(), 0), (whole < 1, 1), else_=whole).cast("int64")


def _months(start: DateColumn, stop: DateColumn) -> IntegerValue:
    return (stop.year() - start.year()) * 12 + (stop.month() - start.month())


def _over(start: DateColumn, months: IntegerValue | int, day: IntegerValue | int) -> IntegerValue:
    """How many months from the start were over by the end of a day, told by its months since year 0 and its day."""
    over = months - (start.year() * 12 + start.month())
    return (over - (start.day() > day).ifelse(1, 0)).cast("int64")


def seen(cells: pd.DataFrame, weights: Floats | None = None, *, closed: str = "closed") -> Crowd:
    """What cells of alike accounts (`accounts` of each) show, up to the months that were over."""
    weights = cells["accounts"].to_numpy(dtype=float)[None, :] if weights is None else weights
    over, ended = cells[closed].to_numpy()[:, None], cells["ended"].to_numpy()[:, None]
    months = np.arange(1, max(int(over.max(initial=0)), 0) + 1)
    there = (over >= months) & ((ended == 0) | (ended >= months))
    minor = cells["minor"].to_numpy(dtype=float)
    return Crowd(weights @ there, weights @ (there & (ended == months)), weights @ minor, weights @ (minor > 0))


def drawn(cells: pd.DataFrame, *, closed: str = "closed") -> Crowd:
    """Draws of the same accounts, each as often as Poisson's law says: what each draw would have shown."""
    parts = [seen(cells, each, closed=closed) for each in draws.weights(cells["accounts"], draws=DRAWS)]
    return Crowd(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def staying(crowd: Crowd) -> Floats:
    """Share still paying at ages 0, 1, ... months (Kaplan-Meier); flat where a draw watched nobody any more."""
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(crowd.at_risk > 0, 1 - crowd.leaving / crowd.at_risk, 1.0)
    return np.concatenate([np.ones((len(kept), 1)), np.cumprod(kept, axis=1)], axis=1)


def fitted(crowd: Crowd, months: int) -> Floats:
    """Share still paying at ages 0 to `months` as the shifted-beta-geometric model has it; one row per draw."""
    found = sbg.fit(crowd.at_risk, crowd.leaving)
    there = np.full((len(crowd.at_risk), months + 1), np.nan)
    known = ~np.isnan(found.alpha)
    there[known] = sbg.survival(found.alpha[known], found.beta[known], months)
    there[crowd.leaving.sum(axis=1) == 0] = 1.0
    return there
