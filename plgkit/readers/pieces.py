"""Walks an export: folders, single files, gzip and zip; each piece is a stream of lines."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from plgkit.errors import NoData

LONGEST_LINE = 32_000_000
BREAKS_OFF, NOT_WHOLE = "the file breaks off here", "the file is no whole Parquet file"
TEXTS = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}
BROKEN = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError)
"""What reading a damaged file may raise."""
Row = tuple[int, str | None, str, str]
"""Line number, the row as JSON text or None, why it is none, the line as it is."""


@dataclass(frozen=True)
class Piece:
    """A file of the export, or a member of an archive in it."""

    name: str
    form: str
    size: int
    digest: str
    path: Path
    open: Callable[[], AbstractContextManager[IO[bytes]]]


def pieces(path: Path, known: dict[str, list[Any]] | None = None) -> list[Piece]:
    """Every file in `path` whose ending tells what it holds, also inside zip archives, by name.

    `known` holds what files were when they were looked at last: one of the same size and time of change is not
    read again to know it. It is filled up.

    Raises
    ------
    NoData
        If there is none.
    """
    files = sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith(".")) if path.is_dir() else [path]
    known = {} if known is None else known
    found = [piece for file in files for piece in _in_file(file, path if path.is_dir() else path.parent, known)]
    if not found:
        raise NoData(f"{path} holds no file that could be read. Known are files that end in {', '.join(TEXTS)}, also with .gz, and "
                     ".zip archives of such files.")
    return found


def _in_file(file: Path, root: Path, known: dict[str, list[Any]]) -> Iterator[Piece]:
    name, size = file.relative_to(root).as_posix(), file.stat().st_size
    if file.suffix.lower() == ".zip":
        yield from _in_zip(file, name, _digest(file, known))
        return
    form = _form(file.name)
    if form is None:
        return
    yield Piece(name, form, size, _digest(file, known), file, lambda: _opened(file))


def _in_zip(file: Path, name: str, whole: str) -> Iterator[Piece]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = [each for each in archive.infolist() if not each.is_dir() and _form(each.filename)]
    except BROKEN as error:
        fault = f"it is no whole zip archive: {error}"

        def broken() -> AbstractContextManager[IO[bytes]]:
            raise zipfile.BadZipFile(fault)

        yield Piece(name, "csv", file.stat().st_size, whole, file, broken)
        return
    for member in sorted(members, key=lambda each: each.filename):
        digest = hashlib.sha256(f"{whole}|{member.filename}|{member.CRC}".encode()).hexdigest()[:20]
        yield Piece(f"{name}/{member.filename}", _form(member.filename) or "json", member.file_size, digest, file, partial(_opened, file, member.filename))


def _form(name: str) -> str | None:
    plain = name.lower().removesuffix(".gz")
    return next((form for ending, form in TEXTS.items() if plain.endswith(ending)), None)


@contextmanager
def _opened(file: Path, member: str | None = None) -> Iterator[IO[bytes]]:
    with ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(file.open("rb"))
        if member is not None:
            stream = stack.enter_context(stack.enter_context(zipfile.ZipFile(stream)).open(member))
        if (member or file.name).lower().endswith(".gz"):
            stream = stack.enter_context(gzip.GzipFile(fileobj=stream))  # type: ignore[arg-type,assignment]
        yield stream


def _digest(file: Path, known: dict[str, list[Any]]) -> str:
    there, name = file.stat(), str(file.resolve())
    was = known.get(name, [])
    if was[:2] == [there.st_size, there.st_mtime_ns]:
        return str(was[2])
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()[:20]
    known[name] = [there.st_size, there.st_mtime_ns, digest]
    return digest


def lines(piece: Piece) -> Iterator[tuple[int, bytes, str]]:
    """Every line of a piece; where the stream breaks off, the last one says so."""
    number = 0
    try:
        with piece.open() as stream:
            while line := stream.readline(LONGEST_LINE):
                number += 1
                yield number, line, _too_long(stream) if len(line) == LONGEST_LINE and not line.endswith(b"\n") else ""
    except BROKEN as error:
        yield number + 1, b"", broken_off(error)


def _too_long(stream: IO[bytes]) -> str:
    """Skip what is left of a line that no memory should hold."""
    while (more := stream.readline(LONGEST_LINE)) and not more.endswith(b"\n"):
        pass
    return f"it is longer than {LONGEST_LINE // 10**6} MB"


def broken_off(error: Exception) -> str:
    """The sentence about a file that cannot be read to its end."""
    return f"{BREAKS_OFF} ({str(error) or type(error).__name__}); bring the whole file and import again"
