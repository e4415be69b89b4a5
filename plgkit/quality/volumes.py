"""How much there is a day, and the days on which tracking stood still."""

from __future__ import annotations

import numpy as np
import pandas as pd
from ibis import _

from plgkit.sources.data import Data


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


def gaps(data: Data, *, least: float = 0.5) -> pd.DataFrame:
    """Days with less than `least` of what was to be expected of that weekday: tracking that stood still or lost rows.

    Returns
    -------
    One row per run of such days: first, last, days, events, expected, effect. Only where a day may be judged, after four weeks.

    Examples
    --------
    >>> from plgkit import samples
    >>> len(gaps(samples.tiny()))
    0
    """
    found = volumes(data)
    # Where fewer than five events are usual, a quiet day is no gap.
    low = (found["share"] < least) & (found["expected"] >= 5)
    run = (low != low.shift()).cumsum()[low]
    made = found[low].groupby(run).agg(first=("day", "min"), last=("day", "max"), days=("day", "size"), events=("events", "sum"),
                                       expected=("expected", "sum")).reset_index(drop=True)
    whole = (made["events"] == 0) if len(made) else pd.Series(dtype="bool")
    made["effect"] = np.where(whole, "nobody was active, as far as is known: active people, retention and streaks of these days are too low",
                              "fewer rows than usual: active people and rates of these days may be too low")
    return made
