"""Strangers: bots, the company's own staff, and people whom the users table does not know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import clock
from .clock import DAYS, END, MINUTE
from .habits import Done, done, join
from .story import STORY
from .words import CODE, COUNTRIES


@dataclass
class Strangers:
    """Bots first, then staff, then the unknown; `signed_up` is for the first two only."""

    bots: int
    staff: int
    unknown: int
    signed_up: np.ndarray
    account: np.ndarray
    country: np.ndarray
    done: Done


def strangers(rng: np.random.Generator, people: int, accounts: int) -> Strangers:
    """Draw as many as belong to a company of so many people; staff have account -1."""
    truth = STORY.dirt
    bots = max(2, round(people * truth.bots_per_thousand / 1_000))
    staff = truth.internal_people + people // 5_000
    unknown = max(3, round(people * truth.unknown_people_per_thousand / 1_000))
    born = np.concatenate(
        [
            clock.growing_days(rng, bots, STORY.growth.monthly),
            rng.integers(0, 60, staff),
            clock.growing_days(rng, unknown, STORY.growth.monthly),
        ]
    )
    signed_up = clock.times_of_day(rng, np.minimum(born, DAYS - 8))
    account = np.concatenate([rng.integers(0, max(accounts, 1), bots), np.full(staff, -1)])
    parts = [
        _bots(rng, np.arange(bots), born),
        _staff(rng, bots + np.arange(staff), born),
        _unknown(rng, bots + staff + np.arange(unknown), born),
    ]
    known = bots + staff
    entry = done(np.arange(known), signed_up[:known], "signed_up")
    everything = join([entry, *parts])
    begin = signed_up[everything.person]
    everything = everything.take(np.flatnonzero((everything.at >= begin) & (everything.at < END)))
    country = rng.integers(0, len(COUNTRIES), known)
    return Strangers(bots, staff, unknown, signed_up[:known], account, country, everything)


def _days(
    rng: np.random.Generator, who: np.ndarray, born: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    busy = (rng.random((len(who), DAYS)) < share) & (np.arange(DAYS)[None, :] >= born[who][:, None])
    row, day = np.nonzero(busy)
    return who[row], day


def _bots(rng: np.random.Generator, who: np.ndarray, born: np.ndarray) -> Done:
    """A bot works every day and at every hour, always with the same few events."""
    person, day = _days(rng, who, born, 0.97)
    count = rng.poisson(STORY.dirt.bot_events_a_day, len(person))
    person, day = np.repeat(person, count), np.repeat(day, count)
    at = clock.MIDNIGHTS[day] + rng.integers(0, 1_380, len(day)) * MINUTE
    code = rng.choice([CODE["card_added"], CODE["card_moved"], CODE["comment_added"]], len(at)).astype(
        np.int16
    )
    return Done(person, at, code, np.full(len(at), -1, np.int16))


def _staff(rng: np.random.Generator, who: np.ndarray, born: np.ndarray) -> Done:
    person, day = _days(rng, who, born, 0.30)
    count = 2 + rng.poisson(4, len(person))
    person, day = np.repeat(person, count), np.repeat(day, count)
    names = (
        "signed_in",
        "card_added",
        "card_finished",
        "pricing_viewed",
        "premium_tried",
        "checkout_started",
        "board_viewed",
    )
    code = rng.choice([CODE[name] for name in names], len(person)).astype(np.int16)
    return Done(person, clock.times_of_day(rng, day), code, np.full(len(person), -1, np.int16))


def _unknown(rng: np.random.Generator, who: np.ndarray, born: np.ndarray) -> Done:
    """Somebody was deleted from the users, but not from the events."""
    person = np.repeat(who, 4 + rng.poisson(14, len(who)))
    day = np.minimum(born[person] + rng.integers(0, 30, len(person)), DAYS - 1)
    code = rng.choice([CODE["signed_in"], CODE["board_viewed"], CODE["card_moved"]], len(person)).astype(
        np.int16
    )
    return Done(person, clock.times_of_day(rng, day), code, np.full(len(person), -1, np.int16))
