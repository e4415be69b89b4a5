"""Whether the curve turns flat, and at what level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import returns
from plgkit.metrics.registry import measure
from plgkit.metrics.retention import ages
from plgkit.metrics.returns import SIZE, Clock, Names, Question, Unit
from plgkit.sources.data import Data

LEVELLED, FALLING, UNSURE = "levelled off", "still falling", "cannot tell"
_FEWEST_AGES, _FEWEST_PEOPLE, _FEWEST_THERE = 3, 30, 5
_NUMBERS = ["value", "low", "high", "at_end", "fall", "fall_low", "fall_high"]
_COUNTS = ["first_age", "last_age", "people"]


def _asked(parameters: Mapping[str, Any]) -> Question:
    own = {name: parameters[name] for name in ("start", "back", "unit", "clock", "min_events", "by")}
    return Question(entry="first", rule="on", brackets=None, reference="cohort", first_age=1, horizon=None, **own)


def _plateau(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    asked, by = _asked(parameters), parameters["by"]
    whole = frame.groupby([*asked.keys, "age"], as_index=False)["people"].sum()
    cells = ages.cells(whole, data, asked)
    rows = []
    for segment, mine in cells.groupby(by or (lambda _: 0), sort=True):
        of_segment = frame[frame[by] == segment] if by else frame
        rows.append({by or "all": segment, **_level(of_segment, mine, asked, parameters)})
    made = pd.DataFrame(rows, columns=[*([by] if by else []), "verdict", *_NUMBERS, *_COUNTS])
    kinds = dict.fromkeys(_NUMBERS, "float64") | dict.fromkeys(_COUNTS, "int64") | {"verdict": "str"}
    return made.astype(kinds)


def _level(frame: pd.DataFrame, cells: pd.DataFrame, asked: Question, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Verdict, level and fall of one group of people."""
    last, cohorts, people = _old_enough(frame, cells, parameters["least_share"])
    first = last // 2 + 1
    found: dict[str, Any] = dict.fromkeys(_NUMBERS, np.nan) | {"first_age": first, "last_age": last, "people": people}
    if last - first + 1 < _FEWEST_AGES:
        return found | {"verdict": UNSURE}
    tail = cells[cells["cohort"].isin(cohorts) & cells["age"].between(first, last)]
    at_end, fall = _line(tail.groupby("age")["numerator"].sum().to_numpy("float64")[None] / people)
    dealt = ages.Dealt(frame, asked)
    whole = dealt.drawn(SIZE, cohorts).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = _line(np.stack([dealt.drawn(age, cohorts).sum(axis=1) for age in range(first, last + 1)], axis=1)
                      / whole[:, None])
    tails = [(1 - parameters["level"]) / 2, (1 + parameters["level"]) / 2]
    low, high = np.quantile(drawn[0], tails)
    falls = drawn[1][np.isfinite(drawn[1])]
    fall_low, fall_high = np.quantile(falls, tails) if len(falls) and np.ptp(falls) > 0 else (np.nan, np.nan)
    flat = parameters["flat"]
    sure = people >= _FEWEST_PEOPLE and at_end[0] * people >= _FEWEST_THERE
    verdict = LEVELLED if sure and fall_high < flat else FALLING if sure and fall_low > flat else UNSURE
    found |= {"verdict": verdict, "at_end": at_end[0], "fall": fall[0], "fall_low": fall_low, "fall_high": fall_high}
    return found | ({"value": at_end[0], "low": low, "high": high} if verdict == LEVELLED else {})


def _old_enough(frame: pd.DataFrame, cells: pd.DataFrame, least: float) -> tuple[int, pd.Series, int]:
    """The last age at which enough people are old enough, the cohorts they are in, and how many they are."""
    everybody = frame.loc[frame["age"] == SIZE, "people"].sum()
    mature = cells[cells["mature"]]
    old = mature.groupby("age")["denominator"].sum()
    enough = old[old >= least * everybody]
    if enough.empty:
        return 0, mature["cohort"].head(0), 0
    last = int(enough.index.max())
    cohorts = mature.loc[mature["age"] == last, "cohort"]
    return last, cohorts, int(old[last])


def _line(shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each row, and the part of it by which a straight line through the row falls from end to end."""
    place = np.arange(shares.shape[1]) - (shares.shape[1] - 1) / 2
    mean = shares.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return mean, -(shares @ place) / (place @ place) * (shares.shape[1] - 1) / mean


@measure(shape="table", unit="share of people", better="higher", reads="users events", finish=_plateau,
         interval="bootstrap over people")
def plateau(data: Data, *, start: Names | None = None, back: Names | None = None, unit: Unit = "week",
            clock: Clock = "calendar", min_events: int = 1, flat: float = 0.1, least_share: float = 0.25,
            by: str | None = None) -> Table:
    """Level at which the retention curve turns flat (unit: `unit`), if it does: at most `flat` lost over its second half.

    The same people stand behind every age: those of the cohorts old enough for the last age looked at, which is
    the highest that `least_share` of all people have reached. A straight line is laid through the second half of
    the ages. Where it surely falls by less than `flat` of its level, from end to end, the curve has levelled off.

    Parameters
    ----------
    data, start, back, unit, clock, min_events, by
        As in `cohorts`.
    flat
        Part of the level that may be lost over the second half of the ages.
    least_share
        Share of all people who must be old enough for the last age.

    Returns
    -------
    One row, or one per segment: verdict ("levelled off" where the whole interval of the fall is below `flat`,
    "still falling" where it is above, "cannot tell" where it is neither, or with less than three ages in the
    second half, 30 people, or five of them still there), value (the level, missing unless the curve has levelled off), low, high, at_end (mean share
    over the second half in any case), fall (part lost from its first age to its last; below 0 it rises),
    fall_low, fall_high, first_age, last_age (of the second half), people.

    Examples
    --------
    >>> from plgkit import samples
    >>> plateau(samples.tiny())[["verdict", "at_end", "fall", "first_age", "last_age", "people"]]
           verdict    at_end  fall  first_age  last_age  people
    0  cannot tell  0.166667   3.0          4         6       4
    """
    for name, value in (("flat", flat), ("least_share", least_share)):
        if not 0 < value <= 1:
            raise BadParameter(name, value, expected="a share above 0")
    asked = _asked({"start": start, "back": back, "unit": unit, "clock": clock, "min_events": min_events, "by": by})
    returns.check(data, asked)
    return returns.rows(data, asked, dealt=True)
