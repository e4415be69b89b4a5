"""Retention: who comes back, who stays away, and what that makes of growth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter, BrokenIdentity
from plgkit.metrics import actives, returns, shapes
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.metrics.returns import Clock, Names, Rule, Unit
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import intervals

Average = Literal["pooled", "mean"]


@measure(shape="cohort", unit="share of the cohort", better="higher", reads="users events", finish=returns.as_cohorts)
def cohorts(data: Data, *, start: Names | None = None, back: Names | None = None, rule: Rule = "on",
            unit: Unit = "week", clock: Clock = "calendar", min_events: int = 1, first_age: int = 0,
            horizon: int | None = None, by: str | None = None) -> Table:
    """Share of each cohort that comes back at each age (unit: `unit`, rule: `rule`).

    A cohort holds the people who signed up (or did `start` for the first time) in one period.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    start
        Event that makes a person part of a cohort, the first time; None is signing up.
    back
        Event by which a person is back; None is any activity, as the playbook's [activity] says.
    rule
        "on": back at that age. "on_or_after": back at that age or later, up to `horizon`, which is
        the same for all cohorts, so that older ones have no more time than younger ones.
    unit
        Length of a cohort and of an age: day, week or month.
    clock
        "calendar" counts periods of the product's zone: 20:00 and 06:00 next day are one day apart. "rolling"
        counts blocks of 24 hours, 7 days or 30 days from the person's own start.
    min_events
        Events within the age (or from it on) that it takes to count as back.
    first_age
        The first age to show.
    horizon
        The last age to look at; None is the last there is, and for "on_or_after" 30 days, 12 weeks or
        12 months.
    by
        Column to cut by.

    Returns
    -------
    One row per cohort and age that has begun: cohort (first day of the period), age, numerator (people back),
    denominator (people in the cohort), value, low, high, mature (whether that age, or the horizon, is over for
    everybody in the cohort; until then the numerator can still grow).

    Raises
    ------
    AlwaysBack
        If the start event itself would count as coming back at age 0.

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
    """
    returns.check(start=start, back=back, rule=rule, unit=unit, clock=clock, min_events=min_events,
                  first_age=first_age, horizon=horizon)
    return returns.rows(data, start=start, back=back, rule=rule, unit=unit, clock=clock, min_events=min_events,
                        first_age=first_age, horizon=horizon, by=by)


def _curve(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, level = parameters["by"], parameters["level"]
    cells = returns.as_cohorts(frame, data, parameters)
    cells = cells[cells["mature"]].rename(columns={"age": "x"})
    keys = [*([by] if by else []), "x"]
    made = cells.groupby(keys, as_index=False).agg(
        numerator=("numerator", "sum"), at_risk=("denominator", "sum"), cohorts=("value", "count"),
        mean=("value", "mean"), deviation=("value", "std"))
    if parameters["average"] == "pooled":
        made["value"] = made["numerator"] / made["at_risk"]
        made["low"], made["high"] = intervals.wilson(made["numerator"], made["at_risk"], level=level)
    else:
        low, high = intervals.mean_interval(made["mean"], made["deviation"], made["cohorts"], level=level)
        made = made.assign(value=made["mean"], low=np.maximum(low, 0), high=np.minimum(high, 1))
    return made[[*keys, "value", "low", "high", "at_risk", "cohorts"]]


@measure(shape="curve", unit="share of people", better="higher", reads="users events", finish=_curve,
         interval="Wilson interval where pooled, Student's interval over cohorts for their mean")
def curve(data: Data, *, start: Names | None = None, back: Names | None = None, rule: Rule = "on",
          unit: Unit = "week", clock: Clock = "calendar", min_events: int = 1, first_age: int = 0,
          horizon: int | None = None, average: Average = "pooled", by: str | None = None) -> Table:
    """Share of people who come back at each age (unit: `unit`, rule: `rule`), over all mature cohorts (`average`).

    Parameters
    ----------
    data, start, back, rule, unit, clock, min_events, first_age, horizon, by
        As in `cohorts`.
    average
        "pooled": all who came back divided by all in the cohorts. "mean": the mean of the cohorts' shares,
        in which a small cohort weighs as much as a large one.

    Returns
    -------
    One row per age: x (the age), value, low, high (pooled: Wilson; mean: Student's over cohorts), at_risk
    (people in the cohorts that are mature at that age), cohorts (how many those are).

    Examples
    --------
    >>> from plgkit import samples
    >>> curve(samples.tiny(), horizon=2)[["x", "value", "at_risk", "cohorts"]]
       x  value  at_risk  cohorts
    0  0   1.00        4        1
    1  1   0.50        4        1
    2  2   0.75        4        1
    """
    returns.check(start=start, back=back, rule=rule, unit=unit, clock=clock, min_events=min_events,
                  first_age=first_age, horizon=horizon, average=average)
    return returns.rows(data, start=start, back=back, rule=rule, unit=unit, clock=clock, min_events=min_events,
                        first_age=first_age, horizon=horizon, by=by)


@measure(shape="rate", unit="share of sign-ups", better="higher", reads="users events")
def day_n(data: Data, *, day: int = 7, until: int | None = None, clock: Clock = "calendar", by: str | None = None,
          grain: Grain = "week") -> Table:
    """Share of sign-ups who are active again on day `day` after signing up.

    Parameters
    ----------
    data
        Reads `users` and `events`; which of them make a person active says the playbook's [activity].
    day
        Days after the day of sign-up: 1, 7, 30 are usual.
    until
        Last day of a span that begins with `day`: any activity in it counts. None is that day alone.
    clock
        "calendar" counts days of the product's zone, "rolling" 24 hours each from the second of sign-up.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of sign-up: period, numerator and denominator (people for whom the day is over), value,
    low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> day_n(samples.tiny(), day=1)[["period", "numerator", "denominator", "value"]].head(1)
          period  numerator  denominator  value
    0 2025-01-06          2            4    0.5
    """
    last = day if until is None else until
    if isinstance(day, bool) or not isinstance(day, int) or day < 1:
        raise BadParameter("day", day, expected="a whole number of days, 1 or more")
    if isinstance(last, bool) or not isinstance(last, int) or last < day:
        raise BadParameter("until", until, expected=f"a whole number of days, {day} or more")
    returns.check_choice("clock", clock)
    people = segmented(data, data.users.mutate(period=data.period(_.day, grain)), by)
    back, over = returns.span(data, people, day, last, clock)
    people = people.mutate(over=over)
    people = people.left_join(back, people.user_id == back.back_id)
    return shapes.rate(people, by=by, hit=~people.back_id.isnull(), mature=people.over)


def _churn(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = _accounted(frame, data, parameters)
    made = made.assign(numerator=made["churned"], denominator=made["active_before"])
    made = made[made["period"] > made["period"].min()]
    made = shapes.only_complete(made, data, parameters["grain"])
    made = shapes.with_share(made, parameters["level"])
    return shapes.ordered(made, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="share of people active before", better="lower", reads="events", finish=_churn)
def user_churn(data: Data, *, event: Names | None = None, by: str | None = None, grain: Grain = "week") -> Table:
    """Share of the people active in the period before who are not active in this one.

    Parameters
    ----------
    data
        Reads `events`.
    event
        Event that makes a person active; None is any activity, as the playbook's [activity] says.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period from the second: period, numerator (gone), denominator (active in the period before),
    value, low, high, immature (people who may still come in a period that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> user_churn(samples.tiny(), grain="month")[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-02-01          2            4    0.5
    """
    return actives.moves(data, grain, event=event, by=by)


_MOVES = ["active", "new", "retained", "resurrected"]


def _accounted(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Every period with those who were active before and those of them who are gone."""
    by = parameters["by"]
    made = shapes.every_period(frame, data, parameters, _MOVES)
    before = made.groupby(by)["active"].shift() if by else made["active"].shift()
    made["active_before"] = before.fillna(0).astype("int64")
    made["churned"] = made["active_before"] - made["retained"]
    return made


def _growth(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = _accounted(frame, data, parameters)
    _assert_identity(made)
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    made["settled"] = _settled(made["period"], data)
    columns = ["active", "active_before", "new", "retained", "resurrected", "churned", "complete", "settled"]
    return shapes.ordered(made, parameters, columns)


def _assert_identity(made: pd.DataFrame) -> None:
    sums = made["active_before"] + made["new"] + made["resurrected"] - made["churned"]
    broken = made[(made["active"] != sums) | (made["churned"] < 0)]
    if len(broken):
        row = broken.iloc[0]
        raise BrokenIdentity(
            "active = active before + new + resurrected - churned", where=f"the period of {row.period:%d %b %Y}",
            found=f"{row.active} is not {row.active_before} + {row.new} + {row.resurrected} - {row.churned}")


def _settled(periods: pd.Series, data: Data) -> pd.Series:
    """Whether the first of the data lies far enough back, or is the first of the product."""
    events, started = data.overview.set_index("table").loc["events"], data.playbook.product.started_on
    if periods.empty or (started is not None and events["first"].date() < started + 7 * engine.DAY):
        return pd.Series(True, index=periods.index)
    return periods >= events["first"] + pd.Timedelta(days=28)


@measure(shape="table", unit="people", better="neither", reads="events", finish=_growth)
def growth_accounting(data: Data, *, event: Names | None = None, by: str | None = None,
                      grain: Grain = "week") -> Table:
    """People active in a period: new ones, those who stayed, those back after a pause, and those gone.

    In every period active = active before + new + resurrected - churned.

    Parameters
    ----------
    data
        Reads `events`.
    event
        Event that makes a person active; None is any activity, as the playbook's [activity] says.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, active, active_before, new (active for the first time ever), retained (also
    active in the period before), resurrected (not in the one before, but earlier), churned (active in the one
    before, not in this), complete (the period is over), settled (False within four weeks of the first day of
    the data, where people from before the data are taken for new; the playbook's product.started_on tells
    that there are none).

    Raises
    ------
    BrokenIdentity
        If the identity fails in a period.

    Examples
    --------
    >>> from plgkit import samples
    >>> growth_accounting(samples.tiny()).iloc[:5, :7]
          period  active  active_before  new  retained  resurrected  churned
    0 2025-01-06       4              0    4         0            0        0
    1 2025-01-13       2              4    0         2            0        2
    2 2025-01-20       3              2    0         2            1        0
    3 2025-01-27       0              3    0         0            0        3
    4 2025-02-03       2              0    0         0            2        0
    """
    return actives.moves(data, grain, event=event, by=by)


def _quick(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = _accounted(frame, data, parameters)
    made = made.assign(numerator=made["new"] + made["resurrected"], denominator=made["churned"],
                       moved=made["new"] + made["resurrected"] + made["churned"])
    made = made[made["period"] > made["period"].min()]
    over = shapes.complete(made["period"], data, parameters["grain"])
    made = made.assign(immature=made["moved"].where(~over, 0), numerator=made["numerator"].where(over, 0),
                       denominator=made["denominator"].where(over, 0))
    made["value"] = made["numerator"] / made["denominator"].where(made["denominator"] > 0).astype("float64")
    made["low"], made["high"] = shapes.odds(made["numerator"], made["denominator"], parameters["level"])
    return shapes.ordered(made, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="ratio", better="higher", reads="events", finish=_quick,
         interval=shapes.ODDS)
def quick_ratio(data: Data, *, event: Names | None = None, by: str | None = None, grain: Grain = "week") -> Table:
    """New and resurrected people divided by those who churned: above 1 the number of active people grows.

    Parameters
    ----------
    data
        Reads `events`.
    event
        Event that makes a person active; None is any activity, as the playbook's [activity] says.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period from the second: period, numerator (new and resurrected), denominator (churned), value
    (missing where nobody churned), low, high (both counts taken as Poisson), immature (all of them in a period
    that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> quick_ratio(samples.tiny(), grain="month")[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-02-01          0            2    0.0
    """
    return actives.moves(data, grain, event=event, by=by)
