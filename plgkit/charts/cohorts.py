"""Cohorts: a triangle of shares, one row per cohort and one column per age."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import grain_of, period_words, recent, shortened, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WRITTEN = 20
_MOST = 18
_ACROSS, _MOST_PANELS = 4, 12


def _height(frame: pd.DataFrame) -> float:
    return min(1.3 + 0.29 * max(min(frame["cohort"].nunique(), _MOST), 2), 8.4)


@style.chart(height=_height)
def retention(frame: pd.DataFrame, *, least: int = 5, ax: Axes | None = None) -> Axes:
    """Draw cohorts as a triangle of percents: who is still there (columns: age; rows: when they started).

    The last row is all cohorts together, at each age those for which it is over.

    Parameters
    ----------
    frame
        Cohorts: cohort, age, numerator, denominator, mature. Groups are pooled.
    least
        A cohort with fewer people than this is greyed: its share says little.
    ax
        Where to draw; a new figure by default.
    """
    cells = _pooled(recent(frame, "cohort", most=_MOST))
    share = cells.pivot(index="cohort", columns="age", values="share")
    size = cells.groupby("cohort")["denominator"].max().reindex(share.index)
    mature = cells.pivot(index="cohort", columns="age", values="mature").reindex_like(share)
    mature = mature.astype("boolean").fillna(True).astype(bool)
    if not share.notna().to_numpy().any():
        return style.note(ax, "There is nothing to draw: no cohort has a member.")
    small = np.broadcast_to((size < least).to_numpy()[:, None], share.shape)
    grain, ripe = grain_of(share.index), _ripe(cells)
    _cells(ax, share, mature.to_numpy(), small, ripe.reindex(share.columns))
    _edges(ax, share, size, grain, _ages_of(frame))
    return style.describe(ax, alt=_alt(cells, share, mature), caption=" ".join(
        [_caption(cells, grain, least), *shortened(frame["cohort"], cells["cohort"])]))


def _pooled(frame: pd.DataFrame) -> pd.DataFrame:
    numbers = frame.assign(
        numerator=frame["numerator"].astype(float),
        denominator=frame["denominator"].astype(float),
        mature=frame["mature"].astype(bool) if "mature" in frame.columns else True,
    )
    cells = numbers.groupby(["cohort", "age"], as_index=False).agg(
        {"numerator": "sum", "denominator": "sum", "mature": "min"}
    )
    return cells.assign(share=cells["numerator"] / cells["denominator"].where(cells["denominator"] > 0))


def _colour_map() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("plgkit", ["#f2f7fb", "#a9cfe6", "#3d93c4", "#00507f"])


def _ripe(cells: pd.DataFrame) -> pd.Series:
    """Share back at each age over the cohorts for which it is over."""
    sums = cells[cells["mature"]].groupby("age")[["numerator", "denominator"]].sum()
    return (sums["numerator"] / sums["denominator"].where(sums["denominator"] > 0)).dropna()


def _cells(ax: Axes, share: pd.DataFrame, mature: np.ndarray, small: np.ndarray, ripe: pd.Series) -> None:
    from matplotlib.colors import ListedColormap

    values = share.to_numpy(dtype=float)
    later = values[:, np.asarray(share.columns) > share.columns.min()]
    largest = max(np.nanmax(later) if np.isfinite(later).any() else 1.0, 0.01)
    rows, columns = np.arange(len(share) + 1) - 0.5, np.arange(share.shape[1] + 1) - 0.5
    line = {"edgecolors": "white", "linewidth": 1.2 if len(share) <= 30 else 0.2}
    look = {"cmap": _colour_map(), "vmin": 0, "vmax": largest, **line}
    ax.pcolormesh(columns, rows, np.ma.masked_where(np.isnan(values) | small, values), **look)
    grey = np.ma.masked_where(np.isnan(values) | ~small, np.ones_like(values))
    ax.pcolormesh(columns, rows, grey, cmap=ListedColormap([style.LINE]), **line)
    whole = ripe.to_numpy(dtype=float)[None]
    ax.pcolormesh(columns, [len(share) - 0.1, len(share) + 0.9], np.ma.masked_invalid(whole), **look)
    waiting = np.ma.masked_where(np.isnan(values) | mature, np.ones_like(values))
    if not waiting.mask.all():
        # A veil, so that numbers can be read through the hatching.
        ax.pcolormesh(columns, rows, waiting, cmap=ListedColormap(["#ffffff8c"]))
        ax.pcolor(columns, rows, waiting, cmap=ListedColormap(["#ffffff00"]), hatch="///", edgecolors="#b6bcc4",
                  linewidth=0)
    if share.shape[1] > _WRITTEN:
        return
    pale = small | ~mature
    for (row, column), value in np.ndenumerate(values):
        _write(ax, column, row, value, dark=value > 0.55 * largest, pale=bool(pale[row, column]), of=share)
    for column, value in enumerate(whole[0]):
        _write(ax, column, len(share) + 0.4, value, dark=value > 0.55 * largest, pale=False, of=share, bold=True)


def _write(ax: Axes, column: int, row: float, value: float, *, dark: bool, pale: bool, of: pd.DataFrame,
           bold: bool = False) -> None:
    """Write a share into its cell as a percent without the sign, large enough for a small screen."""
    if np.isnan(value):
        return
    colour = style.DARK if pale else "white" if dark else style.INK
    ax.text(column, row, f"{value * 100:.0f}", ha="center", va="center", color=colour,
            fontsize=10.5 if of.shape[1] <= 14 else 9.5, fontweight="bold" if bold else "normal")


def _ages_of(frame: pd.DataFrame) -> dict[int, str]:
    """What to call the ages: brackets by their first and last."""
    if "until" not in frame.columns:
        return {}
    pairs = frame[["age", "until"]].drop_duplicates()
    return {low: str(low) if low == high else f"{low}-{high}" for low, high in pairs.itertuples(index=False)}


def _edges(ax: Axes, share: pd.DataFrame, size: pd.Series, grain: str, names_of: dict[int, str]) -> None:
    apart = max(1, -(-len(share) // 20))
    rows = np.arange(len(share))[::apart]
    names = [f"{period_words(share.index[row], grain)}  ({size.iloc[row]:,.0f})" for row in rows]
    ax.set_yticks([*rows, len(share) + 0.4], [*names, "all that are over"], fontsize=style.SMALL)
    apart = max(1, -(-share.shape[1] // 20))
    columns = np.arange(share.shape[1])[::apart]
    ax.set_xticks(columns, [names_of.get(share.columns[column], f"{share.columns[column]:g}") for column in columns])
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("percent, by age" if names_of else f"percent, by {grain}s since the start", loc="left")
    # A few columns stretched over the whole width would not look like a triangle.
    ax.set(xlim=(-0.5, max(share.shape[1], 8) - 0.5), ylim=(len(share) + 0.95, -0.5))
    ax.grid(visible=False)


def _alt(cells: pd.DataFrame, share: pd.DataFrame, mature: pd.DataFrame) -> str:
    said = [f"Triangle of cohorts ({len(share)}) by {span(pd.Series(share.index))}."]
    pooled = _ripe(cells)
    pooled = pooled[pooled.index > share.columns.min()]
    if len(pooled):
        first, last = pooled.index[0], pooled.index[-1]
        said.append(
            f"All cohorts together: {pooled.iloc[0]:.1%} at age {first:g}"
            + (f", {pooled.iloc[-1]:.1%} at age {last:g}." if last != first else ".")
        )
    waiting = int((~mature & share.notna()).to_numpy().sum())
    if waiting:
        said.append(f"Cells not over yet: {waiting}.")
    return " ".join(said)


def _caption(cells: pd.DataFrame, grain: str, least: int) -> str:
    said = [
        f"Each row is the people of one {grain} (how many), each column their age; darker: more are back."
    ]
    if (cells.groupby("cohort")["denominator"].max() < least).any():
        said.append(f"Grey: fewer than {least} people.")
    if not cells["mature"].all():
        said.append("Hatched: not over yet, and in no average.")
    return " ".join(said)


def _panels_height(frame: pd.DataFrame) -> float:
    return 0.5 + 1.35 * -(-min(max(_drawn(frame).nunique(), 1), _MOST_PANELS) // _ACROSS)


def _drawn(frame: pd.DataFrame) -> pd.Series:
    """The cohorts that have two ages behind them, each as often as it has."""
    over = frame[frame["mature"].astype(bool)].drop_duplicates(["cohort", "age"])
    return over["cohort"][over.groupby("cohort")["age"].transform("size") > 1]


@style.chart(height=_panels_height)
def cohort_curves(frame: pd.DataFrame, *, least: int = 5, ax: Axes | None = None) -> Axes:
    """Draw a small curve for each of the last cohorts, that of all cohorts together faint behind it.

    Parameters
    ----------
    frame
        Cohorts: cohort, age, numerator, denominator, mature. Groups are pooled; ages that are not over are left out.
    least
        Cohorts with fewer people than this are left out.
    ax
        Where to draw; a new figure by default.
    """
    cells = _pooled(frame)
    grain = grain_of(pd.Index(cells["cohort"].unique()))
    cells = cells[cells["mature"] & (cells["denominator"] >= least)]
    shares = cells.pivot(index="cohort", columns="age", values="share")
    shares = shares[shares.notna().sum(axis=1) > 1]
    if shares.empty:
        return style.note(ax, "There is nothing to draw yet: no cohort has two ages behind it.")
    sizes, everybody = cells.groupby("cohort")["denominator"].max(), _together(cells)
    shown, top = shares.tail(_MOST_PANELS), float(np.nanmax(shares.to_numpy()))
    for place, (cohort, own) in enumerate(shown.iterrows()):
        _panel(ax, place, own, everybody, top, f"{period_words(cohort, grain)}  ({sizes[cohort]:,.0f})")
    ax.set(xlim=(0, _ACROSS), ylim=(-(-len(shown) // _ACROSS), 0))
    ax.set_axis_off()
    said = [f"{period_words(cohort, grain)} {own.dropna().iloc[0]:.0%} to {own.dropna().iloc[-1]:.0%}"
            for cohort, own in shown.iterrows()]
    left = len(shares) - len(shown)
    caption = (f"One cohort each, from {grain} {shares.columns.min():g} to {grain} {shares.columns.max():g}, on one scale; "
               "grey: all together. The number is the share at its last age that is over.")
    return style.describe(ax, alt=f"Small curves of {len(shown)} cohorts: {', '.join(said)}.",
                          caption=caption + (f" The last {len(shown)} of {len(shares)} cohorts." if left else ""))


def _together(cells: pd.DataFrame) -> pd.Series:
    """The share of everybody old enough, by age."""
    sums = cells.groupby("age")[["numerator", "denominator"]].sum()
    return sums["numerator"] / sums["denominator"]


def _panel(ax: Axes, place: int, own: pd.Series, everybody: pd.Series, top: float, name: str) -> None:
    """Draw one cohort's curve into its square of the grid, between the name above and the line of zero below."""
    left, base = place % _ACROSS + 0.03, place // _ACROSS + 0.93
    width, height = 0.76, 0.62
    ages = own.index.to_numpy(dtype=float)
    x = left + width * (ages - ages.min()) / max(ages.max() - ages.min(), 1)
    ax.plot(x, base - height * everybody.reindex(own.index).to_numpy(dtype=float) / (top or 1.0), color=style.MUTED, linewidth=1, alpha=0.5, zorder=1)
    ax.plot([left, left + width], [base, base], color=style.MUTED, linewidth=0.8, zorder=2)
    y = base - height * own.to_numpy(dtype=float) / (top or 1.0)
    last = np.flatnonzero(~np.isnan(y))[-1]
    ax.plot(x, y, color=style.BLUE, linewidth=2, zorder=3)
    ax.plot(x[last], y[last], "o", color=style.BLUE, markersize=4, zorder=3)
    ax.text(x[last] + 0.02, max(y[last] - 0.08, base - height), f"{own.iloc[last]:.0%}", va="center", color=style.BLUE, fontsize=style.SMALL,
            fontweight="bold")
    ax.text(left, base - height - 0.14, name, va="center", color=style.INK, fontsize=style.SMALL)
