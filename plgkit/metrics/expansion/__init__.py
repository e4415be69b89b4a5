"""Expansion: does revenue from those who pay grow or leak away?"""

from __future__ import annotations

from plgkit.metrics.expansion.cohorts import concentration, revenue_cohorts, revenue_curve
from plgkit.metrics.expansion.following import journey
from plgkit.metrics.expansion.forecasts import forecast
from plgkit.metrics.expansion.growing import (
    account_expansion,
    by_kind,
    motion_mix,
    self_serve_expansion,
    self_serve_upsell,
)
from plgkit.metrics.expansion.keeping import gross_churn, grr, net_churn, nrr, revenue_quick_ratio
from plgkit.metrics.expansion.lifetime import lifetime_curve, lifetime_value
from plgkit.metrics.expansion.readiness import (
    activation_to_expansion,
    next_best_accounts,
    time_to_expansion_signal,
)
from plgkit.metrics.expansion.recurring import mrr, mrr_movements

__all__ = [
    "account_expansion", "activation_to_expansion", "by_kind", "concentration", "forecast", "gross_churn", "grr",
    "journey", "lifetime_curve", "lifetime_value", "motion_mix", "mrr", "mrr_movements", "net_churn",
    "next_best_accounts", "nrr", "revenue_cohorts", "revenue_curve", "revenue_quick_ratio", "self_serve_expansion",
    "self_serve_upsell", "time_to_expansion_signal",
]
