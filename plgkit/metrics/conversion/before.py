"""Use of the product before the decision: of those who later pay and of those who do not, over the same days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics.conversion.early import watched
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.stats import bootstrap, times

LATER, NOT = "paid later", "did not pay"
_MEASURES = {"days active": ("active_days", "days"), "people active": ("active_people", "people"),
             "core features used": ("core", "features"), "events": ("done", "events")}
COLUMNS = ["measure", "unit", "group", "n", "value", "low", "high", "times", "times_low", "times_high"]


def _compare(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, level = parameters["by"], parameters["level"]
    keys, rows = [*([by] if by else []), "measure"], []
    for key, cells in frame.groupby(keys, sort=True):
        sides = {name: part.sort_values("amount") for name, part in cells.groupby("hit")}
        for hit, group in ((1, LATER), (0, NOT)):
            if hit in sides:
                mine = sides[hit]
                found = bootstrap.mean(mine["amount"], mine["accounts"], level=level)
                against = (float("nan"),) * 3
                if hit and 0 in sides:
                    base = sides[0]
                    against = times.of_means(mine["amount"], mine["accounts"], base["amount"], base["accounts"], level=level)
                rows.append((*key, _MEASURES[key[-1]][1], group, int(mine["accounts"].sum()), *found, *against))
    made = pd.DataFrame(rows, columns=[*keys, *COLUMNS[1:]])
    numbers = dict.fromkeys(("value", "low", "high", "times", "times_low", "times_high"), "float64")
    made = made.astype({"n": "int64", **dict.fromkeys((*keys, "unit", "group"), "str"), **numbers})
    order = [list(_MEASURES).index(name) * 2 + (group == NOT) for name, group in zip(made["measure"], made["group"], strict=True)]
    return made.assign(order=order).sort_values([*keys[:-1], "order"], ignore_index=True).drop(columns="order")


@measure(shape="table", unit="as each row says", better="neither", reads="users events subscriptions", finish=_compare,
         settings={"to_days": "conversion.within_days"}, interval="bootstrap over accounts")
def usage_before_paying(data: Data, *, days: int = 14, to_days: int | None = None, still_there: bool = False,
                        by: str | None = None) -> Table:
    """Use in the first `days` days by accounts that then paid up to day `to_days`, and by those that did not.

    Both have the same days, and nobody had paid in them: what is compared is free use before the decision, not what paying
    customers do with what they bought (see `engagement.free_vs_paid_usage` for that). Accounts that paid within the first days are in
    neither group, nor are accounts not watched to the end.

    Parameters
    ----------
    data
        Reads `users`, `events`, `subscriptions`, and `accounts` where it is there.
    days
        Days of 24 hours from the second of creation in which use counts.
    to_days
        Days of 24 hours from creation up to which a first payment counts.
    still_there
        True leaves out who had already gone: not seen in the second half of the first days.
    by
        Column to cut by.

    Returns
    -------
    One row per measure and group: measure, unit, group ("paid later" or "did not pay"), n (accounts), value (mean per account, 0
    for those that did nothing), low, high, times (as a multiple of those that did not pay), times_low, times_high. The
    measures: days active, people active, core features used (with the playbook's [features] core), events.

    Raises
    ------
    BadParameter
        If `to_days` is not after `days`.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = usage_before_paying(samples.tiny(), days=7)  # a1: 6, 7, 8, 10 and 13 January; a2: one day
    >>> found[["measure", "group", "n", "value"]].head(2)
           measure        group  n  value
    0  days active   paid later  2    3.0
    1  days active  did not pay  1    2.0
    """
    core = data.playbook.features.core
    found = watched(data, days=days, to_days=to_days, core=core, still_there=still_there, by=by)
    breadth = found.breadth.rename(breadth_id="account_id")
    rows = found.accounts.left_join(breadth, found.accounts.account_id == breadth.breadth_id)
    parts = [rows.select(*([by] if by else []), "hit", measure=ibis.literal(name), amount=rows[column].fill_null(0))
             for name, (column, _unit) in _MEASURES.items() if core or column != "core"]
    return ibis.union(*parts).group_by("measure", *([by] if by else []), "hit", "amount").aggregate(
        accounts=_.count().cast("int64"))
