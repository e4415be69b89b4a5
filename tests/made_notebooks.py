"""Small notebooks made for a test: markdown where a cell starts with `#` or `**`, code elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

PARAMETERS = 'as_of: str = ""  # last day counted\nwithin_days: int = 7  # days a newcomer has'
PRINTERS = """from IPython import get_ipython
import pandas as pd
import matplotlib.pyplot as plt
from plgkit import notebook
from plgkit.errors import MissingTable
from plgkit.notebook.opening import set_printers
set_printers(get_ipython())"""
FRAME = """months = pd.DataFrame({
    "period": pd.date_range("2026-03-01", periods=3, freq="MS"), "numerator": [420, 380, 3], "denominator": [1000, 1000, 4],
    "value": [0.42, 0.38, 0.75], "low": [0.39, 0.35, 0.3], "high": [0.45, 0.41, 0.95], "immature": [0, 0, 9]})
months.attrs.update(unit="share of sign-ups", measure="activation.rate", definition="Sign-ups who activate / sign-ups.")
months"""
CHART = """figure, ax = plt.subplots(figsize=(4, 2))
_ = ax.plot(months["period"], months["value"])
figure.plgkit_description = {"alt": "A line that falls from 42% to 38%.", "caption": "Each point is a month."}"""
TILES = 'notebook.tiles(notebook.tile(months, label="Activation", target=0.4))'
FINDING = 'notebook.finding(f"{notebook.share(notebook.last(months).value)} activate, {notebook.change(months)}.")'
SO_WHAT = "**So what?** Shorten the way."

WHOLE = ("# Activation\n\nDo new people get there?", PARAMETERS, PRINTERS, f"{FRAME[:-7]}\n{TILES}",
         "## How many?\n\nHow to read it.", "months", CHART, FINDING, SO_WHAT)


def make(path: Path, *cells: str) -> Path:
    """Write a notebook of these cells; the one that declares `as_of` is tagged as its parameters."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    written = {"cells": [_cell(at, source) for at, source in enumerate(cells)], "metadata": {"kernelspec": kernel},
               "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(written), encoding="utf-8")
    return path


def _cell(at: int, source: str) -> dict:
    shared = {"id": f"cell-{at}", "metadata": {}, "source": source}
    if source.startswith(("#", "**")):
        return shared | {"cell_type": "markdown"}
    tags = {"tags": ["parameters"]} if source.startswith("as_of: str") else {}
    return shared | {"cell_type": "code", "execution_count": None, "outputs": [], "metadata": tags}
