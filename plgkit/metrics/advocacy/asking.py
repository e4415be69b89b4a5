"""How many of those asked for their opinion gave it."""

from __future__ import annotations

import re

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import funnels
from plgkit.metrics.funnels import steps
from plgkit.metrics.people import Moment, closed
from plgkit.sources import properties
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import intervals

RESPONSE = ["asked", "answered", "response", "response_low", "response_high"]
ACTIVE, NOBODY = "people active in the period", "nobody known"
_ASKED = re.compile(r"(survey|nps|csat|feedback).*(shown|displayed|sent|asked|prompted|requested|seen|viewed)")


def prompts(data: Data, kind: str) -> list[str]:
    """The events of being asked: the playbook's, or those whose names say so; one that names the other kind of survey is not meant."""
    if not data.has("events"):
        return []
    other = "csat" if kind == "nps" else "nps"
    found = data.playbook.surveys.shown or [each for each in data.event_names if _ASKED.search(each.lower())]
    return [each for each in found if other not in each.lower()]


def asks(data: Data, kind: str, answers: Table, asked: Moment | None, *, days: int, grain: Grain | None) -> Table | None:
    """One row per person (and period) asked: `user_id`, `period` and `answered`; None where nobody can be said to be asked.

    Who was asked counts once the days to answer are over. Where no event says who was asked, those active in the
    period (or ever) are taken for it, and have answered if they did in the same period.
    """
    names = [] if asked is not None else prompts(data, kind)
    if asked is None and not names:
        return _of_active(data, answers, grain) if data.has("events") else None
    rows = _shown(data, kind, asked, names)
    rows = rows.filter(closed(data, rows.asked_at, days))
    replies = answers.select(person=_.user_id, answered_at=_.answered_at)
    joined = rows.left_join(replies, rows.user_id == replies.person)
    ends = joined.asked_at + ibis.interval(days=days)
    hit = ((joined.answered_at >= joined.asked_at) & (joined.answered_at <= ends)).fill_null(False)
    joined = joined.mutate(answered=hit.ifelse(1, 0).cast("int64"))
    keys = ["user_id"]
    if grain:
        joined, keys = joined.mutate(period=data.period(joined.day, grain)), ["user_id", "period"]
    return joined.group_by(*keys).aggregate(answered=_.answered.max().cast("int64"))


def _shown(data: Data, kind: str, asked: Moment | None, names: list[str]) -> Table:
    if asked is not None:
        what = funnels.step(asked)
        steps.check(data, (what,))
        rows = data.events.filter(steps.matches(data.events, what))
    else:
        rows = data.event(names)
        of = properties.value(rows, "survey")
        rows = rows.filter(of.lower().contains(kind) | of.isnull())
    return rows.select("user_id", "day", asked_at=rows.occurred_at).semi_join(data.users, "user_id")


def _of_active(data: Data, answers: Table, grain: Grain | None) -> Table:
    keys = ["user_id", *(["period"] if grain else [])]
    active = data.activity.mutate(period=data.period(data.activity.day, grain or "day")).select(*keys).distinct()
    replied = answers.mutate(period=data.period(answers.day, grain or "day")).select(*keys).distinct()
    replied = replied.mutate(said=ibis.literal(1).cast("int64"))
    return active.left_join(replied, keys).select(*keys, answered=_.said.fill_null(0).cast("int64"))


def respond(frame: pd.DataFrame, level: float) -> pd.DataFrame:
    """Add the share of those asked who answered, with Wilson's interval."""
    low, high = intervals.wilson(frame["answered"], frame["asked"], level=level)
    share = frame["answered"] / frame["asked"].where(frame["asked"] > 0).astype("float64")
    return frame.assign(response=share, response_low=low, response_high=high)


def said_asked(frame: pd.DataFrame, data: Data, kind: str, asked: Moment | None) -> pd.DataFrame:
    """Put into the frame's attributes who counts as asked."""
    names = [] if asked is not None else prompts(data, kind)
    who = str(funnels.step(asked)) if asked is not None else " or ".join(names)
    frame.attrs["asked"] = who or (ACTIVE if data.has("events") else NOBODY)
    return frame
