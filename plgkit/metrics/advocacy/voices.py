"""What people say of the product: promoters, satisfaction, comments, and how many of those asked answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import shapes
from plgkit.metrics.advocacy.asking import RESPONSE, asks, prompts, respond, said_asked
from plgkit.metrics.people import Moment, segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.digests import Digest
from plgkit.sources.engine import Grain

Survey = Literal["nps", "csat"]
GROUPS = {"nps": (("promoters", 9, 10), ("passives", 7, 8), ("detractors", 0, 6)),
          "csat": (("satisfied", 4, 5), ("neutral", 3, 3), ("dissatisfied", 1, 2))}
DAYS = {"response_days": "surveys.answer_within_days"}
_PARTS = ["first", "second", "third"]


def answers(data: Data, kind: Survey) -> Table:
    """Answers to one kind of survey, with `part` (0 for the best group of scores, 1, 2); rows that do not say are nps."""
    rows = data.surveys.filter(_.kind.fill_null("nps") == kind)
    best, middle = (low for _name, low, _high in GROUPS[kind][:2])
    return rows.mutate(part=(rows.score >= best).ifelse(0, (rows.score >= middle).ifelse(1, 2)))


def last_answers(rows: Table, *keys: str) -> Table:
    """The last answer of each person (and period); of two at the same moment that of the higher score."""
    order = [rows.answered_at.desc(), rows.score.desc(), rows.comment.fill_null("").length().desc()]
    last = ibis.window(group_by=[rows.user_id, *(rows[each] for each in keys)], order_by=order)
    return rows.mutate(place=ibis.row_number().over(last)).filter(_.place == 0)


def _counted(data: Data, kind: Survey, asked: Moment | None, days: int, by: str | None, grain: Grain | None) -> Table:
    """Per period and segment: people in each group of scores, and how many were asked and answered."""
    keys = [*(["period"] if grain else []), *([by] if by else [])]
    rows = answers(data, kind)
    rows = rows.mutate(period=data.period(rows.day, grain)) if grain else rows
    rows = segmented(data, last_answers(rows, *(["period"] if grain else [])), by)
    nobody = ibis.literal(0).cast("int64")
    said = rows.select(*keys, **{name: (rows.part == place).ifelse(1, 0).cast("int64") for place, name in enumerate(_PARTS)},
                       asked=nobody, answered=nobody)
    shown = asks(data, kind, answers(data, kind), asked, days=days, grain=grain)
    if shown is not None:
        shown = segmented(data, shown, by)
        said = said.union(shown.select(*keys, **dict.fromkeys(_PARTS, nobody), asked=ibis.literal(1).cast("int64"),
                                       answered=shown.answered))
    sums = {name: _[name].sum().fill_null(0).cast("int64") for name in (*_PARTS, "asked", "answered")}
    return said.group_by(*keys).aggregate(**sums) if keys else said.aggregate(**sums)


def _begun(frame: pd.DataFrame, data: Data, kind: Survey, asked: Moment | None) -> pd.DataFrame:
    """From the first answer on, where nothing but activity says who was asked: before, there was no survey."""
    if asked is not None or prompts(data, kind):
        return frame
    return frame[frame["period"] >= frame.loc[frame[_PARTS].sum(axis=1) > 0, "period"].min()]


def _as_nps(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Points with the interval of a difference of two shares of the same answers."""
    from scipy.special import ndtri

    counts = [name for name, _low, _high in GROUPS["nps"]]
    frame = _begun(frame, data, "nps", parameters["asked"]).rename(columns=dict(zip(_PARTS, counts, strict=True)))
    made = shapes.every_period(frame, data, parameters, [*counts, "asked", "answered"])
    n = made[counts].sum(axis=1)
    shares = made[counts].div(n.where(n > 0), axis=0).astype("float64")
    score = shares["promoters"] - shares["detractors"]
    spread = np.sqrt((shares["promoters"] + shares["detractors"] - score**2).clip(lower=0) / n)
    half = float(ndtri((1 + parameters["level"]) / 2)) * spread.where(spread > 0)
    made = made.assign(n=n.astype("int64"), value=100 * score, low=(100 * (score - half)).clip(lower=-100),
                       high=(100 * (score + half)).clip(upper=100))
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    made = respond(made, parameters["level"])
    return said_asked(shapes.ordered(made, parameters, [*counts, "n", "value", "low", "high", "complete", *RESPONSE]), data, "nps",
                      parameters["asked"])


@measure(shape="total", unit="points", better="higher", reads="users surveys", finish=_as_nps, settings=DAYS,
         additive=False, interval="normal interval by the variance of a trinomial; Wilson for the response")
