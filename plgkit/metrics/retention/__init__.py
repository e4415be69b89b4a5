"""Retention: who comes back, who stays away, and what that makes of growth."""

from __future__ import annotations

from plgkit.metrics.retention.days import activated_day_n, day_n
from plgkit.metrics.retention.growth import growth_accounting, quick_ratio, user_churn
from plgkit.metrics.retention.levelling import plateau
from plgkit.metrics.retention.outcomes import by_activation
from plgkit.metrics.retention.payers import free_people, paying_accounts
from plgkit.metrics.retention.risk import at_risk
from plgkit.metrics.retention.stopping import survival, survival_compared
from plgkit.metrics.retention.triangle import cohorts, curve

__all__ = [
    "activated_day_n", "at_risk", "by_activation", "cohorts", "curve", "day_n", "free_people", "growth_accounting",
    "paying_accounts", "plateau", "quick_ratio", "survival", "survival_compared", "user_churn",
]
