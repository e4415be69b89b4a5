"""Retention: who comes back, who stays away, and what that makes of growth."""

from __future__ import annotations

from plgkit.metrics.retention.days import day_n
from plgkit.metrics.retention.growth import growth_accounting, quick_ratio, user_churn
from plgkit.metrics.retention.triangle import cohorts, curve

__all__ = ["cohorts", "curve", "day_n", "growth_accounting", "quick_ratio", "user_churn"]
