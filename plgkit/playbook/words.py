"""The words by which other tools and people call plgkit's tables, columns and events."""

from __future__ import annotations

import re

_PERSON = "user_id userid user uid distinct_id person_id member_id actor_id user_uuid customer_id client_id user_pseudo_id"
_ACCOUNT = (
    "account_id account org_id org organization_id organisation_id workspace_id workspace company_id company "
    "team_id tenant_id group_id customer_id"
)
_WHEN = "timestamp event_time event_timestamp time ts datetime date_time event_at derived_tstamp client_event_time"
_CHANNEL = (
    "channel acquisition_channel marketing_channel signup_channel source utm_source initial_utm_source "
    "traffic_source context_campaign_source medium utm_medium"
)
_SUBSCRIPTION = "subscription_id subscription contract_id"
_CURRENCY = "currency currency_code"
_PLAN = "plan plan_name plan_id product tier"
_COUNTRY = "country country_code geo_country mp_country_code property_country"

NAMES: dict[str, dict[str, str]] = {
    "events": {
        "user_id": f"{_PERSON} amplitude_id anonymous_id device_id",
        "event": "event event_name event_type amplitude_event_type action activity name verb",
        "occurred_at": f"occurred_at {_WHEN} collector_tstamp created_at happened_at date event_date day",
        "event_id": "insert_id event_id event_uuid uuid message_id id",
        "account_id": _ACCOUNT.removesuffix(" customer_id"),
        "received_at": "received_at server_upload_time server_received_time inserted_at ingested_at collector_tstamp",
        "session_id": "session_id sessionid ga_session_id domain_sessionid session",
        "properties": "properties event_properties event_params props params",
    },
    "users": {
        "user_id": f"{_PERSON} id",
        "signed_up_at": "signed_up_at signup_at sign_up_at signup_date sign_up_date signup_time registered_at "
        "registration_date joined_at date_joined created_at created property_createdate user_creation_time "
        "first_seen_at first_seen",
        "account_id": _ACCOUNT.removesuffix(" customer_id"),
        "channel": _CHANNEL,
        "invited_by": "invited_by inviter_id referrer_id referred_by",
        "role": "role user_role job_role",
        "country": _COUNTRY,
        "is_internal": "is_internal internal is_staff is_employee staff",
    },
    "accounts": {
        "account_id": f"{_ACCOUNT} id",
        "created_at": "created_at created creation_date created_on started_at signed_up_at property_createdate timestamp",
        "industry": "industry property_industry sector vertical",
        "employees": "employees employee_count company_size number_of_employees headcount size",
        "trial_started_at": "trial_started_at trial_start trial_start_date",
        "trial_ended_at": "trial_ended_at trial_ends_at trial_end trial_end_date",
    },
    "visits": {
        "visitor_id": "visitor_id anonymous_id device_id user_pseudo_id client_id domain_userid cookie_id",
        "visited_at": f"visited_at {_WHEN} started_at created_at date",
        "channel": _CHANNEL,
        "user_id": "user_id userid customer_id",
    },
    "subscriptions": {
        "account_id": f"{_ACCOUNT} {_PERSON}",
        "changed_at": "changed_at effective_at effective_date valid_from start_date started_at updated_at date day",
        "mrr": "mrr mrr_amount monthly_recurring_revenue monthly_amount monthly_revenue",
        "plan": _PLAN,
        "seats": "seats quantity licenses licences",
        "motion": "motion sales_motion",
        "subscription_id": _SUBSCRIPTION,
        "currency": _CURRENCY,
    },
    "subscription_periods": {
        "account_id": f"{_ACCOUNT} {_PERSON}",
        "started_at": "started_at start_date valid_from period_start current_period_start start",
        "ended_at": "ended_at end_date valid_to period_end end",
        "mrr": "mrr mrr_amount monthly_recurring_revenue monthly_amount monthly_revenue",
        "subscription_id": _SUBSCRIPTION,
        "plan": _PLAN,
        "seats": "seats quantity licenses licences",
        "motion": "motion sales_motion",
        "currency": _CURRENCY,
        "status": "status subscription_status state",
        "canceled_at": "canceled_at cancelled_at cancellation_date cancel_requested_at",
    },
    "invoice_lines": {
        "account_id": f"{_ACCOUNT} {_PERSON}",
        "issued_at": "issued_at issue_date invoice_date invoiced_at created_at created date",
        "amount": "amount line_amount net_amount total_excluding_tax subtotal",
        "service_from": "service_from period_start service_start start_date line_period_start",
        "service_to": "service_to period_end service_end end_date line_period_end",
        "line_id": "line_id line_item_id invoice_line_id id",
        "invoice_id": "invoice_id invoice invoice_number",
        "subscription_id": _SUBSCRIPTION,
        "plan": _PLAN,
        "seats": "seats quantity licenses licences",
        "motion": "motion sales_motion",
        "currency": _CURRENCY,
        "kind": "kind line_type type",
        "status": "status invoice_status state",
        "canceled_at": "canceled_at cancelled_at cancellation_date",
    },
    "invites": {
        "inviter_id": "inviter_id sender_id invited_by from_user_id referrer_id",
        "sent_at": "sent_at invited_at created_at timestamp",
        "kind": "kind invite_type type",
        "invitee_id": "invitee_id invited_user_id to_user_id referred_id referee_id",
        "accepted_at": "accepted_at joined_at redeemed_at",
    },
    "surveys": {
        "user_id": _PERSON,
        "answered_at": f"answered_at responded_at submitted_at completed_at created_at {_WHEN}",
        "kind": "kind survey survey_type type",
        "score": "score nps_score nps rating csat",
        "comment": "comment feedback text answer",
    },
    "spend": {
        "day": "day date spend_date",
        "channel": f"{_CHANNEL} campaign_source platform",
        "amount": "amount spend cost",
    },
    "exposures": {
        "user_id": _PERSON,
        "experiment": "experiment experiment_id experiment_name experiment_key flag feature_flag test",
        "variant": "variant variation variation_id variant_id bucket",
        "exposed_at": f"exposed_at first_exposed_at assigned_at {_WHEN} created_at",
    },
}
"""Names of columns by plgkit's table and column, the likeliest first, as `plain` writes them."""

