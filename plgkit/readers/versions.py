"""SQL that makes periods of what a subscription said of itself over time."""

from __future__ import annotations

TERMS = ("mrr", "plan", "seats", "currency", "motion")
LATEST = "SELECT * FROM own_{table} s QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY said_at DESC NULLS LAST, hash(s) DESC) = 1"
"""The last version of each row of a reader's own table."""


def months(unit: str, count: str) -> str:
    """How many months a billing period lasts; a year is 12 of them, 52 weeks or 365 days."""
    return (f"CASE rtrim(lower({unit}), 's') WHEN 'month' THEN 1.0 WHEN 'year' THEN 12.0 WHEN 'week' THEN 12 / 52.0 WHEN 'day' THEN 12 / 365.0 END"
            f" * coalesce(nullif(try_cast({count} AS DOUBLE), 0), 1)")


def months_between(start: str, end: str) -> str:
    """How many months a billing period lasts that is known by its two ends; a month has 28 to 31 days."""
    days = f"date_diff('hour', {start}, {end}) / 24.0"
    return f"CASE WHEN {days} >= 27 THEN round({days} / 30.4375) WHEN {days} > 0 THEN {days} * 12 / 365 END"


def periods(versions: str) -> str:
    """Stretches in which a subscription's terms were the same, one row each.

    `versions` is a SELECT of what was said: subscription_id, said_at, account_id, began_at (when paying begins), ended_at,
    canceled_at, status and the terms. What was said first holds from the beginning, what was said later from then on. A
    version that says of itself that it is over ends the one before. What is paid in a trial is 0 unless it is known. Where
    some prices are known and others are not, the latter's rows are there without `mrr`; where none is, there are no rows.
    """
    by_time = "PARTITION BY subscription_id ORDER BY said_at NULLS FIRST"
    changed = " OR ".join(f"{name} IS DISTINCT FROM lag({name}) OVER ({by_time})" for name in (*TERMS, "state"))
    last = ", ".join(f"last({name} ORDER BY said_at NULLS FIRST) AS {name}" for name in (*TERMS, "account_id", "status", "canceled_at"))
    return f"""
        WITH said AS (
            SELECT * REPLACE (coalesce(mrr, CASE WHEN status = 'trialing' THEN 0 END) AS mrr), coalesce(ended_at <= said_at, false) AS over FROM ({versions}) v WHERE subscription_id IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY subscription_id, said_at ORDER BY hash(v) DESC) = 1),
        placed AS (
            SELECT * REPLACE (coalesce(CASE WHEN lead(over) OVER ({by_time}) THEN lead(status) OVER ({by_time}) END, status) AS status,
                              coalesce(CASE WHEN lead(over) OVER ({by_time}) THEN lead(canceled_at) OVER ({by_time}) END, canceled_at) AS canceled_at),
                   CASE WHEN status IN ('trialing', 'paused', 'unpaid', 'void') THEN status ELSE 'paying' END AS state,
                   CASE WHEN lead(over) OVER ({by_time}) THEN lead(ended_at) OVER ({by_time}) END AS stop_at,
                   row_number() OVER ({by_time}) AS place,
                   CASE WHEN row_number() OVER ({by_time}) = 1 THEN coalesce(began_at, said_at) ELSE greatest(said_at, began_at) END AS from_at
            FROM said),
        cut AS (
            SELECT *, lead(from_at) OVER ({by_time}) AS next_at, least(ended_at, stop_at, lead(from_at) OVER ({by_time})) AS until_at,
                   count(*) OVER (PARTITION BY subscription_id) AS versions
            FROM placed WHERE place = 1 OR NOT over),
        told AS (SELECT * FROM cut WHERE versions = 1 OR until_at IS NULL OR until_at > from_at),
        marked AS (SELECT *, CASE WHEN {changed} OR from_at IS DISTINCT FROM lag(until_at) OVER ({by_time}) THEN 1 ELSE 0 END AS new FROM told),
        runs AS (SELECT *, sum(new) OVER ({by_time}) AS run, count(mrr) OVER () > 0 AS priced FROM marked)
        SELECT subscription_id || '@' || run AS row_id, max(said_at) AS said_at, subscription_id, min(from_at) AS started_at,
               last(until_at ORDER BY said_at NULLS FIRST) AS ended_at, {last}
        FROM runs WHERE priced GROUP BY subscription_id, run"""
