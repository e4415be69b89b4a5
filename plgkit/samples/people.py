"""People: who they are, whether they activate, and whether they stay."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from . import clock
from .breaking import SOUND, Broken
from .clock import DAY, HOUR, MINUTE, NEVER, WEEK
from .story import STORY
from .words import CHANNELS, COUNTRY_SHARES

DIRECT, INVITE, REFERRAL = CHANNELS.index("direct"), CHANNELS.index("invite"), CHANNELS.index("referral")


@dataclass
class People:
    """Columns of equal length, one place per person; a time that never comes is `NEVER`."""

    signed_up: np.ndarray
    channel: np.ndarray
    inviter: np.ndarray
    account: np.ndarray
    root: np.ndarray
    role: np.ndarray
    country: np.ndarray
    device: np.ndarray
    curiosity: np.ndarray
    guided: np.ndarray
    profile_at: np.ndarray
    board_at: np.ndarray
    card_at: np.ndarray
    activated: np.ndarray
    invites_at: np.ndarray
    stays: np.ndarray
    settles: np.ndarray
    leaves: np.ndarray

    def __len__(self) -> int:
        return len(self.signed_up)

    def take(self, rows: np.ndarray) -> People:
        """Keep the people in the places `rows`, in that order."""
        return People(*(getattr(self, each.name)[rows] for each in fields(self)))


def join(parts: list[People]) -> People:
    """Put groups of people one after the other."""
    return People(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(People)))


def newcomers(
    rng: np.random.Generator,
    signed_up: np.ndarray,
    channel: np.ndarray,
    inviter: np.ndarray,
    account: np.ndarray,
    root: np.ndarray,
    broken: Broken = SOUND,
) -> People:
    """Draw all that is true of people who sign up at these times by these channels."""
    n = len(signed_up)
    curiosity = np.clip(rng.standard_normal(n), -2.5, 2.5)
    guided = variants(rng, clock.day_of(signed_up), "guided_start")
    steps = _first_steps(rng, signed_up, channel, curiosity, guided, broken)
    stays, settles, leaves = _staying(rng, signed_up, steps["activated"], broken)
    return People(
        signed_up=signed_up,
        channel=channel,
        inviter=inviter,
        account=account,
        root=root,
        role=_roles(rng, channel),
        country=rng.choice(len(COUNTRY_SHARES), n, p=COUNTRY_SHARES).astype(np.int8),
        device=rng.choice(3, n, p=(0.68, 0.12, 0.20)).astype(np.int8),
        curiosity=curiosity,
        guided=guided,
        stays=stays,
        settles=settles,
        leaves=leaves,
        **steps,
    )


def variants(rng: np.random.Generator, day: np.ndarray, experiment: str) -> np.ndarray:
    """Draw a variant (0 or 1) for those whose day lies in the experiment, -1 for the others."""
    run = STORY.experiments[experiment]
    inside = (day >= clock.number_of(run.first_day)) & (day <= clock.number_of(run.last_day))
    return np.where(inside, rng.integers(0, 2, len(day)), -1).astype(np.int8)


def _roles(rng: np.random.Generator, channel: np.ndarray) -> np.ndarray:
    invited = np.where(rng.random(len(channel)) < 0.36, 2, 1)
    return np.where(channel == INVITE, invited, 0).astype(np.int8)


def _first_steps(
    rng: np.random.Generator,
    signed_up: np.ndarray,
    channel: np.ndarray,
    curiosity: np.ndarray,
    guided: np.ndarray,
    broken: Broken,
) -> dict[str, np.ndarray]:
    n, truth = len(signed_up), STORY.activation
    chance = np.array([STORY.channels[name].activates for name in CHANNELS])[channel]
    chance = (
        chance + truth.curiosity_adds * curiosity + STORY.experiments["guided_start"].effect * (guided == 1)
    )
    chance = chance * broken.factor("activation", signed_up)
    activates = rng.random(n) < chance / truth.by_day_7
    adds_card = activates | (rng.random(n) < truth.card_without_it + 0.05 * curiosity)
    board = adds_card | (rng.random(n) < truth.board_without_card)
    profile = rng.random(n) < np.where(board, truth.profile + 0.02, truth.profile - 0.06)
    invites = rng.random(n) < np.select(
        [activates, adds_card], [truth.invites_with_it, truth.invites_with_card], default=0.01
    )

    to_profile = clock.delays(rng, n, 45, 0.5)
    to_board = to_profile + clock.delays(rng, n, 60, 0.6)
    to_card = to_board + clock.delays(rng, n, 65, 0.6)
    session = np.maximum(
        clock.delays(rng, n, truth.first_session_median_minutes * MINUTE, truth.first_session_spread), 100
    )
    later = DAY + (rng.exponential(truth.later_mean_days * DAY, n)).astype(np.int64)
    to_finish = np.where(rng.random(n) < truth.in_first_session, session, later)
    # Whoever finishes a card quickly has made the board and the card even faster.
    hurry = np.minimum(1.0, np.where(activates, 0.85 * to_finish / to_card, 1.0))
    to_profile, to_board, to_card = (
        (each * hurry).astype(np.int64) for each in (to_profile, to_board, to_card)
    )
    soon = to_card + clock.delays(rng, n, 5 * MINUTE, 0.6)
    to_invite = np.where(rng.random(n) < 0.78, soon, (HOUR * 20 + rng.random(n) * 5 * DAY).astype(np.int64))
    to_invite = np.maximum(to_invite, to_card + 5)

    def when(does: np.ndarray, wait: np.ndarray) -> np.ndarray:
        return np.where(does, signed_up + wait, NEVER)

    return {
        "profile_at": when(profile, to_profile),
        "board_at": when(board, to_board),
        "card_at": when(adds_card, to_card),
        "activated": when(activates, to_finish),
        "invites_at": when(invites, to_invite),
    }


def _staying(
    rng: np.random.Generator,
    signed_up: np.ndarray,
    activated: np.ndarray,
    broken: Broken,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Toss the coin of staying. Nothing but activation has a say in it."""
    n, truth = len(signed_up), STORY.retention
    chance = np.where(activated < NEVER, truth.stays_if_activated, truth.stays_if_not)
    stays = rng.random(n) < chance * broken.factor("retention", signed_up)
    settles = np.maximum(signed_up + WEEK, np.where(activated < NEVER, activated, 0))
    leaves = settles + (rng.exponential(truth.stay_mean_weeks * WEEK, n)).astype(np.int64)
    return stays, settles, np.where(stays, _leave_soon(rng, settles, leaves, broken), settles)


def _leave_soon(rng: np.random.Generator, settles: np.ndarray, leaves: np.ndarray, broken: Broken) -> np.ndarray:
    """Once staying is broken, whoever is still there goes within weeks."""
    if broken.stage != "retention":
        return leaves
    begin = np.maximum(settles, clock.MIDNIGHTS[clock.number_of(broken.since)])
    return np.minimum(leaves, begin + (rng.exponential(6 * WEEK, len(leaves))).astype(np.int64))
