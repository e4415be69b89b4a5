"""Make text from data harmless: no terminal escapes, no hidden marks of direction, no endless lines."""

from __future__ import annotations

import html
import re

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def tame(text: object, *, at_most: int | None = None) -> str:
    r"""Take out what could move a cursor or turn a line around, and cut what is too long.

    Examples
    --------
    >>> tame("\x1b[31mred\x1b[0m \u202egnp.exe")
    'red gnp.exe'
    >>> tame("a" * 10, at_most=5)
    'aaaa…'
    """
    plain = _CONTROLS.sub("", _ESCAPES.sub("", str(text)))
    if at_most is not None and len(plain) > at_most:
        return plain[: at_most - 1] + "…"
    return plain


def escape(text: object, *, at_most: int | None = None) -> str:
    """Tame a text and escape it for HTML.

    Examples
    --------
    >>> escape("<b>5 > 4</b>")
    '&lt;b&gt;5 &gt; 4&lt;/b&gt;'
    """
    return html.escape(tame(text, at_most=at_most))
