"""Ask one measure for the scorecard and keep the values that are final."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from plgkit.errors import PlgkitError
from plgkit.metrics import features, registry
from plgkit.sources import engine

if TYPE_CHECKING:
    from plgkit.scorecard.headlines import Headline
    from plgkit.sources.data import Data

COLUMNS = ["period", "value", "low", "high", "n"]


def final(data: Data, headline: Headline, grain: engine.Grain) -> pd.DataFrame:
    """The values of a line's measure in the periods that are final: period, value, low, high, n.

    Raises
    ------
    PlgkitError
        Of a measure whose table or setting is missing, or that has no single value per period.
    """
    measure = registry.find(headline.measure)
    asked = {**({"grain": grain} if "grain" in measure.parameters else {}), **headline.parameters}
    return _settled(_values(measure(data, **asked), headline), data, headline, asked)


def _values(frame: pd.DataFrame, headline: Headline) -> pd.DataFrame:
    """A measure's frame with one row per period: period, value, low, high, n, and whether it is final."""
    made = frame[frame["feature"] == features.ANY].copy() if "feature" in frame else frame.copy()
    if headline.column == "median_among":
        made = made.assign(value=made["median_among"], low=made["among_low"], high=made["among_high"], n=made["events"])
    elif "n" not in made:
        made["n"] = made.get("denominator", math.nan)
    if "period" not in made:
        made["period"] = pd.NaT
    if "value" not in made or not {"low", "high"} <= set(made.columns):
        raise PlgkitError("It has no single value; ask the measure itself.")
    if made["period"].duplicated().any():
        raise PlgkitError("It has several values per period; ask the measure itself.")
    return made


def _settled(frame: pd.DataFrame, data: Data, headline: Headline, asked: dict[str, Any]) -> pd.DataFrame:
    """The periods that have ended, in which nobody is too young to be judged."""
    kept = frame[frame["value"].notna()]
    if "complete" in kept:
        kept = kept[kept["complete"].astype(bool)]
    if "immature" in kept:
        kept = kept[kept["immature"].fillna(0) == 0]
    if "open_from" in frame.attrs:
        kept = kept[~(kept["period"] >= pd.Timestamp(frame.attrs["open_from"]))]
    if headline.settled and "grain" in asked:
        section, key = headline.settled.split(".")
        days = getattr(getattr(data.playbook, section), key) * engine.DAY
        over = [engine.next_period(each.date(), asked["grain"]) + days <= data.as_of + engine.DAY
                for each in kept["period"]]
        kept = kept[pd.Series(over, index=kept.index, dtype="bool")]
    return kept.sort_values("period", ignore_index=True)
