"""Series beside what was to be expected of them: one strip each, what is out of the usual marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import short, told
from plgkit.charts.units import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT, _MOST = 0.72, 6


def _names(frame: pd.DataFrame) -> pd.Series:
    """The name of each row's series: its measure, and its segment where there is one."""
    by = frame.attrs.get("by")
    return frame["label"] + (", " + frame[by].astype(str) if by else "")


def _height(frame: pd.DataFrame) -> float:
    return 0.6 + _HEIGHT * min(_names(frame).nunique(), _MOST)


@style.chart(height=_height)
def unusual(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each series over its expected range, each on a scale of its own, and mark what is out of the usual.

    Parameters
    ----------
    frame
        As `plgkit.scorecard.anomalies` gives it. Beyond six series, those with something unusual go first.
    ax
        Where to draw; a new figure by default.
    """
    names = _names(frame)
    known = frame["low"].notna() & frame["high"].notna()
    if not known.any():
        return style.note(ax, "There is nothing to draw: the history is too short to expect anything.")
    odd = (frame["kind"] != "").groupby(names, sort=False).sum()
    shown = list(odd.sort_values(ascending=False, kind="stable").index[:_MOST])
    shown = [name for name in odd.index if name in shown]
    said = [_strip(ax, frame[(names == name) & known], name, len(shown) - 1 - place) for place, name in enumerate(shown)]
    ax.set_ylim(-0.05, len(shown))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False)
    _dates(ax, frame["period"])
    left = f" {len(odd) - len(shown)} series more are not drawn." if len(odd) > len(shown) else ""
    return style.describe(
        ax, alt=" ".join(each for each in said if each) + left,
        caption="Band: what was to be expected of the series by its own past. Ring: out of the usual, with all values looked at taken "
        "into account. Each series has a scale of its own." + left)


def _strip(ax: Axes, rows: pd.DataFrame, name: str, base: int) -> str:
    """Draw one series in the strip above `base`, and say what it shows."""
    if rows.empty:
        return ""
    top = float(np.nanmax([rows["value"].max(), rows["high"].quantile(0.9)])) or 1.0
    least = float(np.nanmin([rows["value"].min(), rows["low"].min()]))
    place = {each: base + 0.04 + 0.62 * (rows[each].clip(upper=top) - least) / ((top - least) or 1.0) for each in ("value", "low", "high")}
    days = rows["period"].to_numpy()
    ax.fill_between(days, place["low"], place["high"], color=style.BLUE, alpha=0.16, linewidth=0)
    ax.plot(days, place["value"], color=style.INK, linewidth=1.2, zorder=3)
    odd = (rows["kind"] != "").to_numpy()
    ax.plot(days[odd], place["value"][odd], "o", color=style.ORANGE, markersize=8, markerfacecolor="none", markeredgewidth=2, zorder=4)
    last = rows.iloc[-1]
    ax.text(0.0, base + 0.82, short(name, 44), color=style.MUTED, fontsize=style.SMALL, va="center", transform=ax.get_yaxis_transform())
    text = _figure(last["value"], top)
    ax.annotate(text, (1, float(place["value"].iloc[-1])), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
                va="center", fontsize=style.SMALL, color=style.INK, annotation_clip=False)
    marked = ", ".join(f"{_figure(row.value, top)} on {pd.Timestamp(row.period):%d %b} (expected {_figure(row.expected, top)})"
                       for row in rows[odd].itertuples())
    return f"{told(name)}: last {text}{', out of the usual ' + marked if marked else ', nothing out of the usual'}."


def _figure(value: float, top: float) -> str:
    return number(value, "share" if top <= 1 else "people")


def _dates(ax: Axes, periods: pd.Series) -> None:
    from plgkit.charts.labels import date_axis

    date_axis(ax, periods)
