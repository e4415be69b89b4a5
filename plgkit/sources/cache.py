"""Where prepared tables and rollups are kept on a machine, and names for what they are made of."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from plgkit import __version__

LAYOUT = "3"
SHARING = "PLGKIT_SHARING"
"""Set for processes that run at the same time, such as those that run the notebooks of a report."""


def folder() -> Path:
    """The cache folder: PLGKIT_CACHE, or the user's own cache folder."""
    given = os.environ.get("PLGKIT_CACHE")
    if given:
        return Path(given).expanduser().resolve()
    import platformdirs

    return Path(platformdirs.user_cache_dir("plgkit"))


def digest(*facts: object) -> str:
    """A short name for facts: equal facts, equal name."""
    text = json.dumps([__version__, LAYOUT, *facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def digest_files(files: Iterable[Path], *, root: Path) -> str:
    """A name for the content of files, wherever the folder lies.

    A file is read once; as long as its size and time of change stay, the digest is remembered.
    """
    return digest(*[(path.relative_to(root).as_posix(), _content(path)) for path in sorted(files)])


def _content(path: Path) -> str:
    state = path.stat()
    key = hashlib.sha256(f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}".encode()).hexdigest()[:32]
    remembered = folder() / "digests" / key
    if remembered.exists():
        return remembered.read_text()
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    remembered.parent.mkdir(parents=True, exist_ok=True)
    _write_in_one_step(remembered, found)
    return found


def _write_in_one_step(path: Path, text: str) -> None:
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
    os.replace(partial, path)
