"""What a number would be under other definitions, and who is counted differently by them."""

from plgkit.definitions.compare import compare
from plgkit.definitions.sensitivity import sensitivity

__all__ = ["compare", "sensitivity"]
