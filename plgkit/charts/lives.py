"""Lifetimes: what customers bring month by month by each method, and a forecast against what then came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import Label, end_labels, short, told
from plgkit.charts.units import Scale, compact, number, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HUES = {"survival": style.BLUE, "sbg": style.GREEN, "formula": style.ORANGE}


@style.chart(height=3.6)
def lifetimes(frame: pd.DataFrame, *, method: str | None = None, unit: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw what a customer has brought by each month of its life, with bands; dashed where nobody was watched so long.

    Parameters
    ----------
    frame
        A lifetime curve: method, x, value, low, high, at_risk; with a column of segments, one method at a time is drawn.
    method
        The method to draw; all by default, and "survival" where there are segments.
    unit
        What the values count; the frame's own by default.
    ax
        Where to draw; a new figure by default.
    """
    unit, currency = style.unit_of(frame, unit) or "currency", frame.attrs.get("currency", "")
    segment = style.segment_of(frame.drop(columns="method"))
    method = method or ("survival" if segment else None)
    known = frame.dropna(subset=["value"])
    known = known[known["method"] == method] if method else known
    if known.empty:
        return style.note(ax, "There is nothing to draw yet: too few accounts were seen to leave.")
    parts = style.groups(known, segment or "method")
    parts = {name: part.sort_values("x") for name, part in parts.items() if name != style.OTHERS}
    hues = style.colours(list(parts)) if segment else _HUES
    for name, part in parts.items():
        _line(ax, part, hues.get(name, style.DARK))
    _axes(ax, known, scale(unit, float(known["value"].max()), currency=currency), "months of life")
    end_labels(ax, [_label(name, part, unit, hues, known["x"].max()) for name, part in parts.items()], size=style.SMALL)
    ends = ", ".join(f"{told(name)} {number(part['value'].iloc[-1], unit, currency=currency)} after {part['x'].iloc[-1]} months"
                     for name, part in parts.items())
    dashed = " Dashed: no account has been watched for so long." if (known["at_risk"] == 0).any() else ""
    return style.describe(
        ax, alt=f"Money brought by a customer over months of life{f', by {method}' if method else ''}: {ends}.",
        caption=f"The bands hold what so many accounts leave plausible ({style.level_of(frame)}).{dashed}")


@style.chart(height=3.4)
def forecast(frame: pd.DataFrame, *, unit: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw what was to be expected at an earlier time, with its band, and what then came.

    Parameters
    ----------
    frame
        A forecast: x, value, low, high, actual; of segments, the largest is drawn.
    unit
        What the values count; the frame's own by default.
    ax
        Where to draw; a new figure by default.
    """
    unit, segment = style.unit_of(frame, unit) or "share", style.segment_of(frame)
    if segment:
        frame = frame[frame[segment] == frame.groupby(segment)["at_risk"].max().idxmax()]
    if not frame[["value", "actual"]].notna().any().all():
        return style.note(ax, "There is nothing to draw yet: too little was known for a forecast.")
    across = frame.attrs.get("x_unit", "months")
    axis = scale(unit, float(frame[["value", "actual"]].max().max()))
    x = frame["x"].to_numpy(dtype=float)
    low, high, value, actual = (frame[name].to_numpy(dtype=float) * axis.times for name in ("low", "high", "value", "actual"))
    ax.fill_between(x, low, high, color=style.BLUE, alpha=0.16, linewidth=0)
    ax.plot(x, value, color=style.BLUE, linestyle="--")
    ax.plot(x, actual, "o-", color=style.INK, markersize=3.5 if len(x) < 40 else 0, linewidth=1.6)
    _axes(ax, frame, axis, f"{across} from then", lowest=float(np.nanmin([*low, *actual])) if axis.kind == "share" else 0.0)
    last = frame.dropna(subset=["value", "actual"]).iloc[-1]
    end_labels(ax, [Label(last["value"] * axis.times, f"expected {number(last['value'], unit)}", style.text_colour(style.BLUE)),
                    Label(last["actual"] * axis.times, f"came {number(last['actual'], unit)}", style.INK, bold=True)], size=style.SMALL)
    held = bool((frame["actual"].between(frame["low"], frame["high"]) | frame["actual"].isna() | frame["low"].isna()).all())
    of = f" of {told(frame[segment].iloc[0])}" if segment else ""
    return style.describe(
        ax,
        alt=f"Forecast{of} of {unit} and what came, over {last['x']:.0f} {across}: expected {number(last['value'], unit)}, "
            f"came {number(last['actual'], unit)}; the actual line {'stays within' if held else 'leaves'} the band.",
        caption=f"Dashed: expected then, from what was known; the band holds what was to come for so many if the model is "
                f"right ({style.level_of(frame)}). Dots: what came.")


def _label(name: str, part: pd.DataFrame, unit: str, hues: dict[str, str], longest: float) -> Label:
    last = part.iloc[-1]
    where = f"\nafter {last['x']:.0f} months" if last["x"] < longest else ""
    return Label(float(last["value"]), f"{short(name, 18)} {number(last['value'], unit)}{where}",
                 style.text_colour(hues.get(name, style.DARK)), bold=True)


def _line(ax: Axes, part: pd.DataFrame, colour: str) -> None:
    x, value = part["x"].to_numpy(dtype=float), part["value"].to_numpy(dtype=float)
    ax.fill_between(x, part["low"].to_numpy(dtype=float), part["high"].to_numpy(dtype=float), color=colour, alpha=0.13, linewidth=0)
    watched = int((part["at_risk"] > 0).sum())
    if watched:
        ax.plot(x[:watched], value[:watched], color=colour, marker="o" if watched == 1 else None, zorder=3)
    if watched < len(x):
        start = max(watched - 1, 0)
        ax.plot(x[start:], value[start:], color=colour, linestyle="--", linewidth=1.6, zorder=3)


def _axes(ax: Axes, frame: pd.DataFrame, axis: Scale, label: str, *, lowest: float = 0.0) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    names = [name for name in ("value", "actual", "high") if name in frame.columns]
    # A few accounts leave an upper bound far above every line: the lines, not it, set the axis.
    lines = [name for name in names if name != "high"]
    top = min(float(np.nanmax(frame[names].to_numpy(dtype=float))), 2.2 * float(np.nanmax(frame[lines].to_numpy(dtype=float))))
    span = top * axis.times - lowest
    ax.set_ylim(max(lowest - 0.08 * span, 0.0) if lowest > 0 else 0.0, top * axis.times + 0.05 * span)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(axis.tick))
    ax.set_ylabel(short(axis.label, 40))
    ax.set_xlim(float(frame["x"].min()), float(max(frame["x"].max(), frame["x"].min() + 1)))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 3, 6, 10], integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(compact))
    ax.set_xlabel(label)
