"""What a number would be under other definitions, and who is counted differently by them."""

from plgkit.definitions.sensitivity import sensitivity

__all__ = ["sensitivity"]
