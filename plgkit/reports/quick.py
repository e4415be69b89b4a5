"""Make papermill and nbformat import faster: call `quicken` before their first import."""

from __future__ import annotations

import sys


def quicken() -> None:
    """Keep jsonschema from building a grammar of addresses that no notebook uses (about a second)."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
