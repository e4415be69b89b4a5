"""Engagement: how many people are active, how often, and what they use."""

from plgkit.metrics.engagement.accounts import people_per_account, viewer_editor_ratio
from plgkit.metrics.engagement.activity import active_days, active_people, stickiness
from plgkit.metrics.engagement.ages import days_by_age
from plgkit.metrics.engagement.coming import session_frequency, session_length, sessions
from plgkit.metrics.engagement.paying import free_vs_paid_usage
from plgkit.metrics.engagement.repeating import usage_interval, usage_interval_curve
from plgkit.metrics.engagement.scores import score, score_distribution, scores
from plgkit.metrics.engagement.use import feature_adoption, feature_breadth

__all__ = [
    "active_days", "active_people", "days_by_age", "feature_adoption", "feature_breadth", "free_vs_paid_usage",
    "people_per_account", "score", "score_distribution", "scores", "session_frequency", "session_length", "sessions", "stickiness",
    "usage_interval", "usage_interval_curve", "viewer_editor_ratio",
]
