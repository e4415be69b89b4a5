"""Acquisition: who comes, who signs up, by which way, at what cost, and whether that comes back."""

from plgkit.metrics.acquisition.arrivals import channel_split, organic_share, signup_growth, signups
from plgkit.metrics.acquisition.cost import cac, cost_per_signup
from plgkit.metrics.acquisition.visits import (
    time_to_signup,
    trial_signup,
    visitor_funnel,
    visitor_to_signup,
    visitors,
)
from plgkit.metrics.acquisition.worth import cac_payback, ltv_to_cac

__all__ = [
    "cac", "cac_payback", "channel_split", "cost_per_signup", "ltv_to_cac", "organic_share", "signup_growth", "signups",
    "time_to_signup", "trial_signup", "visitor_funnel", "visitor_to_signup", "visitors",
]
