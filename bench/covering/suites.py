"""The kinds of companies that cases are asked of: one with all its use, and one of which only the money is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from plgkit import samples
from plgkit.playbook import read_playbook
from plgkit.samples import acme
from plgkit.samples.clock import LAST_DAY
from plgkit.sources.connect import connect
from plgkit.sources.data import Data

from . import cases, payments
from .books import Books
from .cases import Case
from .clean import Clean

_TABLES = {"events", "users", "visits", "invites", "surveys"}


@dataclass(frozen=True)
class Suite:
    """Cases, of companies of so many people: each as a user opens it, and clean; where in docs/ the result is kept."""

    name: str
    cases: list[Case]
    people: int
    kept: str
    heading: str
    opened: Callable[[int, int], Data]
    clean: Callable[[int, int], Any]


def _with_use(seed: int, people: int) -> Data:
    """A made-up company, opened with all its dirt."""
    made = samples.company(people=people, seed=seed)
    tables = {name: rows for name, rows in made.tables.items() if name in _TABLES}
    return connect(tables, playbook=read_playbook(made.playbook), as_of=LAST_DAY)


def _with_money(seed: int, people: int) -> Data:
    """The money of a made-up company; nothing of the dirt touches it."""
    return connect(Books(seed, people).tables(), playbook=read_playbook(acme.playbook(people)), as_of=LAST_DAY)


USE = Suite("use", cases.CASES, 2_000, "coverage.csv", "## What was found", _with_use, Clean)
MONEY = Suite("money", payments.CASES, 10_000, "coverage_money.csv", "## Money: what was found", _with_money, Books)
