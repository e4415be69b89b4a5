"""Engagement: how many people are active, how often, and what they use."""

from plgkit.metrics.engagement.activity import active_days, active_people, stickiness
from plgkit.metrics.engagement.scores import score, score_distribution, scores
from plgkit.metrics.engagement.sessions import session_frequency, session_length
from plgkit.metrics.engagement.use import feature_adoption, feature_breadth

__all__ = [
    "active_days", "active_people", "feature_adoption", "feature_breadth", "score", "score_distribution", "scores",
    "session_frequency", "session_length", "stickiness",
]
