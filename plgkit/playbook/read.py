"""Read playbook.toml; every fault becomes one sentence with its line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pydantic import ValidationError

from plgkit.errors import BadPlaybook, nearest

from .explain import sentences
from .lines import key_lines
from .model import Playbook

_PLAINER = {
    "Invalid value": "the value is missing or cannot be read; text needs quotes",
    "Cannot overwrite a value": "a key stands there a second time",
}


def read_playbook(source: str | Path) -> Playbook:
    """Read a playbook from a file or from TOML text.

    Parameters
    ----------
    source
        Path of a TOML file, or the text itself (anything with a line break, or with `=` and without the ending .toml).

    Returns
    -------
    The playbook; keys that are not there have their defaults.

    Raises
    ------
    BadPlaybook
        With one sentence per fault, all of them at once, in the order of their lines.

    Examples
    --------
    >>> read_playbook('[activation]\\nevent = "report_created"').activation.event
    'report_created'
    """
    name, text = _text(source)
    try:
        found = tomllib.loads(text)
        where = key_lines(text)
    except RecursionError:
        raise BadPlaybook(name, [f"{name} holds lists or tables nested too deeply to read."]) from None
    except ValueError as error:
        raise BadPlaybook(name, [_no_toml(name, text, error)]) from None
    try:
        return Playbook.model_validate(found, by_alias=True, by_name=False)
    except ValidationError as error:
        raise BadPlaybook(name, sentences(error, found, where, name)) from None


def _text(source: str | Path) -> tuple[str, str]:
    written = str(source)
    is_text = isinstance(source, str) and (
        "\n" in written
        or not written.strip()
        or (not written.endswith(".toml") and re.search(r"=|^\s*[\[#]", written) is not None)
    )
    if is_text:
        return "playbook.toml", written.removeprefix("\ufeff")
    path = Path(source)
    try:
        raw = path.read_bytes()
    except (OSError, ValueError):
        raise BadPlaybook("The playbook", [_no_file(path)]) from None
    try:
        return path.name, raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        byte = raw[error.start]
        said = f"{path.name}, line {line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8."
        raise BadPlaybook(path.name, [said]) from None


def _no_file(path: Path) -> str:
    try:
        if path.is_dir():
            return f"{str(path)!r} is a folder; expected a TOML file such as {str(path / 'playbook.toml')!r}."
        if path.exists():
            return f"{str(path)!r} cannot be read; check its permissions."
        others = [each.name for each in path.parent.glob("*.toml")]
    except (OSError, ValueError):
        others = []
    hint = nearest(path.name, others)
    hint = f" {hint}" if hint.startswith("Did") else ""
    return f"No playbook at {str(path)!r}.{hint} `plgkit init SOURCE` writes a first one."


def _no_toml(name: str, text: str, error: ValueError) -> str:
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error), re.DOTALL)
    if match is None:
        return f"{name} is not valid TOML: a number in it has too many digits."
    said, line = match.groups()
    twice = re.fullmatch(r"Cannot declare \((.*?),?\) twice", said)
    if twice:
        said = f"[{twice.group(1).replace(chr(39), '').replace(', ', '.')}] stands there a second time"
    said = _PLAINER.get(said, said[0].lower() + said[1:]).rstrip(".")
    return f"{name}, line {line or text.rstrip().count(chr(10)) + 1} is not valid TOML: {said}."
