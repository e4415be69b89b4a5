"""Funnels: how many get to each step, how many are lost there, and how long it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from plgkit.charts import style
from plgkit.charts.labels import Label, end_labels, grain_of, period_words, short, told, wrapped
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
    frame, segment = _with_periods(frame, style.segment_of(frame, by))
    frame = frame.sort_values("position", kind="stable")
    if not frame["people"].fillna(0).astype(float).gt(0).any():
        return style.note(ax, "There is nothing to draw yet: nobody has had all the time that counts.")
    if segment:
        return _compared(ax, frame, segment)
    return _bars(ax, frame)


def _with_periods(frame: pd.DataFrame, segment: str | None) -> tuple[pd.DataFrame, str | None]:
    """Several periods of entry are groups of their own, unless the frame has groups already."""
    if segment is not None or "period" not in frame.columns or frame["period"].nunique() < 2:
        return frame, segment
    grain, periods = grain_of(frame["period"]), sorted(frame["period"].unique())
    names = {each: period_words(pd.Timestamp(each), grain) for each in periods}
    told_in_order = pd.Categorical(frame["period"].map(names), categories=list(dict.fromkeys(names.values())))
    return frame.assign(entered=told_in_order), "entered"


def _bars(ax: Axes, frame: pd.DataFrame) -> Axes:
    shares = frame["share_of_entry"].astype(float).fillna(0.0).to_numpy()
    kept = frame["share_of_previous"].astype(float).to_numpy()
    # A step that may be skipped is not the one before: the pale part begins where the share of the step before ends.
    before = np.append(shares[0], np.where(kept[1:] > 0, shares[1:] / np.where(kept[1:] > 0, kept[1:], 1), shares[:-1]))
    lost = 1 - kept
    lost[0] = np.nan
    lost[_skipped(frame)] = np.nan
    places = np.arange(len(frame))
    ax.barh(places, before - shares, left=shares, height=0.58, color=style.LOSS)
    ax.barh(places, shares, height=0.58, color=style.BLUE)
    _whiskers(ax, frame, places)
    ends = frame["high"].astype(float).fillna(0.0).to_numpy() if "high" in frame.columns else shares
    worst = int(np.nanargmax(lost)) if np.isfinite(lost).any() and np.nanmax(lost) > 0 else -1
    for place, share in enumerate(shares):
        inside = share >= 0.1
        end = max(share, ends[place])
        ax.text(
            0.008 if inside else end + 0.012,
            place,
            f"{share:.0%}",
            va="center",
            fontweight="bold",
            fontsize=style.SMALL,
            color="white" if inside else style.BLUE,
        )
        text, bold = _loss(lost[place], frame.iloc[place], kept[place]), place == worst
        # A short bar has its own number outside, which the loss must not cover.
        right = max(before[place], share if inside else end + 0.075)
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
        low, high = (frame[name].astype(float).iloc[1:] for name in ("low", "high"))
        # Light under dark: to be seen on the blue and on the pale part.
        for colour, width in (("white", 4.0), (style.INK, 1.6)):
            ax.hlines(places[1:], low, high, color=colour, linewidth=width)


def _skipped(frame: pd.DataFrame) -> np.ndarray:
    """Whether nobody is lost at a step although not everybody did it: it may be skipped."""
    if "lost" not in frame.columns:
        return np.zeros(len(frame), dtype=bool)
    return (frame["lost"].eq(0) & frame["share_of_previous"].lt(1)).to_numpy()


def _loss(lost: float, row: pd.Series, kept: float) -> str:
    said = [] if np.isnan(lost) else [f"lost {lost:.0%}"]
    if np.isnan(lost) and row["position"] > 1 and not np.isnan(kept):
        said = [f"skipped by {1 - kept:.0%}"]
    median = row.get("median_seconds")
    if said and median is not None and not pd.isna(median):
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


@style.chart(height=3.3)
def time_to_convert(frame: pd.DataFrame, *, by: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw how long people take between two steps: bars, or a line per group, and the median.

    Parameters
    ----------
    frame
        One row per bin (and group): from_seconds, to_seconds, people, share, mean_seconds, median_seconds.
    by
        The column of groups; found by itself.
    ax
        Where to draw; a new figure by default.
    """
    segment = style.segment_of(frame, by)
    if not frame["people"].any():
        return style.note(ax, "There is nothing to draw yet: nobody got there whose time is over.")
    parts = style.groups(frame, segment)
    hues = style.colours(list(parts)) if segment else {"": style.BLUE}
    edges = np.unique(frame[["from_seconds", "to_seconds"]].to_numpy(dtype="float64"))
    labels, said = [], []
    for name, part in parts.items():
        places, shares = np.searchsorted(edges, part["from_seconds"]) + 0.5, part["share"].astype(float).to_numpy()
        median, mean = (float(part[f"{each}_seconds"].iloc[0]) for each in ("median", "mean"))
        if segment:
            ax.plot(places, shares, marker="o", markersize=4, color=hues[name])
            labels.append(Label(shares[-1], f"{short(name, 18)}, median {humane(median)}", style.text_colour(hues[name]), bold=True))
        else:
            ax.bar(places, shares, width=0.92, color=style.BLUE)
            _median(ax, float(np.interp(median, edges, np.arange(len(edges)))), f"median {humane(median)}")
        said.append(f"{told(name) + ': ' if segment else ''}{part['people'].sum():,.0f} people, median {humane(median)}, mean {humane(mean)}")
    apart = -(-len(edges) // 14)
    ax.set_xticks(range(0, len(edges), apart), [humane(each) for each in edges[::apart]])
    ax.set_xlim(-0.35, len(edges) - 0.65)
    ax.set(xlabel="time taken", ylabel="share of those who got there", ylim=(0, 1.12 * float(frame["share"].max())))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5))
    ax.yaxis.set_major_formatter(FuncFormatter(scale("share", 1).tick))
    end_labels(ax, labels, size=style.SMALL)
    return style.describe(ax, alt=f"Times to convert. {'; '.join(said)}.",
                          caption=f"Each {'point' if segment else 'bar'} is the share of those who got there who took from the time at its left "
                                  "edge up to the one at its right.")


