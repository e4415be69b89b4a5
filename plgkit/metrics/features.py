"""Use of features: how many of the people counted used each of them, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import families, shapes
from plgkit.sources.data import Data

EVERYBODY = ""
ANY = "(any)"


def keys(by: str | None, grain: str | None) -> list[str]:
    """The columns that name a cell: period and segment where there are any."""
    return [*(["period"] if grain else []), *([by] if by else [])]


def counted(data: Data, people: Table, done: Table, names: list[str], *, any_of_them: bool = False) -> Table:
    """Rows per cell and feature: people and times; and one row per cell for everybody.

    Parameters
    ----------
    data
        Says which families the people belong to.
    people
        One row per person with `user_id`, `counted` (1, or 0 for who is too young) and the columns `names`.
    done
        One row per use with `user_id`, `event` and the columns `names`.
    any_of_them
        Whether to count those who used any of the features too.
    """
    if any_of_them:
        done = done.union(done.mutate(event=ibis.literal(ANY)))
    members = families.joined(data, people.select("user_id", "counted", *names)).group_by(
        "family", "counted", *names).aggregate(everybody=_.count().cast("int64"))
    used = families.joined(data, done.group_by("user_id", "event", *names).aggregate(n=_.count()))
    used = used.group_by("family", "event", *names).aggregate(hits=_.count().cast("int64"), times=_.n.sum().cast("int64"))
    homes = members.filter(_.counted == 1).drop("counted")
    used = used.left_join(homes, ["family", *names])
    used = used.mutate(people=used.everybody.fill_null(0)).drop("everybody")
    used = families.summed(used, ["event", *names], times=_.times.sum().cast("int64"))
    sizes = families.summed(members.mutate(hits=members.everybody, people=members.everybody), ["counted", *names])
    columns = [*names, "event", "people", "times", "squares", "products"]
    everybody = sizes.mutate(event=ibis.literal(EVERYBODY), people=sizes.denominator, times=sizes.counted.cast("int64"))
    return everybody.select(columns).union(used.mutate(people=used.numerator).select(columns))


def as_adoption(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """One row per cell and feature: numerator, denominator, value, low, high, times per person, immature."""
    names = keys(parameters.get("by"), parameters.get("grain"))
    frame = frame.assign(all=0)
    everybody, used = frame[frame["event"] == EVERYBODY], frame[frame["event"] != EVERYBODY]
    cells = everybody.assign(
        denominator=everybody["people"].where(everybody["times"] == 1, 0),
        immature=everybody["people"].where(everybody["times"] == 0, 0),
        sizes=everybody["squares"].where(everybody["times"] == 1, 0),
    ).groupby([*names, "all"], as_index=False)[["denominator", "immature", "sizes"]].sum()
    asked = list(dict.fromkeys([*parameters["core"], *used.loc[used["event"] == ANY, "event"]]))
    features = pd.DataFrame({"feature": asked}).assign(all=0)
    used = used.rename(columns={"event": "feature", "people": "numerator"})
    made = cells.merge(features, on="all").merge(used, on=[*names, "all", "feature"], how="left")
    counts = ["numerator", "times", "squares", "products"]
    made[counts] = made[counts].fillna(0).astype("int64")
    made["times_per_person"] = made["times"] / made["numerator"].where(made["numerator"] > 0).astype(np.float64)
    made = shapes.with_share(made, parameters["level"])
    columns = ["feature", "numerator", "denominator", "value", "low", "high", "times_per_person", "immature"]
    return made.sort_values([*names, "feature"], ignore_index=True)[[*names, *columns]]
