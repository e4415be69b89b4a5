"""What is out of the usual: each series against its own past, with its weekdays, its trend and its season."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.errors import BadParameter, PlgkitError
from plgkit.metrics import registry
from plgkit.scorecard import asking, expecting
from plgkit.scorecard.headlines import HEADLINES, Headline, label_of
from plgkit.stats.compare import benjamini_hochberg

if TYPE_CHECKING:
    from plgkit.metrics.registry import Measure
    from plgkit.sources import engine
    from plgkit.sources.data import Data

WATCHED = ("acquisition.visitors", "acquisition.signups", "activation.day1_rate", "engagement.active_people")
_COLUMNS = ["measure", "label", "period", "value", "expected", "low", "high", "error", "p", "p_corrected", "unusual", "kind", "note"]
_SURE = 0.05


def anomalies(data: Data, measures: Iterable[str] | str = WATCHED, *, last: int = 28, by: str | None = None,
              grain: engine.Grain = "day", level: float = 0.95) -> pd.DataFrame:
    """Set the last periods of some measures beside what was to be expected of each by nothing but its own past.

    A day is expected by the eight weeks before it: a robust line through the weeks, the usual part of its weekday, and,
    where two years are known, what was unusual in the same week a year ago. How far off such a forecast usually is, is
    taken from up to half a year of its own past errors. Of all days and series looked at together, p is corrected by
    Benjamini and Hochberg: a look at which nothing is unusual raises an alarm in about one of twenty cases or fewer
    (simulated for counts small and large, with weekdays, growth, more than Poisson's spread, and days that hang together; in
    series that jump by themselves, every fifth look). A day on which nothing happened is judged like any other; single such
    days in the past move no expectation.

    Parameters
    ----------
    data
        The data to ask.
    measures
        Rates and totals to watch; each is a series.
    last
        How many of the last final periods to judge.
    by
        Column to cut by: a series for each of its segments.
    grain
        Length of a period: day or week, or longer.
    level
        Share of usual values that the interval holds.

    Returns
    -------
    One row per series and period judged: measure, label, [segment], period, value, expected, low, high, error (in usual errors), p,
    p_corrected, unusual (missing where nothing can be told), kind ("high", "low", "nothing" where not one was counted), note
    ("too short" with how much there is and how much it takes). `attrs["missing"]` has a sentence for each measure without data.

    Examples
    --------
    >>> from plgkit import samples
    >>> anomalies(samples.tiny(), "acquisition.signups", last=1).note.tolist()
    ['too short: 54 days, and 85 are needed']
    """
    if isinstance(last, bool) or not isinstance(last, int) or last < 1:
        raise BadParameter("last", last, expected="a whole number of periods, 1 or more")
    names = [measures] if isinstance(measures, str) else list(measures)
    found, missing = [], {}
    for name in names:
        asked = registry.find(name)
        _check(asked)
        try:
            found += _series(data, asked, grain, by, last, level)
        except PlgkitError as error:
            missing[name] = str(error)
    made = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=_COLUMNS)
    made["p_corrected"] = benjamini_hochberg(made["p"])
    made["unusual"] = (made["p_corrected"] <= _SURE).astype("boolean").where(made["p_corrected"].notna(), pd.NA)
    sign = np.where(made["value"] == 0, "nothing", np.where(made["error"] > 0, "high", "low"))
    made["kind"] = np.where(made["unusual"].fillna(False).astype(bool), sign, "")
    made = made[[*_COLUMNS[:2], *([by] if by else []), *_COLUMNS[2:]]]
    made.attrs = {"missing": missing, "grain": grain, "looked_at": int(made["p"].notna().sum()), "by": by}
    return made


def _check(measure: Measure) -> None:
    if measure.shape not in ("rate", "total") or "grain" not in measure.parameters:
        fits = ", ".join(WATCHED)
        raise BadParameter("measures", measure.name, expected=f"rates or totals with a value per period, such as {fits}")


def _series(data: Data, measure: Measure, grain: engine.Grain, by: str | None, last: int, level: float) -> list[pd.DataFrame]:
    """The judged periods of each series of one measure."""
    headline = next((each for each in HEADLINES if each.measure == measure.name), Headline(measure.name, label_of(measure.name)))
    over = asking.final(data, Headline(measure.name, headline.label, headline.parameters), grain)["period"]
    if over.empty:
        raise PlgkitError("Nothing to count yet, or every period is still open.")
    frame = measure(data, grain=grain, **headline.parameters, **({"by": by} if by else {}))
    frame = frame[frame["period"] <= over.max()]
    groups = frame.groupby(by, sort=True) if by else [(None, frame)]
    return [_judged(rows, grain, last, level).assign(measure=measure.name, label=headline.label, **({by: name} if by else {}))
            for name, rows in groups]


def _judged(rows: pd.DataFrame, grain: engine.Grain, last: int, level: float) -> pd.DataFrame:
    rows = rows.sort_values("period")
    sizes = rows["denominator"].to_numpy(dtype=float) if "denominator" in rows else None
    counts = rows["value" if sizes is None else "numerator"].to_numpy(dtype=float)
    found = expecting.expect(counts, sizes, weekdays=grain == "day", level=level)
    made = pd.DataFrame({"period": rows["period"], "value": rows["value"].astype("float64"), "expected": found.value, "low": found.low,
                         "high": found.high, "error": found.error, "p": expecting.probability(found)}).tail(last)
    needed = expecting.SHORTEST[grain == "day"] + 1
    short = f"too short: {len(rows)} {grain}s, and {needed} are needed"
    made["note"] = np.where(made["p"].notna(), "", short if len(rows) < needed else "too soon to judge")
    return made
