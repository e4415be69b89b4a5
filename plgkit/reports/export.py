"""Write a notebook as one HTML file: no script, no address outside, readable in the dark and on paper."""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, Any

from plgkit.notebook import tiling, words
from plgkit.notebook.text import tame
from plgkit.reports import page as pages

if TYPE_CHECKING:
    from jinja2 import Environment

_FAILURES = {
    "failed": "This report failed in one of its cells.",
    "timeout": "This report took too long and was stopped.",
    "died": "This report ended before it was done.",
}


def write(notebook: dict[str, Any] | None, status: dict[str, Any], links: dict[str, Any] | None = None) -> str:
    """Write the page of an executed notebook.

    Parameters
    ----------
    notebook
        The executed notebook; `None` if it left nothing behind.
    status
        What is known of the run: as_of, state, parameters, versions.
    links
        Where the index, the neighbours in order and the same report of other dates are.
    """
    page = pages.read(notebook or {"cells": []})
    until = words.day(status["as_of"])
    return _environment().get_template("page.html.j2").render(
        title=page.title if notebook else tame(status["title"]), lede=page.lede, head=page.head, until=until,
        meta=_meta(page.head, until), tiles=tiling.html(page.tiles) if page.tiles else "", opening=page.opening,
        sections=page.sections, failure=_failure(status), links={"index": "../index.html"} | (links or {}),
        provenance=provenance(status),
    )


def render(template: str, **values: Any) -> str:
    """Fill a template of this package; everything that is not marked as safe is escaped."""
    return _environment().get_template(template).render(**values)


def provenance(status: dict[str, Any]) -> list[str]:
    """Say what a page was made from: versions, data, commit and parameters."""
    named = [(f"plgkit {status['versions']['plgkit']}" if status.get("versions") else "plgkit"),
             f"as of {status['as_of']}"]
    data = status.get("data") or {}
    if data.get("version"):
        named.append(f"data {data['version'][:8]}")
    if status.get("commit"):
        named.append(f"commit {status['commit']}")
    given = [f"{name} {_short(value)}" for name, value in (status.get("parameters") or {}).items() if name != "as_of"]
    return named + ([", ".join(given)] if given else [])


def _meta(head: dict[str, Any], until: str) -> list[str]:
    if not head:
        return [f"data through {until}"]
    first = f"{words.day(head['since'])} – {until}" if head.get("since") else ""
    made_up = "made-up company" if head.get("made_up") else ""
    parts = [first, f"data through {words.day(head['as_of'])}", *head.get("counts", []), head.get("zone", ""), made_up]
    return [tame(each, at_most=80) for each in parts if each]


def _failure(status: dict[str, Any]) -> dict[str, str] | None:
    if status["state"] not in _FAILURES:
        return None
    lines = "\n".join(tame(line) for line in status.get("traceback") or ())
    error = tame(status.get("error") or "", at_most=600)
    return {"title": _FAILURES[status["state"]], "error": error, "traceback": lines}


def _short(value: Any) -> str:
    return tame(value if value != "" else "(default)", at_most=60)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader

    made = Environment(
        loader=PackageLoader("plgkit.reports", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    css = resources.files("plgkit.reports").joinpath("templates/page.css").read_text(encoding="utf-8")
    from markupsafe import Markup

    made.globals["css"] = Markup(css)
    return made
