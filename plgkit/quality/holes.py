"""What an empty cell of each column means for the measures that read it."""

from __future__ import annotations

_MOTION = ("conversion.by_motion, expansion.motion_mix and expansion.self_serve_expansion", "{part} of what is paid is neither self-serve nor sales")
_PLAN = ("expansion.by_kind and expansion.self_serve_upsell", "growth in {n} {rows} is not told as another plan but as unknown or price")
_SEATS = ("expansion.by_kind and expansion.account_expansion", "growth in {n} {rows} is not told as seats")
_CURRENCY = ("all measures of revenue", "none on rows in the product's own currency: {n} {rows} {are} taken for that")
_SUBSCRIPTION = ("expansion.mrr and expansion.mrr_movements", "{n} {rows}: those of an account are taken for one subscription, where a later one ends the one before")
_CANCELED = ("expansion.mrr_movements", "none: empty means that nobody asked to end it")
_STATUS = ("expansion.mrr and expansion.mrr_movements", "{n} {rows} count{s} as in force, even if never paid")

HOLES: dict[tuple[str, str], tuple[str, str]] = {
    ("events", "event_id"): ("finding doubles", "of {n} {rows} a double is found only where every column is equal, so retries with another time count twice"),
    ("events", "account_id"): ("pql.scores and other measures of accounts", "{n} {rows} count{s} for the account that users names; who is in none counts as an account of one"),
    ("events", "received_at"): ("the sections on late rows and clocks; no measure", "none on measures: lateness and clocks are judged without {n} {rows}"),
    ("events", "session_id"): ("engagement.sessions, engagement.session_length and engagement.session_frequency",
                               "sessions of {n} {rows} are cut by pauses, so their number depends on [sessions] gap_minutes"),
    ("events", "properties"): ("funnels and rules with where", "a condition on a property never holds for {n} {rows}"),
    ("users", "account_id"): ("measures of accounts, and the width of intervals", "{n} {rows} count{s} as accounts of one: engagement.people_per_account is too low, intervals too narrow"),
    ("users", "channel"): ("acquisition.channel_split, acquisition.organic_share and acquisition.cac by channel",
                           "{n} {rows} ({part}) {are} of channel (none): sign-ups of the channels they came by are too low, and the cost of each too high"),
    ("users", "invited_by"): ("advocacy.viral_signups and advocacy.k_factor", "{n} {rows} count{s} as come without an invitation: right if nobody asked them, else both are too low"),
    ("users", "role"): ("engagement.viewer_editor_ratio and advocacy.viewers_to_editors", "{n} {rows} {are} neither viewer nor editor: both measures tell of {rest} people"),
    ("users", "country"): ("cuts by country", "a cut by country has {n} {rows} ({part}) under (none)"),
    ("users", "is_internal"): ("[leave_out] internal", "{n} {rows} count{s} as customers in every measure: staff among them cannot be told apart, but by [leave_out] user_ids"),
    ("accounts", "industry"): ("pql.scores and pql.leads", "{n} {rows} get{s} no points for industry and rank{s} too low among leads"),
    ("accounts", "employees"): ("pql.scores and pql.leads", "{n} {rows} get{s} no points for size and rank{s} too low among leads"),
    ("accounts", "trial_started_at"): ("conversion.trial_to_paid and acquisition.trial_signup",
                                       "{n} {rows} {are} in no trial, so the rate tells of {rest} accounts ([trial] start_event can tell of more)"),
    ("accounts", "trial_ended_at"): ("cuts by trial", "none on rates: trials last as [trial] days says for {n} {rows}"),
    ("visits", "channel"): ("acquisition.visitors and acquisition.visitor_to_signup by channel", "{n} {rows} ({part}) {are} of channel (none)"),
    ("visits", "user_id"): ("acquisition.visitor_to_signup and acquisition.time_to_signup",
                            "{n} {rows} count{s} for nobody: right where nobody signed up, else the rate is too low, for want of the browser's id at sign-up"),
    ("subscriptions", "plan"): _PLAN, ("subscriptions", "seats"): _SEATS, ("subscriptions", "motion"): _MOTION,
    ("subscriptions", "subscription_id"): _SUBSCRIPTION, ("subscriptions", "currency"): _CURRENCY,
    ("subscription_periods", "ended_at"): ("expansion.mrr and expansion.grr", "none: empty means that it still runs"),
    ("subscription_periods", "subscription_id"): _SUBSCRIPTION, ("subscription_periods", "plan"): _PLAN, ("subscription_periods", "seats"): _SEATS,
    ("subscription_periods", "motion"): _MOTION, ("subscription_periods", "currency"): _CURRENCY, ("subscription_periods", "status"): _STATUS,
    ("subscription_periods", "canceled_at"): _CANCELED,
    ("invoice_lines", "service_from"): ("expansion.mrr", "service of {n} {rows} is taken to begin when the invoice was written"),
    ("invoice_lines", "service_to"): ("expansion.mrr", "no end is known of {n} {rows}: [revenue] service_months says how long they last, else they are no recurring revenue"),
    ("invoice_lines", "line_id"): ("finding doubles", "of {n} {rows} a double is found only where every column is equal; one that is not counts twice"),
    ("invoice_lines", "invoice_id"): ("lists of invoices", "none on sums: {n} {rows} cannot be traced to their invoice"),
    ("invoice_lines", "subscription_id"): _SUBSCRIPTION, ("invoice_lines", "plan"): _PLAN, ("invoice_lines", "seats"): _SEATS,
    ("invoice_lines", "motion"): _MOTION, ("invoice_lines", "currency"): _CURRENCY,
    ("invoice_lines", "kind"): ("expansion.mrr and expansion.by_kind", "{n} {rows} {are} taken for subscriptions, also credits and what is paid once"),
    ("invoice_lines", "status"): _STATUS, ("invoice_lines", "canceled_at"): _CANCELED,
    ("invites", "kind"): ("advocacy.invite_acceptance and advocacy.link_shares", "{n} {rows} count{s} as invitations, never as shared links"),
    ("invites", "invitee_id"): ("advocacy.k_factor and advocacy.loops", "of {n} {rows} nobody knows who came by them: right where nobody did, else both are too low"),
    ("invites", "accepted_at"): ("advocacy.invite_acceptance", "none: empty means not accepted"),
    ("surveys", "kind"): ("advocacy.nps and advocacy.csat", "{n} {rows} {are} in neither: both tell of {rest}"),
    ("surveys", "comment"): ("advocacy.comments", "none: empty means that nothing was written"),
}
"""For every column that may be empty: what reads it, and what {n} of the rows without it do there."""
