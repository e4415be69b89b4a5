"""Expansion: does revenue from those who pay grow or leak away?"""

from __future__ import annotations

from plgkit.metrics.expansion.keeping import gross_churn, grr, net_churn, nrr, revenue_quick_ratio
from plgkit.metrics.expansion.recurring import mrr, mrr_movements

__all__ = ["gross_churn", "grr", "mrr", "mrr_movements", "net_churn", "nrr", "revenue_quick_ratio"]
