"""Where each key of a TOML text stands, so that a fault can name its line."""

from __future__ import annotations

import re
import tomllib
from collections import deque
from typing import NamedTuple

Path = tuple[str | int, ...]


class Token(NamedTuple):
    """A piece of TOML text and the line it begins on."""

    kind: str
    text: str
    line: int


_TOKEN = re.compile(
    r'''(?P<skip>[ \t\r]+|\#[^\n]*)
    |(?P<newline>\n)
    |(?P<string>"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')
    |(?P<mark>[\[\]{}=,.])
    |(?P<bare>[^\s\#\[\]{}=,."']+)''',
    re.DOTALL | re.VERBOSE,
)


def key_lines(text: str) -> dict[Path, int]:
    """Find the line of every key, table and list entry of a valid TOML text.

    Examples
    --------
    >>> lines = key_lines('[a]\\nb = 1\\nc = [\\n  {d = 2},\\n]\\n[[e]]\\nf.g = 3\\n')
    >>> lines[("a", "b")], lines[("a", "c", 0, "d")], lines[("e", 0, "f", "g")]
    (2, 4, 7)
    """
    tokens = _tokens(text)
    lines: dict[Path, int] = {}
    lists: dict[Path, int] = {}
    table: Path = ()
    while tokens:
        if tokens[0].kind == "newline":
            tokens.popleft()
        elif tokens[0].text == "[" and tokens[0].kind == "mark":
            table = _header(tokens, lines, lists)
        else:
            _pair(tokens, table, lines)
    return lines


def _tokens(text: str) -> deque[Token]:
    found: deque[Token] = deque()
    line = 1
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind != "skip":
            found.append(Token(kind, match.group(), line))
        line += match.group().count("\n")
    return found


def _header(tokens: deque[Token], lines: dict[Path, int], lists: dict[Path, int]) -> Path:
    """Read `[a.b]` or `[[a.b]]` and give the path of the table that begins there."""
    line = tokens.popleft().line
    entry = tokens[0].text == "[" and tokens[0].kind == "mark"
    if entry:
        tokens.popleft()
    path: Path = ()
    names = _key(tokens)
    for name in names[:-1]:
        path = _at(lines, (*path, name), line)
        if path in lists:
            path = (*path, lists[path])
    path = _at(lines, (*path, names[-1]), line)
    if entry:
        lists[path] = lists.get(path, -1) + 1
        path = _at(lines, (*path, lists[path]), line)
    elif path not in lists:
        # A table made earlier by a deeper header stands where its own header is.
        lines[path] = line
    while tokens and tokens[0].text == "]":
        tokens.popleft()
    return path


def _pair(tokens: deque[Token], table: Path, lines: dict[Path, int]) -> None:
    line = tokens[0].line
    path = table
    for name in _key(tokens):
        path = _at(lines, (*path, name), line)
    tokens.popleft()
    _value(tokens, path, lines)


def _value(tokens: deque[Token], path: Path, lines: dict[Path, int]) -> None:
    first = tokens.popleft()
    if first.kind == "mark" and first.text == "[":
        _list(tokens, path, lines)
    elif first.kind == "mark" and first.text == "{":
        while not _closes(tokens, "}"):
            _pair(tokens, path, lines)
    elif first.kind == "bare":
        # A number or time may hold dots, a date and a time a space between them.
        while tokens and (tokens[0].kind == "bare" or tokens[0].text == "."):
            tokens.popleft()


def _list(tokens: deque[Token], path: Path, lines: dict[Path, int]) -> None:
    place = 0
    while not _closes(tokens, "]"):
        _value(tokens, _at(lines, (*path, place), tokens[0].line), lines)
        place += 1


def _closes(tokens: deque[Token], mark: str) -> bool:
    while tokens and (tokens[0].kind == "newline" or tokens[0].text == ","):
        tokens.popleft()
    if tokens and tokens[0].kind == "mark" and tokens[0].text == mark:
        tokens.popleft()
        return True
    return not tokens


def _key(tokens: deque[Token]) -> list[str]:
    names = [_plain(tokens.popleft())]
    while tokens[0].text == "." and tokens[0].kind == "mark":
        tokens.popleft()
        names.append(_plain(tokens.popleft()))
    return names


def _plain(token: Token) -> str:
    return tomllib.loads(f"key = {token.text}")["key"] if token.kind == "string" else token.text


def _at(lines: dict[Path, int], path: Path, line: int) -> Path:
    lines.setdefault(path, line)
    return path
