"""A made-up company, large or small, whose true parameters are known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from plgkit.errors import BadParameter
from plgkit.schema import TABLES

from . import counting, dirt, frames, traffic
from .block import Block, blocks, stream
from .breaking import SOUND, Broken, broken_in
from .people import DIRECT
from .story import STORY, plain
from .strangers import Strangers, strangers
from .write import Files

Progress = Callable[[int, int], None]
_LAST = 2**31
"""The number of the block that comes after all others."""


@dataclass(frozen=True)
class Company:
    """A made-up company: its tables (Arrow), its truth, and its playbook (TOML text)."""

    people: int
    seed: int
    tables: Mapping[str, pa.Table]
    truth: Mapping[str, object]
    playbook: str
    broken: Broken = SOUND

    def write(self, directory: str | Path) -> Path:
        """Write the tables as Parquet files, with playbook.toml and truth.json beside them."""
        return _written(Path(directory), self.people, self.seed, self.broken, None)


def company(
    *, people: int = 20_000, seed: int = 7, broken: str | None = None, broken_from: date | str | None = None
) -> Company:
    """Make up Acme Boards: a kanban board that sells itself, from January 2025 to June 2026.

    All nine tables are there, with the dirt of real data: bots, staff, doubled and late
    rows, wrong clocks, people known late, a day without events.

    Parameters
    ----------
    people
        How many people sign up in the 18 months; about 8 % of them in the last one.
        Each stands for some 140 events and 37 visits.
    seed
        Names the draw. The same people and seed give the same rows everywhere.
    broken
        A stage that goes wrong, such as "activation"; the truth then says what and since when.
    broken_from
        The day on which that begins: April 2026, or January where the outcome takes 90 days to show.

    Returns
    -------
    tables (a mapping of name to `pyarrow.Table`), truth and playbook; `write` puts them in a directory.

    Examples
    --------
    >>> from plgkit import samples
    >>> acme = samples.company(people=50, seed=1)
    >>> sorted(acme.tables)
    ['accounts', 'events', 'exposures', 'invites', 'spend', 'subscriptions', 'surveys', 'users', 'visits']
    >>> acme.truth["set"]["retention"]["stays_if_activated"]
    0.6
    >>> samples.company(people=50, broken="advocacy").truth["broken"]["what"]
    'Invitations and links are accepted 0.3 times as often.'
    """
    parts: dict[str, list[pa.Table]] = {}
    truth: dict[str, object] = {}
    wrong = broken_in(broken, broken_from)
    for name, table in _tables(_checked(people), seed, truth, None, wrong):
        parts.setdefault(name, []).append(frames.undone(table))
    tables = {name: pa.concat_tables(parts[name]).combine_chunks() for name in TABLES if name in parts}
    return Company(people, seed, MappingProxyType(tables), _frozen(truth), playbook(people), wrong)


def write_company(
    directory: str | Path,
    *,
    people: int = 20_000,
    seed: int = 7,
    broken: str | None = None,
    broken_from: date | str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write what `company` makes, block by block, so that no more than one block is in memory.

    Parameters
    ----------
    directory
        Made if it is not there; files of the same names in it are replaced.
    people, seed, broken, broken_from
        As of `company`.
    progress
        Called with the number of people written so far and of all people.
    """
    return _written(Path(directory), people, seed, broken_in(broken, broken_from), progress)


