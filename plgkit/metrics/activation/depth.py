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

    Everybody who signed up so long ago is in it, also who came only once or did nothing more. Active minutes are the
    time from the first to the last event of the sessions; of sessions that overlap, the time counts once.

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
    rows = since_signup(data, sittings.begun(data, gap_minutes=gap_minutes))
    rows = rows.filter(within(rows.occurred_at, rows.signed_up_at, within_days))
    of_person = ibis.window(group_by=rows.user_id, order_by=[rows.occurred_at, rows.event])
    rows = rows.mutate(before=rows.occurred_at.lag().over(of_person))
    rows = rows.mutate(start=((rows.begins == 1) | rows.before.isnull()).ifelse(1, 0))
    starts = rows.filter(rows.start == 1)
    place = ibis.row_number().over(ibis.window(group_by=starts.user_id, order_by=starts.occurred_at))
    stops = starts.mutate(place=place).filter(_.place == sessions).select("user_id", stop=_.occurred_at)
    rows = rows.left_join(stops, "user_id").drop("user_id_right")
    rows = rows.filter(rows.stop.isnull() | (rows.occurred_at < rows.stop))
    spent = (rows.start == 0).ifelse(seconds_between(rows.occurred_at, rows.before), 0.0)
    done = rows.group_by("user_id").aggregate(
        events=rows.event.count(), minutes=spent.sum(),
        features=rows.event.isin(core).ifelse(rows.event, ibis.null("string")).nunique())
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
