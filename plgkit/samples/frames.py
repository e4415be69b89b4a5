"""From numbers to tables: Arrow tables with the columns of the schema and readable ids."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from . import clock, words
from .block import Block
from .clock import DAY, END, NEVER, START
from .dirt import NOBODY, Rows
from .story import STORY
from .strangers import Strangers

TIME = pa.timestamp("ms")
_EPOCH = np.datetime64("1970-01-01", "D")


def ids(letter: str, numbers: np.ndarray, width: int = 7) -> pa.Array:
    """Write numbers as ids of one length, such as u0000012; a negative number is missing."""
    text = pc.utf8_lpad(pc.cast(pa.array(numbers, mask=numbers < 0), pa.string()), width, "0")
    return pc.binary_join_element_wise(letter, text, "")


def times(seconds: np.ndarray) -> pa.Array:
    """Turn seconds since 1970 into times; what never comes, or comes after the end, is missing."""
    return pa.array((seconds * 1_000).astype("datetime64[ms]"), type=TIME, mask=seconds >= NEVER)


def named(names: tuple[str, ...], numbers: np.ndarray) -> pa.Array:
    """Write numbers as the names at these places; a negative number is missing."""
    places = pa.array(np.asarray(numbers, dtype=np.int32), mask=np.asarray(numbers) < 0)
    return pa.DictionaryArray.from_arrays(places, pa.array(names))


def events(rows: Rows, first_person: int, first_account: int, first_row: int, first_session: int) -> pa.Table:
    """Event rows as a table; the firsts number what earlier blocks have used up."""
    shift = np.where(rows.person == NOBODY, -1, rows.person + first_person)
    return pa.table(
        {
            "user_id": _shared("u", shift),
            "event": named(words.EVENTS, rows.code),
            "occurred_at": times(rows.at),
            "event_id": ids("e", rows.number + first_row, 9),
            "account_id": _shared("a", np.where(rows.account < 0, -1, rows.account + first_account)),
            "received_at": times(rows.received),
            "session_id": ids("s", np.where(rows.session < 0, -1, rows.session + first_session), 8),
            "properties": named(words.PROPERTIES, rows.properties),
        }
    )


def _shared(letter: str, numbers: np.ndarray) -> pa.Array:
    """Ids that repeat, as a dictionary."""
    unique, places = np.unique(numbers, return_inverse=True)
    return pa.DictionaryArray.from_arrays(
        pa.array(places.astype(np.int32), mask=numbers < 0), pc.fill_null(ids(letter, unique), "")
    )


def users(block: Block, first: int, first_account: int) -> pa.Table:
    """The people of a block."""
    people = block.people
    n = len(people)
    return pa.table(
        {
            "user_id": ids("u", first + np.arange(n)),
            "signed_up_at": times(people.signed_up),
            "account_id": ids("a", first_account + people.account),
            "channel": named(words.CHANNELS, people.channel),
            "invited_by": ids("u", np.where(people.inviter < 0, -1, people.inviter + first)),
            "role": named(words.ROLES, people.role),
            "country": named(words.COUNTRIES, np.where((first + np.arange(n)) % 41 == 7, -1, people.country)),
            "is_internal": pa.array(np.zeros(n, dtype=bool)),
        }
    )


def strange_users(those: Strangers, first: int, direct: int) -> pa.Table:
    """Bots and staff as rows of the users table."""
    n = those.bots + those.staff
    staff = np.arange(n) >= those.bots
    account = pc.if_else(pa.array(staff), "acme", ids("a", np.maximum(those.account, 0)))
    return pa.table(
        {
            "user_id": ids("u", first + np.arange(n)),
            "signed_up_at": times(those.signed_up),
            "account_id": account,
            "channel": named(words.CHANNELS, np.where(staff, -1, direct)),
            "invited_by": pa.nulls(n, pa.string()),
            "role": named(words.ROLES, np.where(staff, 0, words.ROLES.index("bot"))),
            "country": named(words.COUNTRIES, those.country),
            "is_internal": pa.array(staff),
        }
    )


def accounts(block: Block, first: int) -> pa.Table:
    """The accounts of a block."""
    of = block.accounts
    n = len(of)
    ends = np.where(of.trial < NEVER, of.trial + STORY.money.trial_days * DAY, NEVER)
    unsaid = np.arange(n) % 8 == 5
    return pa.table(
        {
            "account_id": ids("a", first + np.arange(n)),
            "created_at": times(of.created),
            "industry": named(words.INDUSTRIES, np.where(unsaid, -1, of.industry)),
            "employees": pa.array(of.employees, mask=unsaid),
            "trial_started_at": times(of.trial),
            "trial_ended_at": times(ends),
        }
    )


def own_account() -> pa.Table:
    """The account in which the staff try their own product."""
    return pa.table(
        {
            "account_id": pa.array(["acme"]),
            "created_at": times(np.array([START])),
            "industry": named(words.INDUSTRIES, np.zeros(1)),
            "employees": pa.array([None], type=pa.int64()),
            "trial_started_at": times(np.array([NEVER])),
            "trial_ended_at": times(np.array([NEVER])),
        }
    )


def visits(block: Block, first_person: int, first_visitor: int) -> pa.Table:
    """The visits of a block."""
    of = block.visits
    return pa.table(
        {
            "visitor_id": ids("v", first_visitor + of.visitor, 8),
            "visited_at": times(of.at),
            "channel": named(words.CHANNELS, of.channel),
            "user_id": ids("u", np.where(of.person < 0, -1, of.person + first_person)),
        }
    )


def subscriptions(block: Block, first: int) -> pa.Table:
    """What the accounts of a block pay."""
    of = block.changes
    return pa.table(
        {
            "account_id": ids("a", first + of.account),
            "changed_at": times(of.at),
            "mrr": pa.array(of.mrr),
            "plan": named(words.PLANS, of.plan),
            "seats": pa.array(of.seats),
            "motion": named(words.MOTIONS, of.sales.astype(int)),
        }
    )


def invites(block: Block, first: int) -> pa.Table:
    """The invitations and shared links of a block."""
    of = block.invites
    return pa.table(
        {
            "inviter_id": ids("u", first + of.inviter),
            "sent_at": times(of.sent),
            "kind": named(words.KINDS, of.kind),
            "invitee_id": ids("u", np.where(of.invitee < 0, -1, of.invitee + first)),
            "accepted_at": times(of.accepted),
        }
    )


def surveys(block: Block, first: int) -> pa.Table:
    """The answers of a block."""
    of = block.answers
    inside = np.flatnonzero(of.at < END)
    return pa.table(
        {
            "user_id": ids("u", first + of.person[inside]),
            "answered_at": times(of.at[inside]),
            "kind": named(words.SURVEYS, of.kind[inside]),
            "score": pa.array(of.score[inside].astype(float)),
            "comment": named(words.COMMENTS, of.comment[inside]),
        }
    )


def strange_surveys(n: int) -> pa.Table:
    """Answers with a score that no survey has."""
    return pa.table(
        {
            "user_id": ids("u", np.arange(n)),
            "answered_at": times(np.full(n, END - 30 * DAY) + np.arange(n)),
            "kind": named(words.SURVEYS, np.zeros(n)),
            "score": pa.array(np.full(n, 11.0)),
            "comment": named(words.COMMENTS, np.full(n, -1)),
        }
    )


def exposures(block: Block, first: int) -> pa.Table:
    """Who saw what in the experiments."""
    of = block.exposures
    names = tuple(STORY.experiments)
    labels = tuple(variant for run in STORY.experiments.values() for variant in run.variants)
    return pa.table(
        {
            "user_id": ids("u", first + of.person),
            "experiment": named(names, of.experiment),
            "variant": named(labels, of.experiment * 2 + of.variant),
            "exposed_at": times(of.at),
        }
    )


def spend(days: np.ndarray, channels: np.ndarray, amounts: np.ndarray) -> pa.Table:
    """What the channels cost."""
    dates = np.datetime64(clock.FIRST_DAY, "D") + days
    return pa.table(
        {
            "day": pa.array((dates - _EPOCH).astype(np.int32), type=pa.int32()).cast(pa.date32()),
            "channel": named(words.CHANNELS, channels),
            "amount": pa.array(amounts),
        }
    )


def undone(table: pa.Table) -> pa.Table:
    """Turn dictionaries into plain text, for those who compare or join columns."""
    for place, each in enumerate(table.schema):
        if pa.types.is_dictionary(each.type):
            table = table.set_column(place, each.name, table.column(place).cast(pa.string()))
    return table
