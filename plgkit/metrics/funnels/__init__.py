"""Funnels: who goes how far through steps, how fast, and where they stop."""

from __future__ import annotations

from ibis.expr.types import Table

from plgkit.metrics.funnels.asked import funnel, ordered
from plgkit.metrics.funnels.companions import dropped, instead, over_time, time_to_convert, who
from plgkit.metrics.funnels.counted import as_funnel, counted
from plgkit.metrics.funnels.paths import paths
from plgkit.metrics.funnels.plan import plan
from plgkit.metrics.funnels.steps import AnyStep, Step, step
from plgkit.sources.data import Data

__all__ = ["AnyStep", "Step", "as_funnel", "counted", "dropped", "funnel", "instead", "ordered", "over_time", "reached",
           "step", "time_to_convert", "who"]


def reached(data: Data, steps: list[AnyStep], *, within_days: int) -> Table:
    """One row per person who entered: `user_id`, `day` of entry, `at_1` to `at_n` (NULL where not reached)."""
    asked = plan(steps, within_days=within_days)
    return paths(data, asked).select("user_id", "day", *[f"at_{k}" for k in range(1, asked.n + 1)])
