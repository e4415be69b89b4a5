"""Who is who: how far visits, people and accounts hang together."""

from __future__ import annotations

import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.quality.aside import of_import
from plgkit.quality.touched import counted, of_tables, percent, told
from plgkit.sources.data import Data
from plgkit.sources.imported import Brought

_COLUMNS = ["what", "n", "of", "share", "effect"]
_SAID = {"conflicts": "links between ids that contradict earlier ones", "circles": "circles of ids that each name the next"}
Found = tuple[str, int, int | None, str]


def identity(data: Data) -> pd.DataFrame:
    """How far visitors, people and accounts are known to each other, and what it does to the measures.

    Parameters
    ----------
    data
        From `plgkit.connect`.

    Returns
    -------
    One row per question that the tables can answer: what, n, of (missing where nobody knows), share, effect. Visitors who are
    known as several people share a browser, or were joined wrongly. Where the tables were imported, the links between ids that
    contradict each other, and circles of them, follow; `.import/gathered.json` lists them.

    Examples
    --------
    >>> from plgkit import samples
    >>> identity(samples.tiny())[["what", "n", "of"]]
                                        what  n  of
    0  visitors who are known to be somebody  3   5
    1        visitors who are several people  0   5
    2      people with visits of several ids  0   4
    3                 people without a visit  1   4
    4              people without an account  0   4
    """
    found = [*(_of_visits(data) if data.has("visits", "users") else []), *(_of_accounts(data) if data.has("accounts", "users") else []), *_of_import(data)]
    made = pd.DataFrame(found, columns=["what", "n", "of", "effect"]).astype({"n": "int64", "of": "Int64"})
    made["share"] = made["n"] / made["of"].where(made["of"] > 0).astype("float64")
    return made.assign(effect=made["effect"].where(made["n"] > 0, "none"))[_COLUMNS]


def _of_visits(data: Data) -> list[Found]:
    """Visitors and people: both ways round."""
    visitors = data.visits.group_by("visitor_id").aggregate(people=_.user_id.nunique())
    total, known, several, joined = _counts(data, visitors.aggregate(
        a=_.count(), b=(_.people > 0).ifelse(1, 0).sum().fill_null(0), c=(_.people > 1).ifelse(1, 0).sum().fill_null(0), d=_.people.sum().fill_null(0)))
    ids = data.visits.filter(_.user_id.notnull()).group_by("user_id").aggregate(ids=_.visitor_id.nunique())
    both = data.users.select("user_id").left_join(ids, "user_id").select(ids=ids.ids.fill_null(0))
    people, many, none, devices = _counts(data, both.aggregate(
        a=_.count(), b=(_.ids > 1).ifelse(1, 0).sum().fill_null(0), c=(_.ids == 0).ifelse(1, 0).sum().fill_null(0), d=_.ids.sum().fill_null(0)))
    rate = f" (acquisition.visitor_to_signup is {percent(known / total)} at most)" if total else ""
    return [
        ("visitors who are known to be somebody", known, total, f"the {counted(total - known, 'other counts', 'others count')} as visitors who never signed up{rate}" if total > known
         else "none: every visitor is known"),
        ("visitors who are several people", several, total,
         f"a visit counts for the person it names; the first visit of up to {counted(joined - several, 'person', 'people')} may be another's: acquisition.time_to_signup "
         "and sign-ups by channel"),
        ("people with visits of several ids", many, people,
         f"{counted(devices - (people - none), 'visitor', 'visitors')} more than people: acquisition.visitors is too high and acquisition.visitor_to_signup too low by as many"),
        ("people without a visit", none, people,
         f"{counted(none, 'person is', 'people are')} in acquisition.signups and in no visitor's way: acquisition.visitor_to_signup and acquisition.time_to_signup "
         f"tell of the other {people - none:,}"),
    ]


def _of_accounts(data: Data) -> list[Found]:
    """People and accounts."""
    ids = data.accounts.select("account_id", there=1)
    both = data.users.select("user_id", "account_id").left_join(ids, "account_id").select(ids.there)
    people, alone = _counts(data, both.aggregate(a=_.count(), b=_.there.isnull().ifelse(1, 0).sum().fill_null(0)))
    reading = told(of_tables(data, "accounts")) or "measures of accounts"
    return [("people without an account", alone, people, f"what {counted(alone, 'person does', 'people do')} counts for no account in {reading}")]


def _of_import(data: Data) -> list[Found]:
    """Links between ids that the import did not follow, and circles it closed."""
    return [(_SAID[each.sort], each.rows, each.of, of_import(each, "")) for each in data.findings if isinstance(each, Brought) and each.sort in _SAID]


def _counts(data: Data, asked: Table) -> list[int]:
    return [int(each) for each in data.run(asked).iloc[0]]
