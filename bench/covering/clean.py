"""One made-up company before any dirt, as plain arrays: what is true of it, counted without any measure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from plgkit.samples import block, clock, dirt
from plgkit.samples.clock import DAY, DAYS, NEVER
from plgkit.samples.words import CODE, CORE

NOT_ACTIVITY = [CODE["digest_emailed"], CODE["survey_shown"]]
_DATES = [clock.FIRST_DAY + timedelta(days=number) for number in range(DAYS)]
WEEK_OF_DAY = (np.arange(DAYS) + clock.WEEKDAY[0]) // 7
MONTH_OF_DAY = np.array([12 * (day.year - clock.FIRST_DAY.year) + day.month - 1 for day in _DATES])
QUARTER_OF_DAY = MONTH_OF_DAY // 3


@dataclass
class Clean:
    """A company of one block, drawn from a seed."""

    seed: int
    people_count: int

    @cached_property
    def block(self) -> block.Block:
        """All that there is."""
        return block.draw(0, self.people_count, self.seed)

    @property
    def people(self):
        """The people."""
        return self.block.people

    @cached_property
    def joined(self) -> np.ndarray:
        """The day of sign-up of each person, counted from the first day."""
        return clock.day_of(self.people.signed_up)

    @cached_property
    def acts(self):
        """The things that people do themselves."""
        return self.block.done.take(np.flatnonzero(~np.isin(self.block.done.code, NOT_ACTIVITY)))

    @cached_property
    def active(self) -> np.ndarray:
        """Whether each person was active on each day."""
        found = np.zeros((len(self.people), DAYS), dtype=bool)
        found[self.acts.person, clock.day_of(self.acts.at)] = True
        return found

    def active_in(self, unit: np.ndarray) -> np.ndarray:
        """Whether each person was active in each week, month or quarter."""
        found = np.zeros((len(self.people), unit[-1] + 1), dtype=bool)
        person, day = np.nonzero(self.active)
        found[person, unit[day]] = True
        return found

    def first(self, event: str) -> np.ndarray:
        """When each person first did the event since signing up, or `NEVER`."""
        return self.first_since(event, self.people.signed_up)

    def first_since(self, event: str, since: np.ndarray) -> np.ndarray:
        """When each person first did the event at or after a time of their own, or `NEVER`."""
        things = self.block.done
        rows = np.flatnonzero(things.code == CODE[event])
        rows = rows[things.at[rows] >= since[things.person[rows]]]
        found = np.full(len(self.people), NEVER)
        np.minimum.at(found, things.person[rows], things.at[rows])
        return found

    @cached_property
    def sessions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Who had a session, on which day it began, and how many seconds it took: a pause of 30 minutes ends one."""
        things = self.block.done
        rows = dirt.receive(np.random.default_rng(0), things, np.zeros(len(self.people), dtype=int))
        acts = ~np.isin(rows.code, NOT_ACTIVITY)
        rows = rows.take(np.flatnonzero(acts))
        begins = np.unique(rows.session, return_index=True)[1]
        ends = np.append(begins[1:], len(rows)) - 1
        return rows.person[begins], clock.day_of(rows.at[begins]), rows.at[ends] - rows.at[begins]

    @cached_property
    def uses(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Who used which core feature (its place in the list) on which day."""
        rows = self.acts.take(np.flatnonzero(np.isin(self.acts.code, [CODE[each] for each in CORE])))
        place = np.searchsorted(np.sort([CODE[each] for each in CORE]), rows.code)
        return rows.person, np.argsort([CODE[each] for each in CORE])[place], clock.day_of(rows.at)

    def joined_in(self, unit: np.ndarray, number: int) -> np.ndarray:
        """Whether each person signed up in the week, month or quarter of this number."""
        return unit[self.joined] == number


def number_in(unit: np.ndarray, day: date) -> int:
    """The number of the week, month or quarter in which a date lies."""
    return int(unit[clock.number_of(day)])


def within(later: np.ndarray, start: np.ndarray, days: int) -> np.ndarray:
    """Whether `later` comes within so many days of `start`; the last instant counts."""
    return (later >= start) & (later <= start + days * DAY)
