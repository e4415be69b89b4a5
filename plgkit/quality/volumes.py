"""How much there is a day, the days on which tracking stood still, and what was set aside."""

from __future__ import annotations

import numpy as np
import pandas as pd
from ibis import _

from plgkit.sources.data import Data

_EFFECTS = (
    ("by up to a day", "a clock ahead of the server's: the order of things within a visit may be wrong"),
    ("before the product started", "it cannot be; it is in no measure"),
    ("a double", "counted twice, these would make the product look busier than it is"),
    ("is not in users", "people nobody signed up: often an identity that was never joined; their use is in no measure"),
    ("is missing", "nobody can say whose or when it was; it is in no measure"),
    ("is not a", "it cannot be read; it is in no measure"),
    ("after received_at", "a clock far ahead of the server's: it would count in periods that have not been"),
    ("times in the future", "behind the last day counted; it changes nothing"),
    ("left out: ", "left out on purpose, by the playbook's [leave_out]"),
    ("counts as missing", "the row is used; what reads this column does without it"),
    ("received over", "the periods they fall into change after they were first shown"),
    ("carry no zone", "in another zone the days would be cut elsewhere"),
)


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


def set_aside(data: Data) -> pd.DataFrame:
    """Rows that are not used, or are used with a reservation, by table and reason.

    Returns
    -------
    One row per table and reason, the most first: table, rows, share (of the table's rows), what, effect (what it does, or would do, to the measures).

    Examples
    --------
    >>> from plgkit import samples
    >>> set_aside(samples.tiny()).empty
    True
    """
    rows = data.overview.set_index("table")
    found = pd.DataFrame([{"table": each.table, "rows": each.rows, "what": each.what} for each in data.findings],
                         columns=["table", "rows", "what"])
    whole = found["table"].map(rows["rows"] + rows["set_aside"] + rows["left_out"])
    found["share"] = found["rows"] / whole.where(whole > 0).astype("float64")
    found["effect"] = [next((effect for word, effect in _EFFECTS if word in what), "it is in no measure") for what in found["what"]]
    found = found.sort_values(["rows", "table", "what"], ascending=[False, True, True], ignore_index=True)
    return found[["table", "rows", "share", "what", "effect"]]
