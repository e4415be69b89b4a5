"""What the notebooks kept with the project say of the made-up company, and its tables as pandas sees them."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pandas as pd

from plgkit.samples import bundled_path
from plgkit.sources.connect import connect
from plgkit.sources.data import Data

ZONE, LAST = "America/New_York", pd.Timestamp("2026-06-30")
DAY = pd.Timedelta(days=1)


@functools.cache
def company() -> Data:
    """The made-up company as plgkit opens it."""
    return connect(bundled_path())


@functools.cache
def table(name: str, time: str | None = None) -> pd.DataFrame:
    """The rows of a table that are used, with `local`, their time on the product's clock."""
    rows = company().run(company().table(name))
    if time is None:
        return rows
    local = rows[time].dt.tz_localize("UTC").dt.tz_convert(ZONE).dt.tz_localize(None)
    return rows.assign(local=local, day=local.dt.normalize())


@functools.cache
def sentences(notebook: str) -> list[str]:
    """The findings and notes of a notebook as it is stored, in order."""
    path = Path(__file__).resolve().parents[1] / "notebooks" / f"{notebook}.ipynb"
    cells = [each for each in json.loads(path.read_text())["cells"] if each["cell_type"] == "code"]
    told = [each for each in cells if "notebook.finding(" in "".join(each["source"]) or "notebook.note(" in "".join(each["source"])]
    return ["".join(output["data"]["text/plain"]).strip("'") for each in told for output in each["outputs"]]


def wilson(hits: float, people: float) -> tuple[float, float]:
    """Wilson's interval as it stands in books."""
    share, z = hits / people, 1.959963984540054
    middle = (share + z**2 / (2 * people)) / (1 + z**2 / people)
    half = z * np.sqrt(share * (1 - share) / people + z**2 / (4 * people**2)) / (1 + z**2 / people)
    return middle - half, middle + half


def apart(one: tuple[float, float], other: tuple[float, float]) -> str:
    """In words, whether two intervals are clear of each other."""
    clear = one[0] > other[1] or other[0] > one[1]
    return "more than chance would leave" if clear else "too close to tell apart"
