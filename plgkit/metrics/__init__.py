"""The measures, one module per stage of the customer's life."""

from __future__ import annotations

import importlib

from plgkit.metrics.registry import STAGES, catalogue, find, measures

__all__ = [*STAGES, "catalogue", "find", "measures"]


def __getattr__(name: str) -> object:
    if name in STAGES:
        return importlib.import_module(f"plgkit.metrics.{name}")
    raise AttributeError(f"plgkit.metrics has no {name!r}; it has: {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
