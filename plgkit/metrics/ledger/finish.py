"""Money from the engine to the frame: minor units become the currency, cells of alike accounts an interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from plgkit.metrics import shapes
from plgkit.metrics.ledger.rows import untils
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import retained

Spanning = Callable[..., tuple[float, float, float]]
"""Of numerators, denominators and counts of alike accounts, and a level: value, low, high."""
MINOR = 100
"""Minor units of money in one of the currency."""
BY_ACCOUNT = "bootstrap over accounts"
MEAN = "logarithmic, Student's t, of as many accounts as the sum is worth by their size"


def as_money_ratio(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any], *, by: Spanning) -> pd.DataFrame:
    """Cells of alike accounts as a ratio of money, with the interval that `by` has for it.

    Periods without a base are there, with a missing value.
    """
    keys = _keys(parameters)
    made = _all_periods(spanned(frame, keys, parameters["level"], by=by), keys, data, parameters["grain"])
    made[["numerator", "denominator"]] = made[["numerator", "denominator"]] / MINOR
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    made["immature"] = 0
    return made[[*keys, "numerator", "denominator", "value", "low", "high", "immature", "n", "complete"]]


def _all_periods(frame: pd.DataFrame, keys: list[str], data: Data, grain: Grain) -> pd.DataFrame:
    """Rows for the periods since the first payment in which nothing is at hand."""
    start = data.playbook.product.week_start
    periods = [engine.period_of(each - engine.DAY, grain, start) for each in untils(data, grain)]
    index = pd.Index(periods, dtype="datetime64[us]", name="period")
    if len(keys) > 1:
        index = pd.MultiIndex.from_product([index, sorted(frame[keys[1]].unique())], names=keys)
    made = frame.set_index(keys).reindex(index).reset_index()
    counts = ["numerator", "denominator", "n"]
    return made.assign(**made[counts].fillna(0)).astype({"n": "int64"})


def as_mean(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Cells of alike accounts as a mean of money per account, with its interval."""
    keys = _keys(parameters)
    made = spanned(frame, keys, parameters["level"], by=retained.mean)
    made[["value", "low", "high"]] /= MINOR
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    return made[[*keys, "value", "low", "high", "n", "complete"]]


def spanned(cells: pd.DataFrame, keys: list[str], level: float, *, by: Spanning) -> pd.DataFrame:
    """Per key numerator and denominator, their ratio with the interval that `by` has for it, and n, how many accounts."""
    rows = []
    for key, part in cells.groupby(keys, sort=True):
        top, bottom, count = (part[name].to_numpy(dtype=float) for name in ("numerator", "denominator", "count"))
        _value, low, high = by(top, bottom, count, level=level)
        above, below = math.fsum(top * count), math.fsum(bottom * count)
        rows.append((*key, above, below, above / below if below else np.nan, low, high, int(part["count"].sum())))
    made = pd.DataFrame(rows, columns=[*keys, "numerator", "denominator", "value", "low", "high", "n"])
    sums = dict.fromkeys(("numerator", "denominator", "value", "low", "high"), "float64")
    made = made.astype(sums | {"n": "int64"} | ({"period": "datetime64[us]"} if "period" in keys else {}))
    made["low"] = np.minimum(made["low"], made["value"])  # rounding must not push a bound past it
    made["high"] = np.maximum(made["high"].where(np.isfinite(made["high"])), made["value"])
    return made.sort_values(keys, ignore_index=True)


def _keys(parameters: Mapping[str, Any]) -> list[str]:
    return ["period", *([parameters["by"]] if parameters.get("by") else [])]
