"""Lines over periods: rates, totals and medians, each with the band of its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import Label, date_axis, end_labels, grain_of, recent, short, shortened, span, told
from plgkit.charts.units import Scale, kind, number, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Units whose totals over all groups are the sum of those of each.
_COUNTED = ("people", "accounts", "visitors", "sign-ups", "sessions", "trials", "invites")


@style.chart(height=3.5)
def trend(
    frame: pd.DataFrame,
    *,
    unit: str | None = None,
    target: float | None = None,
    by: str | None = None,
    least: int = 5,
    ax: Axes | None = None,
) -> Axes:
    """Draw a rate, a total or a median as a line over its periods, those of the last years.

    Parameters
    ----------
    frame
        A rate, a total or a distribution: period, value, and where they make sense low, high,
        `immature` (a count) or `complete` (a flag).
    unit
        What the values count; the frame's own by default.
    target
        A value to reach, drawn as a dotted line.
    by
        The column of groups; found by itself. Beyond six groups the smallest are "others".
    least
        A share of fewer people than this is left out: it says little, and its band covers all.
    ax
        Where to draw; a new figure by default.
    """
    unit = style.unit_of(frame, unit)
    whole, frame = frame["period"], _settled(recent(frame.sort_values("period", kind="stable")))
    few = _few(frame, unit, least)
    frame.loc[few, ["value", "low", "high"]] = np.nan
    if not frame["value"].notna().any():
        return style.note(ax, _why_nothing(frame, few, least))
    currency = frame.attrs.get("currency", "")
    segment = style.segment_of(frame.drop(columns="settled"), by)
    parts = style.groups(frame, segment, sums=unit.split(" ")[0] in _COUNTED)
    axis = scale(unit, _largest(frame, target), currency=currency)
    hues = style.colours(list(parts))
    for name, part in parts.items():
        _line(
            ax,
            _settled(part),
            axis,
            hues[name] if segment else style.BLUE,
            band=0.16 if len(parts) < 4 else 0.07,
        )
    _frame_axes(ax, frame, axis, target)
    _mark_open(ax, frame)
    end_labels(ax, _ends(ax, parts, hues, axis, unit, currency, target, segment), size=style.SMALL)
    return style.describe(
        ax,
        alt=_alt(frame, parts, unit, currency, target, segment),
        caption=" ".join(
            [
                _caption(frame, parts, unit, target, segment),
                *([f"A gap: fewer than {least} people."] if few.any() else []),
                *shortened(whole, frame["period"]),
            ]
        ),
    )


def _settled(frame: pd.DataFrame) -> pd.DataFrame:
    """Mark the periods whose number can still move."""
    settled = pd.Series(True, index=frame.index)
    if "immature" in frame.columns:
        settled &= frame["immature"].fillna(0).astype(float) <= 0
    if "complete" in frame.columns:
        settled &= frame["complete"].fillna(False).astype(bool)
    if frame.attrs.get("open_from"):
        settled &= frame["period"] < pd.Timestamp(frame.attrs["open_from"])
    names = [name for name in ("value", "low", "high") if name in frame.columns]
    # A ratio to nothing has no place on an axis.
    numbers = {name: frame[name].astype(float).replace([np.inf, -np.inf], np.nan) for name in names}
    return frame.assign(settled=settled, **numbers)


def _few(frame: pd.DataFrame, unit: str, least: int) -> pd.Series:
    """Mark the shares of fewer people than are needed to say anything."""
    if kind(unit) != "share" or "denominator" not in frame.columns or "low" not in frame.columns:
        return pd.Series(False, index=frame.index)
    return (frame["denominator"].fillna(0) < least) & frame["value"].notna()


def _why_nothing(frame: pd.DataFrame, few: pd.Series, least: int) -> str:
    if few.any():
        return f"There is nothing to draw: no period has {least} people."
    if "immature" in frame.columns and frame["immature"].fillna(0).sum() > 0:
        return "There is nothing to draw yet: nobody has had all the time that counts."
    return "There is nothing to draw: no period has a value."


def _largest(frame: pd.DataFrame, target: float | None) -> float:
    return float(np.nanmax([abs(frame["value"].max()), abs(frame["value"].min()), abs(target or 0.0)]))


def _line(ax: Axes, part: pd.DataFrame, axis: Scale, colour: str, *, band: float) -> None:
    x = part["period"].to_numpy()
    y = part["value"].to_numpy() * axis.times
    settled = part["settled"].to_numpy()
    solid = np.where(settled, y, np.nan)
    ax.plot(x, solid, color=colour, zorder=3)
    if {"low", "high"} <= set(part.columns):
        low, high = (np.where(settled, part[name] * axis.times, np.nan) for name in ("low", "high"))
        ax.fill_between(x, low, high, color=colour, alpha=band, linewidth=0, zorder=2)
    known = ~np.isnan(solid)
    alone = known & ~np.append(known[1:], False) & ~np.append(False, known[:-1])
    if alone.any():
        ax.plot(x[alone], y[alone], "o", color=colour, markersize=5, zorder=4)
        if {"low", "high"} <= set(part.columns):
            ax.vlines(x[alone], low[alone], high[alone], color=colour, alpha=0.4, linewidth=3, zorder=3)
    last = np.flatnonzero(known)
    open_ = np.flatnonzero(~settled & ~np.isnan(y))
    if len(open_):
        ends = np.append(last[-1:], open_) if len(last) and last[-1] < open_[0] else open_
        ax.plot(x[ends], y[ends], linestyle=(0, (2, 2)), color=colour, linewidth=1.2, zorder=3)
        ax.plot(x[open_], y[open_], "o", color=colour, markerfacecolor="white", markersize=5, zorder=4)


def _frame_axes(ax: Axes, frame: pd.DataFrame, axis: Scale, target: float | None) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    bounds = frame.loc[frame["settled"], [name for name in ("low", "high") if name in frame.columns]]
    seen = [
        frame["value"].to_numpy().ravel(),
        bounds.to_numpy(dtype=float).ravel(),
        [target if target is not None else np.nan],
    ]
    values = np.concatenate(seen) * axis.times
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if axis.kind != "share" and low >= 0:
        low = 0.0
    high = high if high > low else low + (0.05 if axis.kind == "share" else max(abs(low) * 0.5, 1.0))
    room = max((high - low) * 0.06, 0.01 if axis.kind == "share" else abs(high) * 0.06, 1e-9)
    floor = 0.0 if low >= 0 else low - room
    bottom = max(low - room, floor) if low >= 0 else low - room
    top = min(high + room, 1.0) if axis.kind == "share" and high <= 1 else high + room
    # A line on the very edge would be half cut off.
    edge = 0.012 * (top - bottom)
    ax.set_ylim(bottom - edge, top + edge)
    ax.yaxis.set_major_locator(
        MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10], integer=axis.kind == "number" and high >= 5)
    )
    ax.yaxis.set_major_formatter(FuncFormatter(axis.tick))
    ax.set_ylabel(short(axis.label, 40))
    date_axis(ax, frame["period"])
    if target is not None:
        ax.axhline(target * axis.times, linestyle=(0, (1, 2)), color=style.MUTED, linewidth=1.4, zorder=2.5)


def _mark_open(ax: Axes, frame: pd.DataFrame) -> None:
    """Shade the periods at the end whose number can still move."""
    from matplotlib.dates import date2num

    days = frame["period"].drop_duplicates()
    waiting = frame.loc[~frame["settled"] & frame["value"].notna(), "period"]
    over = days[days < waiting.min()] if len(waiting) else days
    if waiting.empty or over.empty:
        return
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, top + 0.09 * (top - bottom))
    left, right = ax.get_xlim()
    start = date2num(over.max() + (waiting.min() - over.max()) / 2)
    ax.axvspan(start, right, color=style.PALE, alpha=0.6, linewidth=0, zorder=0)
    ax.set_xlim(left, right)
    ax.text(
        0.995,
        0.99,
        "not over yet",
        transform=ax.transAxes,
        ha="right",
        va="top",
        fontsize=style.SMALL,
        color=style.MUTED,
    )


def _ends(
    ax: Axes,
    parts: dict[str, pd.DataFrame],
    hues: dict[str, str],
    axis: Scale,
    unit: str,
    currency: str,
    target: float | None,
    segment: str | None,
) -> list[Label]:
    labels = []
    if target is not None:
        labels.append(
            Label(target * axis.times, f"target {number(target, unit, currency=currency)}", style.MUTED)
        )
    for name, part in parts.items():
        known = _settled(part[part["value"].notna()])
        if known.empty:
            continue
        settled = known[known["settled"]]
        last = (settled if len(settled) else known).iloc[-1]
        colour = style.text_colour(hues[name] if segment else style.BLUE)
        value = number(last["value"], unit, currency=currency)
        if segment:
            labels.append(Label(last["value"] * axis.times, f"{short(name, 20)} {value}", colour, bold=True))
        elif len(settled) and len(settled) < len(known):
            _beside(ax, settled["value"].to_numpy() * axis.times, last["period"], value, colour)
        else:
            labels.append(Label(last["value"] * axis.times, value, colour, bold=True))
    return labels


def _beside(ax: Axes, course: np.ndarray, x: pd.Timestamp, text: str, colour: str) -> None:
    """Write the last value on the side of its point that the line does not come from."""
    from matplotlib.patheffects import withStroke

    below = len(course) > 1 and course[-2] > course[-1]
    ax.annotate(
        text,
        (x, course[-1]),
        xytext=(0, -9 if below else 9),
        textcoords="offset points",
        ha="center",
        va="top" if below else "bottom",
        color=colour,
        fontweight="bold",
        zorder=6,
        path_effects=[withStroke(linewidth=3, foreground="white")],
    )


def _alt(
    frame: pd.DataFrame,
    parts: dict[str, pd.DataFrame],
    unit: str,
    currency: str,
    target: float | None,
    segment: str | None,
) -> str:
    what = currency if kind(unit) == "money" and currency else unit or "values"
    if segment:
        courses = " ".join(
            f"{told(name)}: {_course(_settled(part), unit, currency)}" for name, part in parts.items()
        )
        sentences = [f"Lines of {what} by {told(segment)} and {span(frame['period'])}.", courses]
    else:
        sentences = [f"Line of {what} by {span(frame['period'])}: {_course(frame, unit, currency)}"]
    if target is not None:
        sentences.append(f"Target: {number(target, unit, currency=currency)}.")
    waiting = frame.loc[~frame["settled"], "period"].nunique()
    if waiting:
        sentences.append(f"Not over yet: {waiting} of {frame['period'].nunique()} periods.")
    return " ".join(sentences)


def _course(part: pd.DataFrame, unit: str, currency: str) -> str:
    known = part[part["settled"] & part["value"].notna()]
    if known.empty:
        return "no period is over yet."
    values = [number(each, unit, currency=currency) for each in known["value"]]
    lows = known.iloc[-1].reindex(["low", "high"]).astype(float)
    within = ""
    if lows.notna().all():
        low, high = (number(each, unit, currency=currency) for each in lows)
        within = f" (interval {low} to {high})"
    return f"{values[-1]}{within}." if len(values) == 1 else f"from {values[0]} to {values[-1]}{within}."


def _caption(
    frame: pd.DataFrame, parts: dict[str, pd.DataFrame], unit: str, target: float | None, segment: str | None
) -> str:
    grain = grain_of(frame["period"])
    said = [f"Each point is one {grain}."]
    if {"low", "high"} <= set(frame.columns) and frame["low"].notna().any():
        said.append(
            f"The band holds the values that so many people leave plausible ({style.level_of(frame)})."
        )
    if kind(unit) == "time" and frame["value"].isna().any():
        said.append("A gap: half of them had not got there when the data ended.")
    if target is not None:
        said.append("Dotted: the target.")
    if not frame.loc[frame["value"].notna(), "settled"].all():
        young = "immature" in frame.columns and frame["immature"].fillna(0).sum() > 0
        said.append(
            "Hollow: not everybody has had their time." if young else f"Hollow: the {grain} is not over."
        )
    if segment and frame[segment].nunique(dropna=False) > len(parts):
        more = frame[segment].nunique(dropna=False) - len(parts) + (style.OTHERS in parts)
        said.append(
            f"{more} smaller groups are {'added up as others' if style.OTHERS in parts else 'left out'}."
        )
    return " ".join(said)