FILES = {
    "events": "event track click log stream action",
    "users": "user people person member contact identif profile",
    "accounts": "account org compan workspace tenant group team",
    "visits": "visit session page",
    "subscriptions": "subscription mrr plan_change",
    "subscription_periods": "subscription period contract",
    "invoice_lines": "invoice billing line_item",
    "invites": "invit referral",
    "surveys": "survey nps csat feedback",
    "spend": "spend cost marketing",
    "exposures": "exposure experiment assignment",
}
"""Parts of file names that tell what is inside."""

OF_PAGES = r"page|url|path|landing|refer|utm_|channel|campaign|medium|session|visit|browser|user_agent"
"""Columns that tell of a visit to pages."""

NOISE = r"^\$|identify|create_alias|page_?view|screen_?view|session_?start|first_visit|user_engagement|heartbeat|ping|error|bug|^home$|_page$"
"""Events that say nothing about a feature."""

MEANINGS: dict[tuple[str, str], str] = {
    (
        "activity",
        "except",
    ): r"e?mail|notification|webhook|cron|^\$(identify|set|create_alias|groupidentify|merge)",
    ("features", "create"): r"creat|upload|publish",
    ("features", "integration"): r"integrat|connect(?!ion_lost)",
    ("trial", "start_event"): r"trial.*start|start.*trial",
    (
        "conversion",
        "checkout_started",
    ): r"checkout.*(start|open|begin)|(start|begin|open).*checkout|shipping_details",
    (
        "conversion",
        "checkout_finished",
    ): r"^purchased?$|order_(completed|placed)|checkout.*(complet|finish|done)",
    ("limits", "event"): r"limit|quota",
    ("pricing", "event"): r"pricing|plans?_(page|view)",
    ("payment", "event"): r"card_added|add.*card|payment_(details|method|info)",
}
"""Settings about events, each with the pattern by which an event's name suggests it."""

FIRST_VALUE = r"creat|complet|finish|publish|upload|purchase|deploy|invite_accept"
PAID = r"\bads?\b|paid|cpc|ppc|sem\b|sponsor|affiliate|display|adwords|retarget"
VIEWER, EDITOR = r"view|guest|read", r"edit|admin|owner|creator"
BOT = r"^(bot|robot|crawler|service|automation|system)$"


def plain(name: str) -> str:
    """A column's name in small letters and underscores, without leading signs and what it is nested in.

    Examples
    --------
    >>> plain("properties.$insert_id"), plain("eventName"), plain("User ID")
    ('insert_id', 'event_name', 'user_id')
    """
    last = name.rpartition(".")[2] or name
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last)
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
