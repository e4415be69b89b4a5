"""A random small company, and the measures worked out again in plain Python, slowly and in the open."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path

import numpy as np
import pandas as pd

from plgkit.playbook import Playbook
from plgkit.sources.connect import connect
from plgkit.sources.data import Data

ZONE, WEEK_START, AS_OF = "America/New_York", "sunday", "2025-04-23"
STEPS = ["opened", "filled", "shared"]
PLAYBOOK = {
    "product": {"time_zone": ZONE, "week_start": WEEK_START},
    "activity": {"except": ["mailed"]},
    "activation": {"event": "shared", "within_days": 7},
    "onboarding": {"steps": STEPS, "within_days": 5},
    "features": {"core": ["filled", "shared", "mailed"]},
    "channels": {"paid": ["ads"]},
    "visits": {"signup_within_days": 9},
}
_START = pd.Timestamp("2025-01-27")


@functools.cache
def frames(seed: int = 4, people: int = 90) -> dict[str, pd.DataFrame]:
    """People over three months in which the clocks change; some do things before they sign up, many near midnight."""
    rng = np.random.default_rng(seed)
    ids = [f"p{number:02d}" for number in range(people)]
    signed = _START + pd.to_timedelta(rng.integers(0, 90 * 1440, people), unit="min")
    users = pd.DataFrame({"user_id": ids, "signed_up_at": signed, "channel": rng.choice(["ads", "search", None], people)})
    return {"users": users, "events": _events(rng, users), "visits": _visits(rng, users), "spend": _spend(rng)}


def _events(rng: np.random.Generator, users: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for user, signed in zip(users["user_id"], users["signed_up_at"], strict=True):
        for gap in np.cumsum(rng.exponential(rng.choice([0.02, 2, 12]), rng.integers(0, 25))):
            # Whole hours make ties, and midnights of the zone fall on them.
            at = signed.floor("h") + pd.Timedelta(hours=int(gap * 24) - 3)
            rows.append((user, rng.choice(["opened", "filled", "shared", "mailed"]), at,
                         rng.choice([None, None, f"{user}-{int(gap // 3)}"])))
    frame = pd.DataFrame(rows, columns=["user_id", "event", "occurred_at", "session_id"])
    return frame.assign(event_id=[f"e{number}" for number in range(len(frame))])


def _visits(rng: np.random.Generator, users: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for number in range(150):
        owner = users.sample(1, random_state=number).iloc[0] if number % 3 else None
        at = _START + pd.Timedelta(minutes=int(rng.integers(0, 80 * 1440))) if owner is None else (
            owner.signed_up_at - pd.Timedelta(days=rng.exponential(6) - 1))
        for visit in range(rng.integers(1, 4)):
            known = owner is not None and visit > 0 and rng.random() < 0.7
            rows.append((f"v{number}", at.floor("s") + pd.Timedelta(days=int(visit)), rng.choice(["ads", "search"]),
                         owner.user_id if known else None))
    return pd.DataFrame(rows, columns=["visitor_id", "visited_at", "channel", "user_id"])


def _spend(rng: np.random.Generator) -> pd.DataFrame:
    days = pd.date_range("2025-02-01", periods=60)
    return pd.DataFrame({"day": days, "channel": "ads", "amount": rng.integers(100, 5000, 60) / 100})


def company(**words: dict) -> Data:
    """The random company, opened with other words of the playbook."""
    return connect(frames(), as_of=AS_OF, playbook=Playbook(**(PLAYBOOK | words)))


@functools.cache
def usual() -> Data:
    """The random company, opened once for all tests."""
    return company()


def day(time: pd.Timestamp, zone: str = ZONE) -> dt.date:
    """The date in the zone."""
    return time.tz_localize("UTC").tz_convert(zone).date()


def period(date: dt.date, grain: str, week_start: str = WEEK_START) -> dt.date:
    """The first day of the period."""
    if grain == "week":
        return date - dt.timedelta(days=(date.weekday() + (week_start == "sunday")) % 7)
    return {"day": date, "month": date.replace(day=1),
            "quarter": date.replace(month=(date.month - 1) // 3 * 3 + 1, day=1)}[grain]


def following(start: dt.date, grain: str) -> dt.date:
    """The first day of the next period."""
    ahead = start + dt.timedelta(days={"day": 1, "week": 7, "month": 31, "quarter": 92}[grain])
    return ahead if grain in ("day", "week") else period(ahead, grain)


def known(tables: dict[str, pd.DataFrame], name: str, time: str, *, zone: str = ZONE, as_of: str = AS_OF) -> pd.DataFrame:
    """The rows up to `as_of`, with their day."""
    rows = tables[name].assign(day=[day(each, zone) for each in tables[name][time]])
    return rows[rows["day"] <= dt.date.fromisoformat(as_of)]


def end(as_of: str = AS_OF, zone: str = ZONE) -> pd.Timestamp:
    """The first instant after `as_of`."""
    midnight = pd.Timestamp(as_of) + pd.Timedelta(days=1)
    return midnight.tz_localize(zone).tz_convert("UTC").tz_localize(None)


def active_days(events: pd.DataFrame, without: tuple[str, ...] = ("mailed",)) -> dict[str, set[dt.date]]:
    """The days on which each person was active."""
    events = events[~events["event"].isin(without)]
    return {user: set(rows["day"]) for user, rows in events.groupby("user_id")}


def growth(active: dict[str, set[dt.date]], grain: str, week_start: str = WEEK_START) -> dict[dt.date, dict[str, int]]:
    """Growth accounting by sets of people: per period active, new, retained, resurrected, churned."""
    sets: dict[dt.date, set[str]] = {}
    for user, days in active.items():
        for date in days:
            sets.setdefault(period(date, grain, week_start), set()).add(user)
    found, before, ever, start = {}, set(), set(), min(sets)
    while start <= max(sets):
        now = sets.get(start, set())
        found[start] = {"active": len(now), "new": len(now - ever), "retained": len(now & before),
                        "resurrected": len((now & ever) - before), "churned": len(before - now)}
        before, ever, start = now, ever | now, following(start, grain)
    return found


def playbook(name: str) -> Path:
    """A playbook kept with the tests."""
    return Path(__file__).parent / "playbooks" / f"{name}.toml"
