"""Sentences about the data themselves: gaps, late rows, events against the plan."""

from __future__ import annotations

import pandas as pd

from plgkit.notebook import words


def stood_still(found: pd.DataFrame, days: int) -> str:
    """Say how many days had far fewer rows than usual, and which was the worst.

    Examples
    --------
    >>> stood_still(pd.DataFrame(), 90)
    'Of 90 days none had far fewer events than usual'
    >>> found = pd.DataFrame({"first": [pd.Timestamp("2026-01-05")], "last": [pd.Timestamp("2026-01-06")], "days": [2], "events": [3], "expected": [90.0]})
    >>> stood_still(found, 90)
    'Of 90 days 2 had far fewer events than usual; the worst came on 5 Jan 2026, with 3 events where 90 are usual'
    """
    if found.empty:
        return f"Of {words.count(days)} days none had far fewer events than usual"
    worst = found.assign(lost=found["expected"] - found["events"]).sort_values(["lost", "first"], ascending=[False, True]).iloc[0]
    return (f"Of {words.count(days)} days {words.count(found['days'].sum())} had far fewer events than usual; the worst came on "
            f"{words.day(worst['first'])}, with {words.count(worst['events'])} events where {words.count(worst['expected'])} are usual")


def still_moving(found: pd.DataFrame) -> str:
    """Say how much of a week is known when it ends, and when all but one in a thousand rows are.

    Examples
    --------
    >>> still_moving(pd.DataFrame({"days_after": [0, 3], "known": [0.98, 0.9995], "still_moves": [0.02, 0.0005], "weeks": [9, 9]}))
    'When a week ends, 2.0% of its events are still to come; after 3 days hardly any is'
    """
    if found.empty:
        return "No week can be judged yet: nobody knows when its events were received, or it is too young"
    first = found.iloc[0]
    settled = found[found["still_moves"] < 0.001]
    when = "after two weeks some still are" if settled.empty else "and that is hardly any" if settled.iloc[0]["days_after"] == 0 else \
        f"after {words.counted(settled.iloc[0]['days_after'], 'day')} hardly any is"
    return f"When a week ends, {words.share(first['still_moves'], 1)} of its events are still to come; {when}"


def against_plan(found: pd.DataFrame) -> str:
    """Say how many events there are, and which of those that the playbook names are new, gone or were never seen.

    Examples
    --------
    >>> found = pd.DataFrame({"event": ["a", "b"], "named_in": ["", "activation"], "state": ["steady", "named, never seen"]})
    >>> against_plan(found)
    '1 event comes in; of those that the playbook names, b was never seen'
    """
    seen = found[found["state"] != "named, never seen"]
    parts = [f"{words.listed(found.loc[(found['state'] == state) & (found['named_in'] != ''), 'event'])} {told}"
             for state, told in (("named, never seen", "was never seen"), ("vanished", "has vanished"), ("new", "is new"))
             if ((found["state"] == state) & (found["named_in"] != "")).any()]
    said = f"of those that the playbook names, {'; '.join(parts)}" if parts else "all that the playbook names are among them"
    return f"{words.counted(len(seen), 'event')} {'comes' if len(seen) == 1 else 'come'} in; {said}"


def emptiest(found: pd.DataFrame) -> str:
    """Name the columns that measures read and that are empty most.

    Examples
    --------
    >>> emptiest(pd.DataFrame({"table": ["users"], "column": ["channel"], "share": [0.4], "read_by": ["acquisition by channel"]}))
    'The emptiest column that a measure reads is channel in users, with 40% missing'
    """
    read = found[(found["read_by"] != "") & ~found["read_by"].str.startswith("nothing")]
    if read.empty:
        return "No column that a measure reads has gaps"
    first = read.iloc[0]
    return f"The emptiest column that a measure reads is {first['column']} in {first['table']}, with {words.share(first['share'])} missing"


def who_is_who(known: pd.DataFrame) -> str:
    """Say how far visitors, people and accounts are known to each other: what is so of some, then what is so of none.

    Examples
    --------
    >>> who_is_who(pd.DataFrame({"what": ["visitors who are known to be somebody", "people without an account"], "n": [3, 0], "of": [5, 4]}))
    '3 of 5 visitors are known to be somebody; none of 4 people are without an account'
    >>> who_is_who(pd.DataFrame({"what": [], "n": [], "of": []}))
    'No table tells of visitors or accounts'
    """
    told = known[known["of"] > 0]
    if told.empty:
        return "No table tells of visitors or accounts"
    said = [(row.what.replace(" who are", " are").replace("people with ", "people have ").replace("people without", "people are without"), row)
            for row in told.itertuples()]
    there = [f"{words.count(row.n)} of {words.count(row.of)} {what}" for what, row in said if row.n]
    none = [f"none of {words.count(row.of)} {what}" for what, row in said if not row.n]
    return "; ".join([*there, *none])
