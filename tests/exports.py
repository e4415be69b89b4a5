"""Exports written for tests, and what an import makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd


def lines(folder: Path, rows: list[Any], name: str = "events.jsonl") -> Path:
    """A folder with a file of JSON Lines; text is written as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def table(out: Path, name: str) -> pd.DataFrame:
    """A table of an import, all its months; empty where there is none."""
    files = [out / f"{name}.parquet"] if (out / f"{name}.parquet").exists() else sorted((out / name).glob("*.parquet"))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True) if files else pd.DataFrame()


def written(out: Path) -> dict[str, bytes]:
    """Every byte that an import wrote for its readers."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*"))
            if path.is_file() and ".import" not in path.relative_to(out).parts}


def posthog(name: str, who: str, at: str, event: str = "card moved", *, device: str | None = None, inserted: str | None = None, **properties: Any) -> dict:
    """A row of PostHog's batch export."""
    return {"uuid": name, "timestamp": at, "created_at": at, "event": event, "distinct_id": who, "elements_chain": "", "person_properties": {},
            "properties": ({"$device_id": device} if device else {}) | properties, "person_id": f"p-{who}", "inserted_at": inserted or at}
