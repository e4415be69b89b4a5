"""How values are spread: histograms, days of use, and the longest list first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import short, told
from plgkit.charts.units import compact, number, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@style.chart(height=3.3)
def histogram(
    frame: pd.DataFrame,
    *,
    x: str | None = None,
    value: str | None = None,
    unit: str | None = None,
    x_label: str | None = None,
    x_unit: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how many fall into each bin.

    Parameters
    ----------
    frame
        One row per bin: where it begins, and how many are in it.
    x, value
        The two columns; the first two numbers of the frame by default.
    unit
        What is counted.
    x_label
        Words under the x axis.
    x_unit
        Unit of x; a unit of time is written in what suits its length.
    ax
        Where to draw; a new figure by default.
    """
    x, value = _columns(frame, x, value)
    rows = frame[[x, value]].astype(float).dropna().sort_values(x)
    if not len(rows) or not rows[value].any():
        return style.note(ax, "There is nothing to draw: every bin is empty.")
    across = scale(x_unit or frame.attrs.get("x_unit", ""), float(rows[x].max()))
    edges, counts = rows[x].to_numpy() * across.times, rows[value].to_numpy()
    apart = float(np.min(np.diff(edges))) if len(edges) > 1 else 1.0
    ax.bar(edges, counts, width=apart * 0.92, align="edge", color=style.BLUE)
    _counts(ax, scale(unit or value, counts.max()).label, counts.max())
    ax.set_xlabel(short(x_label or across.label or x, 60))
    middle = np.interp(0.5, np.cumsum(counts) / counts.sum(), edges)
    peak = edges[counts.argmax()]
    alt = (
        f"Histogram of {unit or value} by {x_label or x}: {number(counts.sum())} in all, most at "
        f"{peak:.3g} {across.label}, half of them up to about {middle:.3g} {across.label}."
    )
    return style.describe(ax, alt=alt, caption="Each bar counts those from its left edge up to the next.")


@style.chart(height=3.3)
def power_user(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many people were active on exactly so many days, and on at least so many.

    Parameters
    ----------
    frame
        One row per number of days: days, people, and where known at_least.
    ax
        Where to draw; a new figure by default.
    """
    names = [name for name in ("days", "active_days") if name in frame.columns]
    days, people = _columns(
        frame, names[0] if names else None, "people" if "people" in frame.columns else None
    )
    rows = frame.sort_values(days)
    counts = rows[people].astype(float).to_numpy()
    if not counts.any():
        return style.note(ax, "There is nothing to draw: nobody was active.")
    x = rows[days].astype(float).to_numpy()
    ax.bar(x, counts, width=0.8, color=style.BLUE)
    _counts(ax, "people", counts.max())
    ax.set_xlabel("days active")
    ax.set_xticks(x[:: max(1, -(-len(x) // 15))])
    ax.xaxis.set_major_formatter(compact)
    active = x > 0
    half = counts[active & (x >= x.max() / 2)].sum()
    share = half / counts[active].sum() if counts[active].sum() else 0.0
    alt = (
        f"Bars of people by number of days active: {number(counts[active].sum())} people; "
        f"{share:.0%} of them on {np.ceil(x.max() / 2):.0f} days or more."
    )
    return style.describe(
        ax,
        alt=alt,
        caption="Each bar counts the people active on exactly so many days; a rise at the right end is a habit.",
    )


def _height(frame: pd.DataFrame) -> float:
    return 0.7 + 0.33 * min(max(len(frame), 3), 20)


@style.chart(height=_height)
def ranked(
    frame: pd.DataFrame,
    *,
    label: str | None = None,
    value: str = "value",
    unit: str | None = None,
    top: int = 12,
    ax: Axes | None = None,
) -> Axes:
    """Draw the largest values as bars, the longest on top, with intervals where there are any.

    Parameters
    ----------
    frame
        One row per name: a column of names, `value`, and where known low and high.
    label, value
        The columns; the names are found by themselves.
    unit
        What the values count; the frame's own by default.
    top
        How many to draw.
    ax
        Where to draw; a new figure by default.
    """
    unit, currency = style.unit_of(frame, unit), frame.attrs.get("currency", "")
    label = style.names_of(frame, label, value)
    rows = frame[frame[value].notna()].sort_values(value, ascending=False, kind="stable").head(top)
    if rows.empty:
        return style.note(ax, "There is nothing to draw: no row has a value.")
    axis = scale(unit, float(rows[value].abs().max()), currency=currency)
    places, sizes = np.arange(len(rows)), rows[value].astype(float).to_numpy() * axis.times
    ax.barh(places, sizes, height=0.62, color=[style.BLUE if size >= 0 else style.ORANGE for size in sizes])
    ends = np.maximum(sizes, 0.0)
    if {"low", "high"} <= set(rows.columns):
        low, high = (rows[name].astype(float).to_numpy() * axis.times for name in ("low", "high"))
        ax.hlines(places, low, high, color=style.INK, alpha=0.6, linewidth=1.3)
        ends = np.fmax(ends, high)
    for place, end in enumerate(ends):
        ax.annotate(
            number(rows[value].iloc[place], unit, currency=currency).replace("-", "−"),
            (end, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
            color=style.MUTED,
            annotation_clip=False,
        )
    ax.set_yticks(places, [short(each) for each in rows[label]], color=style.INK)
    ax.set(ylim=(len(rows) - 0.4, -0.6), xticks=[])
    ax.set_xlim(min(0.0, float(sizes.min())) * 1.05, max(float(np.nanmax(ends)), 1e-9))
    ax.grid(visible=False)
    ax.axvline(0, color=style.MUTED, linewidth=1)
    listed = ", ".join(
        f"{told(name)} {number(each, unit, currency=currency)}"
        for name, each in zip(rows[label].head(5), rows[value], strict=False)
    )
    rest = f" {len(frame) - len(rows)} more are not drawn." if len(frame) > len(rows) else ""
    whisk = (
        f" The thin line is the interval ({style.level_of(frame)})."
        if {"low", "high"} <= set(rows.columns)
        else ""
    )
    return style.describe(
        ax,
        alt=f"Bars of {told(unit or value)}, longest first: {listed}.",
        caption=f"The longest bar is on top.{whisk}{rest}",
    )


def _columns(frame: pd.DataFrame, x: str | None, value: str | None) -> tuple[str, str]:
    numbers = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    x = x or next(name for name in numbers if name != value)
    if value is None:
        value = (
            "people" if "people" in numbers and x != "people" else next(each for each in numbers if each != x)
        )
    return x, value


def _counts(ax: Axes, label: str, largest: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10], integer=largest >= 5))
    ax.yaxis.set_major_formatter(FuncFormatter(compact))
    ax.set_ylabel(short(label, 40))
