"""The words of the made-up company: its events, its channels, and what people wrote to it."""

from __future__ import annotations

EVENTS = (
    "signed_up",
    "signed_in",
    "profile_completed",
    "board_created",
    "card_added",
    "teammate_invited",
    "card_finished",
    "board_viewed",
    "card_moved",
    "comment_added",
    "checklist_used",
    "file_attached",
    "timeline_opened",
    "search_used",
    "template_browsed",
    "theme_changed",
    "tour_watched",
    "link_shared",
    "integration_connected",
    "premium_tried",
    "limit_hit",
    "pricing_viewed",
    "trial_started",
    "checkout_started",
    "payment_details_entered",
    "checkout_finished",
    "sales_contacted",
    "survey_shown",
    "digest_emailed",
)
CODE = {name: number for number, name in enumerate(EVENTS)}

CORE = ("card_added", "comment_added", "checklist_used", "file_attached", "timeline_opened")
ONBOARDING = ("profile_completed", "board_created", "card_added", "teammate_invited")
ACTIVATION = "card_finished"

HABITS = {
    "board_viewed": 0.17,
    "card_added": 0.12,
    "card_moved": 0.14,
    "card_finished": 0.10,
    "comment_added": 0.14,
    "checklist_used": 0.10,
    "file_attached": 0.09,
    "timeline_opened": 0.09,
    "search_used": 0.03,
    "board_created": 0.008,
    "template_browsed": 0.008,
    "theme_changed": 0.004,
}
"""How often people in the habit of coming back do what."""

PROPERTIES = (
    '{"device": "web"}',
    '{"device": "desktop"}',
    '{"device": "mobile"}',
    '{"limit": "boards"}',
    '{"limit": "members"}',
    '{"limit": "storage"}',
    '{"feature": "automation"}',
    '{"feature": "dashboard"}',
    '{"to": "chat"}',
    '{"to": "calendar"}',
    '{"to": "repository"}',
    '{"from": "banner"}',
    '{"from": "menu"}',
    '{"survey": "nps"}',
    '{"survey": "csat"}',
    '{"device": ',
)
PROPERTY = {text: number for number, text in enumerate(PROPERTIES)}
BROKEN = PROPERTY['{"device": ']

CHANNELS = ("organic_search", "direct", "paid_search", "paid_social", "referral", "invite")
PAID = ("paid_search", "paid_social")

ROLES = ("admin", "editor", "viewer", "bot")
COUNTRIES = ("US", "CA", "GB", "DE", "IN", "BR", "AU", "FR")
COUNTRY_SHARES = (0.52, 0.11, 0.10, 0.07, 0.07, 0.05, 0.04, 0.04)
INDUSTRIES = ("software", "agency", "education", "retail", "finance", "manufacturing")
INDUSTRY_SHARES = (0.18, 0.13, 0.20, 0.19, 0.16, 0.14)
FIT_INDUSTRIES = ("software", "agency")
FIT_EMPLOYEES = (100, 1_000)

PLANS = ("team", "business")
MOTIONS = ("self_serve", "sales")
KINDS = ("invite", "link")
SURVEYS = ("nps", "csat")

PRAISE = (
    "Setting up a board took five minutes.",
    "Our Monday meeting is half as long now.",
    "Simple and quick.",
    "I invited the whole team on day one.",
    "Best board we have tried, and we tried many.",
    "Love it 💚",
    "Finally everybody sees what is next.",
)
SHRUGS = (
    "Good, but the phone app is slow.",
    "Fine for small teams.",
    "The timeline needs weeks, not only days.",
    "Does the job; search could be better.",
    'Would like "undo" for moved cards.',
    "ok",
)
BLAME = (
    "The free plan stops at ten boards.",
    "Too many mails.",
    "I could not find how to leave a board.",
    "Loading takes ages,\nespecially in the morning.",
    "Price went up & nobody said why.",
    "<b>Export</b> is missing!",
    "<script>alert('hello')</script>",
)
COMMENTS = PRAISE + SHRUGS + BLAME
