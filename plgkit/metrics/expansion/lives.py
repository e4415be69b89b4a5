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
from plgkit.sources.data import Data
from plgkit.stats import draws
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
    found = found.filter(found.start.notnull())
    whole = _months(found.start, found.stop) + (found.stop.day() > found.start.day()).ifelse(1, 0)
    ended = ibis.cases((found.stop.isnull(), 0), (whole < 1, 1), else_=whole)
    made = {"closed": _over(found.start, data.as_of), "ended": ended.cast("int64"),
            "minor": found.minor.cast("int64")}
    if then is not None:
        found = found.filter(found.start <= ibis.date(then.isoformat()))
        made["closed_then"] = _over(found.start, then)
    return found.select("account_id", **made)


def _months(start: DateColumn, stop: DateColumn) -> IntegerValue:
    return (stop.year() - start.year()) * 12 + (stop.month() - start.month())


def _over(start: DateColumn, day: dt.date) -> IntegerValue:
    """How many months from the start were over by the end of a day."""
    months = day.year * 12 + day.month - (start.year() * 12 + start.month())
    return (months - (start.day() > day.day).ifelse(1, 0)).cast("int64")


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
