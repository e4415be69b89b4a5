"""Sentences about the data themselves: rows set aside, gaps, late rows, events against the plan, identity, clocks."""

from __future__ import annotations

import pandas as pd

from plgkit.notebook import words
from plgkit.quality.clocks import OFTEN, STEADY
from plgkit.quality.volumes import LEAST_USUAL, SILENCE
from plgkit.sources.data import Data
from plgkit.sources.imported import BREAKS_OFF, Brought

_NAMES = 4


def stood_still(found: pd.DataFrame, days: pd.DataFrame) -> str:
    """Say how many days had far fewer rows than usual, and which was the worst; how many had none, and how many can be judged.

    Parameters
    ----------
    found, days
        From `quality.gaps` and `quality.volumes`.

    Examples
    --------
    >>> none = pd.DataFrame({"first": [], "last": [], "days": [], "events": [], "expected": []})
    >>> days = pd.DataFrame({"gap": [False] * 89 + [True], "expected": [9.0] * 90})
    >>> stood_still(none, days)
    'Of the 90 days that can be judged none had far fewer events than usual; 1 of all 90 days had no event at all'
    >>> stood_still(none, days.assign(expected=float("nan")))
    'No day can be judged: that takes four weeks before it with five events or more on its weekday; 1 of all 90 days had no event at all'
    >>> found = pd.DataFrame({"first": [pd.Timestamp("2026-01-05")], "last": [pd.Timestamp("2026-01-06")], "days": [2], "events": [3], "expected": [90.0]})
    >>> stood_still(found, days)
    'Of 90 days 2 had far fewer events than usual; the worst came on 5 Jan 2026, with 3 events where 90 are usual; 1 of all 90 days had no event at all'
    """
    if days.empty:
        return "No day has an event"
    silent = f"{words.count(days['gap'].sum()) if days['gap'].any() else 'none'} of all {words.counted(len(days), 'day')} had no event at all"
    judged = int((days["expected"] >= LEAST_USUAL).sum())
    known = found[found["expected"].notna()]
    if not known.empty:
        worst = known.assign(lost=known["expected"] - known["events"]).sort_values(["lost", "first"], ascending=[False, True]).iloc[0]
        said = (f"Of {words.count(len(days))} days {words.count(known['days'].sum())} had far fewer events than usual; the worst came on "
                f"{words.day(worst['first'])}, with {words.counted(worst['events'], 'event')} where {words.count(worst['expected'])} are usual")
    elif judged:
        said = f"Of the {words.counted(judged, 'day')} that can be judged none had far fewer events than usual"
    else:
        said = "No day can be judged: that takes four weeks before it with five events or more on its weekday"
    longest = found.sort_values(["days", "first"], ascending=[False, True]).iloc[0] if len(found) else None
    if longest is not None and longest["days"] >= SILENCE and not longest["events"]:
        silent = f"{silent}, {words.count(longest['days'])} of them in a row from {words.day(longest['first'])}"
    return f"{said}; {silent}"


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
    >>> found = pd.DataFrame({"event": ["a", "b", "c"], "named_in": ["", "activation", "features"], "state": ["steady", "named, never seen", "named, never seen"]})
    >>> against_plan(found)
    '1 event comes in; of those that the playbook names, b and c were never seen'
    """
    seen = found[found["state"] != "named, never seen"]
    parts = [_told(found.loc[(found["state"] == state) & (found["named_in"] != ""), "event"], one, many)
             for state, one, many in (("named, never seen", "was never seen", "were never seen"), ("vanished", "has vanished", "have vanished"), ("new", "is new", "are new"))]
    parts = [each for each in parts if each]
    named = (found["named_in"] != "").any()
    said = f"of those that the playbook names, {'; '.join(parts)}" if parts else "all that the playbook names are among them" if named else "the playbook names none"
    return f"{words.counted(len(seen), 'event')} {'comes' if len(seen) == 1 else 'come'} in; {said}"


def _told(events: pd.Series, one: str, many: str) -> str:
    """A few names and how many more, with the verb they take."""
    names = list(events)
    if not names:
        return ""
    shown = [*names[:_NAMES], f"{words.count(len(names) - _NAMES)} more"] if len(names) > _NAMES + 1 else names
    return f"{words.listed(shown)} {one if len(names) == 1 else many}"


def emptiest(found: pd.DataFrame) -> str:
    """Name the columns that measures read and that are empty most.

    Examples
    --------
    >>> emptiest(pd.DataFrame({"table": ["users"], "column": ["channel"], "share": [0.4], "effect": ["4 people are of channel (none)"]}))
    'The emptiest column that a measure reads is channel in users, with 40% missing'
    """
    read = found[~found["effect"].str.startswith("none")]
    if read.empty:
        return "No column that a measure reads has gaps"
    first = read.iloc[0]
    rest = read.iloc[1:]
    others = f"; {words.counted(len(rest), 'other column')} {'has' if len(rest) == 1 else 'have'} gaps too" if len(rest) else ""
    return f"The emptiest column that a measure reads is {first['column']} in {first['table']}, with {words.share(first['share'])} missing{others}"


def who_is_who(known: pd.DataFrame) -> str:
    """Say how far visitors, people and accounts are known to each other: what is so of some, then what is so of none.

    Examples
    --------
    >>> who_is_who(pd.DataFrame({"what": ["visitors who are known to be somebody", "people without an account"], "n": [3, 0], "of": [5, 4]}))
    '3 of 5 visitors are known to be somebody; none of 4 people are without an account'
    >>> who_is_who(pd.DataFrame({"what": [], "n": [], "of": []}))
    'No table tells of visitors or accounts'
    """
    told = known[known["of"].fillna(known["n"]) > 0]
    if told.empty:
        return "No table tells of visitors or accounts"
    there = [f"{words.count(row.n)}{'' if pd.isna(row.of) else f' of {words.count(row.of)}'} {_so(row.what, row.n)}" for row in told.itertuples() if row.n]
    none = [f"none of {words.count(row.of)} {_so(row.what, row.of)}" for row in told.itertuples() if not row.n]
    return "; ".join([*there, *none])


def _so(what: str, n: float) -> str:
    """What is so of somebody, as the end of a sentence."""
    said = what.replace(" who are", " are").replace("people with ", "people have ").replace("people without", "people are without")
    return said.replace("links between ids that contradict", "links between ids contradict").replace("circles of ids that", "circle of ids" if n == 1 else "circles of ids").replace("ids each name the", "ids each naming the")


def in_use(data: Data) -> str:
    """Say how many rows of how many tables are used, how many are not, and how many of an export never became rows of a table.

    Examples
    --------
    >>> from plgkit import samples
    >>> in_use(samples.tiny())
    '52 rows of 9 tables are used; none was set aside and none left out on purpose'
    """
    overview = data.overview
    aside, left = overview["set_aside"].sum(), overview["left_out"].sum()
    lost = sum(each.rows for each in data.findings if isinstance(each, Brought) and each.sort == "set aside")
    rows = overview["rows"].sum()
    said = (f"{words.counted(rows, 'row')} of {words.counted(len(overview), 'table')} {'is' if rows == 1 else 'are'} used; "
            f"{words.counted(aside, 'was', 'were') if aside else 'none was'} set aside and {words.count(left) if left else 'none'} left out on purpose")
    return f"{said}; {words.counted(lost, 'row')} of the export never came into a table" if lost else said


def reserved(found: pd.DataFrame) -> str:
    """Say how many rows are not used or with a reservation, which reason is the most frequent, and how many files break off.

    Examples
    --------
    >>> reserved(pd.DataFrame({"table": ["events"], "rows": [2], "what": ["a double: event_id equal to an earlier row"]}))
    'One reason for 2 rows: a double: event_id equal to an earlier row (events)'
    >>> reserved(pd.DataFrame())
    'No row was set aside, and none is used with a reservation'
    """
    if found.empty:
        return "No row was set aside, and none is used with a reservation"
    first = found.iloc[0]
    most = f"{first['what']} ({first['table']})"
    broken = int(found["what"].str.contains("|".join(BREAKS_OFF)).sum())
    also = f"; {words.counted(broken, 'file')} of the export {'breaks' if broken == 1 else 'break'} off" if broken else ""
    if len(found) == 1:
        return f"One reason for {words.counted(first['rows'], 'row')}: {most}"
    return f"{words.count(len(found))} reasons; the most rows, {words.count(first['rows'])}: {most}{also}"


def robots(found: pd.DataFrame) -> str:
    """Say how many people are busier than a person can be, and how much of all events is theirs.

    Examples
    --------
    >>> robots(pd.DataFrame({"user_id": ["bot"], "share": [0.123]}))
    '1 person looks like a robot, with 12.3% of all events'
    >>> robots(pd.DataFrame())
    'Nobody is busier than a person can be'
    """
    if found.empty:
        return "Nobody is busier than a person can be"
    return f"{words.counted(len(found), 'person looks', 'people look')} like a robot, with {words.share(found['share'].sum(), 1)} of all events"


def clocked(found: pd.DataFrame) -> str:
    """Say how many events come from clocks ahead, and whether some may be behind.

    Examples
    --------
    >>> row = {"rows": 200, "ahead": 3, "other_day": 1, "worst_minutes": 90.0, "least_delay_seconds": -5400.0, "behind_people": 0}
    >>> clocked(pd.DataFrame([row]))
    "1.5% of the events come from a clock ahead of the server's, 1 of them on another day; none shows a clock behind it"
    >>> clocked(pd.DataFrame([{**row, "ahead": 0, "other_day": 0, "least_delay_seconds": 7200.0}]))
    "No event comes from a clock ahead of the server's; none is received within 2 h: clocks are behind, or rows are kept back"
    >>> clocked(pd.DataFrame())
    'Nobody knows when events were received'
    """
    if found.empty:
        return "Nobody knows when events were received"
    rows, ahead, day = int(found["rows"].sum()), int(found["ahead"].sum()), int(found["other_day"].sum())
    first = (f"{words.share(ahead / rows, 1)} of the events come from a clock ahead of the server's, {words.count(day) if day else 'none'} of them on another day"
             if ahead else "No event comes from a clock ahead of the server's")
    least, people = found["least_delay_seconds"].min(), int(found["behind_people"].sum())
    if least >= 60 * STEADY and rows >= OFTEN:
        return f"{first}; none is received within {words.duration(least)}: clocks are behind, or rows are kept back"
    if people:
        return f"{first}; of {words.counted(people, 'person', 'people')} nothing is received within an hour: clocks behind, or rows kept back"
    return f"{first}; none shows a clock behind it"
