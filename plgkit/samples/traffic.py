"""Traffic: visits before sign-up, most of which lead nowhere, and what the channels cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import clock
from .clock import DAY, DAYS, END, START
from .people import People
from .story import STORY
from .words import CHANNELS

_SIGNS_UP_AT_ONCE, _COMES_TWICE, _SECOND_BROWSER = 0.88, 0.13, 0.04


@dataclass
class Visits:
    """Columns of equal length, one place per visit; person -1 means nobody known."""

    visitor: np.ndarray
    at: np.ndarray
    channel: np.ndarray
    person: np.ndarray
    visitors: int


def visit(rng: np.random.Generator, people: People) -> Visits:
    """Draw the visits of those who signed up and of the many who did not."""
    parts = [_of_signups(rng, people)]
    parts += [_second_browsers(rng, people, len(people))]
    strangers = _strangers(rng, people)
    parts += [(number + len(people) * 2, at, channel, person) for number, at, channel, person in strangers]
    visitor, at, channel, person = (np.concatenate(column) for column in zip(*parts, strict=True))
    inside = (at >= START) & (at < END)
    visitor, at, channel, person = visitor[inside], at[inside], channel[inside], person[inside]
    visitor = _by_first_visit(visitor, at)
    order = np.lexsort((at, visitor))
    return Visits(visitor[order], at[order], channel[order], person[order], int(visitor.max(initial=-1)) + 1)


def _by_first_visit(visitor: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Number the visitors anew, in the order in which they came."""
    same = np.unique(visitor, return_inverse=True)[1]
    first = np.full(same.max(initial=-1) + 1, END)
    np.minimum.at(first, same, at)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(len(first))
    return place[same]


def _of_signups(rng: np.random.Generator, people: People) -> tuple[np.ndarray, ...]:
    """The last visit ends in the sign-up and carries the person; earlier ones carry nobody."""
    n = len(people)
    landed = people.signed_up - np.maximum(clock.delays(rng, n, 40, 0.55), 9)
    earlier = np.where(rng.random(n) < _SIGNS_UP_AT_ONCE, 0, rng.integers(1, 4, n))
    who = np.repeat(np.arange(n), earlier)
    before = landed[who] - (0.2 * DAY + rng.exponential(3.5 * DAY, len(who))).astype(np.int64)
    person = np.concatenate([np.arange(n), np.full(len(who), -1)])
    everyone = np.concatenate([np.arange(n), who])
    return everyone, np.concatenate([landed, before]), people.channel[everyone], person


def _second_browsers(rng: np.random.Generator, people: People, first: int) -> tuple[np.ndarray, ...]:
    """Some looked at it on the phone first; that browser is known to be theirs only weeks later."""
    who = np.flatnonzero(rng.random(len(people)) < _SECOND_BROWSER)
    looked = people.signed_up[who] - (rng.exponential(2 * DAY, len(who))).astype(np.int64) - 600
    known = people.signed_up[who] + (2 * DAY + rng.exponential(10 * DAY, len(who))).astype(np.int64)
    channel = people.channel[who]
    return (
        np.tile(first + who, 2),
        np.concatenate([looked, known]),
        np.tile(channel, 2),
        np.concatenate([np.full(len(who), -1), who]),
    )


def _strangers(rng: np.random.Generator, people: People) -> list[tuple[np.ndarray, ...]]:
    parts, first = [], 0
    for number, name in enumerate(CHANNELS):
        came = int((people.channel == number).sum())
        n = int(rng.poisson(came * (1 / STORY.channels[name].visits_to_signup - 1)))
        at = clock.times_of_day(rng, clock.growing_days(rng, n, STORY.growth.monthly))
        again = np.flatnonzero(rng.random(n) < _COMES_TWICE)
        later = at[again] + (rng.exponential(5 * DAY, len(again))).astype(np.int64) + 1_800
        visitor = first + np.concatenate([np.arange(n), again])
        nobody = np.full(n + len(again), -1)
        parts.append((visitor, np.concatenate([at, later]), np.full(len(visitor), number, np.int8), nobody))
        first += n
    return parts


def spend(rng: np.random.Generator, people: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the cost of every day and channel: days, numbers of channels, amounts."""
    weight = (1 + STORY.growth.monthly) ** (np.arange(DAYS) / 30.44) * (0.35 + 0.65 * clock.RHYTHM)
    days, channels, amounts = [], [], []
    for number, name in enumerate(CHANNELS):
        truth = STORY.channels[name]
        if truth.cost_per_signup:
            expected = people * 0.65 * truth.founders * weight / weight.sum()
            noise = np.exp(0.12 * rng.standard_normal(DAYS))
            days.append(np.arange(DAYS))
            channels.append(np.full(DAYS, number))
            amounts.append(np.round(expected * truth.cost_per_signup * noise, 2))
    day, channel = np.concatenate(days), np.concatenate(channels)
    order = np.lexsort((channel, day))
    return day[order], channel[order], np.concatenate(amounts)[order]
