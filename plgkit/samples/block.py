"""One block of people with all that they do: the company is a row of blocks, each drawn by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from . import billing, dirt, growth, habits, money, traffic, voices
from .breaking import SOUND, Broken
from .clock import END
from .habits import Done
from .people import People

SIZE = 2_048
"""People in a block; the last one may be smaller."""

_SUBJECTS = (
    "growth",
    "money",
    "billing",
    "habits",
    "voices",
    "traffic",
    "dirt",
    "strangers",
    "spend",
    "signs",
    "soil",
)


def stream(seed: int, block: int, subject: str) -> np.random.Generator:
    """Open the random numbers of one subject in one block, untouched by all others."""
    return np.random.default_rng([seed, block, _SUBJECTS.index(subject)])


@dataclass
class Block:
    """A group of people who have to do with nobody outside it, before any dirt."""

    number: int
    people: People
    invites: growth.Invites
    accounts: money.Accounts
    changes: billing.Changes
    done: Done
    sessions: tuple[np.ndarray, np.ndarray]
    answers: voices.Answers
    exposures: voices.Exposures
    visits: traffic.Visits


def blocks(people: int, seed: int, broken: Broken = SOUND) -> Iterator[Block]:
    """Draw the blocks of a company of so many people, one after the other."""
    for number, first in enumerate(range(0, people, SIZE)):
        yield draw(number, min(SIZE, people - first), seed, broken)


def draw(number: int, size: int, seed: int, broken: Broken = SOUND) -> Block:
    """Draw one block."""
    people, invites = growth.grow(stream(seed, number, "growth"), size, broken)
    chance = stream(seed, number, "money")
    accounts = money.open_accounts(chance, people, broken)
    changes, ended = billing.bill(stream(seed, number, "billing"), accounts, broken)
    money.stay_for_money(chance, people, accounts, ended)

    chance = stream(seed, number, "habits")
    sessions = habits.sessions(chance, people, broken)
    parts = [
        habits.first_steps(chance, people),
        habits.things(chance, people, *sessions),
        habits.digests(people),
    ]
    parts += [money.events_of(stream(seed, number, "signs"), accounts), _sent(invites)]
    voice = stream(seed, number, "voices")
    asked, answers = voices.ask(voice, people, *sessions)
    things = habits.join([*parts, asked])
    things = dirt.in_order(things.take(np.flatnonzero(things.at < END)))
    return Block(
        number,
        people,
        invites,
        accounts,
        changes,
        things,
        sessions,
        answers,
        voices.expose(voice, people, *sessions),
        traffic.visit(stream(seed, number, "traffic"), people),
    )


def _sent(invites: growth.Invites) -> Done:
    by_kind = [np.flatnonzero(invites.kind == kind) for kind in (0, 1)]
    return habits.join(
        [
            habits.done(invites.inviter[by_kind[0]], invites.sent[by_kind[0]], "teammate_invited"),
            habits.done(invites.inviter[by_kind[1]], invites.sent[by_kind[1]], "link_shared"),
        ]
    )
