"""How deep newcomers go in their first sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import sessions as sittings
from plgkit.metrics.people import closed, segmented, since_signup, within
from plgkit.metrics.registry import measure
from plgkit.sources import engine, rollups
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between
from plgkit.stats import bootstrap, intervals

WHATS = {"features": 1.0, "events": 1.0, "minutes": 60.0}
"""What is counted of each person, and how many of the query's units make one."""


def _depth(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = [*(["period"] if parameters["grain"] else []), *([parameters["by"]] if parameters["by"] else []), "what"]
    rows = [dict(zip(keys, key, strict=True)) | _summary(group, WHATS[key[-1]], parameters["level"])
            for key, group in frame.groupby(keys, sort=True)]
    columns = [*keys, "n", "value", "low", "high", "median", "median_low", "median_high", "immature"]
    made = pd.DataFrame(rows, columns=columns).astype({"n": "int64", "immature": "int64"})
    if "period" in made:
        made["period"] = made["period"].astype("datetime64[us]")
    return made


def _summary(group: pd.DataFrame, per: float, level: float) -> dict[str, float]:
    old = group[group["old"] == 1]
    counts, values = old["people"], old["amount"] / per
    mean, low, high = bootstrap.mean(values, counts, level=level)
    if counts.sum() < 2:
        low = high = np.nan
    middle = intervals.quantile(values, counts=counts, level=level)
    return {"n": int(counts.sum()), "value": mean, "low": low, "high": high, "median": middle[0],
            "median_low": middle[1], "median_high": middle[2],
            "immature": int(group.loc[group["old"] == 0, "people"].sum())}


@measure(shape="table", unit="per sign-up", better="higher", reads="users events", finish=_depth,
         interval="bootstrap over people; of the median by ranks",
         settings={"core": "features.core", "within_days": "onboarding.within_days",
                   "gap_minutes": "sessions.gap_minutes"})
def engagement_depth(data: Data, *, sessions: int = 3, core: list[str] | None = None, within_days: int | None = None,
                     gap_minutes: int | None = None, by: str | None = None, grain: Grain | None = None) -> Table:
    """Core features, events and active minutes in a new person's first `sessions` sessions within `within_days` days.

    Everybody who signed up so long ago is in it, also who came only once or did nothing more. Events and features are those
    before the next session begins; active minutes are the time from the first to the last event of each session.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    sessions
        How many sessions since signing up are looked at.
    core
        The events that are features: how many of them each person used.
    within_days
        Days of 24 hours from the second of sign-up in which the sessions count.
    gap_minutes
        A pause longer than this begins a new session, where the source gives no session id.
    by
        Column to cut by.
    grain
        Length of the period of sign-up to cut by; None takes all sign-ups together.

    Returns
    -------
    One row per period, segment and what is counted ("events", "features", "minutes"): n (sign-ups), value (mean
    per sign-up), low, high, median, median_low, median_high, immature (sign-ups that are too young).

    Examples
    --------
    >>> from plgkit import samples
    >>> engagement_depth(samples.tiny())[["what", "n", "value", "median"]]
           what  n  value  median
    0    events  4   3.00     2.0
    1  features  4   1.00     1.0
    2   minutes  4   6.25     0.0
    """
    data.event(core)  # refuses a misspelt one, which would read as never used
    people = data.users.select("user_id", "signed_up_at")
    sat = sittings.whole(data, gap_minutes=gap_minutes).inner_join(people, "user_id")
    shut = sat.signed_up_at + ibis.interval(days=within_days)
    sat = sat.filter((sat.ended_at >= sat.signed_up_at) & (sat.started_at <= shut))
    sat = sat.select("user_id", "started_at", since=ibis.greatest(sat.started_at, sat.signed_up_at),
                     until=ibis.least(sat.ended_at, shut))
    order = ibis.window(group_by=sat.user_id, order_by=[sat.started_at, sat.until])
    sat = sat.mutate(place=ibis.row_number().over(order))
    spent = (sat.place < sessions).ifelse(seconds_between(sat.until, sat.since), 0.0)
    stop = (sat.place == sessions).ifelse(sat.started_at, ibis.null("timestamp(6)"))
    sat = sat.group_by("user_id").aggregate(minutes=spent.sum(), stop=stop.max())
    rows = since_signup(data, rollups.active_events(data.events, data.playbook)).inner_join(sat, "user_id")
    rows = rows.filter(within(rows.occurred_at, rows.signed_up_at, within_days)
                       & (rows.stop.isnull() | (rows.occurred_at < rows.stop)))
    done = rows.group_by("user_id").aggregate(
        events=rows.event.count(), features=rows.event.isin(core).ifelse(rows.event, ibis.null("string")).nunique())
    done = done.mutate(events=engine.whole(done.events), features=engine.whole(done.features))
    done = sat.select("user_id", "minutes").left_join(done, "user_id").drop("user_id_right")
    return _cells(data, done, within_days=within_days, by=by, grain=grain)


def _cells(data: Data, done: Table, *, within_days: int, by: str | None, grain: Grain | None) -> Table:
    """How many people share each amount of each thing, by whether they are old enough."""
    people = data.users.left_join(done, "user_id").drop("user_id_right")
    if grain:
        people = people.mutate(period=data.period(people.day, grain))
    people = segmented(data, people, by)
    keys = [*(["period"] if grain else []), *([by] if by else [])]
    parts = [people.select(
        *keys, what=ibis.literal(what), amount=people[what].fill_null(0).cast("int64"),
        old=closed(data, people.signed_up_at, within_days).ifelse(1, 0)) for what in WHATS]
    return ibis.union(*parts).group_by(*keys, "what", "amount", "old").aggregate(people=_.count().cast("int64"))
