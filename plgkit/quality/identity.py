"""Who is who: how far visits, people and accounts hang together."""

from __future__ import annotations

import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.sources.data import Data

_COLUMNS = ["what", "n", "of", "share", "effect"]


def identity(data: Data) -> pd.DataFrame:
    """How far visitors, people and accounts are known to each other, and what it does to the measures.

    Parameters
    ----------
    data
        From `plgkit.connect`.

    Returns
    -------
    One row per question that the tables can answer: what, n, of, share, effect. Visitors who are known as several people
    share a browser, or were joined wrongly; the importer lists those it found to contradict each other in
    `.import/gathered.json`.

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
    found = [*(_of_visits(data) if data.has("visits", "users") else []), *(_of_accounts(data) if data.has("accounts", "users") else [])]
    made = pd.DataFrame(found, columns=["what", "n", "of", "effect"]).astype({"n": "int64", "of": "int64"})
    return made.assign(share=made["n"] / made["of"].where(made["of"] > 0))[_COLUMNS]


def _of_visits(data: Data) -> list[tuple[str, int, int, str]]:
    """Visitors and people: both ways round."""
    visitors = data.visits.group_by("visitor_id").aggregate(people=_.user_id.nunique())
    total, known, several = _counts(data, visitors.aggregate(
        a=_.count(), b=(_.people > 0).ifelse(1, 0).sum().fill_null(0), c=(_.people > 1).ifelse(1, 0).sum().fill_null(0)))
    ids = data.visits.filter(_.user_id.notnull()).group_by("user_id").aggregate(ids=_.visitor_id.nunique())
    both = data.users.select("user_id").left_join(ids, "user_id").select(ids=ids.ids.fill_null(0))
    people, many, none = _counts(data, both.aggregate(
        a=_.count(), b=(_.ids > 1).ifelse(1, 0).sum().fill_null(0), c=(_.ids == 0).ifelse(1, 0).sum().fill_null(0)))
    return [
        ("visitors who are known to be somebody", known, total, "the others count as visitors who never signed up"),
        ("visitors who are several people", several, total, "a visit counts for the person it names; first touches may be another's"),
        ("people with visits of several ids", many, people, "more devices: visitors are more than people"),
        ("people without a visit", none, people, "their channel is the one they signed up with, and they count for no visitor"),
    ]


def _of_accounts(data: Data) -> list[tuple[str, int, int, str]]:
    """People and accounts."""
    ids = data.accounts.select("account_id", there=1)
    both = data.users.select("user_id", "account_id").left_join(ids, "account_id").select(ids.there)
    people, alone = _counts(data, both.aggregate(a=_.count(), b=_.there.isnull().ifelse(1, 0).sum().fill_null(0)))
    return [("people without an account", alone, people, "what they do counts for no account: no lead, no expansion, wider intervals")]


def _counts(data: Data, asked: Table) -> list[int]:
    return [int(each) for each in data.run(asked).iloc[0]]
