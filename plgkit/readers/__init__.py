"""Exports of other tools become plgkit's tables: `plgkit import KIND PATH --out DIR`."""

from plgkit.readers.feeds import KINDS
from plgkit.readers.run import Imported, import_export

__all__ = ["KINDS", "Imported", "import_export"]
