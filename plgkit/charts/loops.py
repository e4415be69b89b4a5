"""Growth loops: how many of a hundred get to each step, and what the last of them start again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import short, told, wrapped
from plgkit.charts.units import humane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WHOLE, _DAY = "the whole loop", 86_400


def _height(frame: pd.DataFrame) -> float:
    return 0.9 + 0.52 * max(int(frame["position"].max()), 2)


@style.chart(height=_height)
def loop(frame: pd.DataFrame, *, loop: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw one growth loop: a bar per step for each hundred who start, and the way from the last back to the first.

    Parameters
    ----------
    frame
        Loops, as `advocacy.loops` gives them: loop, position, step, entered, reached, value, days, year; of several periods
        or segments the first.
    loop
        The loop to draw; the first by default.
    ax
        Where to draw; a new figure by default.
    """
    name = loop or str(frame["loop"].iloc[0])
    rows = frame[frame["loop"] == name].drop_duplicates("position").sort_values("position")
    whole, steps = rows[rows["step"] == _WHOLE], rows[rows["step"] != _WHOLE]
    if whole.empty or not whole["entered"].iloc[0]:
        return style.note(ax, "There is nothing to draw yet: nobody has started so long ago that all its days are over.")
    end, entered = whole.iloc[0], float(whole["entered"].iloc[0])
    labels = [f"people who {end['start']}", *steps["step"]]
    sizes = [100.0, *(100 * each / entered for each in steps["reached"])]
    _bars(ax, sizes, labels, [None, *steps.itertuples()])
    _back(ax, sizes, end)
    said = ", then ".join(f"{_count(size)} {label}" for size, label in zip(sizes[1:], labels[1:], strict=True))
    return style.describe(
        ax, alt=f"Growth loop of {told(name)}: of 100 {labels[0]}, {said}. Each brings {end['value']:.2f} ({_days(end['days'])}); "
                f"in a year one becomes {_times(end['year'])}.",
        caption="Bars: how many for each hundred who start. Beside them: the part of the bar above that comes so far, or how many "
                "for each, the median time it takes, and how many more people there would be after a year, were it a point better. "
                "The arrow: those at the end start the loop anew.")


def _bars(ax: Axes, sizes: list[float], labels: list[str], rows: list) -> None:
    places = range(len(sizes))
    hues = [style.DARK, *[style.BLUE] * (len(sizes) - 2), style.GREEN]
    ax.barh(places, sizes, height=0.56, color=hues)
    for place, (size, row) in enumerate(zip(sizes, rows, strict=True)):
        ax.annotate(_count(size), (size, place), xytext=(6, 0), textcoords="offset points", va="center",
                    fontweight="bold", fontsize=style.SMALL)
        if row is None or pd.isna(row.value):
            continue
        part = f"{row.value:.2f} each" if row.unit == "each" else f"{row.value:.0%}"
        wait = "" if pd.isna(row.days) else f", {_days(row.days)}"
        better = "" if pd.isna(row.gain) else f"\na point: {row.gain:+.{1 if abs(row.gain) >= 0.1 else 2}f} a year"
        ax.annotate(part + wait + better, (size, place), xytext=(34 if size < 99.5 else 40, 0), textcoords="offset points",
                    va="center", fontsize=style.SMALL, color=style.MUTED)
    ax.set_yticks(places, [wrapped(short(each, 44), 24) for each in labels], color=style.INK)
    ax.set_ylim(len(sizes) - 0.45, -0.6)
    ax.set_xlim(0, 1.9 * max(sizes))
    ax.set_xticks([])
    ax.grid(visible=False)


def _back(ax: Axes, sizes: list[float], end: pd.Series) -> None:
    right, last = 1.6 * max(sizes), len(sizes) - 1
    ax.annotate("", xy=(right, 0), xytext=(right, last), arrowprops={
        "arrowstyle": "-|>", "color": style.GREEN, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0})
    for place in (0, last):
        ax.plot([right - 0.02 * max(sizes), right], [place, place], color=style.GREEN, linewidth=1.8)
    ax.annotate(f"each brings {end['value']:.2f}\n{_days(end['days'])} a turn\none becomes\n{_times(end['year'])} in a year",
                (right, last / 2), xytext=(8, 0), textcoords="offset points", va="center", fontsize=style.SMALL,
                color=style.text_colour(style.GREEN), fontweight="bold")


def _count(size: float) -> str:
    return f"{size:.1f}" if 0 < size < 10 else f"{size:.0f}"


def _days(days: float) -> str:
    return "no time known" if pd.isna(days) else humane(days * _DAY)


def _times(year: float) -> str:
    return "not known" if pd.isna(year) else "more than can be said" if year > 1e6 else f"{year:,.2f}"
