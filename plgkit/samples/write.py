"""Writing tables piece by piece as Parquet files, small and the same every time."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from .frames import undone

_COUNTED_UP = {"event_id", "visitor_id"}
_HARDLY_REPEATED = {"session_id", "occurred_at", "received_at", "visited_at"}
_HELD = 200_000
"""Rows of a small table that are held back until they make a row group."""


class Files:
    """One Parquet file per table in a directory; a context that closes them."""

    def __init__(self, directory: Path):
        self._directory = directory
        self._open: dict[str, pq.ParquetWriter] = {}
        self._held: dict[str, list[pa.Table]] = {}

    def __enter__(self) -> Files:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for name in list(self._held):
            self._flush(name)
        for each in self._open.values():
            each.close()

    def add(self, name: str, table: pa.Table) -> None:
        """Add rows to a table; large pieces become row groups as they are."""
        held = self._held.setdefault(name, [])
        held.append(table)
        if sum(each.num_rows for each in held) >= _HELD:
            self._flush(name)

    def _flush(self, name: str) -> None:
        table = pa.concat_tables([undone(each) for each in self._held.pop(name)])
        if name not in self._open:
            self._open[name] = _writer(self._directory / f"{name}.parquet", table.schema)
        if table.num_rows:
            self._open[name].write_table(table.combine_chunks(), row_group_size=table.num_rows)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    encodings = {name: "DELTA_BYTE_ARRAY" for name in schema.names if name in _COUNTED_UP}
    encodings |= {name: "PLAIN" for name in schema.names if name in _HARDLY_REPEATED}
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=9,
        store_schema=False,
        write_page_checksum=False,
        use_dictionary=[name for name in schema.names if name not in encodings],
        column_encoding=encodings or None,
    )
