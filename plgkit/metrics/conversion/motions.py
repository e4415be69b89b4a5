"""Self-service, sales, and both together, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import ledger
from plgkit.metrics.accounts import before_paying, members, openings
from plgkit.metrics.people import NONE, activated, closed, segmented, segments, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import seconds_between
from plgkit.stats import intervals, retained

ALL, SPENT, HYBRID = "all", "spent", "hybrid"
DAY_SECONDS = 86_400.0
COLUMNS = ["motion", "accounts", "customers", "value", "low", "high", "median_days", "days_low", "days_high", "contract_value",
           "contract_low", "contract_high", "cac"]


def _as_motions(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, level = parameters["by"], parameters["level"]
    rows = []
    for key, part in frame.groupby(by) if by else [("", frame)]:
        accounts = int(part.loc[part["kind"] == ALL, "count"].sum())
        won = part[part["kind"] == "won"]
        costs = _costs(won[won["costed"] == 1], part[part["kind"] == SPENT]) if data.has("spend") and by in (None, "channel") else {}
        for motion, mine in won.groupby("motion", sort=True):
            rows.append((*([key] if by else []), motion, accounts, *_one(mine, accounts, level), costs.get(motion, np.nan)))
    made = pd.DataFrame(rows, columns=[*([by] if by else []), *COLUMNS])
    numbers = dict.fromkeys(COLUMNS[3:], "float64")
    return made.astype({"accounts": "int64", "customers": "int64", "motion": "str"} | numbers)


def _one(mine: pd.DataFrame, accounts: int, level: float) -> tuple[float, ...]:
    """How many, their share of all accounts, their median days to pay and mean yearly value, each with its interval."""
    mine, customers = mine.sort_values(["duration", "minor"]), int(mine["count"].sum())
    low, high = intervals.wilson(customers, accounts, level=level)
    days = np.array(intervals.quantile(mine["duration"], counts=mine["count"], level=level)) / DAY_SECONDS
    days[0] = np.median(np.repeat(mine["duration"], mine["count"])) / DAY_SECONDS
    worth = np.array(retained.mean(mine["minor"] * 12, np.ones(len(mine)), mine["count"], level=level)) / ledger.MINOR
    return customers, customers / accounts, low, high, *days, *worth


def _costs(won: pd.DataFrame, spent: pd.DataFrame) -> dict[str, float]:
    """What a customer of each motion cost: what those of its channel cost, and its part of what brought nobody."""
    if won.empty:
        return {}
    customers = won.groupby("channel")["count"].sum()
    money = spent.groupby("channel")["minor"].sum() / ledger.MINOR
    for_nobody = money[~money.index.isin(customers.index)].sum() / customers.sum()
    each = money.reindex(customers.index, fill_value=0.0) / customers + for_nobody
    cost = won["channel"].map(each) * won["count"]
    return (cost.groupby(won["motion"]).sum() / won.groupby("motion")["count"].sum()).to_dict()


@measure(shape="table", unit="share of new accounts", better="higher", reads="accounts users subscriptions", finish=_as_motions,
         settings={"within_days": "conversion.within_days"},
         interval=f"Wilson of the share; order statistics of the median; of the value {ledger.MEAN}")
def by_motion(data: Data, *, within_days: int | None = None, by: str | None = None) -> Table:
    """Self-serve, sales-assisted and hybrid first payments within `within_days` days of the account's creation, side by side.

    All stand on the same accounts: those created long enough ago. How an account comes to pay is known only once it has paid, so
    that the shares are of all new accounts and add up to `free_to_paid`; a share of "accounts that sales worked on" would
    need to be told which those were. Hybrid is a payment won by sales from an account that had activated by itself before, where the
    playbook says what activation is.

    Parameters
    ----------
    data
        Reads `subscriptions` (motion), `users`, and `accounts`, `events`, `spend` where they are there.
    within_days
        Days of 24 hours from the second of creation; the last instant counts.
    by
        Column to cut by.

    Returns
    -------
    One row per motion: motion, accounts (all that are old enough), customers (that first paid this way), value (their share) with low
    and high, median_days from creation to payment among them with days_low and days_high, contract_value (currency a year: twelve times
    the first monthly payment, mean) with contract_low and contract_high, cac (currency: marketing spend over customers, by channel,
    what a channel spent for nobody spread over all; salaries are not in it; of accounts created since spend is known, up to
    the last that is old enough; missing without `spend`, or cut by anything but channel).

    Raises
    ------
    BadParameter
        If cut by motion, which is what the rows are.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = by_motion(samples.tiny())  # a2 was sold to after Cho had activated; her channel cost 100
    >>> found[["motion", "accounts", "customers", "contract_value", "cac"]]
           motion  accounts  customers  contract_value    cac
    0      hybrid         3          1           600.0  100.0
    1  self_serve         3          1           240.0    0.0
    """
    if by == "motion":
        raise BadParameter("by", by, expected="another column: motion is what the rows are")
    rows = before_paying(data, openings(data).filter(closed(data, _.created_at, within_days)), "created_at")
    rows = _with_hybrid(data, rows)
    hit = within(rows.paid_at, rows.created_at, within_days)
    rows = rows.mutate(kind=hit.ifelse("won", ALL))
    rows = segmented(data, rows, by, unit="account_id")
    known = data.has("spend") and "channel" in segments(data)
    rows = segmented(data, rows, "channel" if known and by != "channel" else None, unit="account_id")
    rows = rows if "channel" in rows.columns else rows.mutate(channel=ibis.literal(NONE))
    keys = sorted({"channel", *([by] if by else [])})
    everybody = rows.group_by(keys).aggregate(count=_.count().cast("int64"))
    won = rows.filter(rows.kind == "won").mutate(
        duration=seconds_between(_.paid_at, _.created_at), motion=_.paid_by.fill_null(NONE), minor=_.paid_minor,
        costed=(_.day >= _first_spend(data)).ifelse(1, 0))
    won = won.group_by(*keys, "motion", "duration", "minor", "costed").aggregate(count=_.count().cast("int64"))
    parts = [_part(everybody, ALL, keys), _part(won, "won", keys)]
    if known and by in (None, "channel"):
        parts.append(_part(_spent(data, rows), SPENT, keys))
    return ibis.union(*parts)


def _part(rows: Table, kind: str, keys: list[str]) -> Table:
    known = {"motion": ("", "string"), "duration": (0.0, "float64"), "minor": (0, "int64"), "count": (0, "int64"), "costed": (0, "int64")}
    given = {name: (rows[name] if name in rows.columns else ibis.literal(missing)).cast(as_kind)
             for name, (missing, as_kind) in known.items()}
    return rows.select(*keys, kind=ibis.literal(kind), **given)


def _first_spend(data: Data) -> ibis.Value:
    """The first day of which spend is known; no account of an earlier day has a known cost."""
    first = data.run(data.spend.aggregate(first=_.day.min()))["first"].iloc[0] if data.has("spend") else pd.NaT
    return ibis.date(str((data.as_of if pd.isna(first) else first.date()).isoformat()))


def _spent(data: Data, rows: Table) -> Table:
    """Spend by channel up to the day the last account that is old enough was created."""
    last = rows.aggregate(last=_.day.max())
    spent = data.spend.cross_join(last)
    spent = spent.filter(spent.day <= spent.last).mutate(channel=_.channel.fill_null(NONE))
    return spent.group_by("channel").aggregate(minor=_.amount_minor.sum().cast("int64"))


def _with_hybrid(data: Data, rows: Table) -> Table:
    """The accounts, those that activated before sales won them as "hybrid"."""
    words = data.playbook.activation
    event = words.event or words.rule
    if not event or not data.has("events", "users"):
        return rows
    began = activated(data, event).inner_join(members(data), "user_id").group_by("account_id").aggregate(
        activated_at=_.activated_at.min())
    joined = rows.left_join(began, "account_id").drop("account_id_right")
    both = (joined.paid_by == "sales") & (joined.activated_at < joined.paid_at).fill_null(False)
    return joined.mutate(paid_by=both.fill_null(False).ifelse(HYBRID, joined.paid_by)).drop("activated_at")
