"""Random subscriptions that change in the middle of things, billed as a payment service does, and what they truly pay."""

from __future__ import annotations

import numpy as np
import pandas as pd

PLANS = {"small": 2000, "middle": 5000, "large": 12300}
DAY = pd.Timedelta(days=1)


def company(seed: int, accounts: int = 40) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lines of invoices, and the truth: account, day and what it pays from then on, in cents."""
    rng = np.random.default_rng(seed)
    lines, truth = [], []
    for number in range(accounts):
        for subscription in range(rng.integers(1, 3)):
            _life(rng, f"a{number}", f"s{number}-{subscription}", lines, truth)
    columns = ["account_id", "subscription_id", "plan", "seats", "kind", "issued_at", "service_from", "service_to", "amount"]
    frame = pd.DataFrame(lines, columns=columns)
    frame = frame.assign(line_id=[f"l{n}" for n in range(len(frame))], invoice_id=frame["subscription_id"])
    marks = pd.DataFrame(truth, columns=["account_id", "day", "delta"]).groupby(["account_id", "day"])["delta"].sum()
    paid = marks.groupby("account_id").cumsum()
    paid = paid[paid != paid.groupby("account_id").shift().fillna(0)].rename("mrr_minor").reset_index()
    return frame.sample(frac=1, random_state=seed, ignore_index=True), paid


def _life(rng: np.random.Generator, account: str, subscription: str, lines: list, truth: list) -> None:
    """One subscription from its first invoice to its end, with changes of plan; each is made even by the day."""
    start = pd.Timestamp("2024-01-01") + pd.Timedelta(seconds=int(rng.integers(0, 366 * 86_400)))
    every, seats, plan = int(rng.choice([1, 3, 12])), int(rng.integers(1, 9)), str(rng.choice(list(PLANS)))
    before = 0
    for turn in range(int(rng.integers(1, 30 // every + 2))):
        here, end = start + pd.DateOffset(months=turn * every), start + pd.DateOffset(months=(turn + 1) * every)
        lines.append((account, subscription, plan, seats, None, here, here, end, every * PLANS[plan] * seats / 100))
        before = _now(truth, account, here, before, PLANS[plan] * seats)
        if rng.random() < 0.3:
            at = here + (end - here) * float(rng.uniform(0.02, 0.97))
            at, left = at.floor("s"), (end - at.floor("s")) / (end - here)
            lines.append((account, subscription, plan, seats, "proration", at, at, end,
                          -round(every * PLANS[plan] * seats * left) / 100))
            plan, seats = str(rng.choice(list(PLANS))), int(rng.integers(1, 9))
            lines.append((account, subscription, plan, seats, "proration", at, at, end,
                          round(every * PLANS[plan] * seats * left) / 100))
            before = _now(truth, account, at, before, PLANS[plan] * seats)
            # Only the line after it tells what a part was rounded from.
            lines.append((account, subscription, plan, seats, None, end, end, end + pd.DateOffset(months=every),
                          every * PLANS[plan] * seats / 100))
            before = _now(truth, account, end + pd.DateOffset(months=every), before, 0)
            return
    _now(truth, account, end, before, 0)


def _now(truth: list, account: str, moment: pd.Timestamp, before: int, after: int) -> int:
    truth.append((account, moment.normalize(), after - before))
    return after
