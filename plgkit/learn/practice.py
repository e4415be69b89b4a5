"""The company that every exercise is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plgkit.sources.data import Data


def company() -> Data:
    """Open the made-up company that comes with the project, the same on every machine.

    Returns
    -------
    The company's data, whatever data the notebook itself is about.
    """
    from plgkit import samples
    from plgkit.sources.connect import connect

    return connect(samples.bundled_path())
