"""Walks an export: folders, single files, gzip and zip; each piece is a stream of rows of text."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from plgkit.errors import NoData, UnreadableExport
from plgkit.readers.feeds import Reader

BATCH_ROWS, BATCH_BYTES = 40_000, 24_000_000
LONGEST_DOCUMENT = 600_000_000
_TEXTS = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile, OSError)
csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True)
class Piece:
    """A file of the export, or a member of an archive in it."""

    name: str
    form: str
    size: int
    digest: str
    path: Path
    open: Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Batch:
    """Rows as JSON text with their line numbers, and lines that are no rows with the reason; `done` is the last line read."""

    texts: list[str]
    numbers: list[int]
    bad: list[tuple[int, str, str]]
    done: int


def pieces(path: Path) -> list[Piece]:
    """Every file in `path` whose ending tells what it holds, also inside zip archives, by name.

    Raises
    ------
    NoData
        If there is none.
    """
    files = sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith(".")) if path.is_dir() else [path]
    found = [piece for file in files for piece in _in_file(file, path if path.is_dir() else path.parent)]
    if not found:
        raise NoData(f"{path} holds no file that could be read. Known are files that end in {', '.join(_TEXTS)}, also with .gz, and "
                     ".zip archives of such files.")
    return found


def _in_file(file: Path, root: Path) -> Iterator[Piece]:
    name, size = file.relative_to(root).as_posix(), file.stat().st_size
    if file.suffix.lower() == ".zip":
        yield from _in_zip(file, name)
        return
    form = _form(file.name)
    if form is None:
        return
    yield Piece(name, form, size, _digest(file), file, lambda: _opened(file.open("rb"), file.name))


def _in_zip(file: Path, name: str) -> Iterator[Piece]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = [each for each in archive.infolist() if not each.is_dir() and _form(each.filename)]
    except zipfile.BadZipFile as error:
        raise UnreadableExport(name, f"is no whole zip archive ({error}). Download it again") from error
    whole = _digest(file)
    for member in sorted(members, key=lambda each: each.filename):
        def opened(inner: str = member.filename) -> IO[bytes]:
            return _opened(zipfile.ZipFile(file).open(inner), inner)

        digest = hashlib.sha256(f"{whole}|{member.filename}|{member.CRC}".encode()).hexdigest()[:20]
        yield Piece(f"{name}/{member.filename}", _form(member.filename) or "json", member.file_size, digest, file, opened)


def _form(name: str) -> str | None:
    plain = name.lower().removesuffix(".gz")
    return next((form for ending, form in _TEXTS.items() if plain.endswith(ending)), None)


def _opened(stream: IO[bytes], name: str) -> IO[bytes]:
    return gzip.GzipFile(fileobj=stream) if name.lower().endswith(".gz") else stream  # type: ignore[return-value]


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:20]


def batches(piece: Piece, reader: Reader, *, after: int = 0) -> Iterator[Batch]:
    """The rows of a piece after line `after`, in batches that fit into memory."""
    if piece.form == "parquet":
        yield from _of_parquet(piece, after)
    elif piece.form in ("csv", "tsv"):
        yield from _gathered(_of_csv(piece, reader.names), after)
    elif _is_document(piece):
        yield from _gathered(_of_document(piece, reader.unpack), after)
    else:
        yield from _gathered(_of_lines(piece), after)


Row = tuple[int, str | None, str, str]
"""Line number, the row as JSON text or None, why it is none, the line as it is."""


def _gathered(rows: Iterator[Row], after: int) -> Iterator[Batch]:
    texts: list[str] = []
    numbers: list[int] = []
    bad: list[tuple[int, str, str]] = []
    size = number = 0
    for number, text, reason, line in rows:
        if number <= after:
            continue
        if text is None:
            bad.append((number, reason, line[:500]))
        else:
            texts.append(text)
            numbers.append(number)
            size += len(text)
        if len(texts) >= BATCH_ROWS or size >= BATCH_BYTES or len(bad) >= BATCH_ROWS:
            yield Batch(texts, numbers, bad, number)
            texts, numbers, bad, size = [], [], [], 0
    if texts or bad:
        yield Batch(texts, numbers, bad, number)


def _lines(piece: Piece) -> Iterator[tuple[int, bytes, str]]:
    """Every line of a piece; where the stream breaks off, the last one says so."""
    number = 0
    with piece.open() as stream:
        try:
            for number, line in enumerate(stream, 1):
                yield number, line, ""
        except _BROKEN as error:
            yield number + 1, b"", f"the file breaks off here ({error or type(error).__name__}); bring the whole file and import again"


def _of_lines(piece: Piece) -> Iterator[Row]:
    for number, line, fault in _lines(piece):
        if fault:
            yield number, None, fault, ""
            continue
        if not line.strip():
            continue
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            yield number, None, "it is not UTF-8", line.decode("utf-8", "replace").strip()
            continue
        yield (number, text, "", "") if text[:1] == "{" else (number, None, "it is no JSON object", text)


def _is_object(text: str) -> bool:
    if not (text.startswith("{") and text.endswith("}")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_document(piece: Piece) -> bool:
    """Whether a JSON file is one document, and not an object a line."""
    for number, line, fault in _lines(piece):
        if fault or number > 50:
            return False
        text = line.decode("utf-8", "replace").strip().lstrip("\ufeff")
        if text:
            return text[0] == "[" or (text[0] == "{" and not _is_object(text))
    return False


def _of_document(piece: Piece, unpack: Callable[[Any], list[Any] | None] | None) -> Iterator[Row]:
    with piece.open() as stream:
        try:
            whole = stream.read(LONGEST_DOCUMENT + 1)
        except _BROKEN as error:
            raise UnreadableExport(piece.name, f"breaks off ({error or type(error).__name__}). Bring the whole file") from error
    if len(whole) > LONGEST_DOCUMENT:
        raise UnreadableExport(piece.name, f"is one JSON document of more than {LONGEST_DOCUMENT // 10**6} MB. Write one object per "
                               "line (JSON Lines) instead")
    try:
        document = json.loads(whole.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        yield from _of_lines(piece)
        return
    rows = unpack(document) if unpack else None
    for number, row in enumerate(rows if rows is not None else unpacked(document), 1):
        if isinstance(row, dict):
            yield number, json.dumps(row, ensure_ascii=False), "", ""
        else:
            yield number, None, "it is no JSON object", str(row)


def unpacked(document: Any) -> list[Any]:
    """The rows of a document: a list, or the list that an answer of an API carries."""
    if isinstance(document, list):
        return document
    for name in ("data", "list", "results", "records", "items"):
        if isinstance(document, dict) and isinstance(document.get(name), list) and "id" not in document:
            return document[name]
    return [document]


def _of_csv(piece: Piece, names_without: tuple[str, ...]) -> Iterator[Row]:
    """Rows of a CSV as JSON, empty cells as null; a line with another number of cells is none."""
    faults: list[tuple[int, str, str]] = []

    def text() -> Iterator[str]:
        for number, line, fault in _lines(piece):
            if fault:
                faults.append((number, fault, ""))
                return
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").replace("\x00", "")
            except UnicodeDecodeError:
                faults.append((number, "it is not UTF-8", line.decode("utf-8", "replace").strip()))

    # In tab-separated exports a quotation mark is a character like any other.
    cells_of = csv.reader(text(), delimiter="\t", quoting=csv.QUOTE_NONE) if piece.form == "tsv" else csv.reader(text())
    names, last = next(cells_of, []), 1
    first = []
    if names_without and not set(names) & set(names_without):
        names, first = list(names_without), [names]
    for cells in itertools.chain(first, cells_of):
        last = cells_of.line_num + len(faults)
        while faults:
            number, fault, line = faults.pop(0)
            yield number, None, fault, line
        if not cells:
            continue
        if len(cells) != len(names):
            yield last, None, f"it has {len(cells)} cells where the first line has {len(names)}", ",".join(cells)
            continue
        row = {name: cell or None for name, cell in zip(names, cells, strict=True)}
        yield last, json.dumps(row, ensure_ascii=False), "", ""
    for number, fault, line in faults:
        yield number, None, fault, line


def _of_parquet(piece: Piece, after: int) -> Iterator[Batch]:
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(piece.open().read()) if piece.path.suffix.lower() == ".zip" else piece.path)
    except Exception as error:
        raise UnreadableExport(piece.name, f"is no whole Parquet file ({str(error).splitlines()[0]}). Bring it again") from error
    number = 0
    for rows in file.iter_batches(batch_size=BATCH_ROWS // 2):
        first, number = number, number + rows.num_rows
        if number <= after:
            continue
        texts = [json.dumps(row, default=str, ensure_ascii=False) for row in rows.to_pylist()]
        yield Batch(texts, list(range(first + 1, number + 1)), [], number)