def nps(data: Data, *, asked: Moment | None = None, response_days: int | None = None, by: str | None = None,
        grain: Grain = "month") -> Table:
    """Net promoter score: the share of answers of 9 and 10 less the share of 0 to 6, in points from -100 to 100.

    A person who answers more than once in a period counts with the last answer.

    Parameters
    ----------
    data
        Reads `surveys` of the kind nps, or of no kind; and `events`, where they are there, for who was asked.
    asked
        The event of having been asked, with conditions where it is one of several surveys. None takes those of the
        playbook, else those whose names say so (such as survey_shown), else the active people of the period.
    response_days
        Days of 24 hours after having been asked in which an answer is one to it.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, promoters, passives, detractors and n (people), value (points), low, high
    (normal, by the variance of a trinomial; missing where all answer alike), complete; asked (people asked in the period
    whose days to answer are over), answered (of them), response (the share), response_low, response_high.
    `frame.attrs["asked"]` says who counts as asked.

    Examples
    --------
    >>> from plgkit import samples
    >>> nps(samples.tiny())[["period", "promoters", "passives", "detractors", "value"]]
          period  promoters  passives  detractors  value
    0 2025-02-01          2         1           1   25.0

    References
    ----------
    Reichheld, "The one number you need to grow", Harvard Business Review 81 (2003): the groups.
    """
    return _counted(data, "nps", asked, response_days, by, grain)


