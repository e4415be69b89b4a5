"""Money from the engine to the frame: minor units become the currency, cells of alike accounts an interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from plgkit.metrics import shapes
from plgkit.metrics.ledger.rows import untils
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import bootstrap

MINOR = 100
"""Minor units of money in one of the currency."""
BY_ACCOUNT = "bootstrap over accounts"


def as_money_ratio(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Cells of alike accounts as a ratio of money: value with an interval by resampling accounts.

    Periods without a base are there, with a missing value.
    """
    keys = _keys(parameters)
    made = _all_periods(resampled(frame, keys, parameters["level"]), keys, data, parameters["grain"])
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
    """Cells of alike accounts as a mean of money per account, with an interval by resampling accounts."""
    keys = _keys(parameters)
    made = resampled(frame, keys, parameters["level"])
    made[["value", "low", "high"]] /= MINOR
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    return made[[*keys, "value", "low", "high", "n", "complete"]]


def resampled(cells: pd.DataFrame, keys: list[str], level: float) -> pd.DataFrame:
    """Ratios of sums per key with an interval, and n, how many accounts or people they rest on.

    Where all are alike, or there is but one, resampling sees no spread, and there is no interval.
    """
    made = bootstrap.grouped(cells, keys, level=level)
    sizes = cells.groupby(keys, sort=True)["count"].sum().rename("n")
    made = made.merge(sizes, left_on=keys, right_index=True, how="left") if len(made) else made.assign(n=0)
    made["period"] = made["period"].astype("datetime64[us]")
    made.loc[(made["n"] < 2) | (made["low"] == made["high"]), ["low", "high"]] = np.nan
    return made.astype({"n": "int64"}).sort_values(keys, ignore_index=True)


def _keys(parameters: Mapping[str, Any]) -> list[str]:
    return ["period", *([parameters["by"]] if parameters.get("by") else [])]
