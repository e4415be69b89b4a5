"""The glossary: what every measure means, how to read it, how it is queried, and how other tools count."""

from plgkit.glossary.entry import Entry, entries
from plgkit.glossary.tools import other_tools, tools_as_markdown
from plgkit.glossary.words import as_markdown, glossary

__all__ = ["Entry", "as_markdown", "entries", "glossary", "other_tools", "tools_as_markdown"]
