"""Groups side by side: a dot and its interval each, or differences against zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import grain_of, period_words, short, told, wrapped
from plgkit.charts.units import Scale, number, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _height(frame: pd.DataFrame) -> float:
    frame = frame[frame["value"].notna()] if "value" in frame.columns else frame
    rows = len(frame)
    if "period" in frame.columns:
        rows = int(frame.groupby("period").size().max()) if rows else 0
    return 1.0 + 0.36 * min(max(rows, 2), 24)


@style.chart(height=_height)
def dots(
    frame: pd.DataFrame,
    *,
    label: str | None = None,
    value: str = "value",
    unit: str | None = None,
    reference: float | None = None,
    least: int = 5,
    ax: Axes | None = None,
) -> Axes:
    """Draw one dot with its interval per group.

    Parameters
    ----------
    frame
        One row per group: its name, value, low, high, and where known denominator or n. Of several
        periods the last that is over is drawn.
    label, value
        The columns; the names are found by themselves.
    unit
        What the values count; the frame's own by default.
    reference
        A value to compare with, drawn as a dotted line.
    least
        A group of fewer people is greyed.
    ax
        Where to draw; a new figure by default.
    """
    unit, currency = style.unit_of(frame, unit), frame.attrs.get("currency", "")
    rows, when = _last_over(frame)
    rows = rows[rows[value].notna()].sort_values(value, ascending=False, kind="stable")
    if rows.empty:
        return style.note(ax, "There is nothing to draw yet: no group has a value.")
    label = style.names_of(rows, label, value)
    axis = scale(unit, float(rows[value].abs().max()), currency=currency)
    sizes = _sizes(rows)
    small = (sizes < least).to_numpy()
    hues = [("#b3b9c1" if each else style.BLUE) for each in small]
    _points(ax, rows, value, axis, hues, filled=np.ones(len(rows), dtype=bool))
    texts = [
        number(each, unit, currency=currency) + ("" if pd.isna(n) else f"  n {n:,.0f}")
        for each, n in zip(rows[value], sizes, strict=True)
    ]
    _beside(ax, texts, [style.MUTED] * len(rows))
    if reference is not None:
        ax.axvline(reference * axis.times, linestyle=(0, (1, 2)), color=style.MUTED, linewidth=1.4, zorder=1)
    _finish(ax, rows[label], axis)
    listed = ", ".join(
        f"{told(name)} {text.replace('  n ', ' of ')}" for name, text in zip(rows[label], texts, strict=True)
    )
    said = [
        "Dot: the value.",
        f"Line: the interval ({style.level_of(frame)}). Groups whose lines do not overlap differ by more than chance.",
    ]
    said += [f"Grey: fewer than {least}."] if small.any() else []
    said += [f"Dotted: {number(reference, unit, currency=currency)}."] if reference is not None else []
    said += [f"Period: {when}."] if when else []
    return style.describe(ax, alt=f"{unit or value} by group: {listed}.", caption=" ".join(said))


@style.chart(height=_height)
def differences(
    frame: pd.DataFrame,
    *,
    label: str | None = None,
    value: str | None = None,
    unit: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw differences with their intervals against zero: filled where zero is outside.

    Parameters
    ----------
    frame
        One row per comparison: its name, difference (or value), low, high.
    label, value
        The columns; found by themselves.
    unit
        What the differences count; the frame's own by default. Those of shares are in points.
    ax
        Where to draw; a new figure by default.
    """
    value = value or ("difference" if "difference" in frame.columns else "value")
    unit = style.unit_of(frame, unit) or ("share" if frame[value].abs().max() <= 1 else "")
    rows = frame[frame[value].notna()]
    if rows.empty:
        return style.note(ax, "There is nothing to draw yet: no two groups can be compared.")
    label = style.names_of(rows, label, value)
    axis = _points_scale(scale(unit, float(rows[value].abs().max())))
    clear = ((rows["low"] > 0) | (rows["high"] < 0)).to_numpy()
    hues = [
        style.MUTED if not sure else style.BLUE if each > 0 else style.ORANGE
        for sure, each in zip(clear, rows[value], strict=True)
    ]
    _points(ax, rows, value, axis, hues, filled=clear)
    texts = [_signed(each, unit, axis) for each in rows[value]]
    _beside(ax, texts, [style.text_colour(hue) for hue in hues])
    ax.axvline(0, color=style.INK, linewidth=1.1, zorder=1)
    _finish(ax, rows[label], axis)
    listed = ", ".join(
        f"{told(name)} {text} ({_signed(low, unit, axis)} to {_signed(high, unit, axis)})"
        for name, text, low, high in zip(rows[label], texts, rows["low"], rows["high"], strict=True)
    )
    return style.describe(
        ax,
        alt=f"Differences against zero: {listed}.",
        caption=f"Line: the interval ({style.level_of(frame)}). Filled: zero is outside it. Hollow: cannot tell.",
    )


