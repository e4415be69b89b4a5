"""Growth: founders who come by channels, and the generations whom they invite."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from . import clock
from .breaking import SOUND, Broken
from .clock import DAY, END, HOUR, NEVER, WEEK
from .people import INVITE, REFERRAL, People, join, newcomers
from .story import STORY
from .words import CHANNELS


@dataclass
class Invites:
    """Columns of equal length, one place per invitation (kind 0) or shared link (kind 1)."""

    inviter: np.ndarray
    sent: np.ndarray
    kind: np.ndarray
    invitee: np.ndarray
    accepted: np.ndarray

    def __len__(self) -> int:
        return len(self.inviter)

    def take(self, rows: np.ndarray) -> Invites:
        """Keep the invitations in the places `rows`, in that order."""
        return Invites(*(getattr(self, each.name)[rows] for each in fields(self)))


def grow(rng: np.random.Generator, size: int, broken: Broken = SOUND) -> tuple[People, Invites]:
    """Let a group of exactly `size` people grow: founders, their invitees, and so on."""
    generation = _founders(rng, round(size * 0.8) + 40, broken)
    people, invites, first = [generation], [], 0
    accounts = len(generation)
    while len(generation):
        sent = _invitations(rng, generation, first, broken)
        came = np.flatnonzero(sent.accepted < NEVER)
        inviter, kind = sent.inviter[came], sent.kind[came]
        first += len(generation)
        sent.invitee[came] = first + np.arange(len(came))
        new_accounts = accounts + np.cumsum(kind) - 1
        account = np.where(kind == 1, new_accounts, generation.account[inviter - first + len(generation)])
        accounts += int(kind.sum())
        generation = newcomers(
            rng,
            sent.accepted[came],
            np.where(kind == 1, REFERRAL, INVITE).astype(np.int8),
            inviter,
            account,
            generation.root[inviter - first + len(generation)],
            broken,
        )
        people.append(generation)
        invites.append(sent)
    return _cut(join(people), _join(invites), size)


def _founders(rng: np.random.Generator, n: int, broken: Broken) -> People:
    factor = broken.factor("acquisition", clock.MIDNIGHTS[:-1])
    signed_up = clock.times_of_day(rng, clock.growing_days(rng, n, STORY.growth.monthly, factor))
    shares = np.array([STORY.channels[name].founders for name in CHANNELS])
    channel = rng.choice(len(CHANNELS), n, p=shares / shares.sum()).astype(np.int8)
    order = np.arange(n)
    return newcomers(rng, signed_up, channel, np.full(n, -1), order, order, broken)


def _invitations(rng: np.random.Generator, people: People, first: int, broken: Broken) -> Invites:
    """Draw what a generation sends: first invitations, later ones, and links to share."""
    n, truth = len(people), STORY.growth
    at_first = np.where(people.invites_at < NEVER, 1 + rng.poisson(truth.more_invites, n), 0)
    who = np.repeat(np.arange(n), at_first)
    nth = np.arange(len(who)) - np.repeat(np.cumsum(at_first) - at_first, at_first)
    parts = [(who, people.invites_at[who] + 17 * nth, 0)]

    who = np.repeat(np.arange(n), np.where(people.stays, rng.poisson(truth.later_invites, n), 0))
    parts.append(
        (who, people.settles[who] + WEEK + (rng.exponential(60 * DAY, len(who))).astype(np.int64), 0)
    )

    knows = people.activated < NEVER
    shares = rng.random(n) < np.where(knows, truth.shares_link_if_activated, truth.shares_link_if_not)
    who = np.flatnonzero(shares)
    begin = np.where(knows, people.activated, people.signed_up)[who]
    parts.append((who, begin + clock.delays(rng, len(who), 20 * HOUR, 1.0), 1))

    inviter = np.concatenate([part[0] for part in parts])
    sent = np.concatenate([part[1] for part in parts])
    kind = np.concatenate([np.full(len(part[0]), part[2], dtype=np.int8) for part in parts])
    still_there = (sent < END) & (
        (kind == 1) | (sent < np.maximum(people.leaves, people.settles + 1)[inviter])
    )
    inviter, sent, kind = inviter[still_there], sent[still_there], kind[still_there]
    return Invites(inviter + first, sent, kind, np.full(len(sent), -1), _acceptance(rng, sent, kind, broken))


def _acceptance(rng: np.random.Generator, sent: np.ndarray, kind: np.ndarray, broken: Broken) -> np.ndarray:
    truth = STORY.growth
    chance = np.where(kind == 1, truth.link_accepted, truth.invite_accepted)
    accepts = rng.random(len(sent)) < chance * broken.factor("advocacy", sent)
    at = sent + 90 + clock.delays(rng, len(sent), truth.accept_median_hours * HOUR, truth.accept_spread)
    return np.where(accepts & (at < END), at, NEVER)


def _cut(people: People, invites: Invites, size: int) -> tuple[People, Invites]:
    """Keep whole families until `size` people are there; the last family may lose its youngest."""
    family = np.bincount(people.root)
    before = np.cumsum(family) - family
    rank = np.empty(len(people), dtype=np.int64)
    order = np.argsort(people.root, kind="stable")
    rank[order] = np.arange(len(people)) - np.repeat(before[family > 0], family[family > 0])
    kept = np.flatnonzero(before[people.root] + rank < size)
    kept = kept[np.argsort(people.signed_up[kept], kind="stable")]

    place = np.full(len(people) + 1, -1)
    place[kept] = np.arange(len(kept))
    people = people.take(kept)
    people.inviter = place[people.inviter]
    people.account = np.unique(people.account, return_inverse=True)[1]
    invites = invites.take(np.flatnonzero(place[invites.inviter] >= 0))
    invites.inviter, invites.invitee = place[invites.inviter], place[invites.invitee]
    invites.accepted = np.where(invites.invitee >= 0, invites.accepted, NEVER)
    return people, invites.take(np.argsort(invites.sent, kind="stable"))


def _join(parts: list[Invites]) -> Invites:
    return Invites(
        *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Invites))
    )
