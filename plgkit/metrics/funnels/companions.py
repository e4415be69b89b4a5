"""What belongs to a funnel: who got how far, who dropped and what they did instead, how long it took, how it moves."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import shapes
from plgkit.metrics.funnels.asked import options
from plgkit.metrics.funnels.counted import cut_name, mature, step_names
from plgkit.metrics.funnels.events import with_unit
from plgkit.metrics.funnels.paths import depth, paths
from plgkit.metrics.funnels.plan import Plan, interval, plan
from plgkit.metrics.funnels.steps import AnyStep
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import intervals

NOTHING = "(nothing)"
LADDER = np.array([0, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, *[3600 * each for each in (1, 3, 6, 12)],
                   *[86400 * each for each in (1, 2, 3, 7, 14, 30, 90, 180, 365, 3650, 36500)]], dtype="float64")


def who(data: Data, steps: list[AnyStep], *, like: str | None = None, **asked: Any) -> pd.DataFrame:
    """Who entered, how far each got and when.

    Parameters
    ----------
    data
        Reads `events`.
    steps
        As in `funnel`.
    like, asked
        Every other parameter of `funnel`.

    Returns
    -------
    One row per unit that entered (person, account, session or attempt): its ids, day of entry, the column cut by,
    reached (number of the last step reached), mature (its window has closed), at_1 to at_n (UTC; missing where a
    step was not reached).

    Examples
    --------
    >>> from plgkit import samples
    >>> who(samples.tiny(), ["profile_filled", "report_created"])[["user_id", "reached", "mature", "at_2"]]
      user_id  reached  mature                at_2
    0     ann        2    True 2025-01-06 09:30:00
    1     bob        2    True 2025-01-10 16:00:00
    2     cho        2    True 2025-01-17 18:00:00
    """
    made, found = _asked(data, steps, like, asked)
    return _finished(_listed(data, found, made), made)


def dropped(data: Data, steps: list[AnyStep], *, after: int, like: str | None = None, **asked: Any) -> pd.DataFrame:
    """Who got to a step and no further, though all their time is over.

    Parameters
    ----------
    data
        Reads `events`.
    steps
        As in `funnel`.
    after
        The number of the last step they reached.
    like, asked
        Every other parameter of `funnel`.

    Returns
    -------
    One row per unit: its ids, day of entry, the column cut by, at_1 to at_<after> (UTC).

    Examples
    --------
    >>> from plgkit import samples
    >>> steps = ["profile_filled", "data_connected", "report_created"]
    >>> dropped(samples.tiny(), steps, after=1)[["user_id", "day", "at_1"]]
      user_id        day                at_1
    0     cho 2025-01-08 2025-01-08 12:10:00
    """
    made, found = _asked(data, steps, like, asked)
    _number(made, "after", after, made.n - 1)
    rows = _listed(data, found, made)
    rows = rows.filter(rows.mature, rows.reached == after)
    later = [f"at_{k}" for k in range(after + 1, made.n + 1)]
    return _finished(rows.drop("reached", "mature", *later), made)


def instead(data: Data, steps: list[AnyStep], *, after: int, like: str | None = None, level: float = 0.95,
            **asked: Any) -> pd.DataFrame:
    """What people did next after the step at which they stopped, against those who went on.

    The next thing is the first event at a later instant than the step, while the window is open; who did none
    did "(nothing)". Of several at one instant the first by name counts.

    Parameters
    ----------
    data
        Reads `events`.
    steps
        As in `funnel`.
    after
        The number of the step after which they stopped or went on.
    like, asked
        Every other parameter of `funnel`.
    level
        Share that intervals cover.

    Returns
    -------
    One row per event, the commonest among those who stopped first: event, people and share (of those who stopped),
    people_on and share_on (of those who went on), difference of the shares with low and high (Newcombe).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = instead(samples.tiny(), ["profile_filled", "data_connected"], after=1)
    >>> found[["event", "people", "share", "people_on", "share_on", "difference"]]
                event  people  share  people_on  share_on  difference
    0  report_created       1    1.0          0       0.0         1.0
    1  data_connected       0    0.0          2       1.0        -1.0
    """
    made, found = _asked(data, steps, like, asked)
    _number(made, "after", after, made.n - 1)
    found = found.filter(mature(data, found, made), found[f"at_{after}"].notnull())
    found = found.mutate(here=found[f"at_{after}"], went_on=depth(found, made) > after)
    found = found.select(*made.keys, "at_1", "here", "went_on")
    rows = with_unit(data, made)
    rows = rows.select(**{f"row_{key}": rows[key] for key in made.keys}, event="event", done_at="occurred_at")
    joined = found.left_join(rows, [*[found[key] == rows[f"row_{key}"] for key in made.keys], rows.done_at > found.here,
                                    rows.done_at <= found.at_1 + interval(made.window)])
    place = ibis.row_number().over(ibis.window(group_by=[joined[key] for key in (*made.keys, "at_1")],
                                               order_by=[joined.done_at, joined.event]))
    nexts = joined.mutate(place=place).filter(_.place == 0)
    counts = nexts.group_by(event=nexts.event.fill_null(NOTHING)).aggregate(
        people=nexts.went_on.ifelse(0, 1).sum().cast("int64"), people_on=nexts.went_on.ifelse(1, 0).sum().cast("int64"))
    frame = data.run(counts)
    stopped, on = frame["people"].sum(), frame["people_on"].sum()
    frame["share"], frame["share_on"] = (frame[name] / whole if whole else np.nan
                                         for name, whole in (("people", stopped), ("people_on", on)))
    frame["difference"] = frame["share"] - frame["share_on"]
    frame["low"], frame["high"] = intervals.newcombe(frame["people"], stopped, frame["people_on"], on, level=level)
    frame = frame.sort_values(["people", "people_on", "event"], ascending=[False, False, True], ignore_index=True)
    said = f"What came next after step {after}, {step_names(made)[after - 1]}"
    return _named(frame[["event", "people", "share", "people_on", "share_on", "difference", "low", "high"]], said, "share of people")


def time_to_convert(data: Data, steps: list[AnyStep], *, from_step: int = 1, to_step: int | None = None,
                    bins: int | list[float] | None = None, like: str | None = None, **asked: Any) -> pd.DataFrame:
    """How long those who convert take from one step to another, as a histogram.

    Parameters
    ----------
    data
        Reads `events`.
    steps
        As in `funnel`.
    from_step, to_step
        Numbers of two steps; by default the first and the last.
    bins
        A number of equal bins from the shortest to the longest time, or their edges in seconds; by default round
        times that grow from step to step, as times to convert do: 1, 2, 5, 10, 30 seconds, 1 minute and so on.
    like, asked
        Every other parameter of `funnel`.

    Returns
    -------
    One row per bin (and segment): from_seconds and to_seconds (the first counts, the last only in the last bin), people,
    share of all who converted; mean_seconds and median_seconds of all of them, the same in each row of a segment.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = time_to_convert(samples.tiny(), ["profile_filled", "report_created"], bins=2)
    >>> found[["from_seconds", "to_seconds", "people", "mean_seconds", "median_seconds"]]
       from_seconds  to_seconds  people  mean_seconds  median_seconds
    0        1500.0    400050.0       2      388900.0        366600.0
    1      400050.0    798600.0       1      388900.0        366600.0
    """
    made, found = _asked(data, steps, like, asked)
    to_step = made.n if to_step is None else to_step
    _number(made, "to_step", to_step, made.n)
    _number(made, "from_step", from_step, to_step - 1)
    later, earlier = found[f"at_{to_step}"], found[f"at_{from_step}"]
    found = found.filter(mature(data, found, made), later.notnull(), earlier.notnull())
    keys = ["segment"] if made.cut else []
    taken = found[f"at_{to_step}"].delta(found[f"at_{from_step}"], unit="microsecond").cast("int64")
    counts = data.run(found.group_by(*keys, taken=taken).aggregate(people=_.count().cast("int64")))
    edges = _edges(counts, bins)
    parts = [_histogram(part, edges).assign(**dict(zip(keys, [name], strict=False)))
             for name, part in (counts.groupby("segment") if keys else [("", counts)])]
    columns = [*keys, "from_seconds", "to_seconds", "people", "share", "mean_seconds", "median_seconds"]
    frame = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    names = step_names(made)
    said = f"Seconds from step {from_step}, {names[from_step - 1]}, to step {to_step}, {names[to_step - 1]}, of those who got there"
    return _named(frame.rename(columns={"segment": cut_name(made)}), said, "people", x_unit="seconds")


def _edges(counts: pd.DataFrame, bins: int | list[float] | None) -> np.ndarray:
    if isinstance(bins, (list, tuple, np.ndarray)):
        edges = np.asarray(bins, dtype="float64")
        if len(edges) < 2 or not (np.diff(edges) > 0).all():
            raise BadParameter("bins", bins, expected="a number of bins, or two or more rising edges in seconds")
        return edges
    if bins is not None and (isinstance(bins, bool) or not isinstance(bins, int) or bins < 1):
        raise BadParameter("bins", bins, expected="a number of bins, or two or more rising edges in seconds")
    if counts.empty:
        return np.array([0.0, 1.0])
    rows = counts.sort_values("taken")
    seconds = rows["taken"].to_numpy() / 1e6
    if bins is not None:
        low, high = seconds[0], seconds[-1]
        return np.linspace(low, high if high > low else low + 1, bins + 1)
    low, high = np.searchsorted(LADDER, seconds[0], "right") - 1, np.searchsorted(LADDER, seconds[-1], "left")
    return LADDER[low:max(high, low + 1) + 1]


def _histogram(counts: pd.DataFrame, edges: np.ndarray) -> pd.DataFrame:
    rows = counts.sort_values("taken")
    seconds, people = rows["taken"].to_numpy() / 1e6, rows["people"].to_numpy()
    in_bins, _edges_again = np.histogram(seconds, bins=edges, weights=people)
    n = int(people.sum())
    upto = people.cumsum()
    middle = [seconds[np.searchsorted(upto, place, "right")] for place in ((n - 1) // 2, n // 2)] if n else [np.nan]
    mean = float((rows["taken"] * rows["people"]).sum()) / n / 1e6 if n else np.nan
    return pd.DataFrame({"from_seconds": edges[:-1], "to_seconds": edges[1:], "people": in_bins.astype("int64"),
                         "share": in_bins / n if n else np.nan, "mean_seconds": mean, "median_seconds": float(np.mean(middle))})


def over_time(data: Data, steps: list[AnyStep], *, grain: engine.Grain = "week", from_step: int = 1, to_step: int | None = None,
              like: str | None = None, level: float = 0.95, **asked: Any) -> pd.DataFrame:
    """Conversion from one step to another by period of entry.

    Parameters
    ----------
    data
        Reads `events`.
    steps
        As in `funnel`.
    grain
        Length of a period.
    from_step, to_step
        Numbers of two steps; by default the first and the last.
    like, asked
        Every other parameter of `funnel`. With entry any or furthest a unit counts in every period it enters in.
    level
        Share that intervals cover.

    Returns
    -------
    A rate: one row per period (and segment), numerator (units that reached to_step), denominator (that reached
    from_step), value, low, high, immature (units that reached from_step, whose window is still open).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = over_time(samples.tiny(), ["profile_filled", "data_connected"], grain="month")
    >>> found[["period", "numerator", "denominator", "immature"]]
          period  numerator  denominator  immature
    0 2025-01-01          2            3         0
    1 2025-02-01          0            0         0
    """
    made, found = _asked(data, steps, like, asked | {"grain": grain})
    to_step = made.n if to_step is None else to_step
    _number(made, "to_step", to_step, made.n)
    _number(made, "from_step", from_step, to_step - 1)
    found = found.filter(found[f"at_{from_step}"].notnull())
    by = "segment" if made.cut else None
    frame = data.run(shapes.rate(found, hit=found[f"at_{to_step}"].notnull(), mature=mature(data, found, made), by=by))
    frame = shapes.as_rate(_bounded(frame, data, made, by), data, {"grain": grain, "by": by, "level": level})
    if made.end is not None:
        frame = frame[frame["period"] <= pd.Timestamp(made.end)].reset_index(drop=True)
    names = step_names(made)
    said = f"Of those who reach step {from_step}, {names[from_step - 1]}, who reach step {to_step}, {names[to_step - 1]}"
    start = engine.period_of(data.as_of + engine.DAY, grain, data.playbook.product.week_start)
    return _named(frame.rename(columns={"segment": cut_name(made)}), said, "share of people", shape="rate", open_from=str(start))


def _bounded(frame: pd.DataFrame, data: Data, made: Plan, by: str | None) -> pd.DataFrame:
    """The periods begin with the first day of entry asked for."""
    if made.start is None or frame.empty:
        return frame
    first = pd.Timestamp(engine.period_of(made.start, made.grain, data.playbook.product.week_start))
    empty = frame.drop_duplicates(by) if by else frame.head(1)
    empty = empty.assign(period=first.as_unit("us"), numerator=0, denominator=0, immature=0)
    return pd.concat([frame, empty]).drop_duplicates(["period", *([by] if by else [])])


def _asked(data: Data, steps: list[AnyStep], like: str | None, asked: dict[str, Any]) -> tuple[Plan, Table]:
    made = plan(steps, **options(like, asked))
    return made, paths(data, made)


def _number(made: Plan, name: str, value: Any, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise BadParameter(name, value, expected=f"the number of a step, 1 to {most}")


def _listed(data: Data, found: Table, made: Plan) -> Table:
    columns = [*made.keys, *(["period"] if made.grain else []), *(["segment"] if made.cut else []), "day"]
    rows = found.mutate(reached=depth(found, made), mature=mature(data, found, made))
    return rows.select(*columns, "reached", "mature", *[f"at_{k}" for k in range(1, made.n + 1)])


def _finished(rows: Table, made: Plan) -> pd.DataFrame:
    frame = engine.run(rows)
    frame = frame.sort_values([*made.keys, "at_1", *(["segment"] if made.cut else [])], ignore_index=True)
    return _named(frame.rename(columns={"segment": cut_name(made)}), "Who entered the funnel and how far they got", made.count)


def _named(frame: pd.DataFrame, said: str, unit: str, **more: Any) -> pd.DataFrame:
    frame.attrs = {"unit": unit, "definition": f"{said}.", "shape": "table", **more}
    return frame
