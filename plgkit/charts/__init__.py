"""Charts: a frame in, one Axes out. Matplotlib is imported when a chart is first touched."""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "calibration": "readiness",
    "cohort_curves": "cohorts",
    "cohort_values": "revenue",
    "curve": "curves",
    "differences": "comparisons",
    "dots": "comparisons",
    "flow": "flows",
    "flywheel": "wheels",
    "forecast": "lives",
    "funnel": "funnels",
    "growth_accounting": "growth",
    "inactive": "growth",
    "histogram": "distributions",
    "instead": "funnels",
    "levers": "wheels",
    "lifetimes": "lives",
    "loop": "loops",
    "looks": "trying",
    "mix": "growth",
    "mrr_movements": "growth",
    "outcomes": "competing",
    "points": "readiness",
    "power_user": "distributions",
    "ranked": "distributions",
    "repeating": "rhythms",
    "retention": "cohorts",
    "revenue_layers": "revenue",
    "scatter": "flows",
    "scoreboard": "scoreboards",
    "survival": "curves",
    "time_to_convert": "funnels",
    "trend": "trends",
    "unusual": "expectations",
    "verdicts": "trying",
    "waits": "trying",
    "waterfall": "growth",
}

__all__ = [*_WHERE, "style"]


def __getattr__(name: str) -> Any:
    if name == "style":
        return importlib.import_module("plgkit.charts.style")
    if name not in _WHERE:
        raise AttributeError(f"module 'plgkit.charts' has no attribute {name!r}")
    drawn = getattr(importlib.import_module(f"plgkit.charts.{_WHERE[name]}"), name)
    globals()[name] = drawn
    return drawn


def __dir__() -> list[str]:
    return sorted(__all__)
