"""People who are busier than people can be."""

from __future__ import annotations

import pandas as pd
from ibis import _

from plgkit.quality.touched import percent
from plgkit.sources.data import Data


def heavy_people(data: Data, *, times: float = 20.0) -> pd.DataFrame:
    """People whose busiest day has over `times` what one in a hundred days of use reaches: robots, tests, or a loop.

    Returns
    -------
    One row per such person, the busiest first: user_id, events, days, busiest (events on the busiest day), usual (what one day of use in a hundred reaches),
    share (of all events), effect.

    Examples
    --------
    >>> from plgkit import samples
    >>> heavy_people(samples.tiny()).empty
    True
    """
    days = data.activity
    counted = data.run(days.group_by("n").aggregate(days=_.count().cast("int64"))).sort_values("n")
    columns = ["user_id", "events", "days", "busiest", "usual", "share", "effect"]
    if counted.empty:
        return pd.DataFrame(columns=columns)
    reached = counted["days"].cumsum() >= 0.99 * counted["days"].sum()
    usual = int(counted.loc[reached, "n"].iloc[0])
    each = days.group_by("user_id").aggregate(events=_.n.sum().cast("int64"), days=_.count().cast("int64"), busiest=_.n.max())
    found = data.run(each.filter(each.busiest > times * usual)).sort_values(["busiest", "user_id"], ascending=[False, True], ignore_index=True)
    whole = float((counted["n"] * counted["days"]).sum())
    people = int(data.run(days.aggregate(n=_.user_id.nunique()))["n"].iloc[0])
    made = found.assign(usual=usual, share=found["events"] / whole)
    made["effect"] = [_effect(row.events, row.days, int(whole), people) for row in made.itertuples()]
    return made[columns]


def _effect(events: int, days: int, whole: int, people: int) -> str:
    """What all people's means are with and without this one."""
    if people < 2:
        return "nobody else is there to compare with"
    return (f"with it events a person are {whole / people:,.1f}, without it {(whole - events) / (people - 1):,.1f} ({percent(events / whole)} of all): "
            f"engagement.sessions and engagement.feature_adoption count it on {days:,} day{'' if days == 1 else 's'}, engagement.active_people as one; "
            "to leave it out: [leave_out] user_ids")
