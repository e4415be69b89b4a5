"""What a cell can end with: an object with a stable text, an escaped HTML form, and its facts as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from plgkit.notebook import frames
from plgkit.notebook.reading import NO_TARGET
from plgkit.notebook.text import escape, tame

KEY = "plgkit"
_LONGEST = 300


@dataclass(frozen=True)
class Shown:
    """Something shown: the report page reads `kind` and `facts` from the metadata of the output."""

    kind: str
    text: str
    html: str
    facts: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        data = {"text/plain": self.text, "text/html": self.html}
        return data, {KEY: {"kind": self.kind, **self.facts}}


def finding(text: str) -> Shown:
    """Say in one sentence what the section found; it becomes the heading over the chart.

    Parameters
    ----------
    text
        Plain text with its numbers already in it. Whatever comes from data is shown as it is
        written and never runs.

    Examples
    --------
    >>> finding("36% activate within 7 days.")
    36% activate within 7 days.
    """
    return _sentence("finding", text, style="font-size:1.25em;font-weight:600")


def note(text: str) -> Shown:
    """Say something beside the finding: a caveat, or a second thing found.

    Examples
    --------
    >>> note("Two channels have fewer than five people.")
    Two channels have fewer than five people.
    """
    return _sentence("note", text)


def definition(frame: pd.DataFrame) -> Shown:
    """Show the definition that a frame of a measure carries.

    Examples
    --------
    >>> frame = pd.DataFrame()
    >>> frame.attrs["definition"] = "Sign-ups who activate within 7 days / sign-ups."
    >>> definition(frame)
    Sign-ups who activate within 7 days / sign-ups.
    """
    text = frame.attrs.get("definition", "This frame carries no definition.")
    return _sentence("definition", text, style="font-size:0.9em;opacity:0.8")


def table(frame: pd.DataFrame, *, few: int = 5) -> Shown:
    """Show a frame in the main column of the page, with its numbers as people read them.

    Parameters
    ----------
    frame
        What a measure gave, or any other frame.
    few
        Rows of fewer people than this are greyed.
    """
    if frame.empty:
        return Shown("table", "None.", '<p class="none">None.</p>', frames.facts(frame))
    return Shown("table", frames.as_text(frame), frames.as_html(frame, few=few, longest=_LONGEST), frames.facts(frame))


def _sentence(kind: str, text: str, *, style: str = "") -> Shown:
    plain = " ".join(tame(text).split()).replace(f", {NO_TARGET}", "")
    return Shown(kind, plain, f'<p style="{style}">{escape(plain)}</p>', {"text": plain})
