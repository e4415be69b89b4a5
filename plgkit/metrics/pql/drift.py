"""Drift: are accounts that come now like those on which the points rest?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics.accounts import openings
from plgkit.metrics.pql import fitting
from plgkit.metrics.pql.scoring import READS
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import intervals, shift

SCORE = "score"
_COLUMNS = ["what", "kind", "before", "before_n", "now", "now_n", "difference", "low", "high", "stability", "by_chance", "shifted"]


def _as_drift(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    own, level = data.playbook.pql, parameters["level"]
    if frame.empty:
        return _typed(pd.DataFrame(columns=_COLUMNS))
    signs = fitting.signs_of(frame, len(own.signals))
    people = {each: frame["accounts"].where(frame["recent"] == each, 0).to_numpy(dtype=float) for each in (0, 1)}
    scores = signs @ np.array([float(each.points) for each in own.signals])
    starts = np.array([each.from_ for each in own.tiers])
    tier = np.searchsorted(starts, scores + 1e-9, side="right") - 1
    bins = {SCORE: [(tier == each) for each in range(len(starts))]}
    shown = {SCORE: (scores >= parameters["threshold"] - 1e-9)}
    for place, each in enumerate(own.signals):
        shown[each.name] = signs[:, place] > 0
        bins[each.name] = [shown[each.name], ~shown[each.name]]
    rows = []
    for name, met in shown.items():
        counts = [float(people[each][met].sum()) for each in (0, 1)]
        sizes = [float(people[each].sum()) for each in (0, 1)]
        parts = [[float(people[each][part].sum()) for part in bins[name]] for each in (0, 1)]
        low, high = intervals.newcombe(counts[1], sizes[1], counts[0], sizes[0], level=level)
        before, now = (count / size if size else np.nan for count, size in zip(counts, sizes, strict=True))
        index, chance = shift.stability(*parts, level=level)
        rows.append((name, "at the threshold" if name == SCORE else "signal", before, sizes[0], now, sizes[1], now - before, low, high,
                     index, chance, bool(index > max(chance, parameters["least"]))))
    return _typed(pd.DataFrame(rows, columns=_COLUMNS))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    kinds = {"what": "str", "kind": "str", "before_n": "int64", "now_n": "int64", "shifted": "bool"}
    return frame.astype(kinds | {name: "float64" for name in _COLUMNS if name not in kinds})


@measure(shape="table", unit="share of accounts", better="neither", reads=READS, finish=_as_drift,
         settings={"threshold": "pql.threshold"}, interval="Newcombe")
def drift(data: Data, *, age_days: int = 30, recent_days: int = 90, threshold: float | None = None, least: float = 0.1) -> Table:
    """How accounts of the last `recent_days` days differ from all before them, in signals met by the age of `age_days` days.

    All are looked at on the same day of their life, so that old ones are not ahead, and only once they are so old. Recent ones
    reached that age in the last days counted. Points that rest on accounts unlike those that come now may not fit them.

    Parameters
    ----------
    data
        As `scores`. Fading is left out.
    age_days
        Days of an account's life, the first that of its creation.
    recent_days
        Days up to the last one in which a recent account came to that age.
    threshold
        Points from which an account is a lead.
    least
        The population stability index from which a shift matters: 0.1 is a moderate one, 0.25 a large one.

    Returns
    -------
    One row for the score (its share at the threshold; its stability is that of the tiers) and one per signal: what, kind, before
    (share of the accounts before), before_n, now (share of the recent ones), now_n, difference with low and high, stability
    (population stability index), by_chance (what it seldom exceeds where nothing shifted), shifted (it exceeds that and `least`).

    Examples
    --------
    >>> from plgkit import samples
    >>> drift(samples.tiny(), age_days=14, recent_days=38)[["what", "before", "before_n", "now", "now_n"]].head(1)  # only a3 is recent
        what  before  before_n  now  now_n
    0  score     0.5         2  0.0      1
    """
    accounts = openings(data).select("account_id", "day")
    accounts = accounts.mutate(until=engine.shift(accounts.day, age_days))
    after = data.as_of + engine.DAY
    since = after - dt.timedelta(days=recent_days)
    rows = accounts.filter(accounts.until <= ibis.date(after.isoformat()))
    rows = fitting.patterns(data, rows, list(data.playbook.pql.signals))
    recent = (rows.until > ibis.date(since.isoformat())).ifelse(1, 0).cast("int64")
    return rows.mutate(recent=recent).group_by("recent", "pattern").aggregate(accounts=_.count().cast("int64"))
