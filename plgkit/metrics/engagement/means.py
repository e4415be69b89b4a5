"""Means over people or accounts, from cells of alike ones, or families, with their bootstrap interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from plgkit.metrics import shapes
from plgkit.sources.data import Data
from plgkit.stats import bootstrap

_COLUMNS = ["numerator", "denominator", "value", "low", "high", "immature"]
_KINDS = {"period": "datetime64[us]", "value": "float64", "low": "float64", "high": "float64",
          "numerator": "float64", "denominator": "int64", "immature": "int64"}
# More kinds of families are hundreds of families, where drawing them again only repeats the normal law.
_MOST_KINDS = 40


def of_windows(cells: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """The mean of `numerator` per trailing window; `count` says how many are in a cell."""
    made = _resampled(cells, parameters).assign(immature=0)
    return shapes.ordered(made.astype(_KINDS), parameters, _COLUMNS)


def of_periods(cells: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """The mean of a count per calendar period; who is in a period that is not over counts as immature."""
    made = _resampled(cells, parameters)
    made = shapes.only_complete(made, data, parameters.get("grain", "week"))
    made[["value", "low", "high"]] = made[["value", "low", "high"]].where(made["denominator"] > 0)
    return shapes.ordered(made.astype(_KINDS | {"numerator": "int64"}), parameters, _COLUMNS)


def _resampled(cells: pd.DataFrame, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = ["period", *([parameters["by"]] if parameters["by"] else [])]
    # In one order, so that sums of fractions are the same to the last bit.
    cells = cells if "denominator" in cells else cells.assign(denominator=1)
    cells = cells.sort_values([*keys, "numerator", "denominator", "count"])
    made = bootstrap.grouped(cells, keys, level=parameters["level"], most_kinds=_MOST_KINDS)
    # Resampling one family, or one person, sees no spread.
    alone = cells.groupby(keys)["count"].sum().lt(2).to_numpy()
    made.loc[alone, ["low", "high"]] = np.nan
    return made.astype({"period": "datetime64[us]"})
