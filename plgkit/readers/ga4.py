"""Google Analytics 4: the rows of the BigQuery export as JSON Lines or Parquet.

Times are microseconds. Parameters come as a list of keys with one typed value each. A session's number is only unique
for one browser. `user_id` is there where the site sets it; all others are browsers.
"""

from __future__ import annotations

from plgkit.readers.feeds import Feed, Reader
from plgkit.readers.phrases import channel, first_and_last, links, made_id, together, within
from plgkit.readers.times import epoch

_AT = epoch("event_timestamp")
_VALUE = ("coalesce(p.value.string_value, p.value.int_value, p.value.double_value, p.value.float_value)")
_TYPED = '\'[{"key":"VARCHAR","value":{"string_value":"VARCHAR","int_value":"VARCHAR","float_value":"VARCHAR","double_value":"VARCHAR"}}]\''


def _map(column: str) -> str:
    return f"TRY(map_from_entries(list_transform(coalesce(from_json({column}, {_TYPED}), []), p -> {{'k': p.key, 'v': {_VALUE}}})))"


_PARAMS, _OF_USER = _map("event_params"), _map("user_properties")
_SESSION = f"({_PARAMS})['ga_session_id']"
_ID = made_id("user_pseudo_id", "event_timestamp", "event_name", "event_bundle_sequence_id", "event_params")
_EVENTS = Feed(
    "events", {"event_name": None, "event_timestamp": None, "user_pseudo_id": None},
    ("event_timestamp", "event_name", "event_params", "event_bundle_sequence_id", "user_id", "user_pseudo_id", "user_properties", "geo", "traffic_source"),
    {
        "events": f"""
            SELECT {_ID} AS event_id, event_name AS event, {_AT} AS occurred_at, CAST(NULL AS TIMESTAMP) AS received_at, user_id AS known_id,
                   CASE WHEN user_id IS NULL THEN user_pseudo_id END AS anonymous_id, CAST(NULL AS VARCHAR) AS account_id,
                   user_pseudo_id || '.' || {_SESSION} AS session_id,
                   CASE WHEN ({_PARAMS})['page_location'] LIKE '%gclid=%' THEN 'paid_search'
                        ELSE {channel(within('medium', 'traffic_source'), within('source', 'traffic_source'), f"({_PARAMS})['page_referrer']")} END AS channel,
                   {together(f"coalesce(to_json({_PARAMS}), '{{}}')")} AS properties FROM rows""",
        "links": links("user_pseudo_id", "user_id", _AT, "identify"),
        "people": f"""
            SELECT user_id AS known_id, {_AT} AS said_at, {within('country', 'geo')} AS country, ({_OF_USER})['role'] AS role FROM rows
            WHERE user_id IS NOT NULL {first_and_last('user_id', 'country', 'role')}""",
    },
    needs={"event_name": "it has no event_name", "coalesce(user_id, user_pseudo_id)": "it has neither user_id nor user_pseudo_id",
           _AT: "its event_timestamp cannot be read"},
    once=(_AT, _PARAMS, _OF_USER), stays=("user_properties", "geo", "traffic_source"),
    noise=("event_date", "event_previous_timestamp", "event_server_timestamp_offset"))

READER = Reader("ga4", (_EVENTS,))
