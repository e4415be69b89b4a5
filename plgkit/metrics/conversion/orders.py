"""Buying without a contract: who is still a customer, how often they will buy again, and what that is worth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics.ledger import MINOR
from plgkit.metrics.people import first_of, segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine, properties
from plgkit.sources.data import Data
from plgkit.stats import bgnbd, spending
from plgkit.stats.intervals import Floats

_SETTINGS = {"event": "conversion.checkout_finished", "margin": "product.gross_margin"}
_GROUPS = ((0, "1"), (1, "2"), (2, "3 to 5"), (5, "6 and more"))
_ALL = "all"
FEWEST = 10
"""With fewer people who bought again there is no model."""
_COLUMNS = ["orders", "n", "alive", "purchases", "purchases_low", "purchases_high", "worth", "value", "low", "high"]


def bought(data: Data, event: str | list[str], amount: str | None) -> Table:
    """One row per person and day with a purchase: `user_id`, `day`, and `minor`, what it was worth in minor units."""
    rows = data.event(event)
    if amount is None:
        minor = ibis.literal(0, "int64")
    else:
        properties.check(data, amount)
        number = properties.number(properties.value(rows, amount)).fill_null(0.0)
        minor = (number * MINOR).round().cast("int64")
    rows = rows.select("user_id", "day", minor=minor)
    return rows.group_by("user_id", "day").aggregate(minor=_.minor.sum().cast("int64"))


def histories(days: Table, upto: dt.date) -> Table:
    """One row per customer: `x` days with a purchase after the first, `t_x` and `t` in days, `minor` of those after the first."""
    first = first_of(days, "user_id", "day").select(buyer=_.user_id, first_minor=_.minor)
    rows = days.group_by("user_id").aggregate(n=_.count(), first=_.day.min(), last=_.day.max(), minor=_.minor.sum())
    rows = rows.inner_join(first, rows.user_id == first.buyer)
    today = ibis.date(upto.isoformat())
    return rows.select("user_id", x=(rows.n - 1).cast("int64"), t_x=engine.days_between(rows["last"], rows["first"]),
                       t=engine.days_between(today, rows["first"]), minor=(rows.minor - rows.first_minor).cast("int64"))


def _finish(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, parts, models = parameters["by"], [], {}
    frame = frame.sort_values(["x", "t_x", "t", "minor", "people"], kind="stable")
    for name, cells in frame.groupby(by or (lambda _: ""), sort=True):
        made, models[name] = _segment(cells.reset_index(drop=True), parameters)
        parts.append(made.assign(**{by: name}) if by else made)
    columns = [*([by] if by else []), *_COLUMNS]
    made = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    made = made.astype({"n": "int64", "orders": "str"} | dict.fromkeys(_COLUMNS[2:], "float64"))
    made.attrs["models"] = models if by else models.get("", {})
    return made


def _segment(cells: pd.DataFrame, parameters: Mapping[str, Any]) -> tuple[pd.DataFrame, dict[str, dict[str, float]]]:
    again = cells[cells["x"] > 0]
    mean = cells["minor"] / MINOR / cells["x"].where(cells["x"] > 0)
    known = int(again["people"].sum()) >= FEWEST and bool((cells["t"] > 0).any())
    priced = known and int(cells.loc[(mean > 0), "people"].sum()) >= FEWEST
    buying = bgnbd.fit(cells["x"], cells["t_x"], cells["t"], cells["people"]) if known else None
    worth = spending.fit(cells["x"], mean.fillna(0.0), cells["people"]) if priced else None
    least, names = zip(*_GROUPS, strict=True)
    which = np.array(names)[np.searchsorted(least, cells["x"], side="right") - 1]
    rows = []
    for name in [*[each for each in names if (which == each).any()], _ALL]:
        mine = cells if name == _ALL else cells[which == name]
        rows.append((name, int(mine["people"].sum()), *_expected(mine, mean.loc[mine.index].fillna(0.0), buying, worth, parameters)))
    models = {name: dict(zip(found._fields[:-1], found[:-1], strict=True)) for name, found in
              (("buying", buying), ("spending", worth)) if found is not None}
    return pd.DataFrame(rows, columns=_COLUMNS), models


def _expected(cells: pd.DataFrame, mean: pd.Series, buying: bgnbd.Fit | None, worth: spending.Fit | None,
              parameters: Mapping[str, Any]) -> tuple[float, ...]:
    """Of some customers: share alive, purchases to come with interval, worth of one, and value with interval."""
    if buying is None:
        return (np.nan,) * 8
    people, days, level = cells["people"].to_numpy(dtype=float), parameters["horizon_days"], parameters["level"]
    history = tuple(cells[name].to_numpy(dtype=float) for name in ("x", "t_x", "t"))

    def purchases(*model: float) -> Floats:
        return bgnbd.expected_more(bgnbd.Fit(*model), days, *history)

    def count(*model: float) -> float:
        return float(people @ purchases(*model) / people.sum())

    def money(*models: float) -> float:
        each = spending.expected(spending.Fit(*models[4:]), history[0], mean)
        return float(parameters["margin"] * (people @ (purchases(*models[:4]) * each)) / people.sum())

    alive = float(people @ bgnbd.alive(buying, *history) / people.sum())
    more = _spread(count, buying[:4], buying.covariance, level)
    if worth is None:
        return alive, *more, *(np.nan,) * 4
    both = np.zeros((7, 7))
    both[:4, :4], both[4:, 4:] = buying.covariance, worth.covariance
    value = _spread(money, (*buying[:4], *worth[:3]), both, level)
    return alive, *more, value[0] / parameters["margin"] / more[0], *value


def _spread(of: Callable[..., float], model: tuple[float, ...], covariance: Floats, level: float) -> tuple[float, float, float]:
    """A positive number that follows from a model, with the interval that the model's leaves (delta method, logarithms)."""
    from scipy.special import ndtri

    value, width = of(*model), 1e-4
    if not value > 0:
        return value, np.nan, np.nan
    point = np.log(model)
    steps = np.eye(len(model)) * width
    slope = np.array([np.log(of(*np.exp(point + step)) / of(*np.exp(point - step))) for step in steps]) / (2 * width)
    half = float(ndtri((1 + level) / 2) * np.sqrt(slope @ covariance @ slope))
    return value, value * np.exp(-half), value * np.exp(half)


