"""Four people, three accounts, eight weeks: every number can be checked by hand."""

from __future__ import annotations

import functools

import pandas as pd

from plgkit.playbook import Playbook
from plgkit.sources.connect import connect
from plgkit.sources.data import Data

AS_OF = "2025-02-28"

PLAYBOOK = {
    "product": {"name": "Tiny Reports", "gross_margin": 0.8},
    "activation": {"event": "report_created", "within_days": 7},
    "onboarding": {"steps": ["profile_filled", "data_connected", "report_created"], "within_days": 14},
    "features": {"core": ["report_created", "report_shared"], "create": ["report_created"],
                 "integration": ["data_connected"], "premium": ["report_shared"]},
    "trial": {"days": 14, "pay_within_days": 30},
    "conversion": {"within_days": 30, "checkout_started": "checkout_started", "checkout_finished": "checkout_finished"},
    "limits": {"event": "limit_hit"},
    "pricing": {"event": "pricing_viewed"},
    "channels": {"paid": ["paid_search"]},
    "roles": {"viewer": ["viewer"], "editor": ["editor"]},
    "pql": {"threshold": 50, "within_days": 30},
    "experiments": {"welcome": {"control": "plain", "within_days": 14}},
    "targets": {"activation.rate": {"value": 0.6}},
}


def frames() -> dict[str, pd.DataFrame]:
    """The nine tables of the tiny company, as a source would give them."""
    return {
        "events": _events(), "users": _users(), "accounts": _accounts(), "visits": _visits(),
        "subscriptions": _subscriptions(), "invites": _invites(), "surveys": _surveys(), "spend": _spend(),
        "exposures": _exposures(),
    }


@functools.cache
def tiny() -> Data:
    """A company of four people through 28 February 2025.

    Ann activates after half an hour, Bob after four days, Cho after nine, Dan never.
    """
    return connect(frames(), as_of=AS_OF, playbook=Playbook(**PLAYBOOK))


def _rows(columns: str, rows: list[tuple], *, times: tuple[str, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=columns.split())
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in times})


def _events() -> pd.DataFrame:
    a1, a2, a3 = "a1", "a2", "a3"
    return _rows("user_id account_id event occurred_at", [
        ("ann", a1, "profile_filled", "2025-01-06 09:05"),
        ("ann", a1, "data_connected", "2025-01-06 09:20"),
        ("ann", a1, "report_created", "2025-01-06 09:30"),
        ("ann", a1, "report_shared", "2025-01-07 08:00"),
        ("ann", a1, "pricing_viewed", "2025-01-13 08:00"),
        ("ann", a1, "pricing_viewed", "2025-01-14 08:00"),
        ("ann", a1, "limit_hit", "2025-01-14 09:00"),
        ("ann", a1, "checkout_started", "2025-01-20 09:00"),
        ("ann", a1, "checkout_finished", "2025-01-20 09:04"),
        ("ann", a1, "signed_in", "2025-02-03 10:00"),
        ("ann", a1, "signed_in", "2025-02-28 10:00"),
        ("bob", a1, "profile_filled", "2025-01-06 10:10"),
        ("bob", a1, "data_connected", "2025-01-08 10:00"),
        ("bob", a1, "report_created", "2025-01-10 16:00"),
        ("bob", a1, "signed_in", "2025-01-20 11:00"),
        ("cho", a2, "profile_filled", "2025-01-08 12:10"),
        ("cho", a2, "report_created", "2025-01-17 18:00"),
        ("cho", a2, "checkout_started", "2025-01-24 12:00"),
        ("cho", a2, "signed_in", "2025-02-03 09:00"),
        ("dan", a3, "signed_in", "2025-01-10 15:05"),
        ("dan", a3, "checkout_started", "2025-01-11 15:00"),
    ], times=("occurred_at",))


def _users() -> pd.DataFrame:
    return _rows("user_id signed_up_at account_id channel invited_by role country is_internal", [
        ("ann", "2025-01-06 09:00", "a1", "organic", None, "editor", "AT", False),
        ("bob", "2025-01-06 10:00", "a1", "invite", "ann", "viewer", "AT", False),
        ("cho", "2025-01-08 12:00", "a2", "paid_search", None, "editor", "KR", False),
        ("dan", "2025-01-10 15:00", "a3", "organic", None, "editor", None, False),
    ], times=("signed_up_at",))


def _accounts() -> pd.DataFrame:
    return _rows("account_id created_at industry employees trial_started_at trial_ended_at", [
        ("a1", "2025-01-06 09:00", "software", 40, "2025-01-06 09:00", "2025-01-20 09:00"),
        ("a2", "2025-01-08 12:00", "retail", 8, "2025-01-08 12:00", "2025-01-22 12:00"),
        ("a3", "2025-01-10 15:00", None, None, None, None),
    ], times=("created_at", "trial_started_at", "trial_ended_at"))


def _visits() -> pd.DataFrame:
    return _rows("visitor_id visited_at channel user_id", [
        ("v1", "2025-01-05 20:00", "organic", None),
        ("v1", "2025-01-06 08:58", "organic", "ann"),
        ("v2", "2025-01-08 11:00", "paid_search", "cho"),
        ("v3", "2025-01-09 10:00", "paid_search", None),
        ("v4", "2025-01-10 14:59", "organic", "dan"),
        ("v5", "2025-01-12 10:00", "organic", None),
    ], times=("visited_at",))


def _subscriptions() -> pd.DataFrame:
    return _rows("account_id changed_at mrr plan seats motion", [
        ("a1", "2025-01-20 09:04", 20.00, "team", 2, "self_serve"),
        ("a2", "2025-01-25 09:00", 50.00, "business", 5, "sales"),
        ("a1", "2025-02-10 09:00", 30.00, "team", 3, "self_serve"),
        ("a2", "2025-02-20 09:00", 0.00, "business", 5, "sales"),
    ], times=("changed_at",))


def _invites() -> pd.DataFrame:
    return _rows("inviter_id sent_at kind invitee_id accepted_at", [
        ("ann", "2025-01-06 09:40", "invite", "bob", "2025-01-06 10:00"),
        ("ann", "2025-01-07 09:00", "invite", None, None),
        ("cho", "2025-01-18 09:00", "link", None, None),
    ], times=("sent_at", "accepted_at"))


def _surveys() -> pd.DataFrame:
    return _rows("user_id answered_at kind score comment", [
        ("ann", "2025-02-03 10:05", "nps", 10, "Saves me an hour a week."),
        ("bob", "2025-02-04 10:00", "nps", 9, None),
        ("cho", "2025-02-05 10:00", "nps", 3, "Too few connectors."),
        ("dan", "2025-02-06 10:00", "nps", 8, None),
        ("ann", "2025-02-10 10:00", "csat", 5, None),
    ], times=("answered_at",))


def _spend() -> pd.DataFrame:
    return _rows("day channel amount", [
        ("2025-01-06", "paid_search", 60.00), ("2025-01-08", "paid_search", 40.00),
    ], times=("day",))


def _exposures() -> pd.DataFrame:
    return _rows("user_id experiment variant exposed_at", [
        ("ann", "welcome", "plain", "2025-01-06 09:00"),
        ("bob", "welcome", "guided", "2025-01-06 10:00"),
        ("cho", "welcome", "plain", "2025-01-08 12:00"),
        ("dan", "welcome", "guided", "2025-01-10 15:00"),
    ], times=("exposed_at",))