def _as_csat(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    frame = _begun(frame, data, "csat", parameters["asked"])
    frame = frame.assign(numerator=frame["first"], denominator=frame[_PARTS].sum(axis=1), immature=0)
    made = shapes.every_period(frame, data, parameters, ["numerator", "denominator", "immature", "asked", "answered"])
    made = respond(shapes.with_share(made, parameters["level"]), parameters["level"])
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    columns = ["numerator", "denominator", "value", "low", "high", "immature", "complete", *RESPONSE]
    return said_asked(shapes.ordered(made, parameters, columns), data, "csat", parameters["asked"])


@measure(shape="rate", unit="share of answers", better="higher", reads="users surveys", finish=_as_csat, settings=DAYS)
def csat(data: Data, *, asked: Moment | None = None, response_days: int | None = None, by: str | None = None,
         grain: Grain = "month") -> Table:
    """Satisfaction: the share of answers of 4 and 5, of all from 1 to 5.

    A person who answers more than once in a period counts with the last answer.

    Parameters
    ----------
    data
        Reads `surveys` of the kind csat; and `events`, where they are there, for who was asked.
    asked, response_days
        As in `nps`.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, numerator (satisfied people), denominator (people who answered), value, low, high, immature
    (0), complete; asked, answered, response, response_low, response_high as in `nps`.

    Examples
    --------
    >>> from plgkit import samples
    >>> csat(samples.tiny())[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-02-01          1            1    1.0
    """
    return _counted(data, "csat", asked, response_days, by, grain)


def _as_survey(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = [*(["period"] if parameters["grain"] else []), *([parameters["by"]] if parameters["by"] else [])]
    kind, rows = parameters["kind"], []
    for row in frame.to_dict("records"):
        n = sum(row[f"people_{place}"] for place in range(3))
        for place, (name, _low, _high) in enumerate(GROUPS[kind]):
            rows.append({each: row[each] for each in keys} | {
                "position": place + 1, "group": name, "numerator": row[f"people_{place}"], "denominator": n,
                "comments": row[f"comments_{place}"], "asked": row["asked"], "answered": row["answered"]})
    columns = [*keys, "position", "group", "numerator", "denominator", "comments", "asked", "answered"]
    made = pd.DataFrame(rows, columns=columns)
    made = made[made["denominator"] > 0]
    made = made.astype(dict.fromkeys(("position", "numerator", "denominator", "comments", "asked", "answered"), "int64"))
    if "period" in made:
        made["period"] = made["period"].astype("datetime64[us]")
    made = respond(shapes.with_share(made, parameters["level"]), parameters["level"])
    made = made.sort_values([*keys, "position"], ignore_index=True)
    return said_asked(made[[*keys, "position", "group", "numerator", "denominator", "value", "low", "high", "comments", *RESPONSE]],
                      data, kind, parameters["asked"])


@measure(shape="table", unit="share of answers", better="neither", reads="users surveys", finish=_as_survey, settings=DAYS,
         interval="Wilson")
def survey(data: Data, *, kind: Survey = "csat", asked: Moment | None = None, response_days: int | None = None, by: str | None = None,
           grain: Grain | None = None) -> Table:
    """Answers to a survey (`kind`) by group of scores, how many of them say why, and how many of those asked answered.

    For nps the groups are promoters (9 and 10), passives (7 and 8) and detractors; for csat satisfied (4 and 5),
    neutral (3) and dissatisfied. Each person counts with the last answer.

    Parameters
    ----------
    data
        Reads `surveys`; and `events`, where they are there, for who was asked.
    kind
        "csat" or "nps"; answers that do not say their kind are nps.
    asked, response_days
        As in `nps`.
    by
        Column to cut by.
    grain
        Length of the period of the answers to cut by; None takes all together.

    Returns
    -------
    One row per group of scores, the best first: position, group, numerator (people in it), denominator (people who answered),
    value (share), low, high, comments (of the group's people, who wrote one); and, the same in each row, asked, answered,
    response, response_low, response_high as in `nps`.

    Examples
    --------
    >>> from plgkit import samples
    >>> survey(samples.tiny(), kind="nps")[["group", "numerator", "value", "comments"]]
            group  numerator  value  comments
    0   promoters          2   0.50         1
    1    passives          1   0.25         0
    2  detractors          1   0.25         1
    """
    keys = [*(["period"] if grain else []), *([by] if by else [])]
    rows = answers(data, kind)
    rows = rows.mutate(period=data.period(rows.day, grain)) if grain else rows
    rows = segmented(data, last_answers(rows, *(["period"] if grain else [])), by)
    wrote = (_text(rows) != "").ifelse(1, 0)
    nobody = ibis.literal(0).cast("int64")
    flags = {f"people_{place}": (rows.part == place).ifelse(1, 0).cast("int64") for place in range(3)}
    flags |= {f"comments_{place}": ((rows.part == place).ifelse(1, 0) * wrote).cast("int64") for place in range(3)}
    said = rows.select(*keys, **flags, asked=nobody, answered=nobody)
    shown = asks(data, kind, answers(data, kind), asked, days=response_days, grain=grain)
    if shown is not None:
        shown = segmented(data, shown, by)
        said = said.union(shown.select(*keys, **dict.fromkeys(flags, nobody), asked=ibis.literal(1).cast("int64"),
                                       answered=shown.answered))
    sums = {name: _[name].sum().fill_null(0).cast("int64") for name in (*flags, "asked", "answered")}
    return said.group_by(*keys).aggregate(**sums) if keys else said.aggregate(**sums)


def _text(rows: Table) -> ibis.expr.types.StringValue:
    return rows.comment.fill_null("").strip()


def _as_comments(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    names = [name for name, _low, _high in GROUPS[parameters["kind"]]]
    keys = [parameters["by"]] if parameters["by"] else []
    made = frame.assign(position=frame["part"] + 1, group=[names[place] for place in frame["part"]]).astype({"position": "int64"})
    made = made.sort_values([*keys, "position", "place"], ignore_index=True)
    return made[[*keys, "position", "group", "comment", "people", "last_day"]]


@measure(shape="table", unit="people", better="neither", reads="users surveys", finish=_as_comments)
def comments(data: Data, *, kind: Survey = "nps", top: int = 5, by: str | None = None) -> Table:
    """What people wrote with their answer to a survey (`kind`), by group of scores: the `top` most frequent, then the latest.

    All answers are read, not only the last of a person. The words are as people wrote them, but for
    blanks at the ends.

    Parameters
    ----------
    data
        Reads `surveys`.
    kind
        "nps" or "csat", as in `survey`.
    top
        How many comments of each group.
    by
        Column to cut by.

    Returns
    -------
    One row per comment: position and group as in `survey`, comment, people (who wrote just this), last_day (on which
    somebody did).

    Examples
    --------
    >>> from plgkit import samples
    >>> comments(samples.tiny())[["group", "comment", "people"]]
            group                   comment  people
    0   promoters  Saves me an hour a week.       1
    1  detractors       Too few connectors.       1
    """
    keys = ["part", *([by] if by else [])]
    rows = answers(data, kind)
    rows = segmented(data, rows.mutate(comment=_text(rows)).filter(_.comment != ""), by)
    found = rows.group_by(*keys, "comment").aggregate(people=_.user_id.nunique().cast("int64"), last_day=_.day.max())
    order = [found.people.desc(), found.last_day.desc(), Digest(found.comment).to_expr()]
    place = ibis.row_number().over(ibis.window(group_by=[found[each] for each in keys], order_by=order))
    return found.mutate(place=place.cast("int64")).filter(_.place < top).select(*keys, "place", "comment", "people", "last_day")