@measure(shape="table", unit="currency", better="higher", reads="users events", settings=_SETTINGS, finish=_finish,
         interval="delta method on the likelihood of the models")
def repeat_buying(data: Data, *, event: str | list[str] | None = None, amount: str | None = None,
                  horizon_days: int = 365, margin: float | None = None, by: str | None = None) -> Table:
    """What customers without a contract will buy (`event`) in the next `horizon_days` days, by how often they bought.

    Two models learn from all customers: BG/NBD how often each buys and whether it is still a customer, from how many
    days it bought on, when it last did and how long it has been known; Gamma-Gamma what one purchase is worth.
    They mislead where buying follows the season or a contract, where people come back after long pauses, and where those
    who buy often also spend more each time. Who bought but once counts as a customer for ever: the model cannot tell.

    Parameters
    ----------
    data
        Reads `events`, and `users` for the column to cut by. Purchases of one person on one day are one.
    event
        The purchase: an event, or several of which any is one.
    amount
        The property of the event that says what it was worth, in currency; None leaves money out.
    horizon_days
        Days from the last one counted.
    margin
        Gross margin: the part of revenue that is left after serving the customer.
    by
        Column of people to cut by; each segment has models of its own.

    Returns
    -------
    One row per segment and number of purchases so far: orders ("1", "2", "3 to 5", "6 and more", "all"), n
    (customers), alive (share of them still expected to be customers), purchases (expected of each), purchases_low,
    purchases_high, worth (currency, of a purchase), value (currency of margin per customer), low, high. Missing with
    fewer than ten people who bought again. `attrs["models"]` has the parameters of the models, in days.

    Examples
    --------
    >>> from plgkit import samples
    >>> repeat_buying(samples.tiny(), event="signed_in")[["orders", "n", "purchases"]]  # too few for a model
      orders  n  purchases
    0      1  3        NaN
    1      2  1        NaN
    2    all  4        NaN

    References
    ----------
    Fader, Hardie and Lee, "Counting your customers the easy way", Marketing Science 24 (2005), 275-284, and "RFM and
    CLV: using iso-value curves for customer base analysis", Journal of Marketing Research 42 (2005), 415-430.
    """
    if isinstance(margin, bool) or not 0 < margin <= 1:
        raise BadParameter("margin", margin, expected="a share above 0 and up to 1, such as 0.8")
    rows = segmented(data, histories(bought(data, event, amount), data.as_of), by)
    return rows.group_by(*([by] if by else []), "x", "t_x", "t", "minor").aggregate(people=_.count().cast("int64"))
