"""What a change is made of: the parts of segments, in rate and in mix, each more than noise or not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from plgkit.errors import BadParameter, NothingToSplit
from plgkit.metrics import registry
from plgkit.metrics.registry import Measure
from plgkit.scorecard import asking, splitting
from plgkit.scorecard.headlines import Headline
from plgkit.sources import engine
from plgkit.stats import intervals
from plgkit.stats.compare import benjamini_hochberg

if TYPE_CHECKING:
    from plgkit.sources.data import Data

OTHERS = "(others)"
_COUNTS = {"rate": ["numerator", "denominator"], "total": ["value"]}
_COLUMNS = ["by", "segment", "effect", "before", "now", "value", "low", "high", "p", "p_corrected", "real", "apart", "apart_p"]


def change(data: Data, measure: str | Measure, *, by: str | Iterable[str], grain: engine.Grain = "month", period: str | None = None,
           against: str | None = None, pooled: tuple[int, int] = (1, 1), most: int = 12, **parameters: Any) -> pd.DataFrame:
    """Split the change of a measure between two periods into parts by segment that add up to it.

    Of a rate each segment has two parts: its own rate moved (effect "rate"), and its share among all moved (effect "mix");
    `splitting.of_rate` has the form. Of a total it has one: it counts more or less. Every part is looked at for itself, of
    all columns together, so that p is corrected for how many there are (Benjamini and Hochberg).

    Parameters
    ----------
    data
        The data to ask.
    measure
        A rate or a total whose segments add up, such as "activation.rate".
    by
        A column to cut by, or several: which of them explains the change?
    grain
        Length of a period.
    period, against
        Days within the two periods; by default the last final one, and the one before it.
    pooled
        How many periods up to `period` are taken together, and how many before them, where there are so many: (3, 9) sets the
        last three against the nine before. Rates are those of all people of them, totals the mean of a period.
    most
        Beyond so many segments of a column the smallest are one, "(others)".
    **parameters
        What else the measure takes.

    Returns
    -------
    One row per column, segment and effect: by, segment, effect, before and now (rates; for "mix" shares of all; for "count"
    totals), value (the part, in the measure's unit; the parts of a column add up to the change), low, high, p, p_corrected, real
    (whether it is more than noise; missing where nothing is sampled, such as money), apart (how much more the segment's rate
    moved than that of all others; of a total, by how much its share grew), apart_p (corrected). `attrs["whole"]` has the change.

    Raises
    ------
    NothingToSplit
        If the measure's segments do not add up, or there are no two final periods.

    Examples
    --------
    >>> from plgkit import samples
    >>> parts = change(samples.tiny(), "engagement.active_people", by="channel")
    >>> parts[["segment", "before", "now", "value"]]
           segment  before  now  value
    0      organic     2.0  1.0   -1.0
    1  paid_search     1.0  1.0    0.0
    2       invite     1.0  0.0   -1.0
    """
    asked = measure if isinstance(measure, Measure) else registry.find(measure)
    _check(asked)
    columns = [by] if isinstance(by, str) else list(by)
    if not columns:
        raise BadParameter("by", by, expected="a column to cut by, or several")
    headline = Headline(asked.name, asked.name, parameters)
    final = asking.final(data, headline, grain)
    then, now = _two(data, asked, final, grain, period, against, pooled)
    found = [_parts(asked(data, by=each, grain=grain, **parameters), each, asked, then, now, most) for each in columns]
    made = _judged(pd.concat(found, ignore_index=True))
    made.attrs = {"measure": asked.name, "unit": asked.unit, "currency": data.playbook.product.currency, "grain": grain,
                  "pooled": (len(then), len(now)), "whole": _whole(_one(then, asked), _one(now, asked))}
    return made


def explained(parts: pd.DataFrame) -> pd.DataFrame:
    """The columns of a change by how much they explain: the one whose segments moved most unlike each other first.

    Parameters
    ----------
    parts
        As `change` gives it.

    Returns
    -------
    One row per column: by, segments, rate and mix (the sums of its effects; of a total, rate holds the change), unlike (the segment
    that moved most unlike the others), unlike_p (corrected), real (whether that is more than noise), reversed (whether every
    segment's rate moved the other way than the whole: Simpson's paradox).

    Examples
    --------
    >>> from plgkit import samples
    >>> explained(change(samples.tiny(), "engagement.active_people", by=["channel", "role"]))[["by", "rate", "reversed"]]
            by  rate  reversed
    0  channel  -2.0     False
    1     role  -2.0     False
    """
    rows = [_column(by, each, parts.attrs["whole"]["change"]) for by, each in parts.groupby("by", sort=False)]
    made = pd.DataFrame(rows).sort_values("unlike_p", kind="stable", na_position="last", ignore_index=True)
    made.attrs = dict(parts.attrs)
    return made


def _check(measure: Measure) -> None:
    if measure.shape not in _COUNTS or not measure.additive or not {"by", "grain"} <= set(measure.parameters):
        fits = [name for name, each in registry.measures().items()
                if each.shape in _COUNTS and each.additive and {"by", "grain"} <= set(each.parameters)]
        raise NothingToSplit(measure.name, fits)


def _two(data: Data, measure: Measure, final: pd.DataFrame, grain: engine.Grain, period: str | None, against: str | None,
         pooled: tuple[int, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The final periods to set beside each other, the earlier first."""
    end = _place(data, final, "period", period, grain, len(final) - 1)
    late = min(pooled[0], max(end // 2, 1)) if pooled != (1, 1) else 1
    until = _place(data, final, "against", against, grain, end - late)
    if end < 1 or until < 0:
        raise NothingToSplit(measure.name, [], periods=len(final))
    return final.iloc[max(until + 1 - pooled[1], 0):until + 1], final.iloc[end + 1 - late:end + 1]


def _place(data: Data, final: pd.DataFrame, name: str, day: str | None, grain: engine.Grain, place: int) -> int:
    if day is None:
        return place
    start = pd.Timestamp(engine.period_of(pd.Timestamp(day).date(), grain, data.playbook.product.week_start))
    found = np.flatnonzero(final["period"] == start)
    if not len(found):
        last = ", ".join(f"{each:%Y-%m-%d}" for each in final["period"].tail(3)) or "none"
        raise BadParameter(name, day, expected=f"a day within a {grain} that is final (the last ones begin on: {last})")
    return int(found[0])


def _parts(frame: pd.DataFrame, by: str, measure: Measure, then: pd.DataFrame, now: pd.DataFrame, most: int) -> pd.DataFrame:
    """The parts of one column's segments, the largest segment first."""
    counts = _COUNTS[measure.shape]
    both = frame[frame["period"].isin([*then["period"], *now["period"]])]
    sizes = both.groupby(by)[counts[-1]].sum()
    order = sizes[sizes > 0].sort_values(ascending=False, kind="stable").index if (sizes > 0).any() else sizes.index
    kept = list(order) if len(order) <= most else list(order[: most - 1])
    sides = [_side(both[both["period"].isin(each["period"])], by, counts, kept, len(order) > len(kept), len(each)) for each in (then, now)]
    if measure.shape == "rate":
        made = splitting.of_rate(*sides, people=(_people(_one(then, measure), measure), _people(_one(now, measure), measure)))
    else:
        made = splitting.of_total(*sides)
    names = [*kept, *([OTHERS] if len(order) > len(kept) else [])]
    return made.assign(by=by, segment=[names[place] for place in made["place"]])


def _side(rows: pd.DataFrame, by: str, counts: list[str], kept: list[str], rest: bool, times: int) -> pd.DataFrame:
    """One side's segments in order; those not there count nothing."""
    columns = [*counts, "low", "high"]
    rows = rows.set_index(by)[columns].astype("float64")
    if times > 1:
        rows = pd.DataFrame({name: _together(each, counts, times) for name, each in rows.groupby(level=0)}, index=columns).T
    made = rows.reindex(kept)
    if rest:
        made.loc[OTHERS] = _together(rows[~rows.index.isin(kept)], counts)
    made[counts] = made[counts].fillna(0.0)
    if counts == ["value"] and rows["low"].notna().any():
        low, high = intervals.poisson(0)
        made = made.fillna({"low": low, "high": high})
    return made


def _together(rows: pd.DataFrame, counts: list[str], times: int = 1) -> list[float]:
    """Several rows as one: their counts added up (of a total over several periods, the mean), their errors with them."""
    sums = [math.fsum(rows[name]) / (times if len(counts) == 1 else 1) for name in counts]
    rate = len(counts) == 2 and sums[-1] > 0
    parts = rows["denominator"] / sums[-1] if rate else pd.Series(1 / times, index=rows.index)
    half = math.sqrt(math.fsum(np.nan_to_num((parts * (rows["high"] - rows["low"]) / 2).to_numpy() ** 2)))
    half = half if rows["low"].notna().any() else math.nan
    value = sums[0] / sums[-1] if rate else sums[0]
    return [*sums, value - half, value + half]


def _one(rows: pd.DataFrame, measure: Measure) -> pd.Series:
    """One side as a whole: period (its first), value, low, high, n."""
    counts = _COUNTS[measure.shape]
    if len(rows) == 1:
        return rows.iloc[0]
    *sums, low, high = _together(rows[[*counts, "low", "high"]].astype("float64"), counts, len(rows))
    return pd.Series({"period": rows["period"].iloc[0], "value": sums[0] / sums[-1] if len(sums) == 2 else sums[0], "low": low,
                      "high": high, "n": math.fsum(rows["n"])})


def _people(row: pd.Series, measure: Measure) -> float:
    """How many single people the shares of segments are worth; those of other sums than people are no sample."""
    value, size = float(row["value"]), float(row["n"])
    if not (measure.interval or "").startswith("Wilson") or math.isnan(size):
        return math.inf
    plain = value * (1 - value) / size
    error = ((float(row["high"]) - float(row["low"])) / 3.919928) ** 2
    return size / max(error / plain, 1.0) if plain > 0 else size


def _judged(parts: pd.DataFrame) -> pd.DataFrame:
    from scipy.special import ndtr

    value = parts["value"].to_numpy()
    parts = parts.assign(low=parts["value"] - parts["below"], high=parts["value"] + parts["above"],
                         p=splitting.probability(value, parts["below"].to_numpy(), parts["above"].to_numpy()))
    parts["p_corrected"] = benjamini_hochberg(parts["p"])
    parts["real"] = (parts["p_corrected"] <= 0.05).astype("boolean").where(parts["p_corrected"].notna(), pd.NA)
    with np.errstate(divide="ignore", invalid="ignore"):
        unlike = np.where(parts["apart_error"] > 0, 2 * ndtr(-np.abs(parts["apart"] / parts["apart_error"])), np.nan)
    parts["apart_p"] = benjamini_hochberg(unlike)
    return parts[_COLUMNS]


def _whole(then: pd.Series, now: pd.Series) -> dict[str, Any]:
    size = float(now["value"] - then["value"])
    low, high = (size - math.hypot(now["value"] - now["low"], then["high"] - then["value"]),
                 size + math.hypot(now["high"] - now["value"], then["value"] - then["low"]))
    return {"period": now["period"], "against": then["period"], "before": float(then["value"]), "now": float(now["value"]),
            "change": size, "low": low, "high": high, "noise": None if math.isnan(low) else low <= 0 <= high}


def _column(by: str, parts: pd.DataFrame, whole: float) -> dict[str, Any]:
    own = parts[parts["effect"] != splitting.MIX]
    mix = parts[parts["effect"] == splitting.MIX]
    known = own[own["apart_p"].notna()]
    first = known.loc[known["apart_p"].idxmin()] if len(known) else None
    moved = (own["now"] - own["before"]).dropna() if len(mix) else pd.Series(dtype="float64")
    return {"by": by, "segments": len(own), "rate": math.fsum(own["value"]), "mix": math.fsum(mix["value"]) if len(mix) else math.nan,
            "unlike": first["segment"] if first is not None else None, "unlike_p": first["apart_p"] if first is not None else math.nan,
            "real": bool(first is not None and first["apart_p"] <= 0.05),
            "reversed": bool(len(moved) > 1 and (((moved > 0).all() and whole < 0) or ((moved < 0).all() and whole > 0)))}
