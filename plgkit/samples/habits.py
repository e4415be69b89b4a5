"""Habits: the days on which people come back, their sessions, and what they do there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import clock
from .breaking import SOUND, Broken
from .clock import DAY, DAYS, END, HOUR, NEVER, WEEK
from .people import People
from .story import STORY
from .words import CODE, CORE, HABITS

_CODES = np.array([CODE[name] for name in HABITS], dtype=np.int16)
_CUMULATED = np.cumsum(list(HABITS.values()))
_VIEWED, _MOVED = CODE["board_viewed"], CODE["card_moved"]


@dataclass
class Done:
    """Things done, one place each: who, when, what, and the number of its properties (-1: none)."""

    person: np.ndarray
    at: np.ndarray
    code: np.ndarray
    properties: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: np.ndarray) -> Done:
        """Keep the things in the places `rows`, in that order."""
        return Done(self.person[rows], self.at[rows], self.code[rows], self.properties[rows])


def done(person: np.ndarray, at: np.ndarray, event: str, properties: np.ndarray | int = -1) -> Done:
    """Let each person do the event at the time beside it."""
    n = len(person)
    return Done(person, at, np.full(n, CODE[event], np.int16), np.full(n, properties, np.int16))


def join(parts: list[Done]) -> Done:
    """Put things done one after the other."""
    return Done(
        *(
            np.concatenate([getattr(each, name) for each in parts])
            for name in ("person", "at", "code", "properties")
        )
    )


def first_steps(rng: np.random.Generator, people: People) -> Done:
    """Sign-up, the onboarding steps, the first finished card, and a look around."""
    parts = []
    times = {
        "signed_up": people.signed_up,
        "profile_completed": people.profile_at,
        "board_created": people.board_at,
        "card_added": people.card_at,
        "card_finished": people.activated,
    }
    for event, at in times.items():
        who = np.flatnonzero(at < NEVER)
        parts.append(done(who, at[who], event))
    parts.append(_look_around(rng, people))
    return join(parts)


def _look_around(rng: np.random.Generator, people: People) -> Done:
    """What the curious do more of in their first session; it has no say in who stays."""
    watches = np.flatnonzero(rng.random(len(people)) < 0.32 + 0.15 * people.curiosity)
    parts = [
        done(watches, people.signed_up[watches] + clock.delays(rng, len(watches), 150, 0.6), "tour_watched")
    ]
    for event, mean in (("template_browsed", -0.5), ("theme_changed", -1.3), ("board_viewed", 0.4)):
        times = rng.poisson(np.exp(mean + 0.6 * people.curiosity))
        who = np.repeat(np.arange(len(people)), times)
        parts.append(done(who, people.signed_up[who] + clock.delays(rng, len(who), 300, 0.9), event))
    return join(parts)


def sessions(
    rng: np.random.Generator, people: People, broken: Broken = SOUND
) -> tuple[np.ndarray, np.ndarray]:
    """Draw all later sessions: who, and when each begins."""
    person, day = _active_days(rng, people, broken)
    more = rng.poisson(STORY.retention.more_sessions, len(person))
    start = clock.times_of_day(rng, day)
    who = np.repeat(person, 1 + more)
    nth = np.arange(len(who)) - np.repeat(np.cumsum(1 + more) - (1 + more), 1 + more)
    start = np.repeat(start, 1 + more) + nth * (HOUR + rng.exponential(2 * HOUR, len(who))).astype(np.int64)
    inside = start < END
    return who[inside], start[inside]


def _active_days(
    rng: np.random.Generator, people: People, broken: Broken
) -> tuple[np.ndarray, np.ndarray]:
    n, truth = len(people), STORY.retention
    day = np.arange(DAYS, dtype=np.int16)[None, :]

    def on(times: np.ndarray) -> np.ndarray:
        return clock.day_of(np.minimum(times, END)).astype(np.int16)[:, None]

    activated = (people.activated < people.signed_up + DAY) * truth.first_week_daily_activated
    novelty = truth.first_week_daily + activated + truth.first_week_daily_curiosity * people.curiosity
    habit = np.clip(truth.daily * np.exp(truth.daily_spread * rng.standard_normal(n)), 0.08, 0.75)
    # People off for a week are off from Monday to Sunday.
    monday = (np.arange(DAYS) + clock.WEEKDAY[0]) // 7
    here = (rng.random((n, monday[-1] + 1), dtype=np.float32) >= truth.week_off)[:, monday]

    gap = rng.exponential(truth.gap_mean_weeks * WEEK, n) + 3 * WEEK
    again = np.where(rng.random(n) < truth.comes_back, people.leaves + gap.astype(np.int64), NEVER)
    gone = again + rng.exponential(truth.second_stay_mean_weeks * WEEK, n).astype(np.int64)
    signed_up, settles = on(people.signed_up), on(people.settles)
    new = (day > signed_up) & (day < on(people.signed_up + WEEK))
    settled = (day >= settles) & (day < on(people.leaves))
    learns = settled & (day < on(people.signed_up + 2 * WEEK))
    back = (day >= on(again)) & (day < on(gone))
    chance = np.where(new, novelty[:, None], 0).astype(np.float32)
    chance = np.where((settled | back) & here, habit[:, None].astype(np.float32), chance)
    chance = np.where(learns, np.float32(truth.second_week_daily), chance)
    chance *= clock.RHYTHM.astype(np.float32)[None, :]
    chance *= broken.factor("engagement", clock.MIDNIGHTS[:-1]).astype(np.float32)[None, :]
    return np.nonzero(rng.random((n, DAYS), dtype=np.float32) < chance)


def things(rng: np.random.Generator, people: People, who: np.ndarray, start: np.ndarray) -> Done:
    """Fill sessions: sign in, then a handful of events from each person's own range."""
    count = np.minimum(rng.geometric(1 / STORY.retention.events_per_session, len(who)), 15)
    person, begin = np.repeat(who, count), np.repeat(start, count)
    gap = (5 + rng.exponential(95, len(person))).astype(np.int64)
    run = np.cumsum(gap)
    before = np.cumsum(count) - count
    at = begin + run - np.repeat(run[before] - gap[before], count)
    code = _codes(rng, people, person, at)
    device = np.where(rng.random(len(who)) < 0.12, rng.integers(0, 3, len(who)), people.device[who])
    entry = Done(who, start, np.full(len(who), CODE["signed_in"], np.int16), device.astype(np.int16))
    return join([entry, Done(person, at, code, np.full(len(person), -1, np.int16))])