def _median(ax: Axes, place: float, text: str) -> None:
    ax.axvline(place, color=style.ORANGE, linewidth=1.6)
    ax.annotate(text, (place, 1), xycoords=("data", "axes fraction"), xytext=(5, -2), textcoords="offset points", va="top",
                fontsize=style.SMALL, color=style.text_colour(style.ORANGE), fontweight="bold")


def _rows_high(frame: pd.DataFrame) -> float:
    return 1.1 + 0.36 * min(max(len(frame), 2), 12)


@style.chart(height=_rows_high)
def instead(frame: pd.DataFrame, *, top: int = 10, ax: Axes | None = None) -> Axes:
    """Draw what came next after a step: of those who stopped there against those who went on.

    Parameters
    ----------
    frame
        One row per event: event, share, share_on, difference, low, high.
    top
        At most so many rows, the commonest first.
    ax
        Where to draw; a new figure by default.
    """
    size = frame[["share", "share_on"]].astype(float).max(axis=1)
    rows = frame[size.rank(ascending=False, method="first") <= top].reset_index(drop=True)
    if not rows["share"].notna().any():
        return style.note(ax, "There is nothing to draw: nobody stopped there.")
    places = np.arange(len(rows))
    ax.hlines(places, rows["share"], rows["share_on"], color=style.LINE, linewidth=3)
    ax.plot(rows["share_on"], places, "o", color=style.BLUE, markersize=7, markerfacecolor="white", markeredgewidth=1.6,
            label="went on")
    ax.plot(rows["share"], places, "o", color=style.ORANGE, markersize=7, label="stopped")
    for place, row in enumerate(rows.itertuples()):
        sure = row.low > 0 or row.high < 0
        text = f"{row.difference * 100:+.0f} ({row.low * 100:+.0f} to {row.high * 100:+.0f})".replace("-", "−")
        ax.annotate(text, (1, place), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points", va="center",
                    fontsize=style.SMALL, color=style.INK if sure else style.MUTED, fontweight="bold" if sure else "normal",
                    annotation_clip=False)
    ax.annotate("difference, points", (1, -0.85), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points",
                va="center", fontsize=style.SMALL, color=style.MUTED, annotation_clip=False)
    ax.set_yticks(places, [short(each) for each in rows["event"]], color=style.INK)
    ax.set(ylim=(len(rows) - 0.5, -1.2), xlabel="share whose next event it was", xlim=(-0.02, None))
    ax.xaxis.set_major_formatter(FuncFormatter(scale("share", 1).tick))
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.2, handletextpad=0.2)
    listed = ", ".join(f"{told(row.event)} {row.share:.0%} against {row.share_on:.0%}" for row in rows.itertuples())
    more = f" {len(frame) - len(rows)} rarer events are left out." if len(frame) > len(rows) else ""
    return style.describe(ax, alt=f"What came next, of those who stopped against those who went on: {listed}.",
                          caption=f"Right: the difference with its interval ({style.level_of(frame)}), bold where zero is outside it.{more}")
