"""Servers that go away and disks that are full: the sentence that stands for what a driver raises."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from plgkit.errors import DiskFull, ServerGone

LOST = frozenset({
    "psycopg.OperationalError", "psycopg.InterfaceError", "py4j.Py4JNetworkError", "urllib3.HTTPError", "requests.ConnectionError",
    "trino.TrinoConnectionError", "google.ServiceUnavailable", "snowflake.OperationalError", "databricks.RequestError",
    "clickhouse_connect.OperationalError", "builtins.ConnectionError"})
"""What drivers raise when there is nobody at the other end: the package and the name of the class."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ROOM_SAID = ("no space left on device", "file too large", "disk quota exceeded")


def told(error: BaseException) -> DiskFull | ServerGone | None:
    """The sentence for an error that is nobody's mistake and passes when the same is run again; None for any other.

    Examples
    --------
    >>> print(told(ConnectionResetError("the peer hung up")))
    The database went away while it was asked: the peer hung up. Run the same again when it is back: what was kept is whole.
    >>> told(ValueError("no number")) is None
    True
    """
    if isinstance(error, (ServerGone, DiskFull)):
        return error
    for each in _chain(error):
        if _full(each):
            return DiskFull(getattr(each, "filename", None) or "the cache or the folder for temporary files")
        if _lost(each):
            return ServerGone((str(each).strip().splitlines() or [type(each).__name__])[0])
    return None


def check(error: BaseException) -> None:
    """Raise the sentence that stands for this error, if there is one."""
    found = told(error)
    if found is not None:
        raise found from None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those it came of: the first of all tells most."""
    found = [error]
    while (before := found[-1].__cause__ or found[-1].__context__) is not None and before not in found:
        found.append(before)
    return reversed(found)


def _lost(error: BaseException) -> bool:
    if getattr(error, "sqlstate", None) and not error.sqlstate.startswith(("08", "57P")):
        return False
    if type(error).__module__.startswith(("grpc", "pyspark")) and "UNAVAILABLE" in str(error):
        return True
    return any(f"{kind.__module__.partition('.')[0]}.{kind.__name__}" in LOST for kind in type(error).__mro__)


def _full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return True
    said = str(error).lower()
    return type(error).__module__.partition(".")[0] in ("_duckdb", "duckdb", "psycopg") and any(each in said for each in _NO_ROOM_SAID)
