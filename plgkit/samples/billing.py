"""Billing: what each paying account pays, month by month, until it stops, and whether it returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .breaking import SOUND, Broken
from .clock import DAY, END, NEVER
from .money import Accounts
from .story import STORY
from .words import PLANS

_MONTH = int(30.44 * DAY)
_PRICES = np.array([STORY.money.price[plan] for plan in PLANS])


@dataclass
class Changes:
    """Columns of equal length, one place per change of what an account pays."""

    account: np.ndarray
    at: np.ndarray
    mrr: np.ndarray
    plan: np.ndarray
    seats: np.ndarray
    sales: np.ndarray


def bill(rng: np.random.Generator, accounts: Accounts, broken: Broken = SOUND) -> tuple[Changes, np.ndarray]:
    """Follow every paying account; also tell when each stopped for good (`NEVER` if it did not)."""
    payers = np.flatnonzero(accounts.pays < NEVER)
    n = len(payers)
    sales = accounts.sales[payers]
    plan = np.where(sales, 1, rng.random(n) < 0.14).astype(np.int64)
    seats = np.where(
        sales, np.exp(3.92 + 0.45 * rng.standard_normal(n)), np.exp(1.74 + 0.55 * rng.standard_normal(n))
    )
    seats = np.maximum(np.round(seats), 1)
    now, active, stopped = accounts.pays[payers].copy(), np.ones(n, bool), np.full(n, NEVER)
    rows = [(payers, now.copy(), plan, seats, sales)]
    while n and (now < END).any():
        now = now + _MONTH + (rng.random(n) * 2 * DAY).astype(np.int64)
        plan, seats, active, sales, moved = _month(rng, plan, seats, active, sales, broken.factor("expansion", now))
        moved &= now < END
        stopped = np.where(moved, np.where(active, NEVER, now), stopped)
        rows.append((payers[moved], now[moved], plan[moved], np.where(active, seats, 0)[moved], sales[moved]))
    account, at, plans, paid, motion = (np.concatenate(column) for column in zip(*rows, strict=True))
    order = np.lexsort((at, account))
    mrr = np.round(_PRICES[plans] * paid * np.where(paid >= 30, 0.9, 1.0), 2)
    changes = Changes(
        account[order], at[order], mrr[order], plans[order], paid[order].astype(np.int64), motion[order]
    )
    ended = np.full(len(accounts), NEVER)
    ended[payers] = stopped
    return changes, ended


def _month(
    rng: np.random.Generator,
    plan: np.ndarray,
    seats: np.ndarray,
    active: np.ndarray,
    sales: np.ndarray,
    worse: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw what a month brings: an end, fewer seats, more seats, a higher plan, or a return."""
    truth, luck = STORY.money, rng.random(len(plan))
    bad = [truth.monthly_churn * worse, truth.monthly_contraction * worse]
    good = [truth.monthly_expansion / worse, truth.monthly_upgrade / worse]
    what = (np.cumsum(bad + good, axis=0) <= luck).sum(axis=0)
    ends = active & (what == 0)
    returns = ~active & (rng.random(len(plan)) < truth.comes_back / 5)
    fewer = np.minimum(np.floor(seats * (0.6 + 0.3 * rng.random(len(plan)))), seats - 1)
    more = np.ceil(seats * (1.1 + 0.35 * rng.random(len(plan))))
    smaller, larger = active & (what == 1) & (seats > 1), active & (what == 2)
    upgrade = active & (what == 3) & (plan == 0)
    seats = np.select([smaller, larger], [fewer, more], default=seats)
    sales = sales | (larger & (seats > 25) & (rng.random(len(plan)) < 0.4))
    moved = ends | returns | smaller | larger | upgrade
    return np.where(upgrade, 1, plan), seats, (active & ~ends) | returns, sales, moved
