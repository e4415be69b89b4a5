"""Counting on the clean rows what the true parameters came to in these people."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

from . import clock
from .block import Block
from .clock import DAY, END, NEVER, WEEK
from .story import STORY
from .words import CHANNELS, CODE, ONBOARDING

WEEKS = 26
_WINDOW = 14 * DAY


class Tally(defaultdict):
    """Named pairs of numerator and denominator that add up over blocks."""

    def __init__(self) -> None:
        super().__init__(lambda: [0, 0])

    def add(self, name: str, hits: np.ndarray, among: np.ndarray) -> None:
        """Count those in `among` and, of them, the hits."""
        self[name][0] += int((hits & among).sum())
        self[name][1] += int(among.sum())

    def shares(self) -> dict[str, dict[str, float | int | None]]:
        """Write every pair with its share."""
        return {
            name: {"numerator": hits, "denominator": n, "value": hits / n if n else None}
            for name, (hits, n) in sorted(self.items())
        }


def count(block: Block, tally: Tally, rows: Counter) -> None:
    """Add a block to the tally of shares and to the number of clean rows."""
    _activation(block, tally)
    _retention(block, tally)
    _growth(block, tally)
    _money(block, tally)
    _experiments(block, tally)
    rows.update(
        events=len(block.done),
        users=len(block.people),
        accounts=len(block.accounts),
        invites=len(block.invites),
        visits=len(block.visits.at),
        subscriptions=len(block.changes.at),
        surveys=len(block.answers.at),
        exposures=len(block.exposures.at),
    )


def _activation(block: Block, tally: Tally) -> None:
    people = block.people
    old = people.signed_up + 7 * DAY <= END
    within = people.activated <= people.signed_up + 7 * DAY
    tally.add("activation.within_7_days", within, old)
    tally.add(
        "activation.within_1_day", people.activated <= people.signed_up + DAY, people.signed_up + DAY <= END
    )
    for number, name in enumerate(CHANNELS):
        tally.add(f"activation.within_7_days.{name}", within, old & (people.channel == number))
    old = people.signed_up + _WINDOW <= END
    starts = people.profile_at < END
    ends = (
        (people.board_at < NEVER)
        & (people.card_at < NEVER)
        & (people.invites_at <= people.signed_up + _WINDOW)
    )
    tally.add(f"onboarding.{ONBOARDING[-1]}_of_{ONBOARDING[0]}", ends, starts & old)


def _retention(block: Block, tally: Tally) -> None:
    """Share active in the n-th week after sign-up, by whether activated in the first."""
    people, acts = block.people, block.done.code != CODE["digest_emailed"]
    person, at = block.done.person[acts], block.done.at[acts]
    week = (at - people.signed_up[person]) // WEEK
    active = np.zeros((len(people), WEEKS + 1), dtype=bool)
    inside = (week >= 0) & (week <= WEEKS)
    active[person[inside], week[inside]] = True
    knows = people.activated < people.signed_up + WEEK
    for number in range(1, WEEKS + 1):
        old = people.signed_up + (number + 1) * WEEK <= END
        tally.add(f"retention.week_{number:02d}.activated", active[:, number], old & knows)
        tally.add(f"retention.week_{number:02d}.not_activated", active[:, number], old & ~knows)
    _decoys(block, tally, active[:, 4:9].any(axis=1), knows)


def _decoys(block: Block, tally: Tally, back: np.ndarray, knows: np.ndarray) -> None:
    """Who is back in weeks 4 to 8, by an event of the first week: over all, and among equals."""
    people, things = block.people, block.done
    early = things.at < people.signed_up[things.person] + WEEK
    old = people.signed_up + 9 * WEEK <= END
    for event in (STORY.activation.event, *STORY.decoys):
        did = np.zeros(len(people), dtype=bool)
        did[things.person[early & (things.code == CODE[event])]] = True
        for name, among in (("all", old), ("activated", old & knows), ("not_activated", old & ~knows)):
            tally.add(f"back_weeks_4_to_8.{event}.did.{name}", back, among & did)
            tally.add(f"back_weeks_4_to_8.{event}.did_not.{name}", back, among & ~did)


def _growth(block: Block, tally: Tally) -> None:
    people, invites = block.people, block.invites
    came = np.flatnonzero(invites.invitee >= 0)
    invitee, inviter = invites.invitee[came], invites.inviter[came]
    soon = people.activated[invitee] <= people.signed_up[inviter] + _WINDOW
    brought = np.bincount(inviter[soon], minlength=len(people))
    old = people.signed_up + _WINDOW <= END
    tally["k_factor.activated_within_14_days_of_inviter"][0] += int(brought[old].sum())
    tally["k_factor.activated_within_14_days_of_inviter"][1] += int(old.sum())
    everyone = np.ones(len(people), dtype=bool)
    tally.add("growth.viral_share_of_signups", people.inviter >= 0, everyone)
    old = invites.sent + _WINDOW <= END
    for kind, name in enumerate(("invite", "link")):
        tally.add(
            f"growth.{name}_accepted_within_14_days",
            invites.accepted <= invites.sent + _WINDOW,
            old & (invites.kind == kind),
        )


def _money(block: Block, tally: Tally) -> None:
    of = block.accounts
    old = of.created + 90 * DAY <= END
    tally.add("conversion.free_to_paid_within_90_days", of.pays <= of.created + 90 * DAY, old)
    tries = (of.trial < NEVER) & (of.trial + 30 * DAY <= END)
    tally.add(
        "conversion.trial_to_paid_within_30_days",
        (of.pays <= of.trial + 30 * DAY) & (of.pays >= of.trial),
        tries,
    )
    tally.add("conversion.accounts_with_trial", of.trial <= of.created + 90 * DAY, old)


def _experiments(block: Block, tally: Tally) -> None:
    people, seen, things = block.people, block.exposures, block.done
    for number, (name, run) in enumerate(STORY.experiments.items()):
        rows = np.flatnonzero((seen.experiment == number) & (seen.at + _WINDOW <= END))
        person, at = seen.person[rows], seen.at[rows]
        exposed = np.full(len(people), NEVER)
        exposed[person] = at
        does = things.code == CODE[run.on]
        does &= (things.at >= exposed[things.person]) & (things.at <= exposed[things.person] + _WINDOW)
        hit = np.zeros(len(people), dtype=bool)
        hit[things.person[does]] = True
        for variant, label in enumerate(run.variants):
            tally.add(f"experiments.{name}.{label}", hit[person], seen.variant[rows] == variant)


def signups_of_last_month(block: Block) -> int:
    """Count who signed up in the last month."""
    first = clock.MIDNIGHTS[clock.number_of(clock.LAST_DAY.replace(day=1))]
    return int((block.people.signed_up >= first).sum())
