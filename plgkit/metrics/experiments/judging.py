"""From the sums of two groups to a row of the result: difference, lift, what holds at any look, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from plgkit.metrics.experiments import plans
from plgkit.metrics.experiments.doings import CELL, NEVER, SLOT, sums
from plgkit.playbook.trial import Experiment, Metric
from plgkit.stats import arms, compare, intervals, power, ranks, sequential

AGAINST = ["difference", "difference_low", "difference_high", "always_low", "always_high", "lift", "lift_low", "lift_high",
           "lift_always_low", "lift_always_high", "p", "p_always", "removed", "smallest"]
"""What a variant has that its control has not."""
FEWEST = 10
"""With fewer hits, or people without one, in a group, a share is neither adjusted nor followed: the normal law does not hold for it."""


def rows_of(part: pd.DataFrame, metrics: Sequence[tuple[int, Metric]], wanted: Experiment, *, adjusted: bool, refused: str,
            level: float) -> list[dict[str, Any]]:
    """One row per metric and variant; `part` has the sums and cells of one experiment, or of one segment of it."""
    totals = plans.control_first(part[(part[SLOT] < 0) & part["variant"].notna()], wanted)
    found = []
    for slot, metric in metrics:
        cells = part[part[SLOT] == slot]
        control = totals[totals["variant"] == wanted.control]
        for _, row in totals.iterrows():
            mine = {"metric": metric.name, "role": metric.role, "kind": metric.kind, "variant": row["variant"],
                    "n": int(row[f"m{slot}_n"]), "immature": int(row["people"] - row[f"m{slot}_n"]),
                    **_own(row, cells, slot, metric, level), **dict.fromkeys([*AGAINST, "error"], np.nan), "verdict": refused}
            if not refused and row["variant"] == wanted.control:
                mine["verdict"] = "control"
            elif not refused:
                empty = control.empty or not (row[f"m{slot}_n"] and control[f"m{slot}_n"].iloc[0])
                mine |= {"verdict": "too early: nobody's days are over"} if empty else _against(
                    control.iloc[0], row, cells, slot, metric, wanted, adjusted, level)
            found.append(mine)
    return found


def corrected(rows: pd.DataFrame, correction: str) -> pd.DataFrame:
    """The p-values corrected within their role, `p_within`, and `p_corrected`: no secondary one below the primary's.

    The primary decides: secondary ones count once all of the primary's differences are clear, so that the chance of a single
    false find is held for all together. Guardrails have none: they must all hold.
    """
    adjust = {"holm": compare.holm, "bh": compare.benjamini_hochberg, "none": lambda each: np.asarray(each, dtype=float)}[correction]
    within = rows["p"].where(rows["role"] != "guardrail").groupby(rows["role"]).transform(adjust)
    gate = within.where(rows["role"] == "primary").max() if correction != "none" else np.nan
    secondary = rows["role"] == "secondary"
    return rows.assign(p_within=within, p_corrected=within.where(~secondary | within.isna(), np.fmax(within, gate)))


def said(row: Any, level: float) -> str:
    """The verdict on a variant that was compared."""
    if row.role == "guardrail":
        return row.verdict
    better = (row.difference > 0) == (row.good == "higher")
    if row.p_corrected <= 1 - level:
        return f"{'better' if better else 'worse'} than the control"
    if row.p_within <= 1 - level:
        return "no clear difference: clear alone, but the primary metric is not"
    if row.p <= 1 - level:
        return "no clear difference: clear alone, but not among so many"
    return "no clear difference"


def _own(row: pd.Series, cells: pd.DataFrame, slot: int, metric: Metric, level: float) -> dict[str, float]:
    """A variant's own value, as it was counted."""
    if metric.kind in plans.RANKED:
        values, people = _ranked(cells, row["variant"], metric)
        found = intervals.quantile(values, metric.q, counts=people, level=level)
        return dict(zip(("value", "low", "high"), (each if np.isfinite(each) else np.nan for each in found), strict=True))
    mine = sums(row, slot, metric)
    if not mine["n"]:
        return dict.fromkeys(("value", "low", "high"), np.nan)
    if metric.kind == "share":
        low, high = intervals.wilson(mine["x"], mine["n"], level=level)
        return {"value": mine["x"] / mine["n"], "low": low, "high": high}
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(arms.value(mine))
        low, high = intervals.mean_interval(value, math.sqrt(max(arms.spread(mine), 0.0)) if mine["n"] > 1 else np.nan, mine["n"], level=level)
    return {"value": value, "low": low, "high": high}


