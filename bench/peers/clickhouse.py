"""In ClickHouse inside this process (chdb), on a table sorted by person and time."""

from __future__ import annotations

import io

import pandas as pd

_DONE = "event NOT IN ('digest_emailed', 'survey_shown')"


def load(asked):
    """Bring events and sign-ups into sorted tables before the clock starts."""
    from chdb import session

    made = session.Session()
    made.query("CREATE DATABASE IF NOT EXISTS bench")
    for name, order in (("events", "user_id, occurred_at"), ("users", "user_id")):
        made.query(f"CREATE TABLE bench.{name} ENGINE = MergeTree ORDER BY ({order}) SETTINGS allow_nullable_key = 1 "
                   f"AS SELECT * FROM file('{asked.folder}/{name}.parquet', Parquet)")
    made.query("SET max_threads = 2")
    return made


def _run(tables, text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(str(tables.query(text, "CSVWithNames"))))


def funnel(asked, tables) -> pd.DataFrame:
    """Per person the first entry and an array of times per later step."""
    steps, window = asked.steps, asked.within_days * 86_400_000_000
    us = "toUnixTimestamp64Micro(toDateTime64(assumeNotNull(occurred_at), 6, 'UTC'))"
    arrays = ", ".join(f"groupArrayIf({us}, event = '{step}') AS l{number}" for number, step in enumerate(steps[1:], 2))
    text = (f"SELECT minIf({us}, event = '{steps[0]}') AS t1, {arrays} FROM bench.events "
            f"WHERE event IN ({', '.join(repr(step) for step in steps)}) GROUP BY user_id HAVING countIf(event = '{steps[0]}') > 0")
    for number in range(2, len(steps) + 1):
        text = (f"SELECT *, arrayFilter(x -> x >= t{number - 1} AND t{number - 1} > 0 AND x <= t1 + {window}, l{number}) AS f{number}, "
                f"if(empty(f{number}), 0, arrayMin(f{number})) AS t{number} FROM ({text})")
    end = int(pd.Timestamp(asked.end).value // 1000)
    parts = [f"countIf(t{n} > 0 AND old) AS p{n}, countIf(t{n} > 0 AND NOT old) AS i{n}, "
             f"quantileExactInclusiveIf(0.5)(t{n} - t1, t{n} > 0 AND old) / 1e6 AS s{n}" for n in range(1, len(steps) + 1)]
    wide = _run(tables, f"SELECT {', '.join(parts)} FROM (SELECT *, t1 + {window} < {end} AS old FROM ({text}))").iloc[0]
    return pd.DataFrame([(n, wide[f"p{n}"], wide[f"i{n}"], wide[f"s{n}"]) for n in range(1, len(steps) + 1)],
                        columns=["position", "people", "immature", "seconds"])


_WEEKS = f"SELECT user_id, toMonday(day) AS week FROM bench.events WHERE {_DONE} GROUP BY user_id, week"


def retention(asked, tables) -> pd.DataFrame:
    """Weeks since the week of sign-up."""
    return _run(tables, f"""SELECT cohort, intDiv(week - cohort, 7) AS age, count() AS people FROM ({_WEEKS}) AS a
        INNER JOIN (SELECT user_id, toMonday(day) AS cohort FROM bench.users) AS u USING (user_id)
        WHERE week >= cohort GROUP BY cohort, age""")


def active(asked, tables) -> pd.DataFrame:
    """Distinct people of each day, each week, and the 28 days that end with each day."""
    marks = f"""SELECT day AS mark, 1 AS change, user_id, greatest(day, if(rank = 1, day, before + 28)) AS begins FROM (
        SELECT user_id, day, row_number() OVER person AS rank, lagInFrame(day) OVER person AS before FROM (
        SELECT user_id, day FROM bench.events WHERE {_DONE} GROUP BY user_id, day)
        WINDOW person AS (PARTITION BY user_id ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))"""
    sums = f"""SELECT day, sum(change) AS change FROM (SELECT begins AS day, 1 AS change FROM ({marks})
        UNION ALL SELECT mark + 28, -1 FROM ({marks})) GROUP BY day"""
    found = _run(tables, f"""SELECT 'day' AS kind, day AS period, uniqExact(user_id) AS people FROM bench.events WHERE {_DONE} GROUP BY day
        UNION ALL SELECT 'week', toMonday(day) AS week, uniqExact(user_id) FROM bench.events WHERE {_DONE} GROUP BY week
        UNION ALL SELECT 'mark', day, change FROM ({sums})""")
    marks = found[found["kind"] == "mark"].set_index("period")["people"]
    every = pd.date_range(marks.index.min(), asked.as_of).strftime("%Y-%m-%d")
    trailing = marks.reindex(every, fill_value=0).cumsum().rename_axis("period").reset_index().assign(kind="trailing")
    return pd.concat([found[found["kind"] != "mark"], trailing[found.columns]])


def growth(asked, tables) -> pd.DataFrame:
    """New, retained and resurrected people of each week."""
    return _run(tables, f"""SELECT week AS period, countIf(rank = 1) AS new, countIf(rank > 1 AND week - before = 7) AS retained,
        countIf(rank > 1 AND week - before > 7) AS resurrected FROM (SELECT week, row_number() OVER person AS rank,
        lagInFrame(week) OVER person AS before FROM ({_WEEKS}) WINDOW person AS (PARTITION BY user_id ORDER BY week
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) GROUP BY week""")


def sessions(asked, tables) -> pd.DataFrame:
    """Sessions of each week of their first event, by pauses over 30 minutes."""
    return _run(tables, f"""SELECT toMonday(day) AS period, countIf(rank = 1 OR occurred_at > before + INTERVAL 30 MINUTE) AS sessions
        FROM (SELECT day, occurred_at, row_number() OVER person AS rank, lagInFrame(occurred_at) OVER person AS before
        FROM bench.events WHERE {_DONE} WINDOW person AS (PARTITION BY user_id ORDER BY occurred_at
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) GROUP BY period""")
