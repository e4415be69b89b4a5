"""In polars, on frames in memory, sorted by person and time."""

from __future__ import annotations

import polars as pl

SYSTEM = ("digest_emailed", "survey_shown")


def load(asked) -> dict[str, pl.DataFrame]:
    """Bring events and sign-ups into memory before the clock starts."""
    events = pl.read_parquet(asked.folder / "events.parquet").with_columns(pl.col("event").cast(pl.Categorical))
    return {"events": events, "users": pl.read_parquet(asked.folder / "users.parquet")}


def opened(asked) -> dict[str, pl.LazyFrame]:
    """The same, read from the disk as far as a question needs it."""
    return {name: pl.scan_parquet(asked.folder / f"{name}.parquet") for name in ("events", "users")}


def _done(tables) -> pl.LazyFrame:
    return tables["events"].lazy().filter(~pl.col("event").cast(pl.String).is_in(SYSTEM))


def _weeks(tables) -> pl.LazyFrame:
    return _done(tables).select("user_id", week=pl.col("day").dt.truncate("1w")).unique()


def funnel(asked, tables) -> pl.DataFrame:
    """The first entry of each person, then joins to the least later time of each next step."""
    steps, window = asked.steps, pl.duration(days=asked.within_days)
    rows = tables["events"].lazy().filter(pl.col("event").cast(pl.String).is_in(steps))
    people = rows.filter(pl.col("event") == steps[0]).group_by("user_id").agg(t1=pl.col("occurred_at").min())
    for number, step in enumerate(steps[1:], 2):
        later = rows.filter(pl.col("event") == step).select("user_id", "occurred_at")
        reached = people.join(later, on="user_id").filter(
            (pl.col("occurred_at") >= pl.col(f"t{number - 1}")) & (pl.col("occurred_at") <= pl.col("t1") + window)
        ).group_by("user_id").agg(pl.col("occurred_at").min().alias(f"t{number}"))
        people = people.join(reached, on="user_id", how="left")
    people = people.with_columns(old=pl.col("t1") + window < pl.lit(asked.end)).collect()
    parts = []
    for number in range(1, len(steps) + 1):
        there = people.filter(pl.col(f"t{number}").is_not_null())
        waited = (there.filter("old")[f"t{number}"] - there.filter("old")["t1"]).dt.total_microseconds()
        parts.append({"position": number, "people": there["old"].sum(), "immature": (~there["old"]).sum(),
                      "seconds": waited.median() / 1e6})
    return pl.DataFrame(parts)


def retention(asked, tables) -> pl.DataFrame:
    """Weeks since the week of sign-up."""
    users = tables["users"].lazy().select("user_id", cohort=pl.col("day").dt.truncate("1w"))
    both = _weeks(tables).join(users, on="user_id").filter(pl.col("week") >= pl.col("cohort"))
    age = ((pl.col("week") - pl.col("cohort")).dt.total_days() // 7).alias("age")
    return both.group_by("cohort", age).agg(people=pl.len()).collect()


def active(asked, tables) -> pl.DataFrame:
    """Distinct people of each day, each week, and the 28 days that end with each day."""
    days = _done(tables).select("user_id", "day").unique().sort("user_id", "day").collect()
    before = pl.col("day").shift(1).over("user_id")
    starts = pl.max_horizontal("day", (before + pl.duration(days=28)).fill_null(pl.col("day")))
    marks = pl.concat([days.select(day=starts, change=1), days.select(day=pl.col("day") + pl.duration(days=28), change=-1)])
    every = pl.DataFrame({"day": pl.date_range(days["day"].min(), asked.as_of, eager=True)})
    sums = every.join(marks.group_by("day").agg(pl.col("change").sum()), on="day", how="left").sort("day")
    trailing = sums.select(kind=pl.lit("trailing"), period="day", people=pl.col("change").fill_null(0).cum_sum().cast(pl.UInt32))
    weeks = days.select("user_id", week=pl.col("day").dt.truncate("1w")).unique()
    return pl.concat([
        days.group_by("day").agg(people=pl.len()).select(kind=pl.lit("day"), period="day", people="people"),
        weeks.group_by("week").agg(people=pl.len()).select(kind=pl.lit("week"), period="week", people="people"), trailing])


def growth(asked, tables) -> pl.DataFrame:
    """New, retained and resurrected people of each week."""
    weeks = _weeks(tables).sort("user_id", "week").with_columns(before=pl.col("week").shift(1).over("user_id"))
    gap = (pl.col("week") - pl.col("before")).dt.total_days()
    return weeks.group_by(period="week").agg(
        new=pl.col("before").is_null().sum(), retained=(gap == 7).sum(), resurrected=(gap > 7).sum()).collect()


def sessions(asked, tables) -> pl.DataFrame:
    """Sessions of each week of their first event, by pauses over 30 minutes."""
    rows = _done(tables).sort("user_id", "occurred_at").select(
        period=pl.col("day").dt.truncate("1w"),
        begins=(pl.col("user_id") != pl.col("user_id").shift(1)).fill_null(True)
        | (pl.col("occurred_at").diff() > pl.duration(minutes=30)).fill_null(True))
    return rows.group_by("period").agg(sessions=pl.col("begins").sum()).collect()
