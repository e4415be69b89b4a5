"""The ledger line by line: every row behind every number of the movements."""

from __future__ import annotations

import datetime as dt
from typing import Literal, get_args

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter, NotOpened, UnknownAccount
from plgkit.metrics.ledger import rows as ledger_rows
from plgkit.metrics.ledger.behind import behind
from plgkit.metrics.ledger.finish import MINOR
from plgkit.metrics.ledger.rows import GAINS, MOVEMENTS
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

Brief = Literal["ignore", "both"]
Per = Literal["account", "row"]
KINDS = ["opening", *MOVEMENTS, "closing"]
_TOLD = ["kind", "plan_before", "plan", "seats_before", "seats", "motion", "currency", "changed_at"]


def ledger(data: Data, *, period: str | dt.date | None = None, movement: str | list[str] | None = None,
           account: str | list[str] | None = None, brief: Brief | None = None, grain: Grain = "month", per: Per = "account") -> pd.DataFrame:
    """List what each account adds to each number of `expansion.mrr_movements`, to be held against the billing.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    period
        A day of the period to list, such as "2026-05-31", or a month such as "2026-05"; None lists all.
    movement
        Only these: opening, new, reactivation, expansion, contraction, churn, closing. None is all seven for
        one period or account, and the five between opening and closing where everything is listed: the sums
        of those are the closings.
    account
        Only these accounts.
    brief, grain
        As in `expansion.mrr_movements`.
    per
        "account" lists what each account adds; "row" lists the rows of the billing behind that, those that count
        when the period begins and those that count when it ends.

    Returns
    -------
    Per account, one row per period, movement and account: period, movement, account_id, before and after (what the account
    paid at the period's start and end), amount (what it adds to the number; losses above 0 as in the waterfall;
    all in currency), kind (of expansion and contraction: seats, plan, price, add_on, usage, several, unknown), plan and
    seats before and after, motion, currency and changed_at (of the last change in the period, UTC).

    Per row, one row per period, movement, account and row of the billing: reference (invoice or subscription), line_id,
    subscription_id, source_kind (what the row is), billed_at (UTC), billed and currency (as in the billing), from_day and until_day (when it
    counts, without the last day; empty while it runs), before, after and amount (what it adds, recurring, a month, in the
    product's currency; they add up to the account's), note (of what no row tells: a gap that is bridged, credits beyond
    what is charged, an account that came and went).

    Raises
    ------
    UnknownAccount
        If an account never paid anything.

    Examples
    --------
    >>> from plgkit import samples
    >>> ledger(samples.tiny(), period="2025-02")[["movement", "account_id", "before", "after", "amount", "kind"]]
        movement account_id  before  after  amount   kind
    0    opening         a1    20.0   20.0    20.0
    1    opening         a2    50.0   50.0    50.0
    2  expansion         a1    20.0   30.0    10.0  seats
    3      churn         a2    50.0    0.0    50.0
    4    closing         a1    30.0   30.0    30.0
    >>> rows = ledger(samples.tiny(), period="2025-02", movement="expansion", per="row")
    >>> rows[["account_id", "from_day", "billed", "before", "after", "amount"]]
      account_id   from_day  billed  before  after  amount
    0         a1 2025-01-20    20.0    20.0    0.0   -20.0
    1         a1 2025-02-10    30.0     0.0   30.0    30.0
    """
    if not isinstance(data, Data):
        raise NotOpened(data)
    if grain not in get_args(Grain):
        raise BadParameter("grain", grain, expected=f"one of {', '.join(get_args(Grain))}")
    brief = data.playbook.revenue.brief if brief is None else brief
    if brief not in get_args(Brief):
        raise BadParameter("brief", brief, expected=f"one of {', '.join(get_args(Brief))}")
    if per not in get_args(Per):
        raise BadParameter("per", per, expected=f"one of {', '.join(get_args(Per))}")
    start = None if period is None else _start(data, period, grain)
    accounts = [account] if isinstance(account, str) else account
    wanted = _wanted(movement, everything=start is None and accounts is None)
    _check_accounts(data, accounts)
    parts = [_moved(data, grain, brief, [each for each in wanted if each in MOVEMENTS], start, accounts)]
    parts += [_stood(data, grain, each, start, accounts) for each in ("opening", "closing") if each in wanted]
    frame = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    lines = _finished(frame, data)
    return lines if per == "account" else behind(data, lines, grain=grain, start=start, accounts=accounts)


