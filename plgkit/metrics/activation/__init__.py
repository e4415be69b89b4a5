"""Activation: do new people reach the moment of value, and how fast?"""

from __future__ import annotations

from plgkit.metrics.activation.aha import aha_candidates
from plgkit.metrics.activation.depth import engagement_depth
from plgkit.metrics.activation.onboarding import (
    core_feature_adoption,
    onboarding_completion,
    onboarding_drop_off,
    onboarding_instead,
)
from plgkit.metrics.activation.rates import conversion, day1_rate, rate
from plgkit.metrics.activation.waiting import (
    outcomes,
    time_to_value,
    time_to_value_compared,
    time_to_value_curve,
)
from plgkit.metrics.activation.ways import path_moves, paths

__all__ = [
    "aha_candidates",
    "conversion",
    "core_feature_adoption",
    "day1_rate",
    "engagement_depth",
    "onboarding_completion",
    "onboarding_drop_off",
    "onboarding_instead",
    "outcomes",
    "path_moves",
    "paths",
    "rate",
    "time_to_value",
    "time_to_value_compared",
    "time_to_value_curve",
]
