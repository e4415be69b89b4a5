"""Curves over age or waiting time, with their bands, and how many are still watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import Label, end_labels, short, told
from plgkit.charts.units import Scale, compact, number, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS = 1500


@style.chart(height=3.5)
def curve(
    frame: pd.DataFrame,
    *,
    unit: str | None = None,
    x_label: str | None = None,
    x_unit: str | None = None,
    by: str | None = None,
    plateau: pd.DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a value over age, with its band: a line per group.

    Parameters
    ----------
    frame
        A curve: x, value, low, high.
    unit
        What the values count; the frame's own by default.
    x_label
        Words under the x axis.
    x_unit
        Unit of x; with a unit of time the axis is written in what suits its length.
    by
        The column of groups; found by itself.
    plateau
        A level at which the curve has turned flat: value, low, high, first_age, last_age; a missing level is not drawn.
    ax
        Where to draw; a new figure by default.
    """
    drawn = _curves(ax, frame, unit, x_label, x_unit, by, steps=False)
    return drawn if plateau is None else _level(drawn, plateau.dropna(subset=["value"]))


def _level(ax: Axes, plateau: pd.DataFrame) -> Axes:
    """Mark each level over the ages at which the curve is flat."""
    for row in plateau.itertuples():
        ax.plot([row.first_age, row.last_age], [row.value] * 2, color=style.ORANGE, linestyle="--", linewidth=1.6, zorder=4)
        ax.fill_between([row.first_age, row.last_age], row.low, row.high, color=style.ORANGE, alpha=0.12, linewidth=0)
    words = ax.figure.plgkit_description
    if len(plateau):
        levels = ", ".join(f"{value:.0%}" for value in plateau["value"])
        return style.describe(ax, alt=f"{words['alt']} Level at the end: {levels}.",
                              caption=f"{words['caption']} Dashed: the level at which the curve has turned flat.")
    return ax


def _height(frame: pd.DataFrame) -> float:
    segment = style.segment_of(frame)
    return 3.8 + 0.18 * min(frame[segment].nunique() if segment else 1, 6)


