"""What became of people over time, where one end forestalls the others: shares of all, stacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import Label, end_labels, short, told
from plgkit.charts.units import compact, number, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS = 800


@style.chart(height=3.9)
def outcomes(
    frame: pd.DataFrame,
    *,
    waiting: str = "on the way",
    x_label: str | None = None,
    x_unit: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the shares of all who ended in one way or another, and between them those who still wait.

    Parameters
    ----------
    frame
        Curves of one group: outcome, x, value, low, high, at_risk; the values of an x add up to 1.
    waiting
        The outcome that is none yet; drawn pale between the first, below, and the others, above.
    x_label
        Words under the x axis.
    x_unit
        Unit of x; with a unit of time the axis is written in what suits its length.
    ax
        Where to draw; a new figure by default.
    """
    names = [name for name in frame["outcome"].unique() if name != waiting]
    if not names or not frame["value"].notna().any():
        return style.note(ax, "There is nothing to draw yet: nobody was watched long enough.")
    curves = {name: _over_time(frame, name) for name in [*names, waiting]}
    across = scale(x_unit or frame.attrs.get("x_unit", ""), float(frame["x"].max()))
    grid = curves[names[0]].index.to_numpy(dtype=float) * across.times
    below, above = curves[names[0]], sum(curves[name]["value"] for name in names[1:])
    hues = dict(zip(names, style.PALETTE, strict=False))
    _edge(ax, grid, 0.0, below["value"], below["low"], below["high"], hues[names[0]])
    top = 1.0
    for name in names[1:]:
        curve = curves[name]
        _edge(ax, grid, top, top - curve["value"], top - curve["high"], top - curve["low"], hues[name])
        top = top - curve["value"]
    ax.set(xlim=(0, grid[-1] or 1), ylim=(0, 1), ylabel="share of all")
    ax.yaxis.set_major_formatter(lambda value, place: f"{value:.0%}")
    ax.xaxis.set_major_formatter(lambda value, place: compact(value, place))
    ax.set_xlabel(f"{short(x_label, 60)} ({across.label})" if x_label and across.label else x_label or across.label, loc="left")
    ends = {name: float(curve["value"].iloc[-1]) for name, curve in curves.items()}
    middle = {names[0]: ends[names[0]] / 2, waiting: (ends[names[0]] + 1 - (above.iloc[-1] if len(names) > 1 else 0)) / 2}
    start = 1.0
    for name in names[1:]:
        middle[name], start = start - ends[name] / 2, start - ends[name]
    labels = [Label(middle[name], f"{short(name, 18)} {number(ends[name], 'share')}",
                    style.text_colour(hues[name]) if name in hues else style.MUTED, bold=True) for name in curves]
    end_labels(ax, labels, size=style.SMALL, below=53)
    _still_waiting(ax, curves[waiting], across.times, waiting)
    said = ", ".join(f"{told(name)} {number(value, 'share')}" for name, value in ends.items())
    return style.describe(
        ax,
        alt=f"Shares of all over time; after {grid[-1]:.3g} {across.label}: {said}.",
        caption=f"At every moment the three add up to all; the lines' bands hold what so many people leave plausible "
                f"({style.level_of(frame)}). Below: how many are still {told(waiting)}.")


def _over_time(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """A curve at every time of the picture, no more of them than it has dots across."""
    grid = np.unique(frame["x"].to_numpy(dtype=float))
    if len(grid) > _MOST_POINTS:
        kept = np.searchsorted(grid, np.linspace(grid[0], grid[-1], _MOST_POINTS), side="right") - 1
        grid = grid[np.unique(kept)]
    own = frame[frame["outcome"] == name].sort_values("x", kind="stable").drop_duplicates("x", keep="last").set_index("x")
    place = np.maximum(np.searchsorted(own.index.to_numpy(dtype=float), grid, side="right") - 1, 0)
    return own.iloc[place].set_axis(pd.Index(grid, name="x"))


def _edge(ax: Axes, x: np.ndarray, base: object, y: pd.Series, low: pd.Series, high: pd.Series, colour: str) -> None:
    ax.fill_between(x, base, y.to_numpy(dtype=float), step="post", color=colour, alpha=0.18, linewidth=0)
    ax.fill_between(x, low.to_numpy(dtype=float), high.to_numpy(dtype=float), step="post", color=colour, alpha=0.25, linewidth=0)
    ax.plot(x, y.to_numpy(dtype=float), color=colour, drawstyle="steps-post", zorder=3)


def _still_waiting(ax: Axes, curve: pd.DataFrame, times: float, waiting: str) -> None:
    """Write under the axis, at its ticks, how many still wait."""
    left, right = ax.get_xlim()
    x = curve.index.to_numpy(dtype=float) * times
    below = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "annotation_clip": False,
             "va": "center", "fontsize": style.SMALL, "color": style.MUTED}
    ax.annotate(short(waiting, 24), (left, 0), xytext=(0, -46), ha="left", **below)
    for tick in (each for each in ax.get_xticks() if left <= each <= right):
        place = min(np.searchsorted(x, tick - 1e-9), len(x) - 1)
        ax.annotate(f"{curve['at_risk'].iloc[place]:,.0f}", (tick, 0), xytext=(0, -60),
                    ha="left" if tick == left else "right" if tick == right else "center", **below)
