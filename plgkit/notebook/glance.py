"""The scorecard in one minute: five questions, a sentence each."""

from __future__ import annotations

import pandas as pd

from plgkit.notebook.card import moved, next_step, stage_name, standings, worst
from plgkit.notebook.shown import Shown
from plgkit.notebook.text import escape, tame
from plgkit.scorecard import leak

_NAMED = 3


def in_a_minute(card: pd.DataFrame) -> Shown:
    """Answer the questions of a scorecard in a sentence each.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import scorecard
    >>> in_a_minute(scorecard(samples.tiny(), measures=["activation.rate"]))
    How are we doing? 0 of 1 targets are met, 0 are missed, and for 1 the numbers cannot tell.
    What changed? No line has been watched for long enough to tell.
    Is it real? Cannot be told yet: that takes lines with seven final periods and an interval.
    Where do we leak? No line is surely worse than its own past, and none misses its target beyond noise.
    What should we do next? Hold the course; 1 line has too few people to tell, so ask again over a longer period.
    """
    told = {"How are we doing?": standings(card), "What changed?": _changed(card), "Is it real?": _real(card),
            "Where do we leak?": worst(card), "What should we do next?": _capital(next_step(card).removeprefix("Next: "))}
    told = {question: f"{tame(answer)}." for question, answer in told.items()}
    return Shown("table", "\n".join(" ".join(pair) for pair in told.items()),
                 "".join(f"<p><b>{escape(question)}</b> {escape(answer)}</p>" for question, answer in told.items()))


def _changed(card: pd.DataFrame) -> str:
    """The lines that moved, the stage that leaks and its worst line before all others."""
    found = moved(card)
    found = found[found["verdict"] != "noise"]
    if found.empty:
        return "Nothing that can be told from noise" if card["drifted"].notna().any() else "No line has been watched for long enough to tell"
    row = leak(card)
    if row is not None:
        first, own = found["measure"] == row["label"], found["stage"] == stage_name(row["stage"])
        found = found.assign(order=2 - own - first.astype(int)).sort_values("order", kind="stable")
    parts = [_way(found[found["for the"] == way], way) for way in ("worse", "better", "better or worse")]
    return _capital("; ".join(each for each in parts if each))


def _way(rows: pd.DataFrame, way: str) -> str:
    """Up to three lines with what they were and are, and how many more there are."""
    if rows.empty:
        return ""
    told = [f"{row.measure} {row.usual} → {row.lately}" for row in rows.head(_NAMED).itertuples()]
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return f"{way}: {', '.join(told)}{more}"


def _real(card: pd.DataFrame) -> str:
    looked, sure = int(card["drifted"].notna().sum()), int(card["drifted"].fillna(False).sum())
    if not looked:
        return "Cannot be told yet: that takes lines with seven final periods and an interval"
    if not sure:
        return f"No: all {looked} lines are where they usually are, within noise"
    return (f"Yes: more than noise and usual swings, with all {looked} lines looked at taken into account; "
            f"of the other {looked - sure} that cannot be said")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
