"""Dirt: what happens to events on their way, so that they look like real ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields

import numpy as np

from . import clock
from .clock import DAY, HOUR, MINUTE
from .habits import Done
from .story import STORY
from .words import BROKEN, CODE

_DIGEST = CODE["digest_emailed"]
NOBODY = -1


@dataclass
class Rows:
    """Event rows as the server has them; person -1 is missing, number names the row."""

    person: np.ndarray
    at: np.ndarray
    code: np.ndarray
    properties: np.ndarray
    number: np.ndarray
    session: np.ndarray
    received: np.ndarray
    account: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: np.ndarray) -> Rows:
        """Keep the rows in the places `rows`, in that order."""
        return Rows(*(getattr(self, each.name)[rows] for each in fields(self)))


def in_order(things: Done) -> Done:
    """Sort by person, then by time."""
    return things.take(np.argsort(things.person * (1 << 33) + things.at, kind="stable"))


def receive(rng: np.random.Generator, things: Done, account: np.ndarray) -> Rows:
    """Turn sorted things into rows: sessions end after 30 quiet minutes, and arrive as they end."""
    n = len(things)
    mail = things.code == _DIGEST
    acts = np.flatnonzero(~mail)
    person, at = things.person[acts], things.at[acts]
    starts = np.ones(len(acts), dtype=bool)
    starts[1:] = (person[1:] != person[:-1]) | (at[1:] - at[:-1] > 30 * MINUTE)
    session = np.full(n, -1)
    session[acts] = np.cumsum(starts) - 1
    received = things.at + 1
    last = np.flatnonzero(np.append(starts[1:], True)) if len(acts) else acts
    arrival = at[last] + rng.integers(1, 9, len(last))
    received[acts] = arrival[session[acts]]
    return Rows(
        things.person,
        things.at,
        things.code,
        things.properties,
        np.arange(n),
        session,
        received,
        account[things.person],
    )


def soil(rng: np.random.Generator, rows: Rows) -> tuple[Rows, Counter]:
    """Lose a day, double rows, delay some, put clocks wrong, lose names; count all of it."""
    truth, counted = STORY.dirt, Counter()
    lost = clock.day_of(rows.at) == clock.number_of(truth.missing_day)
    rows = rows.take(np.flatnonzero(~lost))
    counted["missing_day"] = int(lost.sum())

    n = len(rows)
    late = rng.random(n) < truth.late
    rows.received = np.where(
        late, rows.at + DAY + (rng.exponential(1.5 * DAY, n)).astype(np.int64), rows.received
    )
    fast = (rng.random(n) < truth.fast_clock) & ~late
    rows.at = np.where(fast, rows.received + rng.integers(5, 6 * MINUTE, n), rows.at)
    wild = rng.random(n) < truth.wild_times_per_million / 1e6
    shift = rng.choice([-20 * 365 * DAY, 6 * 365 * DAY, 3 * DAY, 40 * DAY], n)
    rows.at = np.where(wild, rows.at + shift, rows.at)
    broken = rng.random(n) < truth.broken_properties
    rows.properties = np.where(broken, BROKEN, rows.properties).astype(np.int16)
    rows.person = np.where(rng.random(n) < truth.no_person, NOBODY, rows.person)
    counted.update(
        late=int(late.sum()),
        fast_clock=int(fast.sum()),
        wild_times=int(wild.sum()),
        broken_properties=int(broken.sum()),
        no_person=int((rows.person == NOBODY).sum()),
    )
    return _double(rng, rows, counted)


def _double(rng: np.random.Generator, rows: Rows, counted: Counter) -> tuple[Rows, Counter]:
    """Send some rows a second time, under the same number; half of these arrive hours later."""
    twice = np.flatnonzero(rng.random(len(rows)) < STORY.dirt.duplicates)
    again = rows.take(twice)
    slow = rng.random(len(twice)) < 0.5
    again.received = again.received + np.where(slow, rng.integers(MINUTE, 20 * HOUR, len(twice)), 0)
    counted["duplicates"] = len(twice)
    both = Rows(
        *(np.concatenate([getattr(rows, each.name), getattr(again, each.name)]) for each in fields(Rows))
    )
    return by_person(both), counted


def by_person(rows: Rows) -> Rows:
    """Sort by person, time and arrival; those without a person come last."""
    person = np.where(rows.person == NOBODY, np.iinfo(np.int32).max, rows.person)
    return rows.take(np.lexsort((rows.received, rows.at, person)))
