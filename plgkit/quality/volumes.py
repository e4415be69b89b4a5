"""How much there is a day, and the days on which tracking stood still."""

from __future__ import annotations

from typing import Any

import pandas as pd
from ibis import _

from plgkit.sources.data import Data

LEAST_USUAL = 5
"""Where fewer events than this are usual of a weekday, a quiet day is no gap."""
SILENCE = 28
"""Days in a row without any event that are a gap wherever they come."""
_WEEK = pd.Timedelta(days=7)


def volumes(data: Data) -> pd.DataFrame:
    """Events and active people of every day, and what was to be expected of that weekday.

    Returns
    -------
    One row per day from the first event to the last day counted: day, events, people, expected (median of the same weekday
    over the four weeks before; missing in the first weeks), share (events / expected), gap (no event at all).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = volumes(samples.tiny())
    >>> found[["day", "events", "people", "gap"]].head(3)
             day  events  people    gap
    0 2025-01-06       4       2  False
    1 2025-01-07       1       1  False
    2 2025-01-08       2       2  False
    """
    counted = data.run(data.events.group_by("day").aggregate(
        events=_.count().cast("int64"), people=_.user_id.nunique().cast("int64")))
    if counted.empty:
        return pd.DataFrame({"day": pd.Series(dtype="datetime64[us]"), "events": pd.Series(dtype="int64"), "people": pd.Series(dtype="int64"),
                             "expected": pd.Series(dtype="float64"), "share": pd.Series(dtype="float64"), "gap": pd.Series(dtype="bool")})
    days = pd.date_range(counted["day"].min(), pd.Timestamp(data.as_of), name="day").astype("datetime64[us]")
    made = counted.set_index("day").reindex(days, fill_value=0).reset_index()
    weekday = made.groupby(made["day"].dt.day_of_week)["events"]
    made["expected"] = weekday.transform(lambda each: each.shift(1).rolling(4, min_periods=4).median())
    made["share"] = made["events"] / made["expected"].where(made["expected"] > 0)
    made["gap"] = made["events"] == 0
    return made


def gaps(data: Data, *, least: float = 0.5, silent_days: int = SILENCE) -> pd.DataFrame:
    """Days with less than `least` of what was to be expected of that weekday, and `silent_days` or more in a row without any event.

    A day may be judged after four weeks, where five events or more are usual. A silence that began on such a day is one gap as long as it lasts.

    Returns
    -------
    One row per run of such days: first, last, days, events, expected (of the days that may be judged; missing where none may), effect.

    Examples
    --------
    >>> from plgkit import samples
    >>> len(gaps(samples.tiny()))
    0
    """
    found = volumes(data)
    judged = found["expected"] >= LEAST_USUAL
    low = (found["share"] < least) & judged
    silence = (found["gap"] != found["gap"].shift()).cumsum()
    long = found["gap"] & ((found["gap"].groupby(silence).transform("size") >= silent_days) | low.groupby(silence).transform("any"))
    low = low | long
    run = (low != low.shift()).cumsum()[low]
    rows = found.assign(expected=found["expected"].where(judged))[low]
    made = rows.groupby(run).agg(first=("day", "min"), last=("day", "max"), days=("day", "size"), events=("events", "sum"), people=("people", "sum"),
                                 expected=("expected", lambda each: each.sum(min_count=1))).reset_index(drop=True)
    made["effect"] = [_effect(row, found) for row in made.itertuples()]
    return made[["first", "last", "days", "events", "expected", "effect"]].astype({"expected": "float64"})


def _effect(gap: Any, found: pd.DataFrame) -> str:
    """What the days around a gap say was lost, and where it is missing."""
    around = found[(found["day"] >= gap.first - 4 * _WEEK) & (found["day"] <= gap.last + 4 * _WEEK) & ~found["day"].between(gap.first, gap.last)]
    usual = around.groupby(around["day"].dt.day_of_week)["people"].median()
    wanted = pd.Series(pd.date_range(gap.first, gap.last)).dt.day_of_week.map(usual).fillna(0)
    lost = max(float(wanted.sum()) - gap.people, 0.0)
    ended = gap.last == found["day"].max()
    if not gap.events and gap.days >= SILENCE:
        if ended:
            return f"nothing has come since {gap.first:%Y-%m-%d}: engagement.active_people is 0 and everybody counts as lost (retention.user_churn)"
        return (f"nobody was active for {gap.days:,} days: everybody who was there before counts as lost (retention.cohorts, retention.user_churn), "
                "and periods before and after cannot be compared")
    missing = f"about {gap.expected - gap.events:,.0f} events" if gap.expected > gap.events else "no events beyond doubt"
    days = "" if gap.days == 1 else ", the days added up,"
    people = f" and {lost:,.0f} active people{days}" if lost >= 1 else ""
    return f"{missing}{people} are missing: engagement.active_people, retention.cohorts and streaks of {'this day' if gap.days == 1 else 'these days'} are too low"