def _points_scale(axis: Scale) -> Scale:
    if axis.kind != "share":
        return axis
    return axis._replace(
        label="difference, percentage points",
        tick=lambda value, _: f"{round(value * 100, 2):+g}" if abs(value) > 1e-9 else "0",
    )


def _last_over(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    if "period" not in frame.columns or frame["period"].nunique() < 2:
        return frame, ""
    over = frame if "open_from" not in frame.attrs else frame[frame["period"] < pd.Timestamp(frame.attrs["open_from"])]
    if "complete" in frame.columns:
        over = over[over["complete"].fillna(False).astype(bool)]
    elif "immature" in frame.columns:
        waiting = over.groupby("period")["immature"].sum()
        over = over[over["period"].isin(waiting[waiting == 0].index)]
    day = over["period"].max() if len(over) else frame["period"].max()
    return frame[frame["period"] == day], period_words(day, grain_of(frame["period"]))


def _sizes(rows: pd.DataFrame) -> pd.Series:
    for name in ("n", "denominator", "people"):
        if name in rows.columns:
            return rows[name].astype(float)
    return pd.Series(np.nan, index=rows.index)


def _points(
    ax: Axes, rows: pd.DataFrame, value: str, axis: Scale, hues: list[str], *, filled: np.ndarray
) -> None:
    for place, (hue, full) in enumerate(zip(hues, filled, strict=True)):
        row = rows.iloc[place]
        if {"low", "high"} <= set(rows.columns) and not pd.isna(row[["low", "high"]]).any():
            ax.plot(
                [row["low"] * axis.times, row["high"] * axis.times],
                [place, place],
                color=hue,
                alpha=0.45,
                linewidth=4,
                solid_capstyle="butt",
                zorder=2,
            )
        ax.plot(
            [row[value] * axis.times],
            [place],
            "o",
            color=hue,
            markersize=7.5,
            zorder=3,
            markerfacecolor=hue if full else "white",
            markeredgewidth=1.6,
        )


def _beside(ax: Axes, texts: list[str], hues: list[str]) -> None:
    for place, (text, hue) in enumerate(zip(texts, hues, strict=True)):
        ax.annotate(
            text,
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
            color=hue,
            annotation_clip=False,
        )


def _finish(ax: Axes, names: pd.Series, axis: Scale) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.set_yticks(range(len(names)), [wrapped(each, 30, most=52) for each in names], color=style.INK)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.margins(x=0.05)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda each, _: axis.tick(each, _).replace("-", "−")))
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.set_xlabel(short(axis.label, 60))


def _signed(value: float, unit: str, axis: Scale) -> str:
    if pd.isna(value):
        return "not known"
    if axis.kind == "share":
        return f"{value * 100:+.1f} points".replace("-", "−")
    return ("+" if value > 0 else "") + number(value, unit).replace("-", "−")
