"""Rows of JSON: an object a line, a list however long, or the one object an API answers with."""

from __future__ import annotations

import codecs
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from plgkit.readers.feeds import Reader
from plgkit.readers.pieces import BROKEN, LONGEST_LINE, Piece, Row, broken_off, lines

LONGEST_DOCUMENT = 100_000_000
DEEPEST = 200
_CHUNK = 4_000_000
_PAGE = re.compile(r'\{\s*"(object"\s*:\s*"list"|(data|list|results|records|items)"\s*:\s*\[|has_more"|next(_offset)?")')
"""How the pages begin in which APIs answer."""
_BLANK = re.compile(r"\s*")


def of_lines(piece: Piece, reader: Reader) -> Iterator[Row]:
    """A row for each line, or all rows of the page that a line is."""
    for number, line, fault in lines(piece):
        if fault:
            yield number, None, fault, line[:500].decode("utf-8", "replace")
            continue
        if not line.strip():
            continue
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            yield number, None, "it is not UTF-8", line.decode("utf-8", "replace").strip()
            continue
        for each in _pages(text, piece, reader):
            yield (number, *as_object(each))


def _pages(text: str, piece: Piece, reader: Reader) -> list[str]:
    if not _PAGE.match(text):
        return [text]
    try:
        page = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    return [as_text(row) for row in _rows(page, piece, reader)]


def as_object(text: str) -> tuple[str | None, str, str]:
    """A row as it comes, or why it is none."""
    if text[:1] != "{":
        return None, "it is no JSON object", text
    # Whoever nests thousands of objects into each other would break the parser, not only the row.
    if text.count("{") + text.count("[") > DEEPEST and _depth(text) > DEEPEST:
        return None, f"it is nested more than {DEEPEST} deep", text
    return text, "", ""


def _depth(text: str) -> int:
    """How deep a JSON text is nested, brackets in its strings aside."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    return max(itertools.accumulate(1 if each in "{[" else -1 for each in re.findall(r"[][{}]", bare)), default=0)


def is_document(piece: Piece) -> bool:
    """Whether a JSON file is one document, and not an object a line."""
    first = ""
    try:
        with piece.open() as stream:
            if _start(stream)[:1] == b"[":
                return True
    except BROKEN:
        return False
    for number, line, fault in lines(piece):
        if fault or number > 50:
            return first != "whole" and (bool(line) or first == "open")
        text = line.decode("utf-8", "replace").lstrip("\ufeff").rstrip()
        if not text:
            continue
        whole = _is_object(text)
        if first:
            # A broken first line is not yet a document: in one, the lines after it are no objects of their own.
            if first == "whole" or whole:
                return False
        elif text.lstrip()[0] != "{":
            return False
        else:
            first = "whole" if whole else "open"
    return bool(first)


def _is_object(text: str) -> bool:
    if not (text.startswith("{") and text.endswith("}")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def of_document(piece: Piece, reader: Reader) -> Iterator[Row]:
    """The rows of a list, or of the one object that an API answers with."""
    try:
        with piece.open() as stream:
            start = _start(stream)
            if start[:1] == b"[":
                for number, text, reason, line in _of_list(_decoded(start[1:], stream)):
                    for each in [text] if text is None else _pages(text, piece, reader):
                        yield number, each, reason, line
                return
            whole = start + stream.read(LONGEST_DOCUMENT + 1)
    except BROKEN as error:
        yield 1, None, broken_off(error), ""
        return
    if len(whole) > LONGEST_DOCUMENT:
        yield 1, None, f"the file is one JSON object of more than {LONGEST_DOCUMENT // 10**6} MB; write one object per line (JSON Lines)", ""
        return
    try:
        documents = _one_after_another(whole.decode("utf-8"))
    except (ValueError, RecursionError):
        yield from of_lines(piece, reader)
        return
    rows = [row for document in documents for row in _rows(document, piece, reader)]
    for number, row in enumerate(rows, 1):
        yield (number, *as_object(as_text(row))) if isinstance(row, dict) else (number, None, "it is no JSON object", str(row))


def _one_after_another(text: str) -> list[Any]:
    """One JSON value, or several with nothing but blanks between, as tools write that fetch page after page."""
    decode, text, found, end = json.JSONDecoder().raw_decode, text.strip(), [], 0
    while end < len(text):
        value, end = decode(text, end)
        found.append(value)
        end = _BLANK.match(text, end).end()
    return found


def _rows(document: Any, piece: Piece, reader: Reader) -> list[Any]:
    """The rows of what an API answered: a list, a page, or one object."""
    rows = reader.unpack(document) if reader.unpack else None
    if rows is None:
        own = isinstance(document, dict) and any(feed.fits(piece.name.rpartition("/")[2], document) for feed in reader.feeds)
        rows = [document] if own else unpacked(document)
    return rows if isinstance(rows, list) else [rows]


def _start(stream: Any) -> bytes:
    """The first bytes that are not blank, without the mark of UTF-8."""
    start = stream.read1(1000).removeprefix(b"\xef\xbb\xbf").lstrip()
    while not start and (more := stream.read1(1000)):
        start = more.lstrip()
    return start


def _decoded(start: bytes, stream: Any) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    yield decoder.decode(start)
    while read := stream.read1(_CHUNK):
        yield decoder.decode(read)


def _of_list(texts: Iterator[str]) -> Iterator[Row]:
    """The elements of a JSON list, without ever holding all of it."""
    decode, held, number, more, broken = json.JSONDecoder().raw_decode, "", 0, True, ""
    while True:
        # What stands behind the end of the list is read as if it stood in it.
        held = held.lstrip(" \t\r\n,]")
        if not held and not more:
            if broken:
                yield number + 1, None, broken, ""
            return
        try:
            row, end = decode(held)
            fault = "" if isinstance(row, dict) else "it is no JSON object"
        except RecursionError:
            end, fault = _next_line(held), f"it is nested more than {DEEPEST} deep"
        except ValueError as error:
            wrong = isinstance(error, json.JSONDecodeError) and error.pos < len(held) - 16 and not error.msg.startswith("Unterminated")
            if more and not wrong and len(held) < LONGEST_LINE:
                held, more, broken = _longer(held, texts)
                continue
            end, fault = _next_line(held), "it is no JSON object"
            if broken and not wrong:
                held = ""
                continue
        number += 1
        yield (number, None, fault, held[:min(end, 500)]) if fault else (number, *as_object(as_text(row)))
        held = held[end:]


def _longer(held: str, texts: Iterator[str]) -> tuple[str, bool, str]:
    """Twice as much text, whether there is more, and how it broke off."""
    parts, wanted = [held], max(len(held), _CHUNK)
    try:
        while wanted > 0:
            parts.append(next(texts))
            wanted -= len(parts[-1])
    except StopIteration:
        return "".join(parts), False, ""
    except BROKEN as error:
        return "".join(parts), False, broken_off(error)
    return "".join(parts), True, ""


def _next_line(text: str) -> int:
    return text.find("\n") + 1 or len(text)


def as_text(row: Any) -> str:
    """A row as JSON text; half a surrogate pair, which is no character, becomes a mark for one."""
    text = json.dumps(row, default=str, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def unpacked(document: Any) -> list[Any]:
    """The rows of a document: a list, or the list that an answer of an API carries."""
    if isinstance(document, list):
        return document
    for name in ("data", "list", "results", "records", "items"):
        if isinstance(document, dict) and isinstance(document.get(name), list) and "id" not in document:
            return document[name]
    return [document]
