"""In Spark with two local threads, on tables in its cache."""

from __future__ import annotations

import pandas as pd

_DONE = "event NOT IN ('digest_emailed', 'survey_shown')"
_DAYS = f"SELECT DISTINCT user_id, day FROM events WHERE {_DONE}"
_WEEKS = f"SELECT DISTINCT user_id, CAST(date_trunc('week', day) AS DATE) AS week FROM events WHERE {_DONE}"


def load(asked):
    """Bring events and sign-ups into Spark's cache before the clock starts."""
    from pyspark.sql import SparkSession

    made = (SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false").config("spark.driver.memory", "8g")
            .config("spark.sql.shuffle.partitions", "4").config("spark.sql.session.timeZone", "UTC")
            .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").getOrCreate())
    made.sparkContext.setLogLevel("OFF")
    for name in ("events", "users"):
        table = made.read.parquet(str(asked.folder / f"{name}.parquet"))
        if name == "events":
            table = table.withColumn("occurred_at", table["occurred_at"].cast("timestamp"))
        table = table.cache()
        table.createOrReplaceTempView(name)
        table.count()
    return made


def funnel(asked, tables) -> pd.DataFrame:
    """Per person the first entry and a list of times per later step."""
    steps, window = asked.steps, asked.within_days
    lists = ", ".join(f"collect_list(CASE WHEN event = '{step}' THEN occurred_at END) AS l{number}"
                      for number, step in enumerate(steps[1:], 2))
    text = (f"SELECT user_id, min(CASE WHEN event = '{steps[0]}' THEN occurred_at END) AS t1, {lists} FROM events "
            f"WHERE event IN ({', '.join(repr(step) for step in steps)}) GROUP BY user_id")
    for number in range(2, len(steps) + 1):
        text = (f"SELECT *, array_min(filter(l{number}, x -> x >= t{number - 1} AND x <= t1 + INTERVAL {window} DAYS)) AS t{number} "
                f"FROM ({text}) WHERE t1 IS NOT NULL")
    text = f"SELECT *, t1 + INTERVAL {window} DAYS < TIMESTAMP '{asked.end}' AS old FROM ({text})"
    parts = ", ".join(f"count_if(t{n} IS NOT NULL AND old) AS p{n}, count_if(t{n} IS NOT NULL AND NOT old) AS i{n}, "
                      f"percentile(CASE WHEN old THEN unix_micros(t{n}) - unix_micros(t1) END, 0.5) / 1e6 AS s{n}"
                      for n in range(1, len(steps) + 1))
    wide = tables.sql(f"SELECT {parts} FROM ({text})").toPandas().iloc[0]
    return pd.DataFrame([(n, wide[f"p{n}"], wide[f"i{n}"], wide[f"s{n}"]) for n in range(1, len(steps) + 1)],
                        columns=["position", "people", "immature", "seconds"])


def retention(asked, tables) -> pd.DataFrame:
    """Weeks since the week of sign-up."""
    return tables.sql(f"""SELECT cohort, CAST(datediff(week, cohort) / 7 AS INT) AS age, count(*) AS people FROM ({_WEEKS})
        JOIN (SELECT user_id, CAST(date_trunc('week', day) AS DATE) AS cohort FROM users) USING (user_id)
        WHERE week >= cohort GROUP BY cohort, age""").toPandas()


def active(asked, tables) -> pd.DataFrame:
    """Distinct people of each day, each week, and the 28 days that end with each day."""
    return tables.sql(f"""WITH days AS ({_DAYS}),
        before AS (SELECT user_id, day, lag(day) OVER (PARTITION BY user_id ORDER BY day) AS prev FROM days),
        marks AS (SELECT greatest(day, coalesce(date_add(prev, 28), day)) AS day, 1 AS change FROM before
                  UNION ALL SELECT date_add(day, 28), -1 FROM days),
        sums AS (SELECT day, sum(change) AS change FROM marks GROUP BY day),
        every AS (SELECT explode(sequence((SELECT min(day) FROM days), DATE '{asked.as_of}')) AS day)
        SELECT 'day' AS kind, day AS period, count(*) AS people FROM days GROUP BY day
        UNION ALL SELECT 'week', week, count(*) FROM ({_WEEKS}) GROUP BY week
        UNION ALL SELECT 'trailing', day, sum(coalesce(change, 0)) OVER (ORDER BY day) FROM every LEFT JOIN sums USING (day)
        """).toPandas()


def growth(asked, tables) -> pd.DataFrame:
    """New, retained and resurrected people of each week."""
    return tables.sql(f"""SELECT week AS period, count_if(prev IS NULL) AS new, count_if(datediff(week, prev) = 7) AS retained,
        count_if(datediff(week, prev) > 7) AS resurrected
        FROM (SELECT week, lag(week) OVER (PARTITION BY user_id ORDER BY week) AS prev FROM ({_WEEKS})) GROUP BY week""").toPandas()


def sessions(asked, tables) -> pd.DataFrame:
    """Sessions of each week of their first event, by pauses over 30 minutes."""
    return tables.sql(f"""SELECT CAST(date_trunc('week', day) AS DATE) AS period, count(*) AS sessions
        FROM (SELECT day, occurred_at, lag(occurred_at) OVER (PARTITION BY user_id ORDER BY occurred_at) AS earlier
              FROM events WHERE {_DONE})
        WHERE earlier IS NULL OR unix_micros(occurred_at) - unix_micros(earlier) > 1800000000 GROUP BY 1""").toPandas()
