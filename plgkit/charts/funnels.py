"""Funnels: how many get to each step, how many are lost there, and how long it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import Label, end_labels, short, told, wrapped
from plgkit.charts.units import humane, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _height(frame: pd.DataFrame) -> float:
    steps = frame["position"].nunique() if "position" in frame else len(frame)
    return 0.7 + 0.46 * max(steps, 2) if not style.segment_of(frame) else 3.8


@style.chart(height=_height)
def funnel(frame: pd.DataFrame, *, by: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw a funnel: bars with the loss at each step, or a line per group over the steps.

    Parameters
    ----------
    frame
        A funnel: step, position, people, share_of_entry, share_of_previous, and where known
        low, high, median_seconds, immature.
    by
        The column of groups; found by itself.
    ax
        Where to draw; a new figure by default.
    """
    segment = style.segment_of(frame, by)
    frame = frame.sort_values("position", kind="stable")
    if not frame["people"].fillna(0).astype(float).gt(0).any():
        return style.note(ax, "There is nothing to draw yet: nobody has had all the time that counts.")
    if segment:
        return _compared(ax, frame, segment)
    return _bars(ax, frame)


def _bars(ax: Axes, frame: pd.DataFrame) -> Axes:
    shares = frame["share_of_entry"].astype(float).fillna(0.0).to_numpy()
    before = np.append(shares[0], shares[:-1])
    lost = 1 - frame["share_of_previous"].astype(float).to_numpy()
    lost[0] = np.nan
    places = np.arange(len(frame))
    ax.barh(places, before - shares, left=shares, height=0.58, color=style.LOSS)
    ax.barh(places, shares, height=0.58, color=style.BLUE)
    _whiskers(ax, frame, places)
    worst = int(np.nanargmax(lost)) if np.isfinite(lost).any() and np.nanmax(lost) > 0 else -1
    for place, share in enumerate(shares):
        inside = share >= 0.1
        ax.text(
            0.008 if inside else share + 0.008,
            place,
            f"{share:.0%}",
            va="center",
            fontweight="bold",
            fontsize=style.SMALL,
            color="white" if inside else style.BLUE,
        )
        text, bold = _loss(lost[place], frame.iloc[place]), place == worst
        # A short bar has its own number outside, which the loss must not cover.
        right = max(before[place], share if inside else share + 0.075)
        ax.annotate(
            text,
            (right, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
            color=style.text_colour(style.ORANGE) if bold else style.MUTED,
            fontweight="bold" if bold else "normal",
            annotation_clip=False,
        )
    ax.set_yticks(places, [short(each) for each in frame["step"]], color=style.INK)
    ax.set(xlim=(0, 1), ylim=(len(frame) - 0.5, -0.5), xticks=[])
    ax.grid(visible=False)
    return style.describe(ax, alt=_alt(frame, lost, worst), caption=_caption(frame))


def _whiskers(ax: Axes, frame: pd.DataFrame, places: np.ndarray) -> None:
    if {"low", "high"} <= set(frame.columns):
        ax.hlines(
            places[1:],
            frame["low"].astype(float).iloc[1:],
            frame["high"].astype(float).iloc[1:],
            color=style.INK,
            alpha=0.55,
            linewidth=1.2,
        )


def _loss(lost: float, row: pd.Series) -> str:
    said = [] if np.isnan(lost) else [f"lost {lost:.0%}"]
    median = row.get("median_seconds")
    if not np.isnan(lost) and median is not None and not pd.isna(median):
        said.append(f"median {humane(float(median))}")
    return " · ".join(said)


def _alt(frame: pd.DataFrame, lost: np.ndarray, worst: int) -> str:
    shares = frame["share_of_entry"].astype(float)
    steps = (f"{told(step)} {share:.0%}" for step, share in zip(frame["step"], shares, strict=True))
    said = [f"Funnel of {len(frame)} steps, from {frame['people'].iloc[0]:,.0f} people: {', '.join(steps)}."]
    if worst >= 0:
        said.append(f"The largest loss is {lost[worst]:.0%}, at {told(frame['step'].iloc[worst])}.")
    return " ".join(said)


def _caption(frame: pd.DataFrame) -> str:
    said = ["Blue: people who reached the step, as a share of those who entered. Pale: lost at the step."]
    if "median_seconds" in frame.columns:
        said.append("Median: time from the step before.")
    waiting = frame["immature"].fillna(0).iloc[0] if "immature" in frame.columns else 0
    if waiting:
        said.append(f"Left out, as their time is not over: {waiting:,.0f}.")
    return " ".join(said)


def _compared(ax: Axes, frame: pd.DataFrame, segment: str) -> Axes:
    from matplotlib.ticker import FuncFormatter

    parts = {name: part for name, part in style.groups(frame, segment).items() if name != style.OTHERS}
    hues = style.colours(list(parts))
    labels, said = [], []
    for name, part in parts.items():
        shares = part["share_of_entry"].astype(float)
        ax.plot(part["position"], shares, marker="o", markersize=5, color=hues[name])
        if {"low", "high"} <= set(part.columns):
            ax.fill_between(
                part["position"],
                part["low"].astype(float),
                part["high"].astype(float),
                color=hues[name],
                alpha=0.12,
                linewidth=0,
            )
        labels.append(
            Label(
                shares.iloc[-1],
                f"{short(name, 20)} {shares.iloc[-1]:.0%}",
                style.text_colour(hues[name]),
                bold=True,
            )
        )
        said.append(f"{told(name)}: {', '.join(f'{each:.0%}' for each in shares)}.")
    steps = frame.drop_duplicates("position")
    ax.set_xticks(steps["position"], [wrapped(each, 84 // len(steps)) for each in steps["step"]])
    ax.margins(x=0.07)
    ax.set(ylim=(0, 1.03), ylabel="share of those who entered")
    ax.yaxis.set_major_formatter(FuncFormatter(scale("share", 1).tick))
    end_labels(ax, labels, size=style.SMALL)
    more = frame[segment].nunique(dropna=False) - len(parts)
    rest = f" {more} smaller groups are left out." if more else ""
    return style.describe(
        ax,
        alt=f"Funnel by {told(segment)}, share of those who entered at each step. " + " ".join(said),
        caption=f"Each line is one group of {told(segment)}; a steep fall is a loss at that step.{rest}",
    )
