"""The ways people take between signing up and the moment of value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics.people import Moment, activated, closed, segmented, since_signup, within
from plgkit.metrics.registry import measure
from plgkit.sources import rollups
from plgkit.sources.data import Data
from plgkit.sources.engine import seconds_between
from plgkit.stats import intervals

NOTHING, OTHERS, MORE, STEP = "(nothing)", "(other ways)", " > ...", " > "
ENDS = {1: "activated", 0: "not activated"}
SETTINGS = {"event": "activation.event", "within_days": "activation.within_days"}


def _people(data: Data, event: Moment, within_days: int, by: str | None) -> Table:
    """Sign-ups whose days are over: `hit` (1 activated in time, 0 not), `seconds` until then, `until` when they are followed."""
    people = data.users.select("user_id", "signed_up_at", *([by] if by in data.users.columns else []))
    people = people.filter(closed(data, people.signed_up_at, within_days))
    people = people.left_join(activated(data, event), "user_id").drop("user_id_right")
    came = within(people.activated_at, people.signed_up_at, within_days)
    people = segmented(data, people.mutate(
        hit=came.ifelse(1, 0), until=came.ifelse(people.activated_at, ibis.null("timestamp(6)")),
        seconds=came.ifelse(seconds_between(people.activated_at, people.signed_up_at), ibis.null("float64"))), by)
    return people.select("user_id", "hit", "until", "seconds", *([by] if by else []))


def _steps(data: Data, people: Table, within_days: int, top: int) -> Table:
    """What each person did, one row per step: `user_id`, `event`, `place` (from 1); repeats in a row are one step.

    Only the `top` events that most of these people did are steps, and only those before activation.
    """
    rows = since_signup(data, rollups.active_events(data.events, data.playbook))
    rows = rows.filter(within(rows.occurred_at, rows.signed_up_at, within_days)).select("user_id", "event", "occurred_at")
    rows = rows.inner_join(people.select("user_id", "until"), "user_id")
    rows = rows.filter(rows.until.isnull() | (rows.occurred_at < rows.until))
    doers = rows.group_by("event").aggregate(doers=_.user_id.nunique())
    usual = ibis.row_number().over(ibis.window(order_by=[doers.doers.desc(), doers.event]))
    usual = doers.mutate(usual=usual).filter(_.usual < top).select("event")
    rows = rows.inner_join(usual, "event").select("user_id", "event", "occurred_at")
    in_order = ibis.window(group_by=rows.user_id, order_by=[rows.occurred_at, rows.event])
    rows = rows.mutate(before=rows.event.lag().over(in_order))
    rows = rows.filter(rows.before.isnull() | (rows.before != rows.event))
    in_order = ibis.window(group_by=rows.user_id, order_by=[rows.occurred_at, rows.event])
    return rows.select("user_id", "event", place=ibis.row_number().over(in_order) + 1)


def _share(made: pd.DataFrame, level: float) -> pd.DataFrame:
    made["value"] = made["activated"] / made["people"]
    made["low"], made["high"] = intervals.wilson(made["activated"], made["people"], level=level)
    return made


def _as_ways(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = [parameters["by"]] if parameters["by"] else []
    made = _share(frame, parameters["level"])
    everybody = made.groupby(keys)["people"].transform("sum") if keys else made["people"].sum()
    made["share"] = made["people"] / everybody
    made["way"] = made["way"].where(made["way"] != "", NOTHING)
    made["steps"] = made["way"].str.removesuffix(MORE).str.count(STEP).add(1).where(~made["way"].isin([NOTHING, OTHERS]), 0)
    made["median_hours"] = (made["earlier"] + made["later"]) / 7200
    made = made.sort_values([*keys, "rank", "way"], ignore_index=True)
    columns = ["rank", "way", "steps", "people", "share", "activated", "value", "low", "high", "median_hours"]
    return made[[*keys, *columns]].astype({"steps": "int64"})


@measure(shape="table", unit="people", better="neither", reads="users events", finish=_as_ways, interval="Wilson interval",
         settings=SETTINGS)
def paths(data: Data, *, event: Moment | None = None, within_days: int | None = None, top: int = 8, depth: int = 6,
          ways: int = 20, by: str | None = None) -> Table:
    """The ways of newcomers in their first `within_days` days, up to activation (`event`): the `ways` commonest ones.

    A way is what a person did, in order, of the `top` events that most people do; the same thing several times in a row
    is one step, and a way longer than `depth` steps ends in "...". Who activated is followed up to that moment, the
    others to the end of their days. People whose days are not over are left out.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    event
        The moment of first value, as in `rate`.
    within_days
        Days of 24 hours from the second of sign-up.
    top
        How many different events may be steps; the rarer ones are passed over.
    depth
        How many steps of a way are told apart.
    ways
        How many ways are listed; all others together are "(other ways)".
    by
        Column to cut by.

    Returns
    -------
    One row per way, the commonest first: rank, way ("a > b"; "(nothing)" where no step was taken), steps, people,
    share (of all), activated, value (share of these people who activated), low, high, median_hours (from sign-up to
    activation, of those who did). Sort by median_hours for the fastest ways, by value for those that end without it.

    Examples
    --------
    >>> from plgkit import samples
    >>> paths(samples.tiny())[["way", "people", "activated", "median_hours"]]
                                                     way  people  activated  median_hours
    0                    profile_filled > data_connected       2          2         51.25
    1                                     profile_filled       1          0           NaN
    2                     signed_in > checkout_started         1          0           NaN
    """
    people = _people(data, event, within_days, by)
    steps = _steps(data, people, within_days, top)
    names = {f"step_{number}": (steps.place == number).ifelse(steps.event, ibis.null("string")).max()
             for number in range(1, depth + 1)}
    way = steps.group_by("user_id").aggregate(length=_.count(), **names)
    text = way.step_1
    for number in range(2, depth + 1):
        text = text + (ibis.literal(STEP) + way[f"step_{number}"]).fill_null("")
    text = text + (way.length > depth).ifelse(MORE, "")
    way = way.select("user_id", way=text)
    keys = [by] if by else []
    people = people.left_join(way, "user_id").drop("user_id_right").mutate(way=_.way.fill_null(""))
    sizes = people.group_by(*keys, "way").aggregate(size=_.count())
    order = ibis.window(group_by=[sizes[name] for name in keys], order_by=[sizes["size"].desc(), sizes.way])
    sizes = sizes.mutate(rank=ibis.row_number().over(order) + 1)
    people = people.inner_join(sizes, [*keys, "way"])
    kept = people["rank"] <= ways
    people = people.mutate(way=kept.ifelse(people.way, OTHERS), rank=kept.ifelse(people["rank"], ways + 1))
    return _with_medians(people, [*keys, "rank", "way"])


def _with_medians(people: Table, keys: list[str]) -> Table:
    """People and activated per group, and the seconds on either side of the median of those who did."""
    alike = [people[name] for name in keys]
    people = people.mutate(
        n=people.hit.sum().over(group_by=alike),
        nth=ibis.row_number().over(ibis.window(group_by=[*alike, people.hit], order_by=people.seconds)))
    def at(place: ibis.Value) -> ibis.Value:
        return ((people.hit == 1) & (people.nth == place)).ifelse(people.seconds, ibis.null("float64")).max()

    return people.group_by(*keys).aggregate(
        people=_.count().cast("int64"), activated=_.hit.sum().cast("int64"),
        earlier=at((people.n - 1) // 2), later=at(people.n // 2))


def _as_moves(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = [*([parameters["by"]] if parameters["by"] else []), "source_position", "source"]
    here = frame.groupby(keys)[["people", "activated"]].transform("sum")
    people, others = frame["people"], here["people"] - frame["people"]
    went, stayed = frame["activated"], here["activated"] - frame["activated"]
    final = frame["target"].isin(ENDS.values())
    compared = ~final & (others > 0)
    made = frame.assign(share=went / people, others=others, others_share=stayed / others.where(others > 0))
    made["difference"] = (made["share"] - made["others_share"]).where(compared)
    low, high = intervals.newcombe(went, people, stayed, others.where(others > 0, 1), level=parameters["level"])
    made["low"], made["high"] = np.where(compared, low, np.nan), np.where(compared, high, np.nan)
    made["move"] = made["source"] + STEP + made["target"]
    columns = [*keys, "target", "move", "people", "activated", "share", "others", "others_share", "difference", "low", "high"]
    made = made.assign(many=-made["people"]).sort_values([*keys[:-1], "many", "source", "target"], ignore_index=True)
    return made[columns]


@measure(shape="table", unit="people", better="neither", reads="users events", finish=_as_moves,
         interval="Newcombe interval of the difference", settings=SETTINGS)
def path_moves(data: Data, *, event: Moment | None = None, within_days: int | None = None, top: int = 5, depth: int = 4,
               by: str | None = None) -> Table:
    """From which step to which newcomers go in their first `within_days` days, and where those who activate (`event`) part from the others.

    The ways are those of `paths`. At each place on the way, who went from a step to the next is compared with who went from
    there elsewhere. After `depth` steps, what comes next is how it ended.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    event
        The moment of first value, as in `rate`.
    within_days
        Days of 24 hours from the second of sign-up.
    top
        How many different events may be steps.
    depth
        How many steps are told apart.
    by
        Column to cut by.

    Returns
    -------
    One row per place, step and next step, as `charts.flow` draws it: source_position (from 1), source, target (a step,
    "activated" or "not activated"), move (both as text), people, activated, share (of these people who activated),
    others (people at the same place and step who went elsewhere), others_share, difference (of the shares), low, high.
    The difference is missing where the next thing is the end, or all went the same way.

    Examples
    --------
    >>> from plgkit import samples
    >>> path_moves(samples.tiny())[["source_position", "source", "target", "people"]]
       source_position            source            target  people
    0                1    profile_filled    data_connected       2
    1                1    profile_filled     not activated       1
    2                1         signed_in  checkout_started       1
    3                2    data_connected         activated       2
    4                2  checkout_started     not activated       1
    """
    people = _people(data, event, within_days, by)
    steps = _steps(data, people, within_days, top)
    steps = steps.filter(steps.place <= depth)
    in_order = ibis.window(group_by=steps.user_id, order_by=steps.place)
    moves = steps.mutate(following=steps.event.lead().over(in_order))
    people = people.left_join(moves, "user_id").drop("user_id_right")
    end = (people.hit == 1).ifelse(ENDS[1], ENDS[0])
    moved = people.select(
        *([by] if by else []), "hit", source_position=people.place.fill_null(1).cast("int64"),
        source=people.event.fill_null(NOTHING), target=people.following.fill_null(end))
    return moved.group_by(*([by] if by else []), "source_position", "source", "target").aggregate(
        people=_.count().cast("int64"), activated=_.hit.sum().cast("int64"))
