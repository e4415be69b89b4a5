"""Run the notebooks into HTML reports: one folder per date, an index, and the latest good ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plgkit.reports.runner import RunResult, run

__all__ = ["RunResult", "run"]


def __getattr__(name: str) -> object:
    if name in __all__:
        # plgkit.reports.run is a module too: the function takes its place at the first use.
        from plgkit.reports import runner

        return getattr(runner, name)
    raise AttributeError(f"plgkit.reports has no {name!r}; it has: {', '.join(__all__)}")
