"""Advocacy: do people bring others, and would they recommend the product?"""

from plgkit.metrics.advocacy.bringing import k_curve, k_factor, viral_signups
from plgkit.metrics.advocacy.classics import viewers_to_editors, workspace_people
from plgkit.metrics.advocacy.cycles import viral_cycle_curve, viral_cycle_time
from plgkit.metrics.advocacy.inviting import invite_acceptance, invite_funnel
from plgkit.metrics.advocacy.looping import loops
from plgkit.metrics.advocacy.sharing import link_shares, referrals_per_user, sharing_rate
from plgkit.metrics.advocacy.voices import comments, csat, nps, survey

__all__ = [
    "comments", "csat", "invite_acceptance", "invite_funnel", "k_curve", "k_factor", "link_shares", "loops", "nps",
    "referrals_per_user", "sharing_rate", "survey", "viewers_to_editors", "viral_cycle_curve", "viral_cycle_time",
    "viral_signups", "workspace_people",
]
