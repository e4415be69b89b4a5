"""Growth accounting: who is new, stays, comes back and goes, and what that makes of the number of active people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter, BrokenIdentity
from plgkit.metrics import actives, families, shapes
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.metrics.returns import Names
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import families as ratios

Count = Literal["people", "accounts"]
_MOVES = ["active", "new", "retained", "resurrected"]
_EVER = 1_000_000
_UNIT = {"people": "user_id", "accounts": "account_id"}


def accounted(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Every period with those who were active before and those of them who are gone."""
    by = parameters["by"]
    made = shapes.every_period(frame, data, parameters, _MOVES)
    before = made.groupby(by)["active"].shift() if by else made["active"].shift()
    made["active_before"] = before.fillna(0).astype("int64")
    made["churned"] = made["active_before"] - made["retained"]
    return made


def _churn(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = shapes.every_period(frame, data, parameters, ["numerator", "denominator", *shapes.FAMILY_SUMS])
    made = made[made["period"] > made["period"].min()]
    made = shapes.only_complete(made, data, parameters["grain"])
    made = shapes.with_share(made, parameters["level"])
    return shapes.ordered(made, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="share of people active before", better="lower", reads="events", finish=_churn,
         interval=families.WIDENED)
def user_churn(data: Data, *, event: Names | None = None, by: str | None = None, grain: Grain = "week") -> Table:
    """Share of the people active in the period before who are not active in this one.

    Parameters
    ----------
    data
        Reads `events`.
    event
        Event that makes a person active; None is any activity, as the playbook's [activity] says.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period from the second: period, numerator (gone), denominator (active in the period before),
    value, low, high, immature (people who may still come in a period that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> user_churn(samples.tiny(), grain="month")[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-02-01          2            4    0.5
    """
    parts, keys = _parts(data, event, by, grain)
    return families.summed(parts.mutate(hits=parts.before - parts.kept, people=parts.before), keys)


def _parts(data: Data, event: Names | None, by: str | None, grain: Grain) -> tuple[Table, list[str]]:
    """What became of families from period to period."""
    rows, keys = segmented(data, actives.periods(data, grain, event=event), by), ["period", *([by] if by else [])]
    stayed = (actives.following(rows.prev, grain) == rows.period).fill_null(False)
    return families.moves(data, rows, stayed=stayed, following=actives.following(rows.period, grain), keys=keys), keys


def _growth(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    marks = frame[frame["window"] > 0]
    moves = frame[frame["window"] == 0].drop(columns=["window", "change"])
    if parameters["trailing_days"] is not None:
        moves = _in_window(moves, marks, data, parameters)
    made = accounted(moves, data, parameters)
    assert_identity(made)
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    made["settled"] = _settled(made["period"], data, parameters["trailing_days"] or 28)
    columns = ["active", "active_before", "new", "retained", "resurrected", "churned", "complete", "settled"]
    if parameters["inactive"]:
        made = _with_idle(made, marks, data, parameters)
        columns += [name for name in made.columns if name.startswith(("on_last_day", "idle_"))]
    made = shapes.ordered(made, parameters, columns)
    if not made["settled"].all():
        made.attrs["warning"] = _warning(data)
    return made


def _levels(marks: pd.DataFrame, window: int, made: pd.DataFrame, data: Data, by: str | None) -> pd.Series:
    """How many people were active in the window that ends with each period of `made`, in its order."""
    rows = marks[marks["window"] == window].assign(all=0)
    if rows.empty:
        return pd.Series(0, index=made.index)
    levels = actives.long(actives.as_levels(rows, data, [by or "all"]), "n")
    ends = made["period"].map(lambda start: _last_day(start, data, made.attrs["grain"]))
    keys = ["period", *([by] if by else [])]
    found = made[keys].assign(period=ends).merge(levels, how="left", on=keys)["n"]
    return found.fillna(0).astype("int64").set_axis(made.index)


def _last_day(start: pd.Timestamp, data: Data, grain: Grain) -> pd.Timestamp:
    return pd.Timestamp(min(engine.next_period(start.date(), grain) - engine.DAY, data.as_of))


def _in_window(moves: pd.DataFrame, marks: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Set the people of the trailing window in the place of those of the period."""
    made = shapes.every_period(moves, data, parameters, _MOVES)
    made.attrs["grain"] = parameters["grain"]
    made["active"] = _levels(marks, parameters["trailing_days"], made, data, parameters["by"])
    made["retained"] = made["active"] - made["new"] - made["resurrected"]
    return made


def _with_idle(made: pd.DataFrame, marks: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """How many of all ever active were last active how long before the end of each period."""
    by, edges = parameters["by"], parameters["inactive"]
    made.attrs["grain"] = parameters["grain"]
    within = [_levels(marks, edge + 1, made, data, by) for edge in (0, *edges)]
    made["on_last_day"] = within[0]
    for low, high, here, before in zip((0, *edges), edges, within[1:], within, strict=False):
        made[f"idle_{low + 1}_{high}"] = here - before
    ever = _levels(marks, _EVER, made, data, by)
    made[f"idle_over_{edges[-1]}"] = ever - within[-1]
    return made


def assert_identity(made: pd.DataFrame) -> None:
    """Refuse periods in which the moves do not lead from the people active before to those active now."""
    sums = made["active_before"] + made["new"] + made["resurrected"] - made["churned"]
    broken = made[(made["active"] != sums) | (made["churned"] < 0)]
    if len(broken):
        row = broken.iloc[0]
        raise BrokenIdentity(
            "active = active before + new + resurrected - churned", where=f"the period of {row.period:%d %b %Y}",
            found=f"{row.active} is not {row.active_before} + {row.new} + {row.resurrected} - {row.churned}")


def _settled(periods: pd.Series, data: Data, days: int) -> pd.Series:
    """Whether the first of the data lies far enough back, or is the first of the product."""
    events, started = data.overview.set_index("table").loc["events"], data.playbook.product.started_on
    if periods.empty or (started is not None and events["first"].date() < started + 7 * engine.DAY):
        return pd.Series(True, index=periods.index)
    return periods >= events["first"] + pd.Timedelta(days=days)


def _warning(data: Data) -> str:
    """What makes the new people of the first periods doubtful."""
    tables = data.overview.set_index("table")
    first = tables.loc["events", "first"]
    said = (f"The data begin on {first:%d %b %Y}, and who was active before that day counts as new when first seen: "
            "take the new people of the first four weeks with care.")
    if "users" in tables.index and "users" not in data.derived and tables.loc["users", "first"] < first:
        return f"{said} People have signed up since {tables.loc['users', 'first']:%d %b %Y}."
    return f"{said} If the product began then, say so with product.started_on in the playbook."


@measure(shape="table", unit="people", better="neither", reads="events", finish=_growth, preset="lifecycle")
def growth_accounting(data: Data, *, event: Names | None = None, count: Count = "people",
                      trailing_days: int | None = None, inactive: list[int] | None = None, by: str | None = None,
                      grain: Grain = "week", like: str | None = None) -> Table:
    """People active in a period: new ones, those who stayed, those back after a pause, and those gone.

    In every period active = active before + new + resurrected - churned.

    Parameters
    ----------
    data
        Reads `events`.
    event
        Event that makes a person active; None is any activity, as the playbook's [activity] says.
    count
        "people", or "accounts" in which anybody was active.
    trailing_days
        Look at the people active in so many days that end with each period (28 removes the weekdays), against
        those of the window that ended with the period before. None looks at the period itself.
    inactive
        Days at which to cut those who were active once and are not now, by how long before the end of the
        period they were last active: [7, 30] gives 1 to 7, 8 to 30 and more than 30 days.
    by
        Column to cut by.
    grain
        Length of a period.
    like
        Count as "posthog" does by default; what is given besides goes first.

    Returns
    -------
    One row per period: period, active, active_before, new (active for the first time ever), retained (also
    active in the period before), resurrected (not in the one before, but earlier), churned (active in the one
    before, not in this), complete (the period is over), settled (False within four weeks of the first day of
    the data, where people from before the data are taken for new; the playbook's product.started_on tells
    that there are none; the frame's attrs["warning"] says so). With `inactive` also on_last_day (active on the
    period's last day), idle_1_7, idle_8_30 and idle_over_30, which add up to everybody ever active.

    Raises
    ------
    BrokenIdentity
        If the identity fails in a period.

    Examples
    --------
    >>> from plgkit import samples
    >>> growth_accounting(samples.tiny()).iloc[:5, :7]
          period  active  active_before  new  retained  resurrected  churned
    0 2025-01-06       4              0    4         0            0        0
    1 2025-01-13       2              4    0         2            0        2
    2 2025-01-20       3              2    0         2            1        0
    3 2025-01-27       0              3    0         0            0        3
    4 2025-02-03       2              0    0         0            2        0
    >>> growth_accounting(samples.tiny(), grain="month", inactive=[7, 30]).iloc[:, -4:]
       on_last_day  idle_1_7  idle_8_30  idle_over_30
    0            0         1          3             0
    1            1         0          1             2
    """
    if inactive is not None and (not inactive or sorted({*inactive, 0})[1:] != list(inactive)):
        raise BadParameter("inactive", inactive, expected="rising whole numbers of days, such as [7, 30]")
    if (trailing_days or inactive) and (event is not None or count != "people"):
        raise BadParameter("trailing_days" if trailing_days else "inactive", trailing_days or inactive,
                           expected="none where one event or accounts are looked at")
    keys, nothing = ["period", *([by] if by else [])], ibis.literal(0, "int64")
    if trailing_days is None:
        rows = actives.moves(data, grain, event=event, by=by, unit=_UNIT[count])
    else:
        rows = actives.trailing_moves(data, trailing_days, grain, by).mutate(active=nothing, retained=nothing)
    rows = rows.select(*keys, *_MOVES, window=nothing, change=nothing)
    windows = {*([trailing_days] if trailing_days else []), *([1, _EVER, *(days + 1 for days in inactive)] if inactive else [])}
    for days in sorted(windows):
        marks = _firsts(data, by) if days == _EVER else actives.cover(data, days, by)
        rows = rows.union(marks.select(*keys, **dict.fromkeys(_MOVES, nothing), window=ibis.literal(days, "int64"),
                                       change=_.change))
    return rows


def _firsts(data: Data, by: str | None) -> Table:
    """Marks of change in the number of people ever active."""
    firsts = data.activity.filter(_.prev_day.isnull()).select("user_id", period=_.day)
    return segmented(data, firsts, by).group_by("period", *([by] if by else [])).aggregate(
        change=_.count().cast("int64"))


def _quick(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = shapes.every_period(frame, data, parameters, ["numerator", "denominator", *shapes.FAMILY_SUMS])
    made = made[made["period"] > made["period"].min()]
    effect = ratios.design_effect(*(made[name] for name in ("numerator", "denominator", *shapes.FAMILY_SUMS)))
    made = made.assign(moved=made["denominator"], denominator=made["denominator"] - made["numerator"])
    over = shapes.complete(made["period"], data, parameters["grain"])
    made = made.assign(immature=made["moved"].where(~over, 0), numerator=made["numerator"].where(over, 0),
                       denominator=made["denominator"].where(over, 0))
    made["value"] = made["numerator"] / made["denominator"].where(made["denominator"] > 0).astype("float64")
    made["low"], made["high"] = shapes.odds(made["numerator"], made["denominator"], parameters["level"], effect)
    return shapes.ordered(made, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="ratio", better="higher", reads="events", finish=_quick,
         interval=families.ODDS)
def quick_ratio(data: Data, *, event: Names | None = None, by: str | None = None, grain: Grain = "week") -> Table:
    """New and resurrected people divided by those who churned: above 1 the number of active people grows.

    Parameters
    ----------
    data
        Reads `events`.
    event
        Event that makes a person active; None is any activity, as the playbook's [activity] says.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period from the second: period, numerator (new and resurrected), denominator (churned), value
    (missing where nobody churned), low, high (both counts taken as Poisson's, widened by how much families
    differ), immature (all of them in a period that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> quick_ratio(samples.tiny(), grain="month")[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-02-01          0            2    0.0
    """
    parts, keys = _parts(data, event, by, grain)
    gone = parts.before - parts.kept
    return families.summed(parts.mutate(hits=parts.came, people=parts.came + gone), keys)
