"""PostHog: batch exports of events and persons (JSON Lines, Parquet), and the table of events as CSV.

A distinct id is anonymous where it is the device's, where the row says that nobody is identified, or where `$identify`
names it as the one before; all others are people. `$identify`, aliases and the persons' list join them.
"""

from __future__ import annotations

from dataclasses import replace

from plgkit.readers.feeds import Feed, Reader
from plgkit.readers.phrases import channel, first_and_last, links, listed, properties, within
from plgkit.readers.times import any_time

CONTROL = ("$identify", "$create_alias", "$merge_dangerously", "$groupidentify", "$set", "$feature_flag_called", "survey sent")
_AT, _SEEN = any_time("timestamp"), any_time("coalesce(inserted_at, _inserted_at, created_at)")
_ANONYMOUS = (f"coalesce({within('$is_identified')} = 'false', false) OR coalesce({within('$process_person_profile')} = 'false', false) "
              f"OR coalesce(distinct_id = {within('$device_id')}, false)")
_KNOWN, _UNKNOWN = f"CASE WHEN NOT ({_ANONYMOUS}) THEN distinct_id END", f"CASE WHEN {_ANONYMOUS} THEN distinct_id END"
_GROUPS = within("$groups")
_ACCOUNT = (f"coalesce({within('$group_0')}, json_extract_string({_GROUPS}, '$.company'), json_extract_string({_GROUPS}, '$.organization'), "
            f"json_extract_string({_GROUPS}, json_keys({_GROUPS})[1]))")
_PAGE = f"event IN ('$pageview', '$screen') OR {within('utm_source')} IS NOT NULL"
_SET = within("$group_set")

_EVENTS = Feed(
    "events", {"distinct_id": None, "event": None, "timestamp": None},
    ("uuid", "id", "timestamp", "created_at", "event", "properties", "distinct_id", "elements_chain", "person_properties", "person_id", "person",
     "inserted_at", "_inserted_at"),
    {
        "events": f"""
            SELECT coalesce(uuid, id) AS event_id, event, {_AT} AS occurred_at, {_SEEN} AS received_at, {_KNOWN} AS known_id, {_UNKNOWN} AS anonymous_id,
                   {_ACCOUNT} AS account_id, {within('$session_id')} AS session_id,
                   CASE WHEN {_PAGE} THEN {channel(within('utm_medium'), within('utm_source'), within('$referring_domain'))} END AS channel,
                   {properties()} AS properties FROM rows WHERE event NOT IN ({listed(CONTROL)})""",
        "links": " UNION ALL ".join([
            links(within("$anon_distinct_id"), "distinct_id", _AT, "identify", "event = '$identify'"),
            links(within("alias"), "distinct_id", _AT, "alias", "event IN ('$create_alias', '$merge_dangerously')")]),
        "people": f"""
            SELECT distinct_id AS known_id, {_AT} AS said_at, {_ACCOUNT} AS account_id, {within('$geoip_country_code')} AS country FROM rows
            WHERE NOT ({_ANONYMOUS}) AND event <> '$groupidentify' {first_and_last('distinct_id', 'account_id', 'country')}""",
        "accounts": f"""
            SELECT {within('$group_key')} AS account_id, {_AT} AS said_at, json_extract_string({_SET}, '$.industry') AS industry,
                   try_cast(coalesce(json_extract_string({_SET}, '$.employees'), json_extract_string({_SET}, '$.employee_count')) AS BIGINT) AS employees
            FROM rows WHERE event = '$groupidentify'""",
        "exposures": f"""
            SELECT coalesce(uuid, id) AS row_id, {_KNOWN} AS known_id, {_UNKNOWN} AS anonymous_id, {within('$feature_flag')} AS experiment,
                   {within('$feature_flag_response')} AS variant, {_AT} AS exposed_at FROM rows
            WHERE event = '$feature_flag_called' AND {within('$feature_flag_response')} IS NOT NULL
              AND {within('$feature_flag_response')} NOT IN ('true', 'false')""",
        "surveys": f"""
            SELECT coalesce(uuid, id) AS row_id, {_KNOWN} AS known_id, {_UNKNOWN} AS anonymous_id, {_AT} AS answered_at,
                   CASE WHEN try_cast({within('$survey_response')} AS DOUBLE) BETWEEN 0 AND 10 THEN 'nps' END AS kind,
                   try_cast({within('$survey_response')} AS DOUBLE) AS score, {within('$survey_response_1')} AS comment FROM rows
            WHERE event = 'survey sent' AND try_cast({within('$survey_response')} AS DOUBLE) IS NOT NULL""",
    },
    needs={"distinct_id": "it has no distinct_id", "event": "it has no event", _AT: "its timestamp cannot be read"},
    once=(_AT, _SEEN, _ANONYMOUS, _ACCOUNT), stays=("elements_chain", "person_properties", "person_id", "person"), noise=("team_id",))
_FLAT = "list_filter(json_keys(rest), name -> {}starts_with(name, 'properties.'))"
_VALUES = "to_json(map_from_entries(list_transform({names}, name -> {{'k': {key}, 'v': json_extract(rest, '$.\"' || replace(name, '\"', '\\\"') || '\"')}})))"
_OWN = _VALUES.format(names=_FLAT.format(""), key="substr(name, 12)")
_REST = _VALUES.format(names=_FLAT.format("NOT "), key="name")
# The table of the web page has a column for each property.
_TABLE = replace(
    _EVENTS, name="table of events", telling={"id": None, "distinct_id": None, "event": None, "timestamp": None, "person": None},
    reads={"properties": f"CAST({_OWN} AS VARCHAR)", "rest": _REST})
_PERSONS = Feed(
    "persons", {"distinct_id": None, "person_id": None, "person_version": None},
    ("distinct_id", "person_id", "_inserted_at", "properties", "team_id", "person_version", "person_distinct_id_version", "created_at"),
    {"links": f"""SELECT distinct_id AS one_id, 'person:' || person_id AS other_id, {any_time('coalesce(created_at, _inserted_at)')} AS said_at,
                         'merge' AS how FROM rows WHERE person_id IS NOT NULL"""},
    needs={"distinct_id": "it has no distinct_id"})

READER = Reader("posthog", (_EVENTS, _TABLE, _PERSONS))
