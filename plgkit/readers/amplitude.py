"""Amplitude: the export API's zip of gzipped JSON Lines, single files of it, and its table as data pipelines export it (CSV).

Times are UTC without a zone. `event_time` is the one that Amplitude has corrected by the client's clock skew. A session
of -1 is none. A row without user_id belongs to its device, and one without both to Amplitude's own number for who it was.
"""

from __future__ import annotations

from plgkit.readers.feeds import Feed, Reader
from plgkit.readers.phrases import channel, first_and_last, links, made_id, properties, within
from plgkit.readers.times import written


def _time(column: str) -> str:
    """Some exports lose the point before the fraction of a second: 05:51:07000."""
    return written(f"regexp_replace({column}, ':(\\d\\d)(\\d{{3,6}})$', ':\\1.\\2')")


# What Amplitude documents: the client's time plus how far the server's clock was ahead of it at upload.
_AT = (f"coalesce({_time('event_time')}, {_time('client_event_time')} + ({_time('server_received_time')} - {_time('client_upload_time')}), "
       f"{_time('client_event_time')})")
_SEEN = f"coalesce({_time('server_upload_time')}, {_time('server_received_time')})"
_ACCOUNT = "coalesce(" + ", ".join(f"TRY(json_extract_string(groups, '{path}'))" for path in ("$.company[0]", "$.company", "$.org[0]", "$.org")) + ")"
_EVENT_ID = '''coalesce("$insert_id", insert_id, uuid, _insert_id, ''' + made_id("device_id", "user_id", "event_type", "event_time", "event_properties") + ")"
_COLUMNS = ("$insert_id", "_insert_id", "insert_id", "uuid", "user_id", "device_id", "session_id", "event_type", "event_time", "client_event_time",
            "client_upload_time", "server_received_time", "server_upload_time", "event_properties", "user_properties", "groups", "group_properties",
            "data", "country", "amplitude_id")
_STAYS = ("user_properties", "groups", "group_properties", "data", "country", "amplitude_id")
_NOISE = ("id", "processed_time", "event_id", "event_type_id", "_fivetran_synced")
_DEVICE = "coalesce(device_id, 'amplitude_id:' || amplitude_id)"
_UTM = {name: f"coalesce({within(name, 'event_properties')}, {within(name, 'user_properties')})" for name in ("utm_medium", "utm_source", "referring_domain")}

_EVENTS = Feed(
    "events", {"event_type": None}, _COLUMNS,
    {
        "events": f"""
            SELECT {_EVENT_ID} AS event_id, event_type AS event, {_AT} AS occurred_at, {_SEEN} AS received_at, user_id AS known_id,
                   CASE WHEN user_id IS NULL THEN {_DEVICE} END AS anonymous_id, {_ACCOUNT} AS account_id,
                   CASE WHEN session_id <> '-1' THEN coalesce(device_id, user_id, amplitude_id) || '.' || session_id END AS session_id,
                   CASE WHEN {_UTM['utm_source']} IS NOT NULL OR {_UTM['referring_domain']} IS NOT NULL OR user_id IS NULL
                        THEN {channel(_UTM['utm_medium'], _UTM['utm_source'], _UTM['referring_domain'])} END AS channel,
                   {properties('event_properties')} AS properties FROM rows WHERE event_type NOT IN ('$exposure', '$identify', '$groupidentify')""",
        "links": links(_DEVICE, "user_id", _AT, "identify"),
        "people": f"""
            SELECT user_id AS known_id, {_AT} AS said_at, country, {_ACCOUNT} AS account_id, {within('role', 'user_properties')} AS role FROM rows
            WHERE user_id IS NOT NULL {first_and_last('user_id', 'country', 'account_id', 'role')}""",
        "exposures": f"""
            SELECT {_EVENT_ID} AS row_id, user_id AS known_id, CASE WHEN user_id IS NULL THEN {_DEVICE} END AS anonymous_id,
                   {within('flag_key', 'event_properties')} AS experiment, {within('variant', 'event_properties')} AS variant, {_AT} AS exposed_at
            FROM rows WHERE event_type = '$exposure' AND {within('variant', 'event_properties')} IS NOT NULL""",
    },
    needs={"event_type": "it has no event_type", f"coalesce(user_id, {_DEVICE})": "it has no user_id, device_id or amplitude_id", _AT: "its event_time cannot be read"},
    once=(_EVENT_ID, _AT, _SEEN, _ACCOUNT), stays=_STAYS, noise=_NOISE)
_TYPES = Feed("event types", {"name": None, "totals": None, "waitroom_approved": None}, ("id", "name"), {})

READER = Reader("amplitude", (_EVENTS, _TYPES))
