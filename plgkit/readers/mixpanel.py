"""Mixpanel: the raw export as JSON Lines, and its table as data pipelines export it (CSV).

`time` is in seconds, or in milliseconds where the export was asked for so. In projects from before 2023 it counts in the
project's own time zone: say which with `--times-in`. Ids from before a person was known are joined as Mixpanel says.
"""

from __future__ import annotations

from plgkit.readers.feeds import Feed, Reader
from plgkit.readers.phrases import channel, first_and_last, links, listed, made_id, properties, within
from plgkit.readers.times import epoch, local, written

CONTROL = ("$identify", "$create_alias", "$merge", "$experiment_started")
_TIME = within("time")
_AT = local(epoch(_TIME))
_ID, _DEVICE = within("distinct_id"), within("$device_id")
_BEFORE = within("$distinct_id_before_identity")
_SENT_AS = f"coalesce({_BEFORE}, {_ID})"
_ANONYMOUS = f"(starts_with({_SENT_AS}, '$device:') OR coalesce({_SENT_AS} = {_DEVICE}, false)) AND {within('$user_id')} IS NULL"
_KNOWN, _UNKNOWN = f"CASE WHEN NOT ({_ANONYMOUS}) THEN coalesce({within('$user_id')}, {_ID}) END", f"CASE WHEN {_ANONYMOUS} THEN {_SENT_AS} END"
_MERGED = "TRY(from_json(json_extract(properties, '$.\"$distinct_ids\"'), '[\"VARCHAR\"]'))"


def _row(insert_id: str, moment: str) -> str:
    """Mixpanel takes rows with one $insert_id for one event if they are of one day."""
    return f"{insert_id} || '.' || strftime({moment}, '%Y%m%d')"


_ROW = f"coalesce({_row(within('$insert_id'), _AT)}, {made_id('event', 'properties')})"

_EVENTS = Feed(
    "events", {"event": None, "properties": None}, ("event", "properties"),
    {
        "events": f"""
            SELECT {_ROW} AS event_id, event, {_AT} AS occurred_at, {epoch(within('mp_processing_time_ms'))} AS received_at, {_KNOWN} AS known_id,
                   {_UNKNOWN} AS anonymous_id, coalesce({within('$group_id')}, {within('company_id')}, {within('account_id')}) AS account_id,
                   CAST(NULL AS VARCHAR) AS session_id,
                   CASE WHEN {within('$current_url')} IS NOT NULL OR {within('utm_source')} IS NOT NULL
                        THEN {channel(within('utm_medium'), within('utm_source'), within('$referring_domain'))} END AS channel,
                   {properties()} AS properties FROM rows WHERE event NOT IN ({listed(CONTROL)})""",
        "links": " UNION ALL ".join([
            links(within("$anon_id"), within("$identified_id"), _AT, "identify", "event = '$identify'"),
            links(_BEFORE, _ID, _AT, "identify", _ANONYMOUS),
            links(_BEFORE, _ID, _AT, "merge", f"NOT ({_ANONYMOUS})"),
            links(_DEVICE, within("$user_id"), _AT, "identify"),
            links(f"'$device:' || {_DEVICE}", within("$user_id"), _AT, "identify"),
            links(within("alias"), _ID, _AT, "alias", "event = '$create_alias'"),
            f"SELECT {_MERGED}[1] AS one_id, {_MERGED}[2] AS other_id, {_AT} AS said_at, 'merge' AS how FROM rows WHERE event = '$merge'"]),
        "people": f"""
            SELECT {_KNOWN} AS known_id, {_AT} AS said_at, {within('mp_country_code')} AS country FROM rows WHERE {_KNOWN} IS NOT NULL
            {first_and_last('known_id', 'country')}""",
        "exposures": f"""
            SELECT {_ROW} AS row_id, {_KNOWN} AS known_id, {_UNKNOWN} AS anonymous_id, {within('Experiment name')} AS experiment,
                   {within('Variant name')} AS variant, {_AT} AS exposed_at FROM rows WHERE event = '$experiment_started'""",
    },
    needs={"event": "it has no event", f"coalesce({_ID}, {within('$distinct_ids')})": "it has no distinct_id",
           _AT: "its time cannot be read"},
    once=(_ROW, _AT, _ANONYMOUS))
_TABLE_AT = local(written("time"))
_TABLE_ANONYMOUS = "coalesce(coalesce(distinct_id_before_identity, distinct_id) = device_id, false)"
_TABLE = Feed(
    "table", {"name": None, "time": None, "distinct_id": None},
    ("name", "time", "distinct_id", "properties", "insert_id", "mp_processing_time_ms", "device_id", "distinct_id_before_identity", "mp_country_code",
     "_fivetran_id"),
    {
        "events": f"""
            SELECT coalesce({_row('insert_id', _TABLE_AT)}, _fivetran_id) AS event_id, name AS event, {_TABLE_AT} AS occurred_at, {epoch('mp_processing_time_ms')} AS received_at,
                   CASE WHEN NOT ({_TABLE_ANONYMOUS}) THEN distinct_id END AS known_id,
                   CASE WHEN {_TABLE_ANONYMOUS} THEN coalesce(distinct_id_before_identity, distinct_id) END AS anonymous_id,
                   {properties()} AS properties FROM rows""",
        "links": " UNION ALL ".join([
            links("distinct_id_before_identity", "distinct_id", _TABLE_AT, "identify", _TABLE_ANONYMOUS),
            links("distinct_id_before_identity", "distinct_id", _TABLE_AT, "merge", f"NOT ({_TABLE_ANONYMOUS})")]),
        "people": f"""
            SELECT distinct_id AS known_id, {_TABLE_AT} AS said_at, mp_country_code AS country FROM rows WHERE NOT ({_TABLE_ANONYMOUS})
            {first_and_last('distinct_id', 'mp_country_code')}""",
    },
    needs={"name": "it has no event", "distinct_id": "it has no distinct_id", _TABLE_AT: "its time cannot be read"},
    once=(_TABLE_AT,), stays=("mp_country_code",), noise=("_file", "_line", "_fivetran_synced", "event_id"))

READER = Reader("mixpanel", (_EVENTS, _TABLE), zoned=True)
