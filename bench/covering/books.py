"""The money of one made-up company as plain arrays: who pays what, when, and what came before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from plgkit.samples import billing, clock, frames, growth, habits, money, traffic, words
from plgkit.samples.block import stream
from plgkit.samples.clock import DAYS, END, NEVER
from plgkit.samples.words import CODE

from .clean import MONTH_OF_DAY

MONTHS = int(MONTH_OF_DAY[-1]) + 1
_LAST_DAYS = np.append(np.flatnonzero(np.diff(MONTH_OF_DAY)), DAYS - 1)
_SIGNS = ("trial_started", "checkout_started", "checkout_finished")


@dataclass
class Books:
    """A company of one block, drawn from a seed: its people, accounts, and what these pay; no use is drawn."""

    seed: int
    people_count: int

    @cached_property
    def people(self):
        """The people, whose traits make accounts pay."""
        return growth.grow(self._chance("growth"), self.people_count)[0]

    @cached_property
    def accounts(self):
        """The accounts."""
        return money.open_accounts(self._chance("money"), self.people)

    @cached_property
    def changes(self):
        """The changes of what accounts pay."""
        return billing.bill(self._chance("billing"), self.accounts)[0]

    @cached_property
    def signs(self):
        """The events in which money shows, before the end."""
        found = money.events_of(self._chance("signs"), self.accounts)
        return found.take(np.flatnonzero((found.at < END) & np.isin(found.code, [CODE[each] for each in _SIGNS])))

    @cached_property
    def minor(self) -> np.ndarray:
        """What each change comes to, in hundredths."""
        return np.round(self.changes.mrr * 100).astype(np.int64)

    @cached_property
    def paid(self) -> np.ndarray:
        """What each account pays at the end of each month, in hundredths: one row per account that ever paid."""
        of, day = self.payer, clock.day_of(self.changes.at)
        found = np.zeros((len(self.payers), MONTHS), dtype=np.int64)
        for month, last in enumerate(_LAST_DAYS):  # changes are in order of account and time
            seen = np.flatnonzero(day <= last)
            latest = np.full(len(self.payers), -1)
            np.maximum.at(latest, of[seen], seen)
            found[:, month] = np.where(latest >= 0, self.minor[latest], 0)
        return found

    @cached_property
    def payers(self) -> np.ndarray:
        """The accounts that ever paid."""
        return np.unique(self.changes.account)

    @cached_property
    def payer(self) -> np.ndarray:
        """The row of `paid` that each change is of."""
        return np.searchsorted(self.payers, self.changes.account)

    @cached_property
    def first(self) -> np.ndarray:
        """The place of the first change of each account that ever paid."""
        return np.unique(self.changes.account, return_index=True)[1]

    @cached_property
    def activated(self) -> np.ndarray:
        """When the first of each account's people activated, or `NEVER`."""
        found = np.full(len(self.accounts), NEVER)
        at = np.where(self.people.activated < END, self.people.activated, NEVER)
        np.minimum.at(found, self.people.account, at)
        return found

    @cached_property
    def spend(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What was spent: days, channels, amounts."""
        return traffic.spend(self._chance("spend"), self.people_count)

    def tables(self) -> dict[str, pa.Table]:
        """What a user would have of it: people, accounts, payments, what was spent, and the events about money."""
        block = SimpleNamespace(people=self.people, accounts=self.accounts, changes=self.changes)
        made = {"users": frames.users(block, 0, 0), "accounts": frames.accounts(block, 0),
                "subscriptions": frames.subscriptions(block, 0), "events": self._events(),
                "spend": frames.spend(*self.spend)}
        return {name: frames.undone(table) for name, table in made.items()}

    def _events(self) -> pa.Table:
        who = np.flatnonzero(self.people.activated < END)
        rows = habits.join([self.signs, habits.done(who, self.people.activated[who], "card_finished")])
        return pa.table({"user_id": frames.ids("u", rows.person), "event": frames.named(words.EVENTS, rows.code),
                         "occurred_at": frames.times(rows.at)})

    def _chance(self, subject: str) -> np.random.Generator:
        return stream(self.seed, 0, subject)
