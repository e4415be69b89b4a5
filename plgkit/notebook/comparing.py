"""Hold a row against a target of the playbook, or against another row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plgkit.errors import MissingGroups
from plgkit.metrics.people import NONE
from plgkit.notebook import words

if TYPE_CHECKING:
    from plgkit.sources.data import Data


def target(data: Data, measure: str) -> float | None:
    """The value that the playbook wants a measure to reach, or None where it wants none.

    Examples
    --------
    >>> from plgkit import samples
    >>> target(samples.tiny(), "pql.tiers")
    """
    goal = data.playbook.targets.get(measure)
    return None if goal is None else goal.value


def compared(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """Give a frame by group as it is, if there are groups to compare; else the section says why not.

    Examples
    --------
    >>> compared(pd.DataFrame({"channel": ["(none)"], "value": [0.4]}), "channel")
    Traceback (most recent call last):
    plgkit.errors.MissingGroups: No channel is known of anybody: there is nothing to compare. Set it in playbook.toml, \
for example: [tables.users] columns = { channel = "its name in the file" }
    """
    groups = frame[by].unique()
    if len(groups) == 1:
        raise MissingGroups(by, None if groups[0] == NONE else groups[0])
    return frame


def apart(one: pd.Series, other: pd.Series) -> str:
    """Say whether the intervals of two rows are clear of each other.

    That is a stricter test than one of the difference, as is right for rows picked because they
    are the highest and the lowest.

    Examples
    --------
    >>> few, many = pd.Series({"low": 0.01, "high": 0.03}), pd.Series({"low": 0.02, "high": 0.09})
    >>> apart(few, many)
    'too close to tell apart'
    """
    if any(words.unknown(row.get(name)) for row in (one, other) for name in ("low", "high")):
        return "there is too little to compare them"
    overlap = one["low"] <= other["high"] and other["low"] <= one["high"]
    return "too close to tell apart" if overlap else "more than chance would leave"


def span(row: pd.Series, unit: str = "") -> str:
    """Say between which values a row's true one plausibly lies.

    Examples
    --------
    >>> span(pd.Series({"low": 24.6, "high": 30.0}), "days"), span(pd.Series({"low": None}), "days")
    ('24.6 days to 30.0 days', 'too few to say how sure')
    """
    ends = [row.get(name) for name in ("low", "high")]
    if any(words.unknown(each) for each in ends):
        return "too few to say how sure"
    return " to ".join(words.show(each, unit) for each in ends)
