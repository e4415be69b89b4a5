"""Rows of CSV and of tab-separated values."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator

from plgkit.readers.documents import as_text
from plgkit.readers.pieces import Piece, Row, lines

LONGEST_RECORD = 500
"""Lines of one record of a CSV."""
csv.field_size_limit(2**31 - 1)


def of_csv(piece: Piece, names_without: tuple[str, ...]) -> Iterator[Row]:
    """Rows of a CSV as JSON, empty cells as null; a line with another number of cells is none."""
    names: list[str] | None = None
    for number, cells, fault, line in (_split if piece.form == "tsv" else _records)(_text_lines(piece)):
        if fault or cells is None:
            yield number, None, fault, line
            continue
        if names is None:
            # Exports without a line of names have the columns that the reader knows.
            names = list(names_without) if names_without and not set(cells) & set(names_without) else cells
            if names is cells:
                continue
        if not cells:
            continue
        if len(cells) != len(names):
            yield number, None, f"it has {len(cells)} cells where the first line has {len(names)}", ",".join(cells)
            continue
        yield number, as_text({name: cell or None for name, cell in zip(names, cells, strict=True)}), "", ""


Record = tuple[int, list[str] | None, str, str]
"""Number of the last line, cells, why they are none, the line as it is."""


def _text_lines(piece: Piece) -> Iterator[tuple[int, str, str]]:
    for number, line, fault in lines(piece):
        text = line[:500].decode("utf-8", "replace") if fault else ""
        if not fault:
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").replace("\x00", "")
            except UnicodeDecodeError:
                text, fault = line.decode("utf-8", "replace").strip(), "it is not UTF-8"
        yield number, text, fault


def _split(lines: Iterator[tuple[int, str, str]]) -> Iterator[Record]:
    """In tab-separated exports a quotation mark is a character like any other."""
    for number, text, fault in lines:
        bare = text.rstrip("\r\n")
        yield number, None if fault else (bare.split("\t") if bare else []), fault, text


def _records(lines: Iterator[tuple[int, str, str]]) -> Iterator[Record]:
    """Cells in quotation marks may hold line breaks; a mark that is never closed costs its own line only."""
    waiting: deque[tuple[int, str, str]] = deque()
    while (start := waiting.popleft() if waiting else next(lines, None)) is not None:
        number, text, fault = start
        cells, is_open = ([], False) if fault else _cells(text)
        taken: list[tuple[int, str, str]] = []
        while is_open and len(taken) < LONGEST_RECORD and (more := waiting.popleft() if waiting else next(lines, None)):
            taken.append(more)
            if more[2]:
                break
            if more[1].count('"') % 2:
                cells, is_open = _cells(text + "".join(each[1] for each in taken))
                if cells is None:
                    break
        if fault or is_open or cells is None:
            waiting.extendleft(reversed(taken))
            if fault or is_open or taken:
                yield number, None, fault or "it opens a quotation mark that is never closed", text.strip()
                continue
            cells = _somehow(text)
        yield taken[-1][0] if taken else number, cells, "", ""


def _cells(text: str) -> tuple[list[str] | None, bool]:
    """The cells of a record, None where it is not written by the rules; and whether a quotation mark is still open."""
    try:
        return next(csv.reader([text], strict=True), []), False
    except csv.Error as error:
        return None, "unexpected end" in str(error)


def _somehow(text: str) -> list[str]:
    return next(csv.reader([text.rstrip("\r\n").replace("\r", " ").replace("\n", " ")]), [])
