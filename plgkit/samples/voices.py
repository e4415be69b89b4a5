"""Voices: who was asked, who answered and what they wrote; and who saw which experiment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import clock
from .clock import NEVER
from .habits import Done, done
from .people import People, variants
from .words import BLAME, COMMENTS, PRAISE, PROPERTY, SHRUGS

_SCORES = {
    True: (0.01, 0.01, 0.01, 0.01, 0.01, 0.03, 0.04, 0.09, 0.19, 0.33, 0.27),
    False: (0.04, 0.02, 0.03, 0.04, 0.05, 0.08, 0.11, 0.19, 0.19, 0.15, 0.10),
}
_ASKED, _ANSWERS, _WRITES = 0.014, 0.38, 0.35


@dataclass
class Answers:
    """Columns of equal length, one place per answered survey; comment -1 means none."""

    person: np.ndarray
    at: np.ndarray
    kind: np.ndarray
    score: np.ndarray
    comment: np.ndarray


def ask(rng: np.random.Generator, people: People, who: np.ndarray, start: np.ndarray) -> tuple[Done, Answers]:
    """Show a survey in some sessions; some of those who see it answer."""
    shown = np.flatnonzero(rng.random(len(who)) < _ASKED)
    person, at = who[shown], start[shown] + 75
    kind = (rng.random(len(shown)) < 0.35).astype(np.int8)
    texts = np.array([PROPERTY['{"survey": "nps"}'], PROPERTY['{"survey": "csat"}']])
    rows = np.flatnonzero(rng.random(len(shown)) < _ANSWERS)
    knows = people.activated[person[rows]] < at[rows]
    luck = rng.random(len(rows))
    score = np.where(
        knows,
        np.searchsorted(np.cumsum(_SCORES[True]), luck),
        np.searchsorted(np.cumsum(_SCORES[False]), luck),
    )
    score = np.minimum(score, 10)
    comment = np.where(rng.random(len(rows)) < _WRITES, _comments(rng, score), -1)
    stars = np.where(kind[rows] == 1, np.array([1, 1, 1, 2, 2, 2, 3, 4, 4, 5, 5])[score], score)
    answers = Answers(
        person[rows], at[rows] + 20 + rng.integers(0, 90, len(rows)), kind[rows], stars, comment
    )
    return done(person, at, "survey_shown", texts[kind]), answers


def _comments(rng: np.random.Generator, score: np.ndarray) -> np.ndarray:
    first = np.select([score >= 9, score >= 7], [0, len(PRAISE)], default=len(PRAISE) + len(SHRUGS))
    many = np.select([score >= 9, score >= 7], [len(PRAISE), len(SHRUGS)], default=len(BLAME))
    return np.minimum(first + (rng.random(len(score)) * many).astype(int), len(COMMENTS) - 1)


@dataclass
class Exposures:
    """Columns of equal length, one place per person who first saw a variant."""

    person: np.ndarray
    experiment: np.ndarray
    variant: np.ndarray
    at: np.ndarray


def expose(rng: np.random.Generator, people: People, who: np.ndarray, start: np.ndarray) -> Exposures:
    """Newcomers see guided_start as they sign up, others see button_color at their next session."""
    guided = np.flatnonzero(people.guided >= 0)
    variant = variants(rng, clock.day_of(start), "button_color")
    first = np.full(len(people), NEVER)
    inside = variant >= 0
    np.minimum.at(first, who[inside], start[inside])
    seen = np.flatnonzero(first < NEVER)
    coin = rng.integers(0, 2, len(people)).astype(np.int8)
    return Exposures(
        np.concatenate([guided, seen]),
        np.repeat([0, 1], [len(guided), len(seen)]),
        np.concatenate([people.guided[guided], coin[seen]]),
        np.concatenate([people.signed_up[guided] + 2, first[seen]]),
    )
