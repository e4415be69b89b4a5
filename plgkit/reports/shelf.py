"""The folder of reports: pages by date, links between them, and the latest good ones."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from plgkit.notebook import words
from plgkit.reports import export, status
from plgkit.reports.status import Status

_LATEST = "latest"


def put(out: Path, report: Status, executed: dict[str, Any] | None, every: list[Status]) -> None:
    """Write the page, the executed notebook and the status of one report."""
    from plgkit.reports import normalise

    folder = out / report["as_of"]
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{report['name']}.ipynb"
    if executed is None:
        kept.unlink(missing_ok=True)
    else:
        status.replace(kept, normalise.as_text(executed))
    _write_page(folder, report, executed, links(report, every))


def relink(out: Path) -> None:
    """Write those pages again whose neighbours are not what they were."""
    every = status.read_all(out)
    for report in every:
        wanted = links(report, every)
        if wanted != report.get("links"):
            folder = out / report["as_of"]
            kept = folder / f"{report['name']}.ipynb"
            executed = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else None
            _write_page(folder, report, executed, wanted)


def links(report: Status, every: list[Status]) -> dict[str, Any]:
    """Find the neighbours of a page: in order of the notebooks, and by date."""
    day = [each for each in every if each["as_of"] == report["as_of"]]
    names = {each["name"]: each["title"] for each in day} | {report["name"]: report["title"]}
    order = sorted(names)
    at = order.index(report["name"])
    dates = sorted({each["as_of"] for each in every if each["name"] == report["name"]} | {report["as_of"]})
    when = dates.index(report["as_of"])
    good = status.before(report, every)
    return {
        "index": "../index.html",
        "position": f"{at + 1} of {len(order)}",
        "before": _to(f"{order[at - 1]}.html", names[order[at - 1]]) if at else None,
        "after": _to(f"{order[at + 1]}.html", names[order[at + 1]]) if at + 1 < len(order) else None,
        "earlier": _dated(report, dates[when - 1]) if when else None,
        "later": _dated(report, dates[when + 1]) if when + 1 < len(dates) else None,
        "last_good": _dated(report, good["as_of"]) if good and report["state"] != status.OK else None,
    }


def update_latest(out: Path, fresh: list[Status]) -> None:
    """Put the good ones of `fresh` among the latest reports, in one step; the others stay as they are."""
    current = out / _LATEST
    kept = {each["name"]: (each, current) for path in sorted(current.glob("*.json")) if (each := status.read(path))}
    for report in fresh:
        older = kept.get(report["name"])
        if report["state"] == status.OK and (older is None or older[0]["as_of"] <= report["as_of"]):
            kept[report["name"]] = (report, out / report["as_of"])
    if not kept:
        return
    new = _free_folder(out)
    for name, (_, folder) in kept.items():
        for suffix in (".html", ".json"):
            shutil.copyfile(folder / f"{name}{suffix}", new / f"{name}{suffix}")
    _swap(current, new)


def latest(out: Path) -> dict[str, Status]:
    """Read the statuses of the latest good reports, by name."""
    found = (status.read(path) for path in sorted((out / _LATEST).glob("*.json")))
    return {each["name"]: each for each in found if each is not None}


def keep_last(out: Path, number: int) -> list[str]:
    """Remove all dates but the last `number`, and name those removed."""
    dates = sorted({each["as_of"] for each in status.read_all(out)})
    gone = dates[:-number]
    for date in gone:
        shutil.rmtree(out / date)
    return gone


def _write_page(folder: Path, report: Status, executed: dict[str, Any] | None, to: dict[str, Any]) -> None:
    report["links"] = to
    status.replace(folder / f"{report['name']}.html", export.write(executed, report, to))
    status.write(folder / f"{report['name']}.json", report)


def _free_folder(out: Path) -> Path:
    number = 0
    while (folder := out / f".{_LATEST}-{number}").exists():
        number += 1
    folder.mkdir()
    return folder


def _swap(current: Path, new: Path) -> None:
    """Let `current` be `new`: a link is replaced in one step, so no reader meets half a folder."""
    old = current.resolve() if current.exists() else None
    pointer = current.with_name(f".{current.name}.link")
    pointer.unlink(missing_ok=True)
    try:
        os.symlink(new.name, pointer, target_is_directory=True)
    except OSError:
        pointer = new
    if current.exists() and not (current.is_symlink() and pointer.is_symlink()):
        old = current.with_name(f".{current.name}-before")
        current.rename(old)
    os.replace(pointer, current)
    if old is not None and old != current.resolve():
        shutil.rmtree(old, ignore_errors=True)


def _to(href: str, title: str) -> dict[str, str]:
    return {"href": href, "title": title}


def _dated(report: Status, date: str) -> dict[str, str]:
    return _to(f"../{date}/{report['name']}.html", words.day(date))
