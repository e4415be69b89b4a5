"""A playbook for product-led growth: from the first visit to net revenue retention.

Start with `plgkit.connect(source)`, then ask a measure: `plgkit.metrics.activation.rate(data)`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from plgkit import charts, errors, learn, metrics, notebook, quality, reports, samples, schema, scorecard
    from plgkit.definitions import compare, sensitivity
    from plgkit.metrics.funnels import funnel, step
    from plgkit.metrics.ledger.bills import billing
    from plgkit.metrics.ledger.lines import ledger
    from plgkit.metrics.registry import catalogue
    from plgkit.sources.connect import connect
    from plgkit.sources.data import Data

_LATER = {
    "connect": "plgkit.sources.connect",
    "Data": "plgkit.sources.data",
    "catalogue": "plgkit.metrics.registry",
    "compare": "plgkit.definitions",
    "sensitivity": "plgkit.definitions",
    "funnel": "plgkit.metrics.funnels",
    "step": "plgkit.metrics.funnels",
    "ledger": "plgkit.metrics.ledger.lines",
    "billing": "plgkit.metrics.ledger.bills",
}
_MODULES = ("charts", "errors", "learn", "metrics", "notebook", "quality", "reports", "samples", "schema", "scorecard")

__all__ = ["Data", "__version__", "billing", "catalogue", "charts", "compare", "connect", "errors", "funnel", "learn",
           "ledger", "metrics", "notebook", "quality", "reports", "samples", "schema", "scorecard", "sensitivity", "step"]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"plgkit.{name}")
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"plgkit has no {name!r}; it has: {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
