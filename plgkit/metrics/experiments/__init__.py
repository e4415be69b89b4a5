"""Experiments: did a variant change what people do, by more than chance would?"""

from __future__ import annotations

from plgkit.metrics.experiments.comparing import comparison
from plgkit.metrics.experiments.looks import looks
from plgkit.metrics.experiments.planning import power_before
from plgkit.metrics.experiments.relabelling import aa
from plgkit.metrics.experiments.results import results
from plgkit.metrics.experiments.splits import exposed, sample_ratio

__all__ = ["aa", "comparison", "exposed", "looks", "power_before", "results", "sample_ratio"]
