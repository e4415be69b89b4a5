"""The first page of a folder of reports: what is new, and the history of every report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plgkit.notebook import words
from plgkit.notebook.text import tame
from plgkit.reports import export, shelf, status
from plgkit.reports.status import Status

_WORDS = {"ok": "✓", "failed": "failed", "timeout": "too slow", "died": "died"}
_MOST_DATES = 24
GLOSSARY = "glossary.html"
"""The page that `plgkit glossary --html` writes beside the index, where it was asked for."""


def write(out: Path) -> None:
    """Rebuild `index.html` from the status files."""
    status.replace(out / "index.html", page(out))


def page(out: Path) -> str:
    """Write the index of a folder of reports."""
    every, latest = status.read_all(out), shelf.latest(out)
    newest = max((each["as_of"] for each in every), default="")
    names = sorted({each["name"] for each in every} | set(latest))
    dates = sorted({each["as_of"] for each in every}, reverse=True)
    return export.render(
        "index.html.j2", product=_product(every), newest=words.day(newest) if newest else "",
        reports=[_report(name, every, latest.get(name), newest) for name in names],
        dates=[{"date": date, "day": words.day(date)} for date in dates[:_MOST_DATES]],
        older=len(dates) - _MOST_DATES,
        glossary=GLOSSARY if (out / GLOSSARY).exists() else "",
        rows=[{"title": _title(name, every, latest), "cells": [_cell(name, date, every) for date in dates[:_MOST_DATES]]}
              for name in names],
    )


def _report(name: str, every: list[Status], good: Status | None, newest: str) -> dict[str, Any]:
    now = next((each for each in every if each["name"] == name and each["as_of"] == newest), None)
    shown = good or now or {}
    trouble = ""
    if now is not None and now["state"] != status.OK:
        trouble = tame(f"{words.day(newest)}: {_WORDS[now['state']]}. {now.get('error', '')}", at_most=200)
    return {
        "title": tame((now or shown)["title"]), "trouble": trouble,
        "trouble_href": f"{newest}/{name}.html", "href": f"latest/{name}.html" if good else "",
        "day": words.day(good["as_of"]) if good else "",
        "finding": next(iter([*(shown.get("findings") or ()), *(shown.get("missing") or ())]), ""),
        "tiles": [each for each in shown.get("measures") or [] if each.get("value") is not None],
        "changes": status.changes(good, status.before(good, every)) if good else [],
        "broken": status.broken_guardrails(shown),
    }


def _cell(name: str, date: str, every: list[Status]) -> dict[str, str] | None:
    found = next((each for each in every if each["name"] == name and each["as_of"] == date), None)
    if found is None:
        return None
    return {"href": f"{date}/{name}.html", "state": found["state"], "word": _WORDS[found["state"]]}


def _title(name: str, every: list[Status], latest: dict[str, Status]) -> str:
    titles = [each["title"] for each in [*every, *latest.values()] if each["name"] == name]
    return tame(titles[-1])


def _product(every: list[Status]) -> str:
    return next((each["product"] for each in reversed(every) if each.get("product")), "")
