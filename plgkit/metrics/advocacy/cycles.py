"""How long it takes until who was invited is where the inviter was: one turn of the wheel."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import durations, families
from plgkit.metrics.advocacy.rows import Kind, followed
from plgkit.metrics.people import Moment, activated, segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between

DAY_SECONDS = 86_400.0


@measure(shape="distribution", unit="days", better="lower", reads="users invites events",
         settings={"event": "activation.event"}, interval=families.SURVIVAL,
         finish=functools.partial(durations.as_distribution, per=DAY_SECONDS))
def viral_cycle_time(data: Data, *, event: Moment | None = None, kind: Kind | None = None, by: str | None = None,
                     grain: Grain | None = None) -> Table:
    """Days from the activation (`event`) of who invites to that of who came by it; who has not activated yet still counts.

    Kaplan-Meier over all who came by somebody who had activated by the end of the data. Who activated before
    the one who invited did so at once. Nobody is waited for who has not accepted.

    Parameters
    ----------
    data
        Reads `users`, `invites` and `events`.
    event
        The moment of first value, as in `activation.rate`.
    kind
        Only who came by an "invite", or by a "link"; None for both.
    by
        Column of the people who invite to cut by.
    grain
        Length of the period of the inviter's activation to cut by; None takes all together.

    Returns
    -------
    One row per period and segment: n (people who came), events (activated), value (median days), low, high,
    q25, q75, median_among (of those who activated), among_low, among_high. Of those who come many never activate: the
    median over all may be late or missing, and median_among grows as slow ones come in.

    Examples
    --------
    >>> from plgkit import samples
    >>> viral_cycle_time(samples.tiny())[["n", "events", "value", "median_among"]].round(2)  # Ann 9:30, Bob four days later
       n  events  value  median_among
    0  1       1   4.27          4.27
    """
    rows = _turns(data, event, kind, by)
    if grain:
        rows = rows.mutate(period=data.period(data.local(rows.start_at).date(), grain))
    return durations.counted(families.dealt(data, rows), by=by, period=grain is not None)


def _turns(data: Data, event: Moment, kind: Kind | None, by: str | None) -> Table:
    """One row per person who came by somebody activated: `user_id` (of who invited), `duration` and `reached`."""
    rows = followed(data, event).filter(_.came == 1)
    rows = rows if kind is None else rows.filter(rows.kind == kind)
    start = activated(data, event).select("user_id", start_at=_.activated_at)
    rows = rows.select("done_at", inviter=_.inviter_id).inner_join(start, _.inviter == start.user_id)
    done = rows.done_at.notnull()
    waited = seconds_between(done.ifelse(rows.done_at, data.end_literal), rows.start_at)
    rows = rows.mutate(reached=done.ifelse(1, 0), duration=ibis.greatest(waited, ibis.literal(0.0)))
    return segmented(data, rows.select("user_id", "start_at", "reached", "duration"), by)


def _as_curve(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return durations.as_curve(frame, data, parameters, per=DAY_SECONDS, upto=DAY_SECONDS * parameters["up_to_days"])


@measure(shape="curve", unit="share of those who came", better="higher", reads="users invites events",
         settings={"event": "activation.event"}, interval=families.SURVIVAL, finish=_as_curve)
def viral_cycle_curve(data: Data, *, event: Moment | None = None, kind: Kind | None = None, up_to_days: int = 28,
                      by: str | None = None) -> Table:
    """Share of those who came by somebody and have activated (`event`), by the days since who invited them did, up to `up_to_days`.

    Kaplan-Meier, over the people that `viral_cycle_time` counts.

    Parameters
    ----------
    data
        Reads `users`, `invites` and `events`.
    event
        The moment of first value, as in `activation.rate`.
    kind
        Only who came by an "invite", or by a "link"; None for both.
    up_to_days
        Where the curve ends; what happened later is not drawn.
    by
        Column of the people who invite to cut by.

    Returns
    -------
    One row per time at which somebody activated, and one for the end: x (days), value (share activated by then), low,
    high, at_risk (people still on the way just before).

    Examples
    --------
    >>> from plgkit import samples
    >>> viral_cycle_curve(samples.tiny())[["x", "value", "at_risk"]].round(2)
          x  value  at_risk
    0  0.00    0.0        1
    1  4.27    1.0        1
    """
    return durations.counted(families.dealt(data, _turns(data, event, kind, by)), by=by, period=False)
