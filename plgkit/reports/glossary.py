"""The glossary as one page: every measure with its words, picture, query and how other tools count."""

from __future__ import annotations

import html
from dataclasses import asdict
from pathlib import Path
from typing import Any

from markupsafe import Markup

from plgkit import __version__
from plgkit.glossary import Entry, entries, other_tools
from plgkit.glossary.pictures import PICTURES
from plgkit.notebook import words
from plgkit.notebook.text import tame
from plgkit.reports import export, status
from plgkit.sources.data import Data

_TITLES = {"pql": "Qualified leads"}


def write(data: Data, path: str | Path, *, index: str = "index.html") -> Path:
    """Write the glossary of these data: definitions with the playbook's words, queries in the engine's dialect.

    Parameters
    ----------
    data
        Any data; only the playbook, the names of columns and the last day counted go into the page.
    path
        The file; beside the index of a folder of reports, as `glossary.html`, the index links to it.
    index
        Where the page's links to all reports lead.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    status.replace(path, page(data, index=index))
    return path


def page(data: Data, *, index: str = "index.html") -> str:
    """The glossary of these data as HTML."""
    every = entries(data)
    product, engine = data.playbook.product, data.connection.name
    tools = {tool: rows.to_dict("records") for tool, rows in other_tools().groupby("tool", sort=True)}
    return export.render(
        "glossary.html.j2", product=tame(product.name), count=len(every), stages=_stages(every), pictures=PICTURES, tools=tools, index=index,
        meta=[f"words of {tame(product.name)}'s playbook", f"days in {product.time_zone}", f"SQL for {engine}",
              f"data through {words.day(data.as_of)}"],
        provenance=[f"plgkit {__version__}", f"as of {data.as_of}", f"data {data.version[:8]}"])


def _stages(every: list[Entry]) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(each.stage for each in every))
    return [{"name": name, "title": _TITLES.get(name, name.capitalize()), "entries": [_shown(each) for each in every if each.stage == name]}
            for name in names]


def _shown(entry: Entry) -> dict[str, Any]:
    """An entry as the template takes it. Quotes in a query need no escape between tags, and there are many."""
    safe = Markup(html.escape(tame(entry.sql, at_most=len(entry.sql) + 1), quote=False))
    how = entry.how_to_read.removesuffix(f"{entry.better.capitalize()} is better.").strip()  # stands beside the unit already
    said = {"how_to_read": how, "definition": tame(entry.definition, at_most=600), "why": tame(entry.why, at_most=400)}
    return asdict(entry) | said | {"sql": safe, "formula": entry.formula[0].upper() + entry.formula[1:] + "."}
