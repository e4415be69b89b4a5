"""The ledger of recurring revenue: what each account paid at the end of each period, and what moved it."""

from __future__ import annotations

from plgkit.metrics.ledger.finish import BY_ACCOUNT, MEAN, MINOR, as_mean, as_money_ratio, spanned
from plgkit.metrics.ledger.rows import (
    GAINS,
    LOSSES,
    MOVEMENTS,
    closings,
    ends,
    kind,
    moved_up,
    moves,
    spans,
    standing,
    standing_in,
    then_and_now,
    untils,
)

__all__ = [
    "BY_ACCOUNT", "GAINS", "LOSSES", "MEAN", "MINOR", "MOVEMENTS", "as_mean", "as_money_ratio", "closings", "ends", "kind", "moved_up", "moves",
    "spanned", "spans", "standing", "standing_in", "then_and_now", "untils",
]
