"""Write a first playbook for a source: complete, with a reason beside every guess."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping

from plgkit.schema import TABLES

from . import toml
from .match import Guess, SourceTable, guess_tables
from .words import BOT, EDITOR, FIRST_VALUE, MEANINGS, NOISE, PAID, VIEWER

_HEAD = """\
# What this product means by its words. plgkit reads this file beside the data.
# Everything below was guessed from the names of columns and from some rows: read it through and correct it.
# Whatever is not here has the default that docs/playbook.md tells."""

_PRODUCT = """\
[product]
name = "My product"
# Days, weeks and months are cut in this zone. UTC is only the start: take the zone of most of your people,
# for example "Europe/Vienna".
time_zone = "UTC"
week_start = "monday"
currency = "USD"
# The first day of the product, where the data begin later:
# started_on = 2024-03-01"""


def first_playbook(tables: Mapping[str, SourceTable]) -> str:
    """Write a first playbook for the tables of a source.

    Parameters
    ----------
    tables
        Files (with their paths relative to the playbook) or database tables, by name.

    Returns
    -------
    TOML with comments that say why, which `read_playbook` takes.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"uid": ["a", "a"], "action": ["open", "save"], "ts": ["2026-01-05", "2026-01-06"]})
    >>> text = first_playbook({"log.csv": SourceTable("log.csv", dict.fromkeys(rows, "object"), rows, 2)})
    >>> print(text[text.index("[tables.events]") : text.index("[tables.users]")].strip())
    [tables.events]
    file = "log.csv"
    # Times that carry no zone are taken to be in this one.
    times_in = "UTC"
    [tables.events.columns]
    user_id = "uid"
    event = "action"
    occurred_at = "ts"  # such as 2026-01-05
    """
    found = guess_tables(tables)
    parts = [
        _HEAD,
        _PRODUCT,
        _data(found),
        *(_table(name, each, tables) for name, each in found.items()),
        _unused(tables, found),
        _leave_out(found),
        _events(found),
        _people(found),
        _targets(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _data(found: Mapping[str, Guess]) -> str:
    if "events" not in found or "event_id" in found["events"].columns:
        return ""
    again = found["events"].source.sample.astype(str).duplicated().mean()
    if not again >= 0.01:
        return ""
    return (
        f"[data]\n# {again:.0%} of the events sampled equal an earlier one in every column, and no column names a row.\n"
        '# Such rows are counted once; "keep" counts them all.\nduplicates = "exact"'
    )


def _table(name: str, guess: Guess, tables: Mapping[str, SourceTable]) -> str:
    source = guess.source
    lines = [f"[tables.{name}]", *(toml.comment(each) for each in guess.why)]
    lines.append(
        f"file = {toml.value(_pattern(source, tables))}"
        if source.is_file
        else f"table = {toml.value(source.name)}"
    )
    if guess.first_only:
        lines.append('keep = "first"')
    if guess.constants:
        lines.append(f"constants = {toml.value(guess.constants)}")
    if guess.extra:
        lines += [
            "# Attributes to cut measures by: few distinct values.",
            f"extra = {toml.value(guess.extra)}",
        ]
    times = [each for each in guess.columns if each == "day" or each.endswith("_at")]
    if any(_zoneless(source, guess.columns[each]) for each in times):
        lines += ["# Times that carry no zone are taken to be in this one."] * (not guess.first_only)
        lines.append('times_in = "UTC"')
    renamed = {ours: theirs for ours, theirs in guess.columns.items() if ours != theirs}
    if renamed:
        lines.append(f"[tables.{name}.columns]")
        lines += [
            f"{ours} = {toml.value(theirs)}{_such_as(source, theirs) if ours in times else ''}"
            for ours, theirs in renamed.items()
        ]
    return "\n".join(lines)


def _pattern(source: SourceTable, tables: Mapping[str, SourceTable]) -> str:
    """The file's name, or a pattern where several files have the same columns and a common beginning."""
    folder, _, file = source.name.partition("/")
    if folder in TABLES and "/" not in file and file:
        return f"{folder}/*.{file.partition('.')[2]}"
    alike = [
        each.name for each in tables.values() if each.is_file and each.columns.keys() == source.columns.keys()
    ]
    start = _shared(alike)
    end = _shared([name[len(start) :][::-1] for name in alike])[::-1]
    pattern = f"{start}*{end}"
    caught = [name for name in tables if fnmatch.fnmatchcase(name, pattern)]
    return pattern if len(alike) > 1 and start and set(caught) == set(alike) else source.name


def _shared(names: list[str]) -> str:
    """The letters that all names begin with."""
    first, last = min(names), max(names)
    ends = (place for place, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1])
    return first[: next(ends, min(len(first), len(last)))]


def _values(source: SourceTable, column: str | None) -> list[str]:
    """Distinct sampled values of a column, the most frequent first."""
    if column is None or column not in source.sample:
        return []
    counts = source.sample[column].dropna().astype(str).value_counts()
    return [each for each in counts.index if each.strip()]


def _such_as(source: SourceTable, column: str) -> str:
    values = _values(source, column)[:1]
    return f"  {toml.comment(f'such as {values[0]}')}" if values else ""


def _zoneless(source: SourceTable, column: str) -> bool:
    return any(re.fullmatch(r"\d{4}-\d\d-\d\d([T ][\d:.]+)?", each) for each in _values(source, column)[:5])


def _unused(tables: Mapping[str, SourceTable], found: Mapping[str, Guess]) -> str:
    used = {
        name
        for name, each in tables.items()
        for one in found.values()
        if each is one.source or fnmatch.fnmatchcase(each.name, _pattern(one.source, tables))
    }
    left = [each for name, each in tables.items() if name not in used]
    return "\n".join(
        toml.comment(
            f"Not used: {each.name!r} with {', '.join(list(each.columns)[:8])}. None of plgkit's "
            "tables looked like it."
        )
        for each in left
    )


def _leave_out(found: Mapping[str, Guess]) -> str:
    lines = [
        "[leave_out]",
        "# People whose is_internal is true are left out. Add ids of tests and demos:",
        '# user_ids = ["test-*"]',
    ]
    if "users" in found:
        users = found["users"]
        attributes = {each: each for each in users.extra}
        attributes |= {each: column for each, column in users.columns.items() if each == "role"}
        machines = {each: _like(_values(users.source, column), BOT) for each, column in attributes.items()}
        bots = {each: values for each, values in machines.items() if values}
        if bots:
            lines += ["# These values look like machines.", f"users = {toml.value(bots)}"]
    return "\n".join(lines)


def _events(found: Mapping[str, Guess]) -> str:
    """The sections about events, from the names that occur and how often."""
    if "events" not in found:
        return "# No table looked like events. Name one under [tables.events]: nearly every measure needs it."
    guess = found["events"]
    names = list(guess.constants.values()) or _values(guess.source, guess.columns.get("event"))
    shown = [toml.value(each if len(each) <= 60 else f"{each[:57]}...") for each in names[:30]]
    rows = f"{len(guess.source.sample):,}"
    known = (
        toml.comment(f"Events in the {rows} rows read, the most frequent first: {', '.join(shown)}.")
        if names
        else ""
    )
    sections: dict[str, list[str]] = {}
    for (section, key), pattern in MEANINGS.items():
        fits = [each for each in names if re.search(pattern, each.lower())]
        if fits:
            plural = section in ("features", "activity")
            sections.setdefault(section, []).append(f"{key} = {toml.value(fits if plural else fits[0])}")
    core = [each for each in names if not re.search(NOISE, each.lower())][:5] or names[:5]
    sections.setdefault("features", []).insert(0, f"core = {toml.value(core)}")
    written = [
        "\n".join([f"[{section}]", f"# {_WHY.get(section, _BY_NAME)}", *lines])
        for section, lines in sections.items()
    ]
    return "\n\n".join([*([known] if known else []), _activation(names, core), *written])


_BY_NAME = "By the names of the events."
_WHY = {
    "features": "The most frequent events; take one event for each feature that matters. The others by their names.",
    "activity": "Names of things that happen to people, not that they do.",
}


def _activation(names: list[str], core: list[str]) -> str:
    likely = next((each for each in names if re.search(FIRST_VALUE, each.lower())), None)
    event = toml.value(likely or (names or ["report_created"])[0])
    lines = ["[activation]"]
    if likely and len(names) > 1:
        lines += [
            "# The moment of first value: the event whose name sounds most like it.",
            f"event = {event}",
        ]
    else:
        lines += [
            "# The moment of first value; no event's name tells. It should not be the event everyone begins with.",
            f"# event = {event}",
        ]
    lines += [
        "within_days = 7",
        "",
        "[onboarding]",
        "# The steps of a newcomer in order, for example:",
        f"# steps = {toml.value(core[:3])}",
    ]
    return "\n".join(lines)


def _people(found: Mapping[str, Guess]) -> str:
    users = found.get("users")
    if users is None:
        return ""
    channels = _values(users.source, users.columns.get("channel"))
    roles = _values(users.source, users.columns.get("role"))
    parts = []
    if channels:
        parts += [
            "[channels]",
            toml.comment(f"Channels that cost money, out of: {', '.join(channels[:20])}"),
            f"paid = {toml.value(_like(channels, PAID))}",
        ]
    if roles:
        parts += [
            "",
            "[roles]",
            toml.comment(f"Out of: {', '.join(roles[:20])}"),
            f"viewer = {toml.value(_like(roles, VIEWER))}",
            f"editor = {toml.value(_like(roles, EDITOR))}",
        ]
    return "\n".join(parts).strip()


def _like(names: Iterable[str], pattern: str) -> list[str]:
    return [each for each in names if re.search(pattern, each.lower())]


def _targets() -> str:
    return (
        "# What you want to reach, one section for each measure:\n"
        '# [targets."activation.rate"]\n# value = 0.4\n# due = 2026-12-31'
    )
