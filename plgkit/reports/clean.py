"""Turn markdown and HTML from a notebook into HTML in which nothing runs and nothing is fetched."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from plgkit.notebook.text import tame

if TYPE_CHECKING:
    from bleach.sanitizer import Cleaner

_TAGS = frozenset((
    "a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div", "dl",
    "dt", "em", "h3", "h4", "h5", "h6", "hr", "i", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s", "samp",
    "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
))
_ATTRIBUTES = {
    "*": ["class", "title", "lang", "dir"],
    "a": ["href"],
    "td": ["colspan", "rowspan", "headers"],
    "th": ["colspan", "rowspan", "scope"],
    "ol": ["start"],
}


def markdown(text: str) -> str:
    """Write markdown as HTML; HTML inside it is shown as it is written.

    Examples
    --------
    >>> markdown("**So what?** <b>[x](javascript:alert)")
    '<p><strong>So what?</strong> &lt;b&gt;<a href="#harmful-link">x</a></p>'
    """
    return html(_markdown()(tame(text))).strip()


def html(text: str) -> str:
    """Keep tables, lists and words of some HTML, and nothing that could act.

    Examples
    --------
    >>> html('<p onclick="x()">5</p><script>x()</script>')
    '<p>5</p>'
    """
    return _cleaner().clean(_without_content(tame(text)))


def inline(text: str) -> str:
    """Write a line of markdown without the paragraph around it."""
    written = markdown(text)
    if written.count("<p>") == 1 and written.startswith("<p>") and written.endswith("</p>"):
        return written[3:-4]
    return written


@functools.cache
def _markdown():
    import mistune

    return mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])


@functools.cache
def _cleaner() -> Cleaner:
    from bleach.sanitizer import Cleaner

    return Cleaner(tags=_TAGS, attributes=_ATTRIBUTES, protocols=["https", "http", "mailto"], strip=True,
                   strip_comments=True)


def _without_content(text: str) -> str:
    """Drop scripts and styles with what they hold: a cleaner alone would leave their words behind."""
    import re

    return re.sub(r"<(script|style|template|noscript|iframe|svg|math)\b.*?(</\1\s*>|\Z)", "", text, flags=re.S | re.I)
