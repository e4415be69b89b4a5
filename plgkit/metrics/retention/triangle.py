"""Cohorts at their ages, and the curve over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from ibis.expr.types import Table

from plgkit.metrics import returns
from plgkit.metrics.registry import measure
from plgkit.metrics.retention import ages
from plgkit.metrics.returns import Brackets, Clock, Entry, Names, Question, Reference, Rule, Unit
from plgkit.sources.data import Data
from plgkit.stats import intervals

Average = Literal["pooled", "mean"]


@measure(shape="cohort", unit="share of the cohort", better="higher", reads="users events", finish=ages.as_cohorts,
         preset="retention", interval="Wilson; for shares of the age before, bootstrap over people")
def cohorts(data: Data, *, start: Names | None = None, back: Names | None = None, entry: Entry = "first",
            rule: Rule = "on", unit: Unit = "week", clock: Clock = "calendar", brackets: Brackets | None = None,
            min_events: int = 1, reference: Reference = "cohort", first_age: int = 0, horizon: int | None = None,
            by: str | None = None, breakdown: str | None = None, like: str | None = None) -> Table:
    """Share of each cohort that comes back at each age (unit: `unit`, rule: `rule`).

    A cohort holds the people who signed up (or did `start` for the first time) in one period.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    start
        Event that makes a person part of a cohort, several of which any does, or a step with conditions on their
        properties (`plgkit.metrics.funnels.step`); None is signing up.
    back
        Event by which a person is back, or several of which any is; None is any activity, as the
        playbook's [activity] says.
    entry
        "first": the first of the start events ever, and only if it meets the conditions set on it.
        "first_matching": the first that meets them. "recurring": every period with a start event (with any
        activity, where none is named), so that a person stands in several cohorts.
    rule
        "on": back at that age. "on_or_after": back at that age or later, up to `horizon`, which is
        the same for all cohorts, so that older ones have no more time than younger ones. "bracket": back at
        any age of a bracket.
    unit
        Length of a cohort and of an age: hour, day, week or month.
    clock
        "calendar" counts periods of the product's zone: 20:00 and 06:00 next day are one day apart. "rolling"
        counts blocks of 24 hours, 7 days or 30 days from the person's own start.
    brackets
        Ages that count together, as pairs of the first and the last, [(0, 0), (1, 7), (8, 14)], or as the first
        age of each and the one after the last, [0, 1, 8, 15].
    min_events
        Events within the age (or from it on) that it takes to count as back.
    reference
        "cohort": share of everybody in the cohort. "previous": people back at this age for each who was back at
        the age before; some were away then, so that it may be more than 1.
    first_age
        The first age to show.
    horizon
        The last age to look at; None is the last there is, and for "on_or_after" 48 hours, 30 days, 12 weeks or
        12 months.
    by
        Column of people to cut by.
    breakdown
        Property of the start event to cut by: the value it had then.
    like
        Count as "posthog", "mixpanel" or "amplitude" does by default; what is given besides goes first.

    Returns
    -------
    One row per cohort and age that has begun: cohort (first day of the period), age (a bracket's first, with its
    last as until), numerator (people back), denominator (people in the cohort, or back at the age before), value,
    low, high, mature (whether that age, or the horizon, is over for everybody in the cohort; until then the
    numerator can still grow).

    Raises
    ------
    AlwaysBack
        If the start itself would count as coming back at age 0.

    Examples
    --------
    >>> from plgkit import samples
    >>> cohorts(samples.tiny(), horizon=4)[["cohort", "age", "numerator", "denominator", "mature"]]
          cohort  age  numerator  denominator  mature
    0 2025-01-06    0          4            4    True
    1 2025-01-06    1          2            4    True
    2 2025-01-06    2          3            4    True
    3 2025-01-06    3          0            4    True
    4 2025-01-06    4          2            4    True
    >>> cohorts(samples.tiny(), rule="bracket", brackets=[1, 3, 6])[["age", "until", "numerator"]]
       age  until  numerator
    0    1      2          3
    1    3      5          2
    """
    asked = Question(start, back, entry, rule, unit, clock, brackets, min_events, reference, first_age, horizon, by, breakdown)
    returns.check(data, asked)
    return returns.rows(data, asked)


def _curve(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    asked = Question.of(parameters)
    by = asked.segment
    keys = [*([by] if by else []), "x"]
    counts = [name for name in ("people", "both") if name in frame]
    whole = frame.groupby([*asked.keys, "age"], as_index=False)[counts].sum() if "dealt" in frame else frame
    cells = ages.cells(whole, data, asked)
    cells = cells[cells["mature"]].rename(columns={"age": "x"})
    cells["value"] = cells["numerator"] / cells["denominator"].where(cells["denominator"] > 0)
    made = cells.groupby(keys, as_index=False).agg(
        until=("until", "first"), numerator=("numerator", "sum"), at_risk=("denominator", "sum"),
        cohorts=("cohort", "count"), mean=("value", "mean"), deviation=("value", "std"), n=("value", "count"))
    pooled = parameters["average"] == "pooled"
    made["value"] = made["numerator"] / made["at_risk"].where(made["at_risk"] > 0) if pooled else made["mean"]
    if "dealt" in frame:
        made["low"], made["high"] = _resampled(frame, cells, made, asked, parameters)
    elif pooled:
        made["low"], made["high"] = intervals.wilson(made["numerator"], made["at_risk"], level=parameters["level"])
    else:
        low, high = intervals.mean_interval(made["mean"], made["deviation"], made["n"], level=parameters["level"])
        made["low"], made["high"] = np.maximum(low, 0), np.minimum(high, 1)
    return made[[*keys, *(["until"] if asked.spans else []), "value", "low", "high", "at_risk", "cohorts"]]


def _resampled(frame: pd.DataFrame, cells: pd.DataFrame, made: pd.DataFrame, asked: Question,
               parameters: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """The interval of every row of the curve by drawing people again, each with all cohorts they stand in."""
    tails = (1 - parameters["level"]) / 2
    lowest, low, high = asked.lowest, [], []
    before = dict(zip([each[0] for each in asked.spans][1:], [each[0] for each in asked.spans], strict=False))
    for segment, rows in made.groupby(asked.segment or (lambda _: 0), sort=False):
        mine = frame[frame[asked.segment] == segment] if asked.segment else frame
        dealt = ages.Dealt(mine, asked)
        of_segment = cells[cells[asked.segment] == segment] if asked.segment else cells
        for row in rows.itertuples():
            cohort = of_segment.loc[of_segment["x"] == row.x, "cohort"]
            base = row.x if asked.reference == "cohort" or row.x == lowest else before.get(row.x, row.x - 1)
            now = dealt.drawn(row.x, cohort)
            whole = dealt.drawn(returns.SIZE if base == row.x else base, cohort)
            with np.errstate(divide="ignore", invalid="ignore"):
                values = now.sum(axis=1) / whole.sum(axis=1) if parameters["average"] == "pooled" else (
                    np.ma.masked_invalid(now / whole).mean(axis=1).filled(np.nan))
            values = values[np.isfinite(values)]
            ends = np.quantile(values, [tails, 1 - tails]) if len(values) and row.at_risk else (np.nan, np.nan)
            low.append(np.fmin(ends[0], row.value))
            high.append(np.fmax(ends[1], row.value))
    return low, high


@measure(shape="curve", unit="share of people", better="higher", reads="users events", finish=_curve,
         preset="retention", interval="Wilson where pooled over people who stand in one cohort each, Student's over cohorts for "
         "their mean, bootstrap over people where they stand in several cohorts or the age before is the base")
def curve(data: Data, *, start: Names | None = None, back: Names | None = None, entry: Entry = "first",
          rule: Rule = "on", unit: Unit = "week", clock: Clock = "calendar", brackets: Brackets | None = None,
          min_events: int = 1, reference: Reference = "cohort", first_age: int = 0, horizon: int | None = None,
          average: Average = "pooled", by: str | None = None, breakdown: str | None = None, like: str | None = None) -> Table:
    """Share of people who come back at each age (unit: `unit`, rule: `rule`), over all mature cohorts (`average`).

    Parameters
    ----------
    data, start, back, entry, rule, unit, clock, brackets, min_events, reference, first_age, horizon, by, breakdown, like
        As in `cohorts`.
    average
        "pooled": all who came back divided by all in the cohorts. "mean": the mean of the cohorts' shares,
        in which a small cohort weighs as much as a large one.

    Returns
    -------
    One row per age: x (the age, a bracket's first with its last as until), value, low, high, at_risk (people in
    the cohorts that are mature at that age, or back at the age before), cohorts (how many those are). Pooled, the
    interval is Wilson's, and that of the mean Student's over cohorts. Where people stand in several cohorts, or
    those back before are the base, people are drawn again, in 256 groups, each with all that is theirs.

    Examples
    --------
    >>> from plgkit import samples
    >>> curve(samples.tiny(), horizon=2)[["x", "value", "at_risk", "cohorts"]]
       x  value  at_risk  cohorts
    0  0   1.00        4        1
    1  1   0.50        4        1
    2  2   0.75        4        1
    >>> curve(samples.tiny(), entry="recurring", first_age=1, horizon=2)[["x", "value", "at_risk", "cohorts"]]
       x     value  at_risk  cohorts
    0  1  0.363636       11        4
    1  2  0.454545       11        4
    """
    asked = Question(start, back, entry, rule, unit, clock, brackets, min_events, reference, first_age, horizon, by, breakdown)
    returns.check(data, asked, average=average)
    several = entry == "recurring" or reference == "previous"
    return returns.rows(data, asked, dealt=several)
