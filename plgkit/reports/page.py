"""Read an executed notebook as a page: a title, tiles, and sections with their finding, pictures and folds."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Any

from plgkit.notebook import tiling
from plgkit.notebook.text import tame
from plgkit.reports import clean, pictures

_HIDDEN_TAGS = {"parameters", "injected-parameters", "hide", "papermill-error-cell-tag"}
_SO_WHAT = re.compile(r"\s*\*\*so what\?\*\*", re.I)
_TRUSTED_IMAGE = re.compile(r"[A-Za-z0-9+/=\s]+")


@dataclass
class Section:
    """One question of a notebook with all that answers it."""

    id: str
    question: str
    short: str
    how: str = ""
    finding: str = ""
    missing: list[str] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    so_what: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)

    said_next: bool = False

    @property
    def steps_aside(self) -> bool:
        """Whether all the section has to say is what it lacks."""
        return bool(self.missing) and not self.finding and not self.blocks


@dataclass
class Page:
    """A notebook as a page."""

    title: str = "Report"
    lede: str = ""
    head: dict[str, Any] = field(default_factory=dict)
    tiles: list[dict[str, Any]] = field(default_factory=list)
    opening: list[str] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)


def read(notebook: dict[str, Any]) -> Page:
    """Read the cells of an executed notebook in order."""
    page = Page()
    before = Section("opening", "", "")
    for cell in notebook["cells"]:
        if _HIDDEN_TAGS & set(cell["metadata"].get("tags", [])):
            continue
        source = _joined(cell["source"])
        here = page.sections[-1] if page.sections else before
        if cell["cell_type"] == "markdown":
            _markdown(page, here, source, cell["metadata"].get("plgkit", {}))
        elif cell["cell_type"] == "code":
            if here is not before and source.strip():
                here.code.append(tame(source))
            for output in cell["outputs"]:
                _output(page, here, output)
    for one, after in zip(page.sections, page.sections[1:], strict=False):
        one.said_next = one.steps_aside and after.steps_aside and one.missing == after.missing
    page.opening = [*(f'<p class="missing">{html.escape(each)}</p>' for each in before.missing), *before.blocks]
    return page


def _markdown(page: Page, here: Section, source: str, metadata: dict[str, Any]) -> None:
    first, _, rest = source.strip().partition("\n")
    if first.startswith("# ") and not page.sections:
        page.title, page.lede = _plain(first[2:]), clean.inline(rest)
    elif first.startswith("## "):
        question = _plain(first[3:])
        short = tame(metadata.get("short") or question, at_most=60)
        page.sections.append(Section(f"q{len(page.sections) + 1}", question, short, how=clean.markdown(rest)))
    elif _SO_WHAT.match(source):
        here.so_what.append(clean.markdown(source))
    else:
        here.blocks.append(clean.markdown(source))


def _output(page: Page, here: Section, output: dict[str, Any]) -> None:
    if output["output_type"] == "stream":
        if output["name"] == "stdout" and _joined(output["text"]).strip():
            here.blocks.append(_pre(_joined(output["text"])))
        return
    if output["output_type"] == "error":
        return
    about = output.get("metadata", {}).get("plgkit")
    if isinstance(about, dict) and about.get("kind") in _KINDS:
        _KINDS[about["kind"]](page, here, about, output["data"])
    else:
        _anything(here, output["data"], output.get("metadata", {}))


def _anything(here: Section, data: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Show an output that nobody told us about: the richest form that cannot act."""
    if "image/png" in data:
        here.blocks.append(_figure(data["image/png"], metadata.get("image/png", {})))
    elif "text/html" in data:
        here.blocks.append(f'<div class="scroll">{clean.html(_joined(data["text/html"]))}</div>')
    elif "text/markdown" in data:
        here.blocks.append(clean.markdown(_joined(data["text/markdown"])))
    elif "text/plain" in data:
        here.numbers.append(_pre(_joined(data["text/plain"])))


def _figure(png: str | list[str], words: dict[str, Any]) -> str:
    picture = "".join(_joined(png).split())
    if not _TRUSTED_IMAGE.fullmatch(picture):
        return ""
    alt = html.escape(tame(words.get("alt") or "Chart without a description."))
    size = "".join(f' {name}="{int(words[name])}"' for name in ("width", "height") if isinstance(words.get(name), int))
    under = f"<figcaption>{html.escape(tame(words['caption']))}</figcaption>" if words.get("caption") else ""
    kind, packed = pictures.packed(picture)
    return f'<figure><div class="pic"><img alt="{alt}"{size} src="data:{kind};base64,{packed}"></div>{under}</figure>'


def _tiles(page: Page, here: Section, about: dict[str, Any], data: dict[str, Any]) -> None:
    if page.tiles:
        here.blocks.append(tiling.html(about["tiles"]).replace(' id="tiles"', ""))
    else:
        page.tiles = about["tiles"]


def _finding(page: Page, here: Section, about: dict[str, Any], data: dict[str, Any]) -> None:
    if here.finding:
        here.blocks.append(f"<p>{html.escape(tame(about['text']))}</p>")
    else:
        here.finding = tame(about["text"])


def _note(page: Page, here: Section, about: dict[str, Any], data: dict[str, Any]) -> None:
    here.blocks.append(f"<p>{html.escape(tame(about['text']))}</p>")


def _definition(page: Page, here: Section, about: dict[str, Any], data: dict[str, Any]) -> None:
    text = tame(about.get("text") or about.get("definition") or "")
    if text and text not in here.definitions:
        here.definitions.append(text)


def _missing(page: Page, here: Section, about: dict[str, Any], data: dict[str, Any]) -> None:
    if not here.missing:
        here.missing.append(tame(about["text"]))


def _frame(page: Page, here: Section, about: dict[str, Any], data: dict[str, Any]) -> None:
    here.numbers.append(clean.html(_joined(data["text/html"])))
    _definition(page, here, about, data)


def _table(page: Page, here: Section, about: dict[str, Any], data: dict[str, Any]) -> None:
    here.blocks.append(clean.html(_joined(data["text/html"])))
    _definition(page, here, about, data)


def _start(page: Page, here: Section, about: dict[str, Any], data: dict[str, Any]) -> None:
    page.head = {name: value for name, value in about.items() if name != "kind"}


_KINDS = {
    "tiles": _tiles, "finding": _finding, "note": _note, "definition": _definition,
    "missing": _missing, "frame": _frame, "table": _table, "start": _start,
}


def _pre(text: str) -> str:
    return f"<pre>{html.escape(tame(text))}</pre>"


def _plain(text: str) -> str:
    return tame(text.strip(), at_most=160)


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
