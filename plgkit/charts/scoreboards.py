"""All measures at a glance: a small line and the last value of each, by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import short, told
from plgkit.charts.units import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACROSS = 3
_STAGES = {"pql": "Qualified leads"}
_STATUS = {"on target": ("▲", "#00795a"), "off target": ("▼", "#b34700"), "cannot tell": ("○", style.MUTED)}


def _rows(history: pd.DataFrame) -> float:
    measures = history.drop_duplicates(["stage", "measure"]).groupby("stage", sort=False).size()
    return float(sum(0.55 + -(-count // _ACROSS) for count in measures))


@style.chart(height=lambda history: 0.1 + 0.82 * max(_rows(history), 1))
def scoreboard(history: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a small line for every measure, under the heading of its stage.

    Parameters
    ----------
    history
        One row per measure and period: stage, measure, period, value, and where known unit,
        target, status ("on target", "off target", "cannot tell") and label. Stages and measures
        keep their order.
    ax
        Where to draw; a new figure by default.
    """
    top, said, currency = 0.0, [], history.attrs.get("currency", "")
    for stage, measures in history.groupby("stage", sort=False):
        ax.text(0.02, top + 0.42, short(_STAGES.get(str(stage), str(stage).capitalize())), fontweight="bold", va="center")
        ax.plot([0.02, _ACROSS - 0.06], [top + 0.6, top + 0.6], color=style.LINE, linewidth=1)
        top += 0.55
        groups = list(measures.groupby("measure", sort=False))
        for place, (name, rows) in enumerate(groups):
            rows = rows.sort_values("period", kind="stable")
            _cell(ax, place % _ACROSS, top + place // _ACROSS, name, rows, currency)
            said.append(_sentence(name, rows, currency))
        top += -(-len(groups) // _ACROSS)
    ax.set(xlim=(0, _ACROSS), ylim=(top + 0.05, 0.05))
    ax.set_axis_off()
    marks = ", ".join(f"{sign} {word}" for word, (sign, _) in _STATUS.items())
    judged = f" {marks}." if "status" in history.columns and history["status"].notna().any() else ""
    aim = " Dotted: the target." if "target" in history.columns and history["target"].notna().any() else ""
    caption = f"Each small line has its own scale; its dot is the last value.{aim}{judged}"
    return style.describe(ax, alt=f"Small lines of {len(said)} measures. " + " ".join(said), caption=caption)


def _cell(ax: Axes, column: int, top: float, name: str, rows: pd.DataFrame, currency: str) -> None:
    unit = _last(rows, "unit") or ""
    values = rows["value"].astype(float).to_numpy()
    known = values[~np.isnan(values)]
    text = number(known[-1], unit, currency=currency) if len(known) else "no value yet"
    ax.text(
        column + 0.02,
        top + 0.27,
        short(_last(rows, "label") or name, 26),
        color=style.MUTED,
        fontsize=style.SMALL,
        va="center",
    )
    ax.text(
        column + 0.02,
        top + 0.63,
        text,
        fontsize=13 if len(known) else style.SMALL,
        va="center",
        fontweight="bold" if len(known) else "normal",
        color=style.INK if len(known) else style.MUTED,
    )
    sign, colour = _STATUS.get(str(_last(rows, "status")), ("", style.MUTED))
    ax.text(column + 0.9, top + 0.27, sign, color=colour, fontsize=style.SMALL, va="center", ha="center")
    if len(known):
        _spark(ax, column, top, values, _last(rows, "target"))


def _spark(ax: Axes, column: int, top: float, values: np.ndarray, target: float | None) -> None:
    aim = [] if target is None else [float(target)]
    low, high = np.nanmin([*values, *aim]), np.nanmax([*values, *aim])
    extent = (high - low) or 1.0
    x = column + 0.55 + 0.37 * (np.arange(len(values)) / max(len(values) - 1, 1))
    y = (
        top + 0.86 - 0.42 * (values - low) / extent
        if high > low
        else np.where(np.isnan(values), np.nan, top + 0.65)
    )
    for each in aim:
        level = top + 0.86 - 0.42 * (each - low) / extent
        ax.plot([x[0], column + 0.92], [level, level], linestyle=(0, (1, 2)), color=style.MUTED, linewidth=1)
    ax.plot(x, y, color=style.BLUE, linewidth=1.6)
    last = np.flatnonzero(~np.isnan(values))[-1]
    ax.plot(x[last], y[last], "o", color=style.BLUE, markersize=4)


def _last(rows: pd.DataFrame, name: str) -> object:
    known = rows[name].dropna() if name in rows.columns else rows["value"].iloc[:0]
    return known.iloc[-1] if len(known) else None


def _sentence(name: str, rows: pd.DataFrame, currency: str) -> str:
    known, unit = rows["value"].dropna(), _last(rows, "unit") or ""
    words = told(_last(rows, "label") or name)
    if known.empty:
        return f"{words}: no value yet."
    status = _last(rows, "status")
    course = number(known.iloc[-1], unit, currency=currency)
    if len(known) > 1:
        course = f"{number(known.iloc[0], unit, currency=currency)} to {course}"
    return f"{words}: {course}{', ' + str(status) if status else ''}."
