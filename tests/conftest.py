"""Fixtures that many tests share; the cache of a test run is its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ["PLGKIT_CACHE"] = tempfile.mkdtemp(prefix="plgkit-cache-")
os.environ.setdefault("MPLBACKEND", "agg")

import engines
import ibis
import pytest

from plgkit.playbook import Playbook
from plgkit.samples import tiny as tiny_company
from plgkit.sources.connect import connect
from plgkit.sources.data import Data

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(*parts: str) -> Path:
    """A file of the real data beside the project; the test is skipped where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{'/'.join(parts)} is not beside the project")
    return path


@pytest.fixture(scope="session")
def tiny() -> Data:
    """The company of four people."""
    return tiny_company()


@pytest.fixture(scope="session", params=["postgres", "spark", "clickhouse"])
def server(request: pytest.FixtureRequest) -> Iterator[ibis.BaseBackend]:
    """Each engine that is not DuckDB, running for real."""
    with getattr(engines, request.param)() as connection:
        yield connection


@pytest.fixture(scope="session")
def tiny_elsewhere(server: ibis.BaseBackend) -> Data:
    """The company of four people on another engine."""
    from plgkit.samples.tiny import AS_OF, PLAYBOOK, frames

    return connect(engines.load(server, frames()), as_of=AS_OF, playbook=Playbook(**PLAYBOOK))
