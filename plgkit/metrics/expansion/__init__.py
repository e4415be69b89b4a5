"""Expansion: does revenue from those who pay grow or leak away?"""

from __future__ import annotations

from plgkit.metrics.expansion.growing import (
    account_expansion,
    by_kind,
    motion_mix,
    self_serve_expansion,
    self_serve_upsell,
)
from plgkit.metrics.expansion.keeping import gross_churn, grr, net_churn, nrr, revenue_quick_ratio
from plgkit.metrics.expansion.recurring import mrr, mrr_movements

__all__ = [
    "account_expansion", "by_kind", "gross_churn", "grr", "motion_mix", "mrr", "mrr_movements", "net_churn", "nrr",
    "revenue_quick_ratio", "self_serve_expansion", "self_serve_upsell",
]
