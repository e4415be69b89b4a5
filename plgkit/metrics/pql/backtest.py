"""The back-test: scores as they stood on past days, and who paid afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics.people import segmented
from plgkit.metrics.pql import dates
from plgkit.metrics.pql.scoring import READS, lifespan
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import intervals, ranking
from plgkit.stats.intervals import Floats

Cut = Literal["capacity", "threshold"]
Each = Literal["date", "all"]
SETTINGS = {"within_days": "pql.within_days", "capacity": "pql.weekly_capacity", "threshold": "pql.threshold"}
_SHARES = ["precision", "recall", "lift", "concordance"]


def judged(people: Floats, hits: Floats, scores: Floats, cut: Cut, capacity: int, threshold: float) -> dict[str, Floats]:
    """What a list finds on each date, and over all dates last: arrays of crowd x date; the scores are the best first."""
    if cut == "capacity":
        called, won = ranking.top(people, hits, capacity)
    else:
        above = scores >= threshold - 1e-9
        called, won = people[..., above].sum(axis=-1), hits[..., above].sum(axis=-1)
    accounts, payers = people.sum(axis=-1), hits.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_chance = np.where(accounts > 0, called * payers / accounts, 0.0)
        pairs = payers * (accounts - payers)
        right = np.where(pairs > 0, ranking.concordance(people, hits) * pairs, 0.0)
        sums = {name: _with_all(each) for name, each in {
            "accounts": accounts, "payers": payers, "called": called, "won": won, "by_chance": by_chance,
            "pairs": pairs, "right": right}.items()}
        return sums | {
            "precision": sums["won"] / sums["called"], "recall": sums["won"] / sums["payers"],
            "lift": sums["won"] / sums["by_chance"], "concordance": sums["right"] / sums["pairs"]}


def _with_all(values: Floats) -> Floats:
    return np.concatenate([values, values.sum(axis=-1, keepdims=True)], axis=-1)


def _as_backtest(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    scores = np.unique(frame["score"])[::-1]
    people, hits = dates.spread(frame, dates.crowds(frame), "score")
    found = judged(people, hits, scores, parameters["cut"], parameters["capacity"], parameters["threshold"])
    days = np.unique(frame["date"])
    places = range(len(days)) if parameters["each"] == "date" else [len(days)] if len(days) else []
    rows = [_line(found, place, parameters["level"]) for place in places]
    columns = ["accounts", "payers", "called", "won", *[name + end for name in _SHARES for end in ("", "_low", "_high")]]
    made = pd.DataFrame(rows, columns=columns).astype("float64").astype({"accounts": "int64", "payers": "int64"})
    if parameters["each"] == "date":
        made.insert(0, "date", pd.to_datetime(days).astype("datetime64[us]"))
    else:
        made.insert(0, "dates", len(days))
    return made


def _line(found: dict[str, Floats], place: int, level: float) -> dict[str, float]:
    line = {name: float(found[name][0, place]) for name in ("accounts", "payers", "called", "won")}
    by_chance = float(found["by_chance"][0, place])
    for name in _SHARES:
        value = float(found[name][0, place])
        low, high = dates.span(found[name][1:, place], value, level)
        if name != "concordance" and not np.isnan(value):
            # Where nobody or everybody was a hit, no draw differs from what was seen: Wilson's interval still does.
            whole = line["payers" if name == "recall" else "called"]
            least, most = intervals.wilson(line["won"], whole, level=level)
            times = whole / by_chance if name == "lift" else 1.0
            low, high = np.fmin(low, least * times), np.fmax(high, most * times)
        line |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return line


@measure(shape="table", unit="share of accounts", better="higher", reads=READS, settings=SETTINGS, finish=_as_backtest,
         interval=f"{dates.BY_ACCOUNT}; for shares Wilson's where that is wider")
def backtest(data: Data, *, within_days: int | None = None, capacity: int | None = None, threshold: float | None = None,
             cut: Cut = "capacity", each: Each = "date", lifespan_days: int | None = None, grain: Grain = "month") -> Table:
    """Who of the list of a past day first paid within `within_days` days of it, by `cut`: precision, recall, lift.

    On the last day of every period accounts that had not paid by then are scored on what had happened by then, and no more.
    Days whose window is not over are left out. A list is the best `capacity` accounts, or all from `threshold` points on.

    Parameters
    ----------
    data
        As `scores`; needs `subscriptions`.
    within_days
        Days after the date in which a first payment counts.
    capacity
        Accounts that the team can call in a week.
    threshold
        Points from which an account is a lead.
    cut
        "capacity" for the list of one week, "threshold" for all leads.
    each
        "date" for a row per date, "all" for one row over all dates.
    lifespan_days
        Days in which points fade, as in `scores`.
    grain
        Length of a period: the last day of each is a date.

    Returns
    -------
    One row per date (or `dates`, how many there are): date, accounts (scored), payers (of them, who paid), called (on the list),
    won (of them, who paid; of equal scores at the end of the list the part that fits), precision (won / called), recall (won /
    payers), lift (precision over the share of all that paid), concordance (how often a payer stood above another account),
    each with its interval: _low, _high.

    Raises
    ------
    BadParameter
        If `capacity` is below 1.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = backtest(samples.tiny(), within_days=10, capacity=1, grain="week")
    >>> found[["date", "accounts", "payers", "called", "won", "precision"]].head(3)
            date  accounts  payers  called  won  precision
    0 2025-01-12         3       1     1.0  1.0        1.0
    1 2025-01-19         3       2     1.0  1.0        1.0
    2 2025-01-26         1       0     1.0  0.0        0.0
    """
    _check(capacity)
    rows = dates.scored(data, dates.snapshots(data, within_days, grain), lifespan(data, lifespan_days))
    return dates.cells(rows, "date", "score", "dealt")


def _check(capacity: int) -> None:
    if capacity < 1:
        raise BadParameter("capacity", capacity, expected="a whole number of accounts, 1 or more")


def _bands(scores: pd.Series, data: Data) -> pd.Series:
    """The number of the tier in which each score is."""
    starts = np.array([tier.from_ for tier in data.playbook.pql.tiers])
    return pd.Series(np.searchsorted(starts, scores.to_numpy(dtype=float) + 1e-9, side="right") - 1, index=scores.index)


def _as_calibration(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, width, level = parameters["by"], parameters["width"], parameters["level"]
    keys = [*([by] if by else []), *(["date"] if parameters["each"] == "date" else [])]
    if width:
        most = data.playbook.pql.tiers[-1].from_ or width
        start = (np.floor((frame["score"] + 1e-9) / width) * width).clip(upper=np.floor(most / width) * width)
    else:
        start = _bands(frame["score"], data).map(lambda place: data.playbook.pql.tiers[place].from_)
    frame = frame.assign(points_from=start.astype("float64"))
    rows = []
    for names, part in frame.groupby([*keys, "points_from"], sort=True):
        grouped = part.groupby("dealt")[["accounts", "hits"]].sum()
        weights = ranking.crowds(len(grouped), draws=dates.DRAWS)
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = (weights @ grouped["hits"].to_numpy(dtype=float)) / (weights @ grouped["accounts"].to_numpy(dtype=float))
        rows.append((*names, grouped["hits"].sum(), grouped["accounts"].sum(), drawn[0], *dates.span(drawn[1:], drawn[0], level)))
    made = pd.DataFrame(rows, columns=[*keys, "points_from", "numerator", "denominator", "value", "low", "high"])
    made = made.astype({"numerator": "int64", "denominator": "int64"} | dict.fromkeys(("points_from", "value", "low", "high"), "float64"))
    if "date" in keys:
        made["date"] = pd.to_datetime(made["date"]).astype("datetime64[us]")
    made.insert(len(keys), "band", _named(made["points_from"], data, width))
    return made


def _named(starts: pd.Series, data: Data, width: int) -> pd.Series:
    if not width:
        names = {tier.from_: tier.name for tier in data.playbook.pql.tiers}
        return starts.map(names).astype("str")
    most = starts.max() if len(starts) else 0
    return starts.map(lambda start: f"{start:g} and more" if start == most else f"{start:g} to {start + width - 1:g}").astype("str")


@measure(shape="table", unit="share of accounts", better="higher", reads=READS, settings={"within_days": "pql.within_days"},
         finish=_as_calibration, interval=dates.BY_ACCOUNT)
def calibration(data: Data, *, within_days: int | None = None, width: int = 0, each: Each = "all",
                lifespan_days: int | None = None, by: str | None = None, grain: Grain = "month") -> Table:
    """Share of accounts that first paid within `within_days` days of a past day, by the points they had then.

    Dates and scores are those of `backtest`. The more points, the more should pay: where they do not, points are wrong.

    Parameters
    ----------
    data
        As `scores`; needs `subscriptions`.
    within_days
        Days after the date in which a first payment counts.
    width
        Points in a band; 0 takes the playbook's tiers. The last band begins where the highest tier does.
    each
        "all" puts the dates together; "date" gives each its rows.
    lifespan_days
        Days in which points fade, as in `scores`.
    by
        Column to cut by.
    grain
        Length of a period: the last day of each is a date.

    Returns
    -------
    One row per band, from the lowest up: [segment], [date], band, points_from, numerator (accounts that paid) and denominator
    (accounts, once per date), value, low, high.

    Examples
    --------
    >>> from plgkit import samples
    >>> calibration(samples.tiny(), within_days=10, grain="week")[["band", "points_from", "numerator", "denominator"]]
                    band  points_from  numerator  denominator
    0            nurture          0.0          1            8
    1       inside sales         65.0          1            1
    2  account executive        100.0          1            1
    """
    rows = segmented(data, dates.snapshots(data, within_days, grain), by, unit="account_id")
    rows = dates.scored(data, rows, lifespan(data, lifespan_days))
    return dates.cells(rows, *([by] if by else []), "date", "score", "dealt")
