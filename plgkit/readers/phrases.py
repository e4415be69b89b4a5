"""SQL that several readers share: a value inside a JSON object, the channel of a visit, a name for a row without one."""

from __future__ import annotations

from collections.abc import Iterable

_SEARCH = "google|bing|duckduckgo|yahoo|ecosia|baidu|yandex|startpage|qwant"
_SOCIAL = "facebook|instagram|linkedin|twitter|t\\.co|tiktok|youtube|reddit|pinterest|threads|mastodon"


def within(name: str, column: str = "properties") -> str:
    """A value of a JSON object as text; none where the column holds no JSON."""
    return f"TRY(json_extract_string({column}, '$.\"{name}\"'))"


def properties(column: str | None = "properties", rest: str = "rest") -> str:
    """A row's own properties with the columns that nobody knows; NULL where there are none.

    Properties that are no object stay as what they are, under the column's name.
    """
    if column is None:
        return f"nullif(CAST({rest} AS VARCHAR), '{{}}')"
    return together(f"CASE WHEN {column} IS NULL THEN '{{}}' WHEN NOT json_valid({column}) THEN json_object('{column}', {column}) "
                    f"WHEN json_type({column}) = 'OBJECT' THEN {column} ELSE json_object('{column}', CAST({column} AS JSON)) END", rest)


def together(own: str, rest: str = "rest") -> str:
    """Two JSON objects as one; a column of the row that is named as a property of its own stays as `column.NAME`."""
    name = f"CASE WHEN list_contains(json_keys({own}), name) THEN 'column.' || name ELSE name END"
    value = f"json_extract({rest}, '$.\"' || replace(name, '\"', '\\\"') || '\"')"
    renamed = f"to_json(map_from_entries(list_transform(json_keys({rest}), name -> {{'k': {name}, 'v': {value}}})))"
    return (f"nullif(CAST(CASE WHEN CAST({rest} AS VARCHAR) <> '{{}}' AND list_has_any(json_keys({own}), json_keys({rest})) "
            f"THEN json_merge_patch({renamed}, {own}) ELSE json_merge_patch({own}, {rest}) END AS VARCHAR), '{{}}')")


def channel(medium: str, source: str, referrer: str) -> str:
    """Where a visit came from, in the words of the sample company: paid_search, organic_search, referral, direct ...

    Read from what the link was tagged with, else from the page before.
    """
    medium, source, referrer = (f"lower(coalesce({each}, ''))" for each in (medium, source, referrer))
    paid = f"regexp_matches({medium}, 'cpc|ppc|cpm|paid|display|retargeting|^ads?$')"
    return (f"CASE WHEN {paid} AND regexp_matches({source}, '{_SOCIAL}|social') THEN 'paid_social' WHEN {paid} THEN 'paid_search' "
            f"WHEN regexp_matches({medium}, 'mail|newsletter') THEN 'email' WHEN regexp_matches({medium}, 'affiliate|partner') THEN 'partner' "
            f"WHEN {medium} = 'organic' THEN 'organic_search' WHEN regexp_matches({medium}, 'social') OR regexp_matches({source}, '{_SOCIAL}') THEN 'social' "
            f"WHEN {medium} = 'referral' THEN 'referral' WHEN {medium} NOT IN ('', '(none)', '(not set)') THEN {medium} "
            f"WHEN regexp_matches({referrer}, '{_SEARCH}') THEN 'organic_search' WHEN regexp_matches({referrer}, '{_SOCIAL}') THEN 'social' "
            f"WHEN {referrer} NOT IN ('', '$direct', '(direct)') THEN 'referral' ELSE 'direct' END")


def made_id(*parts: str) -> str:
    """A name for a row that has none: the same for rows that are alike in everything."""
    return "md5(concat_ws('|', " + ", ".join(f"coalesce(CAST({part} AS VARCHAR), '-')" for part in parts) + "))"


def links(one: str, other: str, moment: str, how: str, where: str = "true") -> str:
    """One link for each pair of ids in the batch, as of its first time."""
    return (f"SELECT {one} AS one_id, {other} AS other_id, min({moment}) AS said_at, '{how}' AS how FROM rows "
            f"WHERE {one} IS NOT NULL AND {other} IS NOT NULL AND {one} <> {other} AND ({where}) GROUP BY 1, 2")


def first_and_last(*columns: str) -> str:
    """Of rows that say the same the first and the last: since when somebody is known, and what was true in the end."""
    same = f"OVER (PARTITION BY {', '.join(columns)} ORDER BY said_at"
    return f"QUALIFY 1 IN (row_number() {same}), row_number() {same} DESC))"


def listed(names: Iterable[str]) -> str:
    """Texts as a list in SQL."""
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)