@style.chart(height=_height)
def survival(
    frame: pd.DataFrame,
    *,
    unit: str | None = None,
    x_label: str | None = None,
    x_unit: str | None = None,
    by: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how many have (or have not) got there over time, and below how many are still watched.

    Parameters
    ----------
    frame
        A curve: x, value, low, high, at_risk.
    unit
        What the values count; the frame's own by default.
    x_label
        Words under the x axis.
    x_unit
        Unit of x; with a unit of time the axis is written in what suits its length.
    by
        The column of groups; found by itself.
    ax
        Where to draw; a new figure by default.
    """
    return _curves(ax, frame, unit, x_label, x_unit, by, steps=True)


def _curves(
    ax: Axes,
    frame: pd.DataFrame,
    unit: str | None,
    x_label: str | None,
    x_unit: str | None,
    by: str | None,
    *,
    steps: bool,
) -> Axes:
    unit, segment = style.unit_of(frame, unit) or "share", style.segment_of(frame, by)
    frame = frame.sort_values("x", kind="stable")
    if not frame["value"].notna().any():
        return style.note(ax, "There is nothing to draw yet: nobody was watched long enough.")
    parts = {name: part for name, part in style.groups(frame, segment).items() if name != style.OTHERS}
    hues = style.colours(list(parts)) if segment else {"": style.BLUE}
    across = scale(x_unit or frame.attrs.get("x_unit", ""), float(frame["x"].max()))
    axis = scale(unit, float(frame["value"].abs().max()))
    for name, part in parts.items():
        _draw(ax, part, across.times, axis.times, hues[name], steps=steps)
    _axes(ax, frame, across.times, axis)
    ax.set_xlabel(_under(x_label, across.label), loc="left" if steps else "center")
    watched = steps and "at_risk" in frame.columns
    below = 40 + 13 * len(parts) if watched else 0
    end_labels(ax, _names(parts, hues, axis.times, unit, segment), size=style.SMALL, below=below)
    if watched:
        _at_risk(ax, parts, hues, across.times)
    return style.describe(
        ax,
        alt=_alt(parts, unit, across.times, across.label, segment),
        caption=_caption(frame, parts, segment, watched=watched),
    )


def _draw(ax: Axes, part: pd.DataFrame, x_times: float, times: float, colour: str, *, steps: bool) -> None:
    part = _thinned(part)
    x, y = part["x"].to_numpy(dtype=float) * x_times, part["value"].to_numpy(dtype=float) * times
    if len(x) == 1:
        ax.plot(x, y, "o", color=colour)
    ax.plot(x, y, color=colour, drawstyle="steps-post" if steps else "default", zorder=3)
    if {"low", "high"} <= set(part.columns):
        low, high = (part[name].to_numpy(dtype=float) * times for name in ("low", "high"))
        ax.fill_between(x, low, high, step="post" if steps else None, color=colour, alpha=0.14, linewidth=0)


def _thinned(part: pd.DataFrame) -> pd.DataFrame:
    """Keep no more points than the picture has dots across, each where the curve stands there."""
    if len(part) <= _MOST_POINTS:
        return part
    x = part["x"].to_numpy(dtype=float)
    kept = np.searchsorted(x, np.linspace(x[0], x[-1], _MOST_POINTS), side="right") - 1
    return part.iloc[np.unique(kept)]


def _axes(ax: Axes, frame: pd.DataFrame, x_times: float, axis: Scale) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    largest = float(
        np.nanmax(frame[[name for name in ("value", "high") if name in frame.columns]].to_numpy(dtype=float))
    )
    top = min(1.0, largest * 1.04) if axis.kind == "share" and largest <= 1 else largest * axis.times * 1.05
    if 0.97 < frame["value"].max() <= 1 and axis.kind == "share" and len(frame) > 1:
        top = 1.0
    ax.set_ylim(0 if frame["value"].min() >= 0 else None, (top or 1.0) * 1.015)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(axis.tick))
    ax.set_ylabel(short(axis.label, 40))
    last = float(frame["x"].max()) * x_times
    first = float(frame["x"].min()) * x_times
    ax.set_xlim(min(first, 0.0), last if last > first else first + 1)
    whole = (frame["x"] % 1 == 0).all() and x_times == 1
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=whole))
    ax.xaxis.set_major_formatter(FuncFormatter(compact))


def _under(words: str | None, unit: str) -> str:
    if words and unit and unit not in words:
        return f"{short(words, 60)} ({unit})"
    return short(words, 60) if words else unit


def _names(parts: dict, hues: dict, times: float, unit: str, segment: str | None) -> list[Label]:
    labels = []
    for name, part in parts.items():
        known = part[part["value"].notna()]
        if len(known):
            last = float(known["value"].iloc[-1])
            text = f"{short(name, 20)} " if segment else ""
            labels.append(
                Label(last * times, text + number(last, unit), style.text_colour(hues[name]), bold=True)
            )
    return labels


def _at_risk(ax: Axes, parts: dict[str, pd.DataFrame], hues: dict[str, str], x_times: float) -> None:
    """Write under the axis, at some of its ticks, how many are still watched."""
    left, right = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticks() if left <= tick <= right]
    ticks = ticks[:: max(1, -(-len(ticks) // 6))]
    below = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "annotation_clip": False}
    ax.annotate(
        "still watched",
        (left, 0),
        xytext=(0, -46),
        va="center",
        ha="left",
        color=style.MUTED,
        fontsize=style.SMALL,
        **below,
    )
    for row, (name, part) in enumerate(parts.items()):
        x, left_over = part["x"].to_numpy(dtype=float) * x_times, part["at_risk"].to_numpy(dtype=float)
        for tick in ticks:
            place = np.searchsorted(x, tick - 1e-9)
            count = left_over[place] if place < len(x) else 0
            ax.annotate(
                f"{count:,.0f}",
                (tick, 0),
                xytext=(0, -60 - 13 * row),
                va="center",
                ha="left" if tick == left else "right" if tick == right else "center",
                color=style.text_colour(hues[name]),
                fontsize=style.SMALL,
                **below,
            )


def _alt(parts: dict, unit: str, x_times: float, x_words: str, segment: str | None) -> str:
    said = [
        f"{'Curves' if len(parts) > 1 else 'Curve'} of {unit} by {told(segment) + ' and ' if segment else ''}time."
    ]
    for name, part in parts.items():
        known = part[part["value"].notna()]
        if known.empty:
            continue
        points = known.iloc[sorted({len(known) // 2, len(known) - 1})]
        values = (
            f"{number(value, unit)} at {x * x_times:.3g} {x_words}".strip()
            for x, value in zip(points["x"], points["value"], strict=True)
        )
        said.append((f"{told(name)}: " if segment else "") + ", ".join(values) + ".")
    return " ".join(said)


def _caption(frame: pd.DataFrame, parts: dict, segment: str | None, *, watched: bool) -> str:
    said = []
    if {"low", "high"} <= set(frame.columns) and frame["low"].notna().any():
        said.append(
            f"The band holds the values that so many people leave plausible ({style.level_of(frame)})."
        )
    if watched:
        said.append("Below: how many are still watched; people count until they leave or the data end.")
    more = frame[segment].nunique(dropna=False) - len(parts) if segment else 0
    if more > 0:
        said.append(f"{more} smaller groups are left out.")
    return " ".join(said) or "Each point is one age."
