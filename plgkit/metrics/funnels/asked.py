"""The funnel itself, as a measure and as a function."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics.funnels.counted import added_up, as_funnel, mature
from plgkit.metrics.funnels.paths import paths
from plgkit.metrics.funnels.plan import Count, Effect, Entry, Order, Window, plan, said_window
from plgkit.metrics.funnels.steps import AnyStep
from plgkit.metrics.presets import preset
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain


def funnel(data: Data, steps: list[AnyStep], *, order: Order | None = None, window: Window | None = None,
           within_days: int | None = None, step_windows: list[Window | None] | None = None, entry: Entry | None = None,
           exclude: list[Any] | None = None, exclude_effect: Effect | None = None, hold: str | list[str] | None = None,
           optional: int | str | list[int | str] | None = None, count: Count | None = None, breakdown: str | list[str] | None = None,
           attribution: str | int | None = None, top: int | None = None, tie_seconds: float | None = None,
           by: str | None = None, grain: Grain | None = None, start: str | dt.date | None = None,
           end: str | dt.date | None = None, like: str | None = None, level: float = 0.95) -> pd.DataFrame:
    """How many get through steps, how fast, and where they stop.

    Without further words: people, in the order of the steps, other events may come between, within 14 days of
    each person's first entry. Events at the same instant have no order, but every step must be another event.

    Parameters
    ----------
    data
        Reads `events`.
    steps
        Each an event, a list of events of which any counts, or an event with conditions on its properties
        (`step("paid", where={"plan": "team"})`, or the same as a mapping: {"event": .., "where": {..}, "name": ..}).
    order
        "ordered" (the default): others may come between. "strict": the very next events of the unit. "any": in any
        order; the positions are then how many of the steps were done, and any of them enters.
    window
        From the entry to the last step; the last instant counts. Days as a whole number, or words such as
        "15 seconds", "36 hours". 14 days by default.
    within_days
        The same as `window`, in days.
    step_windows
        For each step after the first the time allowed since the step before; None for no limit.
    entry
        "first" (the default): a unit's first entry opens the window, later ones do not. "any": any entry; of the
        ways that get furthest the one that is there first, from its latest entry. "furthest": the attempt that gets
        furthest, of these the earliest. With any and furthest only entries whose window has closed are tried.
    exclude
        Events that must not happen between two steps: {"event": .., "where": {..}, "after": 1, "before": 2,
        "effect": "stop"}. Without after and before: between the first and the last step. "stop" keeps the steps
        reached before; "leave" takes who would have got further but for it out of the whole funnel.
    exclude_effect
        The effect where an exclusion names none; "stop" by default.
    hold
        Property of events (or several) that must keep its value through all steps; a missing one keeps nothing.
    optional
        Steps, by number or name, that may be skipped. Shares and losses of the others then pass over them.
    count
        What is counted: "people" (the default); "accounts", whose members may do different steps; "sessions", within
        which all steps must be done; "attempts", each moment of entry on its own, whatever becomes of the others.
    breakdown
        Property of events (or several) to cut by. Each unit has one value, "(none)" where it is missing.
    attribution
        Where the value is taken from: "first" step that tells it (the default), "last", or the number of a step.
        "all": a way must keep its value, and a unit counts once for every value it entered with; then alone the
        groups add up to more than the whole.
    top
        Show this many groups, the rest as "(other)".
    tie_seconds
        Events that follow one another within so many seconds count as simultaneous, so that they keep no order.
    by
        Column of people or accounts to cut by.
    grain
        A funnel for each period of entry. With entry any or furthest a unit counts in every period it enters in.
    start, end
        First and last day of entry; the steps may follow until the window closes.
    like
        Count as another tool does by default: posthog, mixpanel, amplitude or clickhouse. What is given besides wins.
    level
        Share that intervals cover.

    Returns
    -------
    One row per step (and period and segment): position (from 1), step, people (units whose window has closed and who
    got there), immature (those whose window is still open who did), share_of_entry with low and high,
    share_of_previous, q25_seconds, median_seconds, q75_seconds and mean_seconds from the step before, the same
    quartiles from the entry, lost (of the step before, who are not here), stuck_share (of those here, who go no
    further; missing at the last step).

    A step is reached at the first moment to which a way through the steps before leads.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = funnel(samples.tiny(), ["profile_filled", "data_connected", "report_created"])
    >>> found[["step", "people", "share_of_entry", "median_seconds", "stuck_share"]].round(3)
                 step  people  share_of_entry  median_seconds  stuck_share
    0  profile_filled       3           1.000             NaN        0.333
    1  data_connected       2           0.667         86550.0        0.000
    2  report_created       2           0.667         97500.0          NaN
    >>> funnel(samples.tiny(), ["profile_filled", "report_created"], order="strict", window="4 days")[["step", "people"]]
                 step  people
    0  profile_filled       3
    1  report_created       0
    """
    given = {name: value for name, value in locals().items() if name not in ("data", "steps", "level", "like")}
    asked = options(like, given)
    if "exclude" in asked:
        # Read here already, so that the definition says them in words.
        asked["exclude"] = list(plan(steps, exclude=asked["exclude"], exclude_effect=asked.pop("exclude_effect", None)).exclude)
    return ordered(data, steps=steps, level=level, **asked)


def options(like: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """A tool's way of counting, with what was said besides."""
    said = {name: value for name, value in given.items() if value is not None}
    if "within_days" in said and "window" in said:
        raise BadParameter("window", said["window"], expected="one of window and within_days, not both")
    if "within_days" in said:
        said["window"] = said.pop("within_days")
    base = dict(preset(like, "funnel")) if like else {}
    if "exclude" not in said:
        base.pop("exclude_effect", None)
    found = base | said
    return found | ({"window": said_window(found["window"])} if "window" in found else {})


@measure(shape="funnel", unit="people", better="higher", reads="events", finish=as_funnel)
def ordered(data: Data, *, steps: list[AnyStep], order: Order = "ordered", window: Window = "14 days",
            step_windows: list[Window | None] | None = None, entry: Entry = "first",
            exclude: list[Any] | None = None, exclude_effect: Effect | None = None, hold: str | list[str] | None = None,
            optional: int | str | list[int | str] | None = None, count: Count = "people", breakdown: str | list[str] | None = None,
            attribution: str | int | None = None, top: int | None = None, tie_seconds: float | None = None,
            by: str | None = None, grain: Grain | None = None, start: str | dt.date | None = None,
            end: str | dt.date | None = None) -> Table:
    """How many `count` get through the steps `steps` within `window` (`order`, from the `entry` entry on).

    `funnel` is this with the steps as its second argument.

    Parameters
    ----------
    data, steps, order, window, step_windows, entry, exclude, exclude_effect, hold, optional, count
        As in `funnel`.
    breakdown, attribution, top, tie_seconds, by, grain, start, end
        As in `funnel`.

    Returns
    -------
    One row per step (and period and segment), as in `funnel`.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = ordered(samples.tiny(), steps=["profile_filled", "report_created"], by="channel")
    >>> found[["position", "channel", "people"]].head(2)
       position  channel  people
    0         1   invite       1
    1         1  organic       1
    """
    given = {name: value for name, value in locals().items() if name not in ("data", "steps")}
    asked = plan(steps, **given)
    found = paths(data, asked)
    return added_up(found, mature(data, found, asked), asked)
