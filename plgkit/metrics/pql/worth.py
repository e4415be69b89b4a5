"""What qualified accounts that paid are worth, beside payers that never qualified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import ledger, signals
from plgkit.metrics.expansion import lives
from plgkit.metrics.pql.customers import NEVER, QUALIFIED
from plgkit.metrics.pql.scoring import READS
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import bootstrap, money

_BROUGHT, _LIFE = "brought", "life"
_YEAR = 365
_COLUMNS = ["group", "n", "months", "to_date", "to_date_low", "to_date_high", "stopped", "arpa", "counted", "value", "low", "high",
            "beyond"]


def _cells(data: Data, threshold: float) -> Table:
    """Payers alike in their life and what they pay, and alike in what they brought so far, by group."""
    crossed = signals.crossings(data, threshold).select(lead="account_id")
    found = lives.rows(data)
    found = found.left_join(crossed, found.account_id == crossed.lead)
    group = found.lead.notnull().ifelse(QUALIFIED, NEVER)
    payers = found.mutate(group=group).select("account_id", "group", "closed", "ended", "minor")
    none = ibis.literal(0, "int64")
    life = payers.group_by("group", "closed", "ended", "minor").aggregate(accounts=_.count().cast("int64"))
    life = life.mutate(kind=ibis.literal(_LIFE), brought=none, minor_days=none)
    held = ledger.spans(data).filter(_.mrr_minor > 0)
    after = ibis.date((data.as_of + engine.DAY).isoformat())
    days = engine.days_between(ibis.least(held.next_day, after), held.day)
    sums = held.mutate(minor_days=held.mrr_minor * days).group_by("account_id").aggregate(
        minor_days=_.minor_days.sum().cast("int64"))
    brought = payers.inner_join(sums, "account_id")
    whole = (brought.minor_days / float(_YEAR / 12 * ledger.MINOR)).floor().cast("int64")
    brought = brought.mutate(brought=whole).group_by("group", "brought").aggregate(
        accounts=_.count().cast("int64"), minor_days=_.minor_days.sum().cast("int64"))
    columns = ["kind", "group", "closed", "ended", "minor", "brought", "accounts", "minor_days"]
    return life.select(columns).union(brought.mutate(kind=ibis.literal(_BROUGHT), closed=none, ended=none, minor=none).select(columns))


def _as_worth(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for group in (QUALIFIED, NEVER):
        own = frame[frame["group"] == group].sort_values(["closed", "ended", "minor", "brought"], kind="stable")
        life, brought = (own[own["kind"] == kind].reset_index(drop=True) for kind in (_LIFE, _BROUGHT))
        if len(life):
            rows.append((group, *_to_date(life, brought, parameters["level"]), *_expected(life, parameters)))
    made = pd.DataFrame(rows, columns=_COLUMNS)
    kinds = {"group": "str", "n": "int64", "stopped": "int64"}
    return made.astype(kinds | {name: "float64" for name in _COLUMNS if name not in kinds})


def _to_date(life: pd.DataFrame, brought: pd.DataFrame, level: float) -> tuple[float, ...]:
    """Accounts, months watched, and what one brought so far in the mean, with its interval."""
    n = int(life["accounts"].sum())
    value = float(brought["minor_days"].sum()) / (_YEAR / 12 * ledger.MINOR) / n
    _, low, high = bootstrap.ratio(brought["brought"], np.ones(len(brought)), brought["accounts"], level=level)
    months = float((life["closed"] * life["accounts"]).sum()) / n
    return n, months, value, *((min(low, value), max(high, value)) if n > 1 else (np.nan, np.nan))


def _expected(life: pd.DataFrame, parameters: Mapping[str, Any]) -> tuple[float, ...]:
    """How many stopped, what one pays a month, what is to be expected of one, and the share still paying after all that is counted."""
    one, many = lives.seen(life), lives.drawn(life)
    ages = min(parameters["horizon"], lives.staying(one).shape[1])
    paid, drawn = (lives.staying(each)[:, :ages].sum(axis=1) for each in (one, many))
    value = float(parameters["margin"] / ledger.MINOR * one.arpa[0] * paid[0])
    low, high = money.span(parameters["margin"] / ledger.MINOR * many.arpa * drawn, value, parameters["level"])
    beyond = float(lives.staying(one)[0, min(ages, lives.staying(one).shape[1] - 1)])
    return one.leaving.sum(), one.arpa[0] / ledger.MINOR, float(ages), value, low, high, beyond


@measure(shape="table", unit="currency", better="higher", reads=READS, finish=_as_worth,
         settings={"threshold": "pql.threshold", "margin": "product.gross_margin"}, interval=ledger.BY_ACCOUNT)
def lifetime_value(data: Data, *, threshold: float | None = None, margin: float | None = None, horizon: int = 60) -> Table:
    """What accounts that paid have brought and will bring, those that reached `threshold` points before it beside the others.

    Brought so far is recurring revenue, day by day, before costs. What is to be expected over a life is revenue per account as
    it is now, at a gross margin of `margin`, times the months within `horizon` in which accounts of the group were seen to pay
    (Kaplan-Meier), and nothing of what comes after the oldest of them, as "survival" of `expansion.lifetime_value`.

    Parameters
    ----------
    data
        As `scores`; needs `subscriptions`.
    threshold
        Points from which an account is a lead, without fading.
    margin
        Gross margin: the part of revenue that is left after serving the customer.
    horizon
        Months of payments to count at most.

    Returns
    -------
    One row per group, "qualified" and "never qualified" (before they paid): group, n (accounts that ever paid), months (since the
    first payment, in the mean: who paid earlier has brought more), to_date (currency per account) with to_date_low and
    to_date_high, stopped (how many were seen to leave), arpa (currency a month, of those paying now), counted (payments at most),
    value (currency expected over a life; missing where nobody pays now), low, high, beyond (share still paying after them).

    Raises
    ------
    BadParameter
        If the margin is no share, or the horizon below 1.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = lifetime_value(samples.tiny())  # a1: 21 days of 20 a month and 19 of 30; a2: 26 days of 50, then left
    >>> found[["group", "n", "to_date", "stopped", "arpa"]].round(2)
                 group  n  to_date  stopped  arpa
    0        qualified  1    32.55        0  30.0
    1  never qualified  1    42.74        1   NaN
    """
    if not 0 < margin <= 1:
        raise BadParameter("margin", margin, expected="a share above 0 and up to 1, such as 0.8")
    if horizon < 1:
        raise BadParameter("horizon", horizon, expected="a whole number of months, 1 or more")
    return _cells(data, threshold)
