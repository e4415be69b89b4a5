"""The made-up company with one stage broken: that stage shows it, and nothing before that day does."""

from __future__ import annotations

import json

import numpy as np
import pytest

from plgkit import samples
from plgkit.errors import BadParameter, UnknownStage
from plgkit.samples import block, clock
from plgkit.samples.breaking import FAULTS, broken_in
from plgkit.samples.clock import DAY, NEVER

SEED, SIZE = 5, 2_048


def _days(drawn: block.Block) -> np.ndarray:
    return np.unique(drawn.done.person * 1_000 + clock.day_of(drawn.done.at))


def shown(drawn: block.Block, first: int, last: int) -> dict[str, float]:
    """One number per stage, of what happened between two times."""
    people, accounts, changes, invites = drawn.people, drawn.accounts, drawn.changes, drawn.invites

    def among(at: np.ndarray) -> np.ndarray:
        return (at >= first) & (at < last)

    came, sent, days = among(people.signed_up), among(invites.sent), _days(drawn)
    days = days[among(clock.MIDNIGHTS[days % 1_000])]
    pays = accounts.pays <= accounts.created + 90 * DAY
    needs = (accounts.limit_at < NEVER) | (accounts.premium_at < NEVER) | (accounts.pricing >= 2)
    opened = among(accounts.created)
    return {"acquisition": (came & (people.inviter < 0)).sum() / among(drawn.visits.at).sum(),
            "activation": (people.activated < NEVER)[came].mean(),
            "engagement": len(days) / len(np.unique(days // 1_000)),
            "retention": people.stays[came].mean(),
            "conversion": pays[opened].mean(),
            "pql": pays[opened & needs].mean(),
            "expansion": -(changes.seats[among(changes.at)] == 0).sum(),
            "advocacy": (invites.accepted < NEVER)[sent].mean()}


@pytest.fixture(scope="module")
def sound() -> block.Block:
    return block.draw(0, SIZE, SEED)


@pytest.mark.parametrize("stage", FAULTS)
def test_the_stage_that_is_broken_shows_it(stage, sound):
    since = clock.MIDNIGHTS[clock.number_of(FAULTS[stage].since)]
    until = since + 90 * DAY
    before, wrong = shown(sound, since, until), shown(block.draw(0, SIZE, SEED, broken_in(stage)), since, until)
    assert wrong[stage] < before[stage] - 0.3 * abs(before[stage])
    if stage in ("engagement", "expansion", "conversion", "pql"):  # these change nobody's way in
        still = {"acquisition", "activation", "retention", "advocacy"}
        assert {name: wrong[name] for name in still} == {name: before[name] for name in still}


@pytest.mark.parametrize("stage", ["conversion", "pql"])
def test_before_that_day_the_same_accounts_began_to_pay(stage, sound):
    wrong = block.draw(0, SIZE, SEED, broken_in(stage))
    since = clock.MIDNIGHTS[clock.number_of(FAULTS[stage].since)]
    first, other = (np.where(drawn.accounts.pays < since, drawn.accounts.pays, NEVER) for drawn in (sound, wrong))
    assert np.array_equal(first, other)


def test_the_truth_says_what_was_broken_and_since_when(tmp_path):
    made = samples.company(people=50, seed=1, broken="activation", broken_from="2026-02-01")
    told = json.loads((made.write(tmp_path) / "truth.json").read_text(encoding="utf-8"))["broken"]
    assert told == dict(made.truth["broken"])
    assert told == {"stage": "activation", "since": "2026-02-01",
                    "what": "Half as many newcomers activate.", "factor": 0.5}
    assert "broken" not in samples.company(people=50, seed=1).truth


def test_a_stage_that_is_none_is_named_with_the_nearest_one():
    with pytest.raises(UnknownStage) as caught:
        samples.company(people=50, broken="activasion")
    assert str(caught.value) == "No stage 'activasion'. Did you mean 'activation'?"


def test_a_day_outside_the_story_is_refused():
    with pytest.raises(BadParameter) as caught:
        samples.company(people=50, broken="activation", broken_from="2027-01-01")
    assert str(caught.value) == "broken_from is '2027-01-01'; expected a day from 2025-01-01 to 2026-06-30."