def _written(out: Path, people: int, seed: int, broken: Broken, progress: Progress | None) -> Path:
    people = _checked(people)
    out.mkdir(parents=True, exist_ok=True)
    truth: dict[str, object] = {}
    with Files(out) as written:
        for name, table in _tables(people, seed, truth, progress, broken):
            written.add(name, table)
    (out / "playbook.toml").write_text(playbook(people), encoding="utf-8", newline="\n")
    (out / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8", newline="\n")
    return out


def playbook(people: int) -> str:
    """Write the playbook of the made-up company; the targets that count people grow with it."""
    text = files(__package__).joinpath("acme.toml").read_text(encoding="utf-8")
    targets = {"signups": 0.0982 * people, "actives": 0.393 * people, "capacity": people / 1_000}
    for name, value in targets.items():
        text = text.replace("{" + name + "}", str(max(1, round(value))))
    return text


def _checked(people: int) -> int:
    if isinstance(people, bool) or not isinstance(people, int) or people < 1:
        raise BadParameter("people", people, expected="a whole number of people, 1 or more")
    return people


@dataclass
class _Used:
    """What earlier blocks have used up."""

    people: int = 0
    accounts: int = 0
    rows: int = 0
    sessions: int = 0
    visitors: int = 0


def _tables(
    people: int,
    seed: int,
    truth: dict[str, object],
    progress: Progress | None,
    broken: Broken,
) -> Iterator[tuple[str, pa.Table]]:
    """Give the pieces of every table in their order, and fill in the truth at the end."""
    used, tally, rows, soiled = _Used(), counting.Tally(), Counter(), Counter()
    nameless, last_month = [], 0
    for block in blocks(people, seed, broken):
        counting.count(block, tally, rows)
        last_month += counting.signups_of_last_month(block)
        received = dirt.receive(stream(seed, block.number, "dirt"), block.done, block.people.account)
        yield from _of_block(block, used)
        yield "events", _events(received, seed, block.number, used, soiled, nameless)
        used.people += len(block.people)
        used.accounts += len(block.accounts)
        used.visitors += block.visits.visitors
        if progress:
            progress(used.people, people)
    those = strangers(stream(seed, _LAST, "strangers"), people, used.accounts)
    yield "users", frames.strange_users(those, used.people, DIRECT)
    yield "accounts", frames.own_account()
    yield "surveys", frames.strange_surveys(those.unknown)
    yield "spend", frames.spend(*traffic.spend(stream(seed, _LAST, "spend"), people))
    account = np.where(np.arange(those.bots + those.staff + those.unknown) < those.bots, 0, -1)
    things = dirt.in_order(those.done)
    received = dirt.receive(stream(seed, _LAST, "dirt"), things, account)
    yield "events", _events(received, seed, _LAST, used, soiled, nameless)
    yield from (("events", each) for each in nameless)
    truth.update(_truth(people, seed, tally, rows, soiled, those, last_month) | broken.truth())


def _of_block(block: Block, used: _Used) -> Iterator[tuple[str, pa.Table]]:
    yield "users", frames.users(block, used.people, used.accounts)
    yield "accounts", frames.accounts(block, used.accounts)
    yield "visits", frames.visits(block, used.people, used.visitors)
    yield "subscriptions", frames.subscriptions(block, used.accounts)
    yield "invites", frames.invites(block, used.people)
    yield "surveys", frames.surveys(block, used.people)
    yield "exposures", frames.exposures(block, used.people)


def _events(
    received: dirt.Rows,
    seed: int,
    number: int,
    used: _Used,
    soiled: Counter,
    nameless: list[pa.Table],
) -> pa.Table:
    """Soil the rows of a block; those without a person wait for the end of the table."""
    rows, counted = dirt.soil(stream(seed, number, "soil"), received)
    soiled.update(counted)
    table = frames.events(rows, used.people, used.accounts, used.rows, used.sessions)
    used.rows += len(received)
    used.sessions += int(received.session.max(initial=-1)) + 1
    known = int((rows.person != dirt.NOBODY).sum())
    if known < len(rows):
        nameless.append(table.slice(known))
    return table.slice(0, known)


def _truth(
    people: int,
    seed: int,
    tally: counting.Tally,
    rows: Counter,
    soiled: Counter,
    those: Strangers,
    last_month: int,
) -> dict[str, object]:
    soiled.update(
        bots=those.bots,
        staff=those.staff,
        unknown_people=those.unknown,
        strange_events=len(those.done),
        impossible_scores=those.unknown,
    )
    return {
        "people": people,
        "seed": seed,
        "set": plain(STORY),
        "counted": {"signups_of_last_month": last_month, **tally.shares()},
        "clean_rows": dict(sorted(rows.items())),
        "dirt": dict(sorted(soiled.items())),
    }


def _frozen(value: object) -> object:
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(each) for name, each in value.items()})
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value
