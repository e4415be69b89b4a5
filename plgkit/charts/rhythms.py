"""How soon people repeat: the curve, and where it crosses the share that sets the rhythm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@style.chart(height=3.4)
def repeating(frame: pd.DataFrame, *, share: float = 0.8, x_label: str = "days since the use before",
              ax: Axes | None = None) -> Axes:
    """Draw of those who repeat the share that has done so by each day, and the first day by which `share` has.

    Parameters
    ----------
    frame
        A curve: x (days), value, low, high; as `engagement.usage_interval_curve` gives it, without groups.
    share
        The part of those who repeat that sets the rhythm.
    x_label
        Words under the x axis.
    ax
        Where to draw; a new figure by default.
    """
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    x, y = frame["x"].to_numpy(dtype=float), frame["value"].to_numpy(dtype=float)
    if not np.isfinite(y).any():
        return style.note(ax, "There is nothing to draw yet: nobody repeats.")
    ax.plot(x, y, color=style.BLUE, drawstyle="steps-post", zorder=3)
    ax.fill_between(x, frame["low"], frame["high"], step="post", color=style.BLUE, alpha=0.14, linewidth=0)
    day = float(x[np.argmax(y >= share - 1e-12)])
    ax.plot([x[0], day, day], [share, share, 0], linestyle=(0, (1, 2)), color=style.MUTED, linewidth=1.4)
    ax.plot([day], [share], "o", color=style.ORANGE, markersize=6.5, zorder=4)
    words = f"{share:.0%} within {day:.0f} {'day' if day == 1 else 'days'}"
    ax.annotate(words, (day, share), xytext=(9, -14), textcoords="offset points", fontweight="bold",
                color=style.text_colour(style.ORANGE))
    ax.set(ylim=(0, 1.015), xlim=(0, max(x.max(), 1)), ylabel="share of those who repeat")
    ax.set_xlabel(short(x_label, 60))
    ax.xaxis.set_major_locator(MultipleLocator(7 if x.max() <= 90 else 30))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    at = {each: float(np.interp(each, x, y)) for each in (1, 7, 28) if each <= x.max()}
    known = ", ".join(f"{value:.0%} within {each} {'day' if each == 1 else 'days'}" for each, value in at.items())
    return style.describe(
        ax,
        alt=f"Curve of how soon people repeat, of those who do within {x.max():.0f} days: {known}; {words}.",
        caption=f"Band: the interval ({style.level_of(frame)}). Dotted: the day by which {share:.0%} of those who "
        "repeat have done so.",
    )
