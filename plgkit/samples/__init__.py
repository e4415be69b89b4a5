"""Data to try things on: a tiny company to check by hand, and a made-up one with known truth."""

from __future__ import annotations

from pathlib import Path

from .acme import Company, company, write_company
from .tiny import tiny

__all__ = ["Company", "bundled_path", "company", "tiny", "write_company"]


def bundled_path() -> Path:
    """Find the bundled sample: in the installed package, else in the checkout around it.

    Examples
    --------
    >>> from plgkit import samples
    >>> (samples.bundled_path() / "playbook.toml").exists()
    True
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "_bundled" / "sample"
    return installed if installed.is_dir() else package.parent / "data" / "sample"
