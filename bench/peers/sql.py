"""Written by hand for DuckDB, on the same file of tables; `rollup_*` read the rollups instead of the events."""

from __future__ import annotations

import pandas as pd

FLOOR = "SELECT max(user_id), sum(epoch_us(occurred_at)) FROM kept.events"

_ACTIVE = "event NOT IN ('digest_emailed', 'survey_shown')"
_DAYS = f"SELECT user_id, day, count(*) AS n FROM kept.events WHERE {_ACTIVE} GROUP BY ALL"
_WEEKS = f"SELECT user_id, date_trunc('week', day)::DATE AS week FROM kept.events WHERE {_ACTIVE} GROUP BY ALL"


def funnel(asked) -> pd.DataFrame:
    """Steps in order from the first entry: one list of times per later step, then the least that fits."""
    steps = asked.steps
    lists = ", ".join(f"list(occurred_at) FILTER (event = '{step}') AS l{number}" for number, step in enumerate(steps[1:], 2))
    text = (f"WITH p0 AS (SELECT user_id, min(occurred_at) FILTER (event = '{steps[0]}') AS t1, {lists} FROM kept.events "
            f"WHERE event IN ({', '.join(repr(step) for step in steps)}) GROUP BY user_id)")
    for number in range(2, len(steps) + 1):
        text += (f", p{number - 1} AS (SELECT *, list_min(list_filter(l{number}, lambda x: x >= t{number - 1} "
                 f"AND x <= t1 + INTERVAL {asked.within_days} DAY)) AS t{number} FROM p{number - 2}"
                 f"{' WHERE t1 IS NOT NULL' if number == 2 else ''})")
    last = f"p{len(steps) - 1}"
    parts = [f"SELECT {number} AS position, count(*) FILTER (old) AS people, count(*) FILTER (NOT old) AS immature, "
             f"median(epoch_us(t{number}) - epoch_us(t1)) FILTER (old) / 1e6 AS seconds FROM done WHERE t{number} IS NOT NULL"
             for number in range(1, len(steps) + 1)]
    text += (f", done AS MATERIALIZED (SELECT *, t1 + INTERVAL {asked.within_days} DAY < TIMESTAMP '{asked.end}' AS old FROM {last}) "
             f"{' UNION ALL '.join(parts)}")
    return asked.run(text)


def retention(asked) -> pd.DataFrame:
    """Weeks since the week of sign-up."""
    return asked.run(_retention(_WEEKS))


def rollup_retention(asked) -> pd.DataFrame:
    """The same from weeks."""
    return asked.run(_retention("SELECT user_id, week FROM rollups.activity_week"))


def _retention(weeks: str) -> str:
    return f"""SELECT cohort, date_diff('day', cohort, week) // 7 AS age, count(*) AS people
        FROM ({weeks}) a JOIN (SELECT user_id, date_trunc('week', day)::DATE AS cohort FROM kept.users) u USING (user_id)
        WHERE week >= cohort GROUP BY ALL"""


def active(asked) -> pd.DataFrame:
    """Distinct people of each day, each week, and the 28 days that end with each day."""
    return asked.run(_active(f"SELECT user_id, day, lag(day) OVER (PARTITION BY user_id ORDER BY day) AS prev_day FROM ({_DAYS}) "
                             f"WHERE day <= DATE '{asked.as_of}'",
                             "SELECT DISTINCT user_id, date_trunc('week', day)::DATE AS week FROM days", asked))


def rollup_active(asked) -> pd.DataFrame:
    """The same from days and weeks."""
    return asked.run(_active(f"SELECT user_id, day, prev_day FROM rollups.activity WHERE day <= DATE '{asked.as_of}'",
                             "SELECT user_id, week FROM rollups.activity_week", asked))


def _active(days: str, weeks: str, asked) -> str:
    return f"""WITH days AS MATERIALIZED ({days}), weeks AS ({weeks}),
        marks AS (SELECT greatest(day, coalesce(prev_day + 28, day)) AS day, 1 AS change FROM days
                  UNION ALL SELECT day + 28, -1 FROM days),
        sums AS (SELECT day, sum(change) AS change FROM marks GROUP BY day),
        every AS (SELECT unnest(generate_series((SELECT min(day) FROM days), DATE '{asked.as_of}', INTERVAL 1 DAY))::DATE AS day)
        SELECT 'day' AS kind, day AS period, count(*) AS people FROM days GROUP BY day
        UNION ALL SELECT 'week', week, count(*) FROM weeks GROUP BY week
        UNION ALL SELECT 'trailing', day, sum(coalesce(change, 0)) OVER (ORDER BY day) FROM every LEFT JOIN sums USING (day)"""


def growth(asked) -> pd.DataFrame:
    """New, retained and resurrected people of each week."""
    weeks = f"SELECT user_id, week, lag(week) OVER (PARTITION BY user_id ORDER BY week) AS prev_week FROM ({_WEEKS})"
    return asked.run(_growth(weeks))


def rollup_growth(asked) -> pd.DataFrame:
    """The same from weeks."""
    return asked.run(_growth("SELECT week, prev_week FROM rollups.activity_week"))


def _growth(weeks: str) -> str:
    return f"""SELECT week AS period, count(*) FILTER (prev_week IS NULL) AS new, count(*) FILTER (prev_week = week - 7) AS retained,
        count(*) FILTER (prev_week < week - 7) AS resurrected FROM ({weeks}) GROUP BY week"""


def sessions(asked) -> pd.DataFrame:
    """Sessions of each week of their first event, by pauses over 30 minutes."""
    return asked.run(f"""WITH rows AS (SELECT user_id, day, occurred_at,
            coalesce(occurred_at - lag(occurred_at) OVER person > INTERVAL 30 MINUTE, true) AS begins,
            FROM kept.events WHERE {_ACTIVE} WINDOW person AS (PARTITION BY user_id ORDER BY occurred_at))
        SELECT date_trunc('week', day) AS period, count(*) FILTER (begins) AS sessions FROM rows GROUP BY ALL""")
