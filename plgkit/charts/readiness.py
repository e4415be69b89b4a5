"""Points of leads: what each is worth by hand and by data, and whether more of them mean more payers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import short, told
from plgkit.charts.units import number, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HUES = (style.BLUE, style.ORANGE, style.GREEN)


def _height(frame: pd.DataFrame) -> float:
    return 1.3 + 0.34 * min(max(len(frame), 3), 24)


@style.chart(height=3.4)
def calibration(frame: pd.DataFrame, *, by: str | None = None, unit: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the share that paid by band of points, from the fewest up, with intervals: it should climb.

    Parameters
    ----------
    frame
        One row per band: band, points_from, value, low, high, denominator; with a column `by`, several lines.
    by
        The column of what is set side by side, at most three.
    unit
        What the values count; the frame's own by default.
    ax
        Where to draw; a new figure by default.
    """
    from matplotlib.ticker import FuncFormatter

    unit = style.unit_of(frame, unit) or "share of accounts"
    known = frame[frame["value"].notna()]
    if known.empty:
        return style.note(ax, "There is nothing to draw yet: no past day has had its days.")
    starts = sorted(known["points_from"].unique())
    places = {start: place for place, start in enumerate(starts)}
    axis = scale(unit, float(known[["value", "high"]].max().max()))
    parts = [(name, part) for name, part in known.groupby(by, sort=False)] if by else [("", known)]
    said = []
    for turn, (name, part) in enumerate(parts[: len(_HUES)]):
        part = part.sort_values("points_from")
        x = [places[start] + (turn - (len(parts) - 1) / 2) * 0.16 for start in part["points_from"]]
        ax.vlines(x, part["low"] * axis.times, part["high"] * axis.times, color=_HUES[turn], alpha=0.4, linewidth=4)
        ax.plot(x, part["value"] * axis.times, "o-", color=_HUES[turn], linewidth=1.2, markersize=7, clip_on=False, label=told(name) if by else None)
        said.append((f"{told(name)}: " if by else "") + ", ".join(
            f"{told(band)} {number(value, unit)} of {n:,.0f}" for band, value, n in zip(
                part["band"], part["value"], part["denominator"], strict=True)))
    bands = known.drop_duplicates("points_from").sort_values("points_from")["band"]
    ax.set_xticks(range(len(starts)), [short(each, 18) for each in bands])
    ax.set_xlim(-0.5, len(starts) - 0.5)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(FuncFormatter(axis.tick))
    ax.set_ylabel(short(axis.label, 40))
    ax.grid(visible=False, axis="x")
    if by:
        ax.legend(frameon=False, loc="upper left", fontsize=style.SMALL)
    return style.describe(ax, alt=f"{unit} by band of points: {'; '.join(said)}.",
                          caption=f"From the fewest points to the most; bar: the interval ({style.level_of(frame)}). It should climb from left to right.")


@style.chart(height=_height)
def points(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the points of each signal: set by hand (hollow) and fitted (filled, with its interval).

    Parameters
    ----------
    frame
        One row per signal: signal, hand, fitted, low, high, sure; the most telling first.
    ax
        Where to draw; a new figure by default.
    """
    known = frame[frame["fitted"].notna()]
    if known.empty:
        return style.note(ax, "There is nothing to draw yet: too few accounts paid to learn from.")
    for place, row in enumerate(known.itertuples()):
        hue = style.BLUE if row.sure else style.MUTED
        ax.plot([max(row.low, 0), max(row.high, 0)], [place, place], color=hue, alpha=0.4, linewidth=4, solid_capstyle="butt", zorder=2)
        ax.plot([row.fitted], [place], "o", color=hue, markersize=7.5, zorder=4)
        ax.plot([row.hand], [place], "D", markerfacecolor="white", markeredgecolor=style.ORANGE, markersize=7, markeredgewidth=1.6, zorder=3)
    ax.plot([], [], "o", color=style.BLUE, label="fitted")
    ax.plot([], [], "D", markerfacecolor="white", markeredgecolor=style.ORANGE, label="set by hand")
    ax.set_yticks(range(len(known)), [short(each, 34) for each in known["signal"]], color=style.INK)
    ax.set_ylim(len(known) - 0.4, -0.6)
    ax.set_xlabel("points")
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.legend(frameon=False, loc="lower right", fontsize=style.SMALL)
    listed = ", ".join(f"{told(row.signal)} {row.fitted:.0f} against {row.hand:g} by hand" for row in known.itertuples())
    return style.describe(ax, alt=f"Points fitted and set by hand: {listed}.",
                          caption=f"Bar: the interval of the fitted points ({style.level_of(frame)}). Grey: it may be nothing.")