def _wanted(movement: str | list[str] | None, *, everything: bool) -> list[str]:
    if movement is None:
        return MOVEMENTS if everything else KINDS
    wanted = [movement] if isinstance(movement, str) else list(movement)
    for each in wanted:
        if each not in KINDS:
            raise BadParameter("movement", each, expected=f"one of {', '.join(KINDS)}")
    return wanted


def _start(data: Data, period: str | dt.date, grain: Grain) -> dt.date:
    """The first day of the period asked for."""
    try:
        day = period if isinstance(period, dt.date) else dt.date.fromisoformat(
            f"{period}-01" if len(period) == len("2026-05") else period)
    except (TypeError, ValueError):
        raise BadParameter("period", period, expected="a day such as 2026-05-31, or a month such as 2026-05") from None
    day = day.date() if isinstance(day, dt.datetime) else day
    if day > data.as_of:
        raise BadParameter("period", str(period), expected=f"a day up to {data.as_of}, the last one counted")
    return engine.period_of(day, grain, data.playbook.product.week_start)


def _check_accounts(data: Data, accounts: list[str] | None) -> None:
    if accounts is None:
        return
    paying = data.subscriptions.filter(_.account_id.isin(accounts)).select("account_id").distinct()
    lost = sorted(set(accounts) - set(engine.run(paying)["account_id"]))
    if lost:
        some = engine.run(data.subscriptions.select("account_id").distinct().order_by("account_id").limit(1000))
        raise UnknownAccount(lost[0], some["account_id"])


def _moved(data: Data, grain: Grain, brief: str, wanted: list[str], start: dt.date | None,
           accounts: list[str] | None) -> pd.DataFrame:
    rows = ledger_rows.moves(data, grain, brief=brief)
    rows = rows.filter(rows.period == ibis.date(start.isoformat())) if start else rows
    rows = rows.filter(rows.account_id.isin(accounts)) if accounts is not None else rows
    parts = [_as_lines(rows, each) for each in wanted or MOVEMENTS[:1]]
    found = engine.run(ibis.union(*parts) if len(parts) > 1 else parts[0])
    return found if wanted else found.head(0)


def _as_lines(rows: Table, movement: str) -> Table:
    """The accounts that make one movement, in minor units."""
    some = rows.filter(rows[movement] > 0)
    passing = some.came_and_went
    told = ledger_rows.kind(some) if movement in ("expansion", "contraction") else ibis.literal("")
    words = [name for name in _TOLD if name in some.columns and name != "kind"]
    return some.select(
        "period", "account_id", *words, movement=ibis.literal(movement), kind=told, amount=some[movement],
        before=some.opening + (0 if movement in GAINS else passing),
        after=some.closing + (passing if movement in GAINS else 0))


def _stood(data: Data, grain: Grain, movement: str, start: dt.date | None, accounts: list[str] | None) -> pd.DataFrame:
    """What accounts paid at the start or at the end of each period, and by which change."""
    changes, periods = ledger_rows.spans(data).filter(_.mrr_minor > 0), ledger_rows.ends(data, grain)
    changes = changes.filter(changes.account_id.isin(accounts)) if accounts is not None else changes
    periods = periods.filter(periods.period == ibis.date(start.isoformat())) if start else periods
    moment = periods.before if movement == "opening" else periods.until
    held = changes.inner_join(periods, (changes.day < moment) & (changes.next_day >= moment))
    words = [name for name in _TOLD if name in held.columns and name != "kind"]
    return engine.run(held.select(
        "period", "account_id", *words, movement=ibis.literal(movement), kind=ibis.literal(""),
        amount=held.mrr_minor, before=held.mrr_minor, after=held.mrr_minor,
        **({"plan_before": held.plan, "seats_before": held.seats})))


def _finished(frame: pd.DataFrame, data: Data) -> pd.DataFrame:
    money = ["before", "after", "amount"]
    frame[money] = frame[money].astype("float64") / MINOR
    for name in ("seats_before", "seats"):
        frame[name] = frame[name].astype("Int64")
    place = frame["movement"].map(KINDS.index)
    frame = frame.assign(place=place).sort_values(["period", "place", "account_id"], ignore_index=True)
    columns = ["period", "movement", "account_id", *money, *[name for name in _TOLD if name in frame.columns]]
    made = frame[columns]
    made.attrs = {"unit": "currency", "currency": data.playbook.product.currency}
    return made
