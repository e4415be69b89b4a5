"""Experiments: two intervals for each comparison, the result as it stood on every day, and what waiting would find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import Label, date_axis, end_labels, short, told, wrapped
from plgkit.charts.units import number, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ALWAYS = ("always_low", "always_high")


def _height(frame: pd.DataFrame) -> float:
    return 1.2 + 0.4 * min(max(len(frame[frame["value"].notna()]), 2), 20)


@style.chart(height=_height)
def verdicts(frame: pd.DataFrame, *, label: str, unit: str = "share", ax: Axes | None = None) -> Axes:
    """Draw a change with two intervals per comparison: thick for one look at the end, thin for as many looks as one likes.

    Parameters
    ----------
    frame
        One row per comparison: its name, value, low, high, always_low, always_high (missing where there is none).
    label
        The column of names.
    unit
        What the changes count.
    ax
        Where to draw; a new figure by default.
    """
    rows = frame[frame["value"].notna()].iloc[::-1].reset_index(drop=True)
    if rows.empty:
        return style.note(ax, "There is nothing to draw yet: nothing could be compared.")
    axis = scale(unit, float(rows["value"].abs().max()))
    # A few people leave an interval far wider than all others: the narrow ones set the axis.
    reach = 1.25 * float(np.nanmax(rows[["low", "high"]].abs().clip(upper=3 * float(np.nanmedian(rows[["low", "high"]].abs())))))
    for place, row in rows.iterrows():
        clear = row["low"] > 0 or row["high"] < 0
        hue = style.MUTED if not clear else style.BLUE if row["value"] > 0 else style.ORANGE
        ends = [row[each] for each in _ALWAYS]
        if not any(map(pd.isna, ends)):
            ax.plot(np.clip(ends, -reach, reach) * axis.times, [place, place], color=hue, linewidth=1.2, zorder=2)
        if not (pd.isna(row["low"]) or pd.isna(row["high"])):
            ax.plot(np.clip([row["low"], row["high"]], -reach, reach) * axis.times, [place, place], color=hue, alpha=0.45, linewidth=5,
                    solid_capstyle="butt", zorder=2)
        ax.plot([np.clip(row["value"], -reach, reach) * axis.times], [place], "o", color=hue, markersize=7, zorder=3,
                markerfacecolor=hue if clear else "white", markeredgewidth=1.6)
        ax.annotate(f"{round(row['value'] * 100) + 0.0:+.0f}%".replace("+0%", "0%") if unit.startswith("share") else number(row["value"], unit), (1, place),
                    xycoords=("axes fraction", "data"), xytext=(10, 0), textcoords="offset points", va="center", fontsize=style.SMALL,
                    color=style.text_colour(hue))
    ax.axvline(0, color=style.INK, linewidth=1.1, zorder=1)
    ax.set(xlim=(-1.04 * reach * axis.times, 1.04 * reach * axis.times), ylim=(-0.6, len(rows) - 0.4), xlabel="change against the control")
    ax.set_yticks(range(len(rows)), [wrapped(each, 32, most=60) for each in rows[label]])
    ax.xaxis.set_major_formatter(axis.tick)
    ax.grid(visible=False, axis="y")
    listed = ", ".join(f"{told(row[label])} {row['value']:+.0%} ({row['low']:+.0%} to {row['high']:+.0%})" for _, row in rows.iloc[::-1].iterrows())
    return style.describe(ax, alt=f"Relative changes against the control: {listed}.",
                          caption=f"Thick: the interval for one look at the end ({style.level_of(frame)}). Thin: the one that holds however often "
                                  "one looks. Filled: zero is outside the thick one.")


@style.chart(height=3.5)
def looks(frame: pd.DataFrame, *, unit: str = "share", ax: Axes | None = None) -> Axes:
    """Draw a difference as it stood on every day, in the band for one look and the one for all.

    Parameters
    ----------
    frame
        Of one variant: day, difference, low, high, always_low, always_high.
    unit
        What the differences count.
    ax
        Where to draw; a new figure by default.
    """
    rows = frame.dropna(subset=["low", "high"])
    if rows.empty:
        return style.note(ax, "There is nothing to draw yet: too few people's days are over.")
    axis = scale(unit, float(rows["difference"].abs().max()))
    days = rows["day"].to_numpy()
    for (low, high), alpha in ((_ALWAYS, 0.12), (("low", "high"), 0.3)):
        ax.fill_between(days, rows[low].to_numpy(dtype=float) * axis.times, rows[high].to_numpy(dtype=float) * axis.times, color=style.BLUE,
                        alpha=alpha, linewidth=0)
    ax.plot(days, rows["difference"].to_numpy() * axis.times, color=style.BLUE)
    ax.axhline(0, color=style.INK, linewidth=1.1)
    reach = 1.3 * float(np.nanquantile(rows[["low", "high"]].abs().to_numpy(), 0.9)) * axis.times
    ax.set(ylim=(-reach, reach))
    if axis.kind == "share":
        ax.yaxis.set_major_formatter(lambda value, _: f"{round(value * 100, 1):+g}" if abs(value) > 1e-9 else "0")
        ax.set_ylabel("difference, percentage points")
    else:
        ax.set_ylabel("difference")
    date_axis(ax, rows["day"])
    crossed = int(((rows["low"] > 0) | (rows["high"] < 0)).sum())
    always = int(((rows["always_low"] > 0) | (rows["always_high"] < 0)).sum())
    return style.describe(
        ax, alt=f"The difference day by day over {len(rows)} days: zero is outside the narrow band on {crossed} of them, outside the wide one on {always}.",
        caption=f"Line: the difference as it stood. Dark band: the interval for one look ({style.level_of(frame)}). Pale band: the one "
                "that holds at all looks together.")


@style.chart(height=3.4)
def waits(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw which relative change the people of so many weeks would find, per experiment; dotted the one that is worth having.

    Parameters
    ----------
    frame
        Of one metric per experiment: experiment, weeks, value (the smallest relative change), worth (or missing).
    ax
        Where to draw; a new figure by default.
    """
    rows = frame.dropna(subset=["value"])
    if rows.empty:
        return style.note(ax, "There is nothing to draw yet: the data do not reach back before any start.")
    parts = style.groups(rows, "experiment")
    hues, labels, said = style.colours(list(parts)), [], []
    top = min(1.5 * float(rows["value"].quantile(0.75)), float(rows["value"].max())) * 1.1
    for name, part in parts.items():
        part = part.sort_values("weeks")
        hue, last = hues.get(name, style.MUTED), part.iloc[-1]
        ax.plot(part["weeks"], part["value"], color=hue, marker="o" if len(part) == 1 else None)
        if pd.notna(last["worth"]):
            ax.axhline(last["worth"], color=hue, linestyle=(0, (1, 2)), linewidth=1.3)
        labels.append(Label(float(last["value"]), f"{short(name, 18)} {last['value']:.0%}", style.text_colour(hue), bold=True))
        said.append(f"{told(name)} {last['value']:.0%} after {last['weeks']:.0f} weeks")
    ax.set(ylim=(0, top), xlabel="weeks of people", ylabel="smallest change found", xlim=(float(rows["weeks"].min()) - 0.2, float(rows["weeks"].max()) + 0.2))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    end_labels(ax, labels, size=style.SMALL)
    dotted = " Dotted: the change that would be worth having." if rows["worth"].notna().any() else ""
    return style.describe(ax, alt=f"Smallest relative change that the people of so many weeks find: {', '.join(said)}.",
                          caption=f"Four times in five.{dotted}")