def _ranked(cells: pd.DataFrame, variant: str, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """The values that people of a variant have, those who never did it at infinity, and how many people have each."""
    mine = cells[cells["variant"] == variant]
    values = mine[CELL].to_numpy(dtype=float)
    if metric.kind == "time":
        values = np.where(values == NEVER, np.inf, values)
    return values / (100 if metric.amount else 1), mine["people"].to_numpy(dtype=float)


def _against(control: pd.Series, row: pd.Series, cells: pd.DataFrame, slot: int, metric: Metric, wanted: Experiment, adjusted: bool,
             level: float) -> dict[str, Any]:
    if metric.kind in plans.RANKED:
        found = ranks.quantiles(*_ranked(cells, row["variant"], metric), *_ranked(cells, control["variant"], metric), q=metric.q, level=level)
        return _shown(found) | {"verdict": _held(found, metric)}
    one, other = sums(control, slot, metric), sums(row, slot, metric)
    few = metric.kind == "share" and min(min(each["x"], each["n"] - each["x"]) for each in (one, other)) < FEWEST
    adjusted = adjusted and not few and bool(arms.coefficient(one, other))
    if metric.kind == "share" and not adjusted:
        found = compare.shares(other["x"], other["n"], one["x"], one["n"], level=level)
    else:
        found = arms.compared(one, other, adjusted=adjusted, level=level)
    rough = {"error": float(arms.error_of(*arms.estimates(one, other)))}
    made = _shown(found) | (rough if few else always(one, other, adjusted, wanted, level))
    made["verdict"] = ""
    if metric.role == "guardrail":
        low, high = arms.no_worse(one, other, metric.margin, better=metric.better, adjusted=adjusted, level=level)
        made["verdict"] = _guarded(low, high)
    return made


def _shown(found: compare.Comparison) -> dict[str, Any]:
    return {"difference": found.difference, "difference_low": found.low, "difference_high": found.high, "p": found.p, "lift": found.lift,
            "lift_low": found.lift_low, "lift_high": found.lift_high}


def always(one: arms.Sums, other: arms.Sums, adjusted: bool, wanted: Experiment, level: float) -> dict[str, float]:
    """What holds however often it is looked at, how much the adjustment took away, and the smallest lift that could be found."""
    plain, used = arms.estimates(one, other), arms.estimates(one, other, adjusted=adjusted)
    people, asked = one["n"] + other["n"], {"level": level, "tuned_for": wanted.people}
    difference, error = float(used[1].value - used[0].value), float(arms.error_of(*used))
    low, high = sequential.always_valid(difference, error, people, **asked)
    made = {"error": error, "always_low": low, "always_high": high, "p_always": sequential.always_p(difference, error, people, **asked) if error > 0 else np.nan,
            "removed": 1 - (error / float(arms.error_of(*plain))) ** 2 if adjusted else 0.0}
    if used[0].value > 0:
        made["smallest"] = power.findable(error, alpha=1 - level) / used[0].value if error > 0 else np.nan
        if used[1].value > 0:
            logs = sequential.always_valid(np.log(used[1].value / used[0].value), arms.error_of(*used, lift=True), people, **asked)
            made["lift_always_low"], made["lift_always_high"] = (float(np.expm1(each)) for each in logs)
    return made


def _guarded(low: float, high: float) -> str:
    if np.isnan(low):
        return "not shown to hold"
    return "holds" if low > 0 else "broken" if high < 0 else "not shown to hold"


def _held(found: compare.Comparison, metric: Metric) -> str:
    """Of a guardrail by quantile: its lift against the margin."""
    if metric.role != "guardrail":
        return ""
    low, high = (found.lift_low, found.lift_high) if metric.better == "higher" else (-found.lift_high, -found.lift_low)
    return _guarded(low + metric.margin, high + metric.margin)


def followed(control: arms.Sums, treated: arms.Sums, metric: Metric, wanted: Experiment, *, adjusted: bool, level: float) -> dict[str, Any]:
    """Difference, both intervals and both p, for many looks at once; missing while either group has too few."""
    one, other = arms.estimates(control, treated, adjusted=adjusted)
    people = np.asarray(control["n"] + treated["n"], dtype=float)
    known = np.minimum(control["n"], treated["n"]) >= 2
    if metric.kind == "share":
        with np.errstate(invalid="ignore"):
            known = known & (np.minimum.reduce([np.minimum(each["x"], each["n"] - each["x"]) for each in (control, treated)]) >= FEWEST)
    with np.errstate(invalid="ignore"):
        difference, error = other.value - one.value, np.where(known, arms.error_of(one, other), np.nan)
    asked = {"level": level, "tuned_for": wanted.people}
    low, high = arms.welch(one, other, level)
    always_low, always_high = sequential.always_valid(difference, error, people, **asked)
    plain = metric.kind == "share" and not (adjusted and np.any(arms.coefficient(control, treated)))
    p = arms.share_p(control, treated) if plain else arms.p_of(one, other)
    return {"difference": difference, "low": np.where(known, low, np.nan), "high": np.where(known, high, np.nan), "always_low": always_low,
            "always_high": always_high, "p": np.where(known, p, np.nan),
            "p_always": sequential.always_p(difference, error, people, **asked)}
