"""Use by the time since people signed up: of those still active, and of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import windows
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import bootstrap

_SPANS = ["value", "low", "high", "of_all", "of_all_low", "of_all_high"]


def _by_age(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = [*([parameters["by"]] if parameters["by"] else []), "age"]
    rows = []
    for key, cells in frame.sort_values([*keys, "days"]).groupby(keys, sort=True):
        active = cells[cells["days"] > 0]
        means = [bootstrap.mean(part["days"], part["people"], level=parameters["level"]) for part in (active, cells)]
        rows.append((*key, int(cells["people"].sum()), int(active["people"].sum()), *means[0], *means[1]))
    made = pd.DataFrame(rows, columns=[*keys, "people", "active", *_SPANS])
    return made.astype({"age": "int64", "people": "int64", "active": "int64"} | dict.fromkeys(_SPANS, "float64"))


@measure(shape="table", unit="days", better="higher", reads="users events", finish=_by_age,
         interval="bootstrap over people")
def days_by_age(data: Data, *, trailing_days: int = 28, horizon: int = 12, by: str | None = None) -> Table:
    """Days active in the last `trailing_days` days, by how long ago people signed up: of those active, and of all.

    The two tell apart what is easily taken for one thing. People still active after a year came often from the
    start: a mean over them rises with age because those who came seldom are gone, not because anybody came more.

    Parameters
    ----------
    data
        Reads `users` and `events`; which of them make a person active says the playbook's [activity].
    trailing_days
        Days of the window, which ends with `as_of`, and of one step of age. Who signed up within the window has
        not had all of it and is left out.
    horizon
        The last age; whoever is older counts there.
    by
        Column to cut by.

    Returns
    -------
    One row per age: age (whole windows since signing up, before this one), people (signed up then), active (of those,
    in the window), value (mean days of the active), low, high, of_all (mean days of all of them), of_all_low,
    of_all_high.

    Examples
    --------
    >>> from plgkit import samples
    >>> days_by_age(samples.tiny())[["age", "people", "active", "value", "of_all"]]  # Ann came on 2 days, Cho on 1
       age  people  active  value  of_all
    0    0       4       2    1.5    0.75
    """
    first = data.as_of - (trailing_days - 1) * engine.DAY
    users = data.users.filter(_.day < ibis.date(first.isoformat())).select("user_id", "day")
    age = (engine.days_between(ibis.date(first.isoformat()), users.day) - 1) // trailing_days
    users = users.mutate(age=ibis.least(age, ibis.literal(horizon)).cast("int64"))
    active = windows.active_days(data, [data.as_of], trailing_days).select("user_id", "days")
    people = users.left_join(active, "user_id").select("user_id", "age", days=_.days.fill_null(0).cast("int64"))
    return segmented(data, people, by).group_by(*([by] if by else []), "age", "days").aggregate(
        people=_.count().cast("int64"))
