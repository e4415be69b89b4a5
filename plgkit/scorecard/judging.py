"""Judge one line of the scorecard: against its target, its due date and its own past."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from plgkit.stats import intervals

if TYPE_CHECKING:
    from plgkit.playbook.goals import Target

ON, OFF, UNSURE, NO_TARGET, NO_DATA = "on target", "off target", "cannot tell", "no target", "no data"
MET, ON_THE_WAY, TOO_SLOW, OPEN, MISSED = "met", "on the way", "too slow", "cannot tell", "missed"
TREND, LATELY, FEWEST = 12, 3, 4
_NAMES = ["period", "value", "low", "high", "n"]


def facts(final: pd.DataFrame) -> dict[str, Any]:
    """The last final row and how it differs from the one before."""
    if final.empty:
        return dict.fromkeys([*_NAMES, "before", "change", "change_is_noise"])
    now, then = final.iloc[-1], final.iloc[-2] if len(final) > 1 else None
    found = {name: now[name] for name in _NAMES}
    if then is None:
        return found | dict.fromkeys(["before", "change", "change_is_noise"])
    return found | {"before": then["value"], "change": now["value"] - then["value"], "change_is_noise": _noise(now, then)}


def status(final: pd.DataFrame, goal: Target | None, better: str) -> str:
    """On or off target where the whole interval says so; "cannot tell" where the interval holds the target."""
    if final.empty:
        return NO_DATA
    if goal is None:
        return NO_TARGET
    now = final.iloc[-1]
    if now["low"] < goal.value < now["high"]:
        return UNSURE
    met = now["value"] <= goal.value if better == "lower" else now["value"] >= goal.value
    return ON if met else OFF


def objective(final: pd.DataFrame, goal: Target | None, better: str, now: str, as_of: dt.date) -> dict[str, Any]:
    """Whether the target is reached by its day, if the line goes on as the straight line through its last values.

    pace is what a period brings, needed what each one would have to bring; at_due what the straight line leads to on the
    day, with the interval of that line (Student's, by how the values lie about it). Fewer than four values make no line.
    """
    none = dict.fromkeys(["pace", "needed", "at_due", "at_due_low", "at_due_high"], math.nan) | {"reach": ""}
    if goal is None or goal.due is None or now == NO_DATA:
        return none
    if now == ON:
        return none | {"reach": MET}
    if goal.due <= as_of:
        return none | {"reach": MISSED if now == OFF else OPEN}
    last = final.tail(TREND)
    if len(last) < FEWEST or last["period"].isna().any():
        return none | {"reach": OPEN}
    length = (last["period"].iloc[-1] - last["period"].iloc[0]) / (len(last) - 1)
    left = max((pd.Timestamp(goal.due) - last["period"].iloc[-1]) / length, 1.0)
    pace, value, low, high = _ahead(last["value"].to_numpy(dtype=float), left)
    wanted = goal.value
    sure, never = (high <= wanted, low > wanted) if better == "lower" else (low >= wanted, high < wanted)
    return {"pace": pace, "needed": (wanted - last["value"].iloc[-1]) / left, "at_due": value, "at_due_low": low, "at_due_high": high,
            "reach": ON_THE_WAY if sure else TOO_SLOW if never else OPEN}


def _ahead(values: np.ndarray, left: float) -> tuple[float, float, float, float]:
    """Slope of the straight line through values, and where it leads so many steps on, with its interval."""
    from scipy.special import stdtrit

    n = len(values)
    x = np.arange(n) - (n - 1) / 2
    spread = math.fsum(x**2)
    mean, slope = math.fsum(values) / n, math.fsum(x * values) / spread
    error = math.sqrt(math.fsum((values - mean - slope * x) ** 2) / (n - 2))
    at = x[-1] + left
    half = float(stdtrit(n - 2, 0.975)) * error * math.sqrt(1 / n + at**2 / spread)
    value = mean + slope * at
    return slope, value, value - half, value + half


def drift(final: pd.DataFrame) -> dict[str, float]:
    """How the last three values differ from the nine before, with interval and p: the line against its own past.

    Shares of people are those of all people of the three and of the nine periods, with Newcombe's interval. Of other lines
    each side is a mean weighted by how sure its values are. In both, what the past values vary by beyond chance counts as
    noise too, so that a line which always swings has not changed.
    """
    none = dict.fromkeys(["usual", "lately", "drift", "drift_low", "drift_high", "drift_p"], math.nan)
    known = final.tail(TREND)
    known = known[known["low"].notna() & known["high"].notna() & (known["high"] > known["low"])]
    if len(known) - LATELY < FEWEST:
        return none
    worth = _worth(known)
    return _of_values(known) if worth is None else _of_shares(known, worth)


def _worth(known: pd.DataFrame) -> np.ndarray | None:
    """Of shares of people, how many people each value is worth, as its interval says; None of other lines."""
    if not {"numerator", "denominator"} <= set(known.columns):
        return None
    hits, people = (known[name].to_numpy(dtype=float) for name in ("numerator", "denominator"))
    if (hits > people).any() or (hits % 1).any() or (people % 1).any():
        return None
    low, high = intervals.wilson(hits, people)
    wider = (known["high"] - known["low"]).to_numpy(dtype=float) / (high - low)
    return people / np.maximum(wider, 1.0) ** 2 if (wider > 0.98).all() else None


def _of_shares(known: pd.DataFrame, worth: np.ndarray) -> dict[str, float]:
    shares = known["numerator"].to_numpy(dtype=float) / known["denominator"].to_numpy(dtype=float)
    past, late = slice(None, -LATELY), slice(-LATELY, None)
    mean = math.fsum((worth * shares)[past]) / math.fsum(worth[past])
    # A share of none or of all varies by nothing of its own.
    spread = math.fsum((worth * (shares - mean) ** 2)[past]) / (mean * (1 - mean)) if 0 < mean < 1 else 0.0
    swings = max(spread / (len(shares[past]) - 1), 1.0)
    (then, low0, high0), (now, low1, high1) = (_share((worth * shares)[each], worth[each], swings) for each in (past, late))
    size = now - then
    below, above = math.hypot(now - low1, high0 - then), math.hypot(high1 - now, then - low0)
    error = (below if size > 0 else above) / 1.959964
    found = _difference(size, error, len(shares[past]), len(shares[late]))
    wider = (found["drift_high"] - size) / (1.959964 * error) if error else 1.0
    return {"usual": then, "lately": now, **found, "drift_low": size - wider * below, "drift_high": size + wider * above}


def _share(hits: np.ndarray, worth: np.ndarray, swings: float) -> tuple[float, float, float]:
    total, people = math.fsum(hits) / swings, math.fsum(worth) / swings
    return total / people, *intervals.wilson(total, people)


def _of_values(known: pd.DataFrame) -> dict[str, float]:
    values, spread = (each.to_numpy(dtype=float) for each in (known["value"], ((known["high"] - known["low"]) / 3.919928) ** 2))
    # An estimate by chance at its edge is no surer than the others are at their level.
    spread = np.maximum(spread, np.median(spread) / 4)
    beyond = _beyond(values[:-LATELY], spread[:-LATELY])
    usual, usual_spread = _mean(values[:-LATELY], spread[:-LATELY] + beyond)
    lately, late_spread = _mean(values[-LATELY:], spread[-LATELY:] + beyond)
    return {"usual": usual, "lately": lately,
            **_difference(lately - usual, math.sqrt(usual_spread + late_spread), len(values) - LATELY, LATELY)}


def _difference(size: float, error: float, past: int, late: int) -> dict[str, float]:
    from scipy.special import stdtr, stdtrit

    freedom = 4.0 * (past + late - 2)
    half = float(stdtrit(freedom, 0.975)) * error
    return {"drift": size, "drift_low": size - half, "drift_high": size + half, "drift_p": float(2 * stdtr(freedom, -abs(size / error)))}


def _beyond(values: np.ndarray, spread: np.ndarray) -> float:
    """Variance among values beyond that of their own intervals."""
    weights = 1 / spread
    total = math.fsum(weights)
    mean = math.fsum(weights * values) / total
    surplus = math.fsum(weights * (values - mean) ** 2) - (len(values) - 1)
    return max(surplus / (total - math.fsum(weights**2) / total), 0.0)


def _mean(values: np.ndarray, spread: np.ndarray) -> tuple[float, float]:
    weights = 1 / spread
    return math.fsum(weights * values) / math.fsum(weights), 1 / math.fsum(weights)


def _noise(now: pd.Series, then: pd.Series) -> bool | None:
    """Whether the interval of the difference, built of the two intervals (Newcombe 1998), holds 0."""
    seen = [float(each[name]) for each in (now, then) for name in ("value", "low", "high")]
    if any(map(math.isnan, seen)):
        return None
    value, low, high, value_then, low_then, high_then = seen
    difference = value - value_then
    return bool(difference - math.hypot(value - low, high_then - value_then) <= 0
                <= difference + math.hypot(high - value, value_then - low_then))
