"""Segment and RudderStack: the warehouse's tables tracks, pages, screens, identifies, users, groups and aliases, and those of single events.

`timestamp` is the one corrected by the client's clock skew; where it is missing it is worked out as documented:
received_at - (sent_at - original_timestamp).
"""

from __future__ import annotations

from plgkit.readers.feeds import Feed, Reader
from plgkit.readers.phrases import channel, links, listed, properties
from plgkit.readers.times import any_time

_RAW = any_time("coalesce(original_timestamp, originaltimestamp)")
_SEEN, _SENT = any_time("received_at"), any_time("sent_at")
_AT = f"coalesce({any_time('timestamp')}, {_SEEN} - ({_SENT} - {_RAW}), {_SEEN})"
_COMMON = ("id", "anonymous_id", "user_id", "original_timestamp", "originaltimestamp", "sent_at", "received_at", "timestamp", "context_campaign_source",
           "context_campaign_medium", "context_page_referrer", "referrer", "context_session_id", "context_group_id", "group_id")
_STAYS = ("context_campaign_source", "context_campaign_medium", "context_page_referrer", "referrer")
_NOISE = ("uuid", "uuid_ts")
_CHANNEL = channel("context_campaign_medium", "context_campaign_source", "coalesce(context_page_referrer, referrer)")
_ACCOUNT = "coalesce(context_group_id, group_id)"
_WHO = """user_id AS known_id, CASE WHEN user_id IS NULL THEN anonymous_id END AS anonymous_id"""
_NEEDS = {"coalesce(user_id, anonymous_id)": "it has neither user_id nor anonymous_id", _AT: "its timestamp cannot be read"}
_LINK = links("anonymous_id", "user_id", _AT, "identify")


def _events(event: str, where: str = "true", *, page: bool = False) -> str:
    return f"""
        SELECT id AS event_id, {event} AS event, {_AT} AS occurred_at, {_SEEN} AS received_at, {_WHO}, {_ACCOUNT} AS account_id,
               context_session_id AS session_id, {_CHANNEL if page else f"CASE WHEN context_campaign_source IS NOT NULL OR user_id IS NULL THEN {_CHANNEL} END"} AS channel,
               {properties(None)} AS properties FROM rows WHERE {where}"""


_EXPERIMENT = ("experiment viewed", "experiment_viewed")
_TRACKS = Feed(
    "tracks", {"event": None, "received_at": None}, (*_COMMON, "event", "event_text", "experiment_name", "variation_name", "experiment_id"),
    {"events": _events("coalesce(event_text, event)", f"lower(event) NOT IN ({listed(_EXPERIMENT)})"),
     "links": _LINK,
     "exposures": f"""
        SELECT id AS row_id, {_WHO}, coalesce(experiment_name, experiment_id) AS experiment, variation_name AS variant, {_AT} AS exposed_at FROM rows
        WHERE lower(event) IN ({listed(_EXPERIMENT)}) AND variation_name IS NOT NULL AND coalesce(experiment_name, experiment_id) IS NOT NULL"""},
    needs={"event": "it has no event", **_NEEDS}, once=(_AT, _SEEN), stays=(*_STAYS, "experiment_name", "variation_name", "experiment_id"), noise=_NOISE)
_PAGES = Feed(
    "pages", {"received_at": None, "id": None}, _COMMON,
    {"events": _events("'page viewed'", page=True), "links": _LINK}, files=("pages*",), needs=_NEEDS, once=(_AT, _SEEN),
    stays=_STAYS, noise=_NOISE)
_SCREENS = Feed(
    "screens", {"received_at": None, "id": None}, _COMMON,
    {"events": _events("'screen viewed'"), "links": _LINK}, files=("screens*",), needs=_NEEDS, once=(_AT, _SEEN),
    stays=_STAYS, noise=_NOISE)
_PEOPLE = "SELECT user_id AS known_id, {at} AS said_at, {account} AS account_id, country, role{more} FROM rows WHERE user_id IS NOT NULL"
_IDENTIFIES = Feed(
    "identifies", {"user_id": None, "received_at": None}, (*_COMMON, "company_id", "country", "role", "created_at"),
    {"links": _LINK, "people": _PEOPLE.format(at=_AT, account=f"coalesce(company_id, {_ACCOUNT})", more=f", {any_time('created_at')} AS signed_up_at")},
    files=("identifies*",), needs=_NEEDS, once=(_AT, _SEEN))
_USERS = Feed(
    "users", {"id": None, "received_at": None}, ("id", "received_at", "uuid_ts", "company_id", "group_id", "country", "role", "created_at"),
    {"people": _PEOPLE.replace("user_id", "id").format(at=_SEEN, account="coalesce(company_id, group_id)", more=f", {any_time('created_at')} AS signed_up_at")},
    files=("users*",), needs={"id": "it has no id"})
_GROUPS = Feed(
    "groups", {"group_id": None, "received_at": None}, (*_COMMON, "industry", "employee_count", "employees", "created_at"),
    {"accounts": f"""
        SELECT group_id AS account_id, {_AT} AS said_at, {any_time('created_at')} AS created_at, industry,
               try_cast(coalesce(employees, employee_count) AS BIGINT) AS employees FROM rows WHERE group_id IS NOT NULL""",
     "people": f"SELECT user_id AS known_id, {_AT} AS said_at, group_id AS account_id FROM rows WHERE user_id IS NOT NULL"},
    files=("groups*",), needs={"group_id": "it has no group_id"})
_ALIASES = Feed(
    "aliases", {"previous_id": None, "user_id": None}, (*_COMMON, "previous_id"),
    {"links": links("previous_id", "user_id", _AT, "alias")}, files=("aliases*",),
    needs={"previous_id": "it has no previous_id", "user_id": "it has no user_id"})

READER = Reader("segment", (_TRACKS, _IDENTIFIES, _PAGES, _SCREENS, _USERS, _GROUPS, _ALIASES))
