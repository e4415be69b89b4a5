"""In pandas, vectorised, on frames in memory, sorted by person and time; and the naive way: person by person."""

from __future__ import annotations

import numpy as np
import pandas as pd

SYSTEM = ("digest_emailed", "survey_shown")


def load(asked) -> dict[str, pd.DataFrame]:
    """Bring events and sign-ups into memory before the clock starts."""
    events = pd.read_parquet(asked.folder / "events.parquet")
    events = events.assign(event=events["event"].astype("category"), day=pd.to_datetime(events["day"]),
                           user_id=events["user_id"].astype("category"))
    users = pd.read_parquet(asked.folder / "users.parquet")
    return {"events": events, "users": users.assign(day=pd.to_datetime(users["day"]))}


opened = load


def _monday(day: pd.Series) -> pd.Series:
    return day - pd.to_timedelta(day.dt.weekday, unit="D")


def _days(tables) -> pd.DataFrame:
    events = tables["events"]
    done = events[~events["event"].isin(SYSTEM)]
    codes, day = done["user_id"].cat.codes.to_numpy(), done["day"].to_numpy()
    changed = np.r_[True, (codes[1:] != codes[:-1]) | (day[1:] != day[:-1])]
    return pd.DataFrame({"user": codes[changed], "day": day[changed]})


def _weeks(tables) -> pd.DataFrame:
    days = _days(tables)
    return days.assign(week=_monday(days["day"])).drop_duplicates(["user", "week"])[["user", "week"]]


def funnel(asked, tables) -> pd.DataFrame:
    """The first entry of each person, then merges to the least later time of each next step."""
    events, window = tables["events"], pd.Timedelta(days=asked.within_days)
    rows = events[events["event"].isin(asked.steps)]
    rows = rows.assign(user=rows["user_id"].cat.codes)[["user", "event", "occurred_at"]]
    people = rows[rows["event"] == asked.steps[0]].groupby("user")["occurred_at"].min().rename("t1").to_frame()
    for number, step in enumerate(asked.steps[1:], 2):
        later = rows[rows["event"] == step].set_index("user")["occurred_at"]
        both = people.join(later, how="inner")
        fits = (both["occurred_at"] >= both[f"t{number - 1}"]) & (both["occurred_at"] <= both["t1"] + window)
        people[f"t{number}"] = both[fits].groupby(level=0)["occurred_at"].min()
    return _counted(people, asked, window)


def _counted(people: pd.DataFrame, asked, window: pd.Timedelta) -> pd.DataFrame:
    old = people["t1"] + window < asked.end
    parts = []
    for number in range(1, len(asked.steps) + 1):
        there = people[f"t{number}"].notna()
        waited = (people[f"t{number}"] - people["t1"])[there & old]
        parts.append((number, int((there & old).sum()), int((there & ~old).sum()), waited.dt.total_seconds().median()))
    return pd.DataFrame(parts, columns=["position", "people", "immature", "seconds"])


def naive_funnel(asked, tables) -> pd.DataFrame:
    """Person by person."""
    events, window = tables["events"], pd.Timedelta(days=asked.within_days)
    rows = events[events["event"].isin(asked.steps)]
    found = {}
    for user, own in rows.groupby("user_id", observed=True):
        entries = own.loc[own["event"] == asked.steps[0], "occurred_at"]
        if entries.empty:
            continue
        times = [entries.min()]
        for step in asked.steps[1:]:
            later = own.loc[(own["event"] == step) & (own["occurred_at"] >= times[-1])
                            & (own["occurred_at"] <= times[0] + window), "occurred_at"]
            if later.empty:
                break
            times.append(later.min())
        found[user] = times + [pd.NaT] * (len(asked.steps) - len(times))
    columns = [f"t{number}" for number in range(1, len(asked.steps) + 1)]
    return _counted(pd.DataFrame.from_dict(found, orient="index", columns=columns), asked, window)


def retention(asked, tables) -> pd.DataFrame:
    """Weeks since the week of sign-up."""
    users = tables["users"]
    codes = pd.Series(pd.Categorical(users["user_id"], categories=tables["events"]["user_id"].cat.categories).codes)
    signed = pd.Series(_monday(users["day"]).to_numpy(), index=codes)
    weeks = _weeks(tables)
    cohort = signed[signed.index >= 0].reindex(weeks["user"]).to_numpy()
    age = (weeks["week"].to_numpy() - cohort).astype("timedelta64[D]").astype("float64") // 7
    made = pd.DataFrame({"cohort": cohort, "age": age})
    return made[made["age"] >= 0].groupby(["cohort", "age"]).size().rename("people").reset_index()


def active(asked, tables) -> pd.DataFrame:
    """Distinct people of each day, each week, and the 28 days that end with each day."""
    days = _days(tables)
    user, day = days["user"].to_numpy(), days["day"].to_numpy().astype("datetime64[D]")
    same = np.r_[False, user[1:] == user[:-1]]
    before = np.r_[day[:1], day[:-1]] + 28
    starts = np.where(same, np.maximum(day, before), day)
    every = np.arange(day.min(), np.datetime64(asked.as_of) + 1)
    change = np.bincount((starts - every[0]).astype(int), minlength=len(every) + 28)
    change = change - np.bincount((day + 28 - every[0]).astype(int), minlength=len(change))[:len(change)]
    trailing = np.cumsum(change)[:len(every)]
    weeks = days.assign(week=_monday(days["day"])).drop_duplicates(["user", "week"])
    found = pd.concat([
        days["day"].value_counts().rename_axis("period").rename("people").reset_index().assign(kind="day"),
        weeks["week"].value_counts().rename_axis("period").rename("people").reset_index().assign(kind="week"),
        pd.DataFrame({"period": every, "people": trailing, "kind": "trailing"})])
    return found[["kind", "period", "people"]]


def growth(asked, tables) -> pd.DataFrame:
    """New, retained and resurrected people of each week."""
    weeks = _weeks(tables)
    user, week = weeks["user"].to_numpy(), weeks["week"].to_numpy().astype("datetime64[D]")
    same = np.r_[False, user[1:] == user[:-1]]
    gap = np.r_[0, (week[1:] - week[:-1]).astype(int)]
    made = pd.DataFrame({"period": week, "new": ~same, "retained": same & (gap == 7), "resurrected": same & (gap > 7)})
    return made.groupby("period", as_index=False).sum()


def sessions(asked, tables) -> pd.DataFrame:
    """Sessions of each week of their first event, by pauses over 30 minutes."""
    events = tables["events"]
    done = events[~events["event"].isin(SYSTEM)]
    codes, at = done["user_id"].cat.codes.to_numpy(), done["occurred_at"].to_numpy()
    begins = np.r_[True, (codes[1:] != codes[:-1]) | (at[1:] - at[:-1] > np.timedelta64(30, "m"))]
    return _monday(done["day"][begins]).value_counts().rename_axis("period").rename("sessions").reset_index()
