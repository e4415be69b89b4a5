"""The rows of a piece, whatever its form, in batches that fit into memory."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from plgkit.readers.cells import of_csv
from plgkit.readers.documents import LONGEST_DOCUMENT, as_object, as_text, is_document, of_document, of_lines
from plgkit.readers.feeds import Reader
from plgkit.readers.pieces import NOT_WHOLE, Piece, Row

BATCH_ROWS, BATCH_BYTES = 40_000, 24_000_000
_CAPITALS = re.compile(r'\{\s*"[A-Z_][A-Z0-9_]*"')


@dataclass(frozen=True)
class Batch:
    """Rows as JSON text with their line numbers, and lines that are no rows with the reason; `done` is the last line read."""

    texts: list[str]
    numbers: list[int]
    bad: list[tuple[int, str, str]]
    done: int


def batches(piece: Piece, reader: Reader, *, after: int = 0) -> Iterator[Batch]:
    """The rows of a piece after line `after`, in batches that fit into memory."""
    if piece.form == "parquet":
        yield from _of_parquet(piece, after)
    elif piece.form in ("csv", "tsv"):
        yield from _gathered(of_csv(piece, reader.names), after)
    elif is_document(piece):
        yield from _gathered(of_document(piece, reader), after)
    else:
        yield from _gathered(of_lines(piece, reader), after)


def _gathered(rows: Iterator[Row], after: int) -> Iterator[Batch]:
    texts: list[str] = []
    numbers: list[int] = []
    bad: list[tuple[int, str, str]] = []
    size = last = 0
    for number, text, reason, line in rows:
        if number <= after:
            continue
        # All rows of a line go into one batch: an import that goes on begins behind a whole line.
        if number != last and (len(texts) >= BATCH_ROWS or size >= BATCH_BYTES or len(bad) >= BATCH_ROWS):
            yield Batch(texts, numbers, bad, last)
            texts, numbers, bad, size = [], [], [], 0
        last = number
        if text is None:
            bad.append((number, reason, line[:500]))
        else:
            texts.append(_in_small_letters(text))
            numbers.append(number)
            size += len(text)
    if texts or bad:
        yield Batch(texts, numbers, bad, last)


def _of_parquet(piece: Piece, after: int) -> Iterator[Batch]:
    import pyarrow.parquet as pq

    number = 0
    try:
        file = pq.ParquetFile(_in_memory(piece) if piece.path.suffix.lower() == ".zip" else piece.path, buffer_size=2**22)
        bytes_in_all = sum(file.metadata.row_group(each).total_byte_size for each in range(file.metadata.num_row_groups))
        size = min(BATCH_ROWS // 2, max(100, BATCH_BYTES * file.metadata.num_rows // max(bytes_in_all * 3, 1)))
        for rows in file.iter_batches(batch_size=size):
            first, number = number, number + rows.num_rows
            if number <= after:
                continue
            yield _gathered_rows(range(first + 1, number + 1), rows.to_pylist())
    except Exception as error:
        if number + 1 > after:
            yield Batch([], [], [(number + 1, f"{NOT_WHOLE} ({str(error).splitlines()[0][:200] or type(error).__name__}); "
                                  "bring the whole file and import again", "")], number + 1)


def _gathered_rows(numbers: Iterable[int], rows: list[dict[str, Any]]) -> Batch:
    texts, good, bad = [], [], []
    for number, row in zip(numbers, rows, strict=True):
        text, fault, line = as_object(as_text(row))
        if text is None:
            bad.append((number, fault, line[:500]))
        else:
            texts.append(_in_small_letters(text))
            good.append(number)
    return Batch(texts, good, bad, numbers[-1])


def _in_small_letters(text: str) -> str:
    """A row whose columns are all in capitals, as some warehouses write them, with their names as all others have them."""
    if not _CAPITALS.match(text):
        return text
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return as_text({name.lower(): value for name, value in row.items()}) if all(name == name.upper() for name in row) else text


def _in_memory(piece: Piece) -> io.BytesIO:
    if piece.size > LONGEST_DOCUMENT:
        raise ValueError(f"inside a zip archive it may have {LONGEST_DOCUMENT // 10**6} MB; unpack the archive")
    with piece.open() as stream:
        return io.BytesIO(stream.read())