def _codes(rng: np.random.Generator, people: People, person: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Draw what is done, and put viewing and moving cards where a person does not do that (yet)."""
    code = _CODES[
        np.minimum(np.searchsorted(_CUMULATED, rng.random(len(person)) * _CUMULATED[-1]), len(_CODES) - 1)
    ]
    knows = np.zeros((len(people), len(CODE)), dtype=bool)
    knows[:, _CODES] = True
    for event, share in zip(CORE, STORY.retention.features, strict=True):
        knows[:, CODE[event]] = rng.random(len(people)) < share
    views = people.role == 2
    knows[views, CODE["card_added"]] = knows[views, CODE["board_created"]] = False
    allowed = knows[person, code]
    early = at < people.signed_up[person] + WEEK
    core = np.isin(code, [CODE[each] for each in CORE])
    allowed &= ~(core & early & (people.card_at[person] == NEVER))
    allowed &= ~(core & (at < people.card_at[person]) & (people.card_at[person] < NEVER))
    allowed &= ~((code == CODE["board_created"]) & (at < people.signed_up[person] + 2 * WEEK))
    allowed &= ~((code == CODE["card_finished"]) & (at <= people.activated[person]))
    return np.where(allowed, code, np.where(code % 2 == 0, _VIEWED, _MOVED)).astype(np.int16)


def digests(people: People) -> Done:
    """The mail of the first of every month: something that happens to people, not a thing they do."""
    first = [clock.number_of(day) for day in _firsts()]
    sent = clock.MIDNIGHTS[first] + 6 * HOUR
    person, month = np.nonzero(sent[None, :] > people.signed_up[:, None] + 3 * DAY)
    return done(person, sent[month] + (person * 37) % (2 * HOUR), "digest_emailed")


def _firsts() -> list:
    return [
        clock.FIRST_DAY.replace(year=year, month=month)
        for year in (2025, 2026)
        for month in range(1, 13)
        if (year, month) > (2025, 1) and (year, month) <= (2026, 6)
    ]
