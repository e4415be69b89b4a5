"""Exercises that check themselves, on a company whose answers are known."""

from plgkit.learn.checking import check, keep
from plgkit.learn.practice import company

__all__ = ["check", "company", "keep"]
