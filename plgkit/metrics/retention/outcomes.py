"""Whether people who reached the moment of value stay longer than those who did not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import people, returns
from plgkit.metrics.people import Moment
from plgkit.metrics.registry import measure
from plgkit.metrics.returns import DAYS, SIZE, Unit
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import intervals

_NAMES = {1: "activated", 0: "not activated"}
_COLUMNS = ["group", "x", "value", "low", "high", "at_risk", "difference", "difference_low", "difference_high"]


def _curves(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    days, window, level = DAYS[parameters["unit"]], parameters["within_days"], parameters["level"]
    sizes = frame[frame["age"] == SIZE].rename(columns={"people": "at_risk"}).drop(columns="age")
    room = (pd.Timestamp(data.as_of) - sizes["day"]).dt.days - window
    sizes["over"] = (room // days).clip(0, parameters["horizon"])
    grid = sizes.loc[sizes.index.repeat(sizes["over"])]
    grid = grid.assign(age=grid.groupby(level=0).cumcount().astype("int64"))
    cells = grid.merge(frame[frame["age"] != SIZE], on=["day", "hit", "age"], how="left")
    made = cells.fillna({"people": 0}).groupby(["hit", "age"], as_index=False)[["people", "at_risk"]].sum()
    wide = made.set_index(["age", "hit"]).unstack().reindex(columns=pd.MultiIndex.from_product(
        [["people", "at_risk"], [0, 1]]), fill_value=0).fillna(0)
    here, there = wide.xs(1, axis=1, level=1), wide.xs(0, axis=1, level=1)
    low, high = intervals.newcombe(here["people"], here["at_risk"], there["people"], there["at_risk"], level=level)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = here["people"] / here["at_risk"] - there["people"] / there["at_risk"]
    gaps = pd.DataFrame({"difference": gap, "difference_low": low, "difference_high": high}, index=wide.index)
    made = made.join(gaps, on="age")
    made["value"] = made["people"] / made["at_risk"]
    made["low"], made["high"] = intervals.wilson(made["people"], made["at_risk"], level=level)
    made = made.assign(group=made["hit"].map(_NAMES).astype("str"), x=made["age"] + 1)
    return made.sort_values(["group", "x"], ignore_index=True)[_COLUMNS].astype({"at_risk": "int64", "x": "int64"})


@measure(shape="curve", unit="share of people", better="higher", reads="users events", finish=_curves,
         settings={"event": "activation.event", "within_days": "activation.within_days"},
         interval="Wilson; Newcombe for the difference")
def by_activation(data: Data, *, event: Moment | None = None, within_days: int | None = None, unit: Unit = "week",
                  horizon: int = 12) -> Table:
    """Share of people active in each `unit` after the first `within_days` days: those who activated (`event`) and not.

    Both groups are everybody who signed up long enough ago, and what is compared begins when the time to activate
    is over, so that nobody is counted as staying for being there to activate. It shows what goes along with
    activation; people who mean to stay also activate more.

    Parameters
    ----------
    data
        Reads `users` and `events`; which of them make a person active says the playbook's [activity].
    event
        The moment of first value: an event, several of which any counts, or a rule of conditions.
    within_days
        Days allowed to activate, from the second of signing up.
    unit
        Length of an age: day, week or month (30 days), counted from the day after the last one allowed.
    horizon
        The last age to look at.

    Returns
    -------
    One row per group and age: group ("activated" or "not activated"), x (age, from 1), value, low, high, at_risk
    (people of the group for whom the age is over), difference (activated less not), difference_low,
    difference_high.

    Examples
    --------
    >>> from plgkit import samples
    >>> by_activation(samples.tiny(), horizon=2)[["group", "x", "value", "at_risk", "difference"]]
               group  x  value  at_risk  difference
    0      activated  1    1.0        2         0.5
    1      activated  2    0.0        2        -0.5
    2  not activated  1    0.5        2         0.5
    3  not activated  2    0.5        2        -0.5
    """
    returns.check_choice("unit", unit)
    if isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1:
        raise BadParameter("horizon", horizon, expected="a whole number, 1 or more")
    moments = people.activated(data, event)
    users = data.users.select("user_id", "day", "signed_up_at").left_join(moments, "user_id").drop("user_id_right")
    users = users.filter(people.closed(data, users.signed_up_at, within_days))
    hit = people.within(users.activated_at, users.signed_up_at, within_days)
    users = users.select("user_id", "day", hit=hit.ifelse(1, 0).cast("int64"))
    seen = users.inner_join(data.activity.select("user_id", at=_.day), "user_id")
    later = engine.days_between(seen["at"], seen.day) - (within_days + 1)
    seen = seen.mutate(age=(later // int(DAYS[unit])).cast("int64"), later=later)
    seen = seen.filter(seen.later >= 0, seen.age < horizon)
    seen = seen.group_by("user_id", "day", "hit", "age").aggregate(n=_.count())
    keys = ["day", "hit"]
    sizes = users.group_by(keys).aggregate(people=_.count().cast("int64")).mutate(age=ibis.literal(SIZE, "int64"))
    back = seen.group_by(*keys, "age").aggregate(people=_.count().cast("int64"))
    columns = [*keys, "age", "people"]
    return sizes.select(*columns).union(back.select(*columns))
