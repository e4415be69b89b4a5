"""The tables that every measure reads: their columns, types and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Column:
    """One column: its type (`string`, `time`, `date`, `money`, `number`, `whole`, `flag` or `json`)."""

    name: str
    kind: str
    meaning: str
    required: bool = False
    refers_to: str | None = None
    below_zero: bool = False
    """Whether an amount may be below 0: a credit."""


@dataclass(frozen=True)
class Table:
    """One table: what a row is, which column says when, and which columns name a row."""

    name: str
    one_row: str
    time: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def __getitem__(self, name: str) -> Column:
        return next(each for each in self.columns if each.name == name)

    @property
    def names(self) -> list[str]:
        """The names of all columns, in order."""
        return [each.name for each in self.columns]

    @property
    def required(self) -> list[str]:
        """The names of the columns without which a row means nothing."""
        return [each.name for each in self.columns if each.required]


def _table(name: str, one_row: str, time: str, key: str, *columns: Column) -> Table:
    return Table(name, one_row, time, tuple(key.split()), columns)


_TABLES = (
    _table(
        "events", "thing a person did", "occurred_at", "event_id",
        Column("user_id", "string", "who did it", required=True, refers_to="users"),
        Column("event", "string", "what was done", required=True),
        Column("occurred_at", "time", "when, UTC", required=True),
        Column("event_id", "string", "name of the row, to find duplicates"),
        Column("account_id", "string", "workspace it was done in"),
        Column("received_at", "time", "when the server got it, UTC"),
        Column("session_id", "string", "visit it belongs to"),
        Column("properties", "json", "everything else, as a JSON object"),
    ),
    _table(
        "users", "person who signed up", "signed_up_at", "user_id",
        Column("user_id", "string", "the person", required=True),
        Column("signed_up_at", "time", "when the person signed up, UTC", required=True),
        Column("account_id", "string", "workspace the person belongs to", refers_to="accounts"),
        Column("channel", "string", "where the person came from"),
        Column("invited_by", "string", "person who invited them", refers_to="users"),
        Column("role", "string", "what the person does"),
        Column("country", "string", "where the person is"),
        Column("is_internal", "flag", "staff, left out of every measure"),
    ),
    _table(
        "accounts", "workspace or company", "created_at", "account_id",
        Column("account_id", "string", "the workspace", required=True),
        Column("created_at", "time", "when it was created, UTC", required=True),
        Column("industry", "string", "what the company does"),
        Column("employees", "whole", "how many people the company has"),
        Column("trial_started_at", "time", "when a trial began, UTC"),
        Column("trial_ended_at", "time", "when the trial ended or ends, UTC"),
    ),
    _table(
        "visits", "visit by someone not signed in", "visited_at", "",
        Column("visitor_id", "string", "the browser", required=True),
        Column("visited_at", "time", "when, UTC", required=True),
        Column("channel", "string", "where the visit came from"),
        Column("user_id", "string", "the person, once known", refers_to="users"),
    ),
    _table(
        "subscriptions", "change of what an account pays", "changed_at", "",
        Column("account_id", "string", "who pays", required=True, refers_to="accounts"),
        Column("changed_at", "time", "when the change took effect, UTC", required=True),
        Column("mrr", "money", "monthly recurring revenue after the change; 0 when it ended", required=True),
        Column("plan", "string", "plan after the change"),
        Column("seats", "whole", "seats after the change"),
        Column("motion", "string", "self_serve or sales"),
        Column("subscription_id", "string", "which of its subscriptions; mrr is then that subscription's"),
        Column("currency", "string", "ISO code of the money, where it is not the product's"),
    ),
    _table(
        "subscription_periods", "stretch in which a subscription was the same", "started_at", "",
        Column("account_id", "string", "who pays", required=True, refers_to="accounts"),
        Column("started_at", "time", "when the stretch began, UTC", required=True),
        Column("ended_at", "time", "when it ended, UTC; empty while it runs"),
        Column("mrr", "money", "monthly recurring revenue while it runs", required=True),
        Column("subscription_id", "string", "which of the account's subscriptions"),
        Column("plan", "string", "plan"),
        Column("seats", "whole", "seats"),
        Column("motion", "string", "self_serve or sales"),
        Column("currency", "string", "ISO code of the money, where it is not the product's"),
        Column("status", "string", "active, trialing, past_due, paused, unpaid or canceled"),
        Column("canceled_at", "time", "when the customer asked to end it, UTC"),
    ),
    _table(
        "invoice_lines", "line of an invoice or credit note", "issued_at", "line_id",
        Column("account_id", "string", "who pays", required=True, refers_to="accounts"),
        Column("issued_at", "time", "when the invoice was written, UTC", required=True),
        Column("amount", "money", "amount without tax; credits are below 0", required=True, below_zero=True),
        Column("service_from", "time", "when the service paid for begins, UTC"),
        Column("service_to", "time", "when it ends, UTC"),
        Column("line_id", "string", "name of the row, to find duplicates"),
        Column("invoice_id", "string", "the invoice"),
        Column("subscription_id", "string", "which of the account's subscriptions"),
        Column("plan", "string", "plan"),
        Column("seats", "whole", "seats"),
        Column("motion", "string", "self_serve or sales"),
        Column("currency", "string", "ISO code of the money, where it is not the product's"),
        Column("kind", "string", "subscription, add_on, usage, proration, discount, one_off_discount, one_off, "
               "credit, refund or tax"),
        Column("status", "string", "paid, open, past_due, unpaid, uncollectible, void or draft"),
        Column("canceled_at", "time", "when the customer asked to end the subscription, UTC"),
    ),
    _table(
        "invites", "invitation or shared referral link", "sent_at", "",
        Column("inviter_id", "string", "who invited", required=True, refers_to="users"),
        Column("sent_at", "time", "when, UTC", required=True),
        Column("kind", "string", "invite or link"),
        Column("invitee_id", "string", "who came by it", refers_to="users"),
        Column("accepted_at", "time", "when it was accepted, UTC"),
    ),
    _table(
        "surveys", "answered survey", "answered_at", "",
        Column("user_id", "string", "who answered", required=True, refers_to="users"),
        Column("answered_at", "time", "when, UTC", required=True),
        Column("kind", "string", "nps or csat"),
        Column("score", "number", "0-10 for nps, 1-5 for csat", required=True),
        Column("comment", "string", "what the person wrote"),
    ),
    _table(
        "spend", "marketing cost of a channel and day", "day", "day channel",
        Column("day", "date", "day in the product's time zone", required=True),
        Column("channel", "string", "where the money went", required=True),
        Column("amount", "money", "cost", required=True),
    ),
    _table(
        "exposures", "first sight of an experiment's variant", "exposed_at", "",
        Column("user_id", "string", "who saw it", required=True, refers_to="users"),
        Column("experiment", "string", "which experiment", required=True),
        Column("variant", "string", "which variant", required=True),
        Column("exposed_at", "time", "when, UTC", required=True),
    ),
)

TABLES: MappingProxyType[str, Table] = MappingProxyType({table.name: table for table in _TABLES})
"""All tables by name, in the order in which a customer meets them."""

BILLING = ("subscriptions", "subscription_periods", "invoice_lines")
"""The tables that can tell what accounts pay, the most direct first; one of them is enough."""
