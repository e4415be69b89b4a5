"""Intervals, survival curves, resampling and comparisons: numbers in, numbers out."""

from __future__ import annotations

from plgkit.stats import bootstrap, compare, intervals, strata, survival

__all__ = ["bootstrap", "compare", "intervals", "strata", "survival"]
