"""Cohorts: a triangle of shares, one row per cohort and one column per age."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import grain_of, period_words, recent, shortened, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WRITTEN = 16
_MOST = 36


def _height(frame: pd.DataFrame) -> float:
    return min(0.9 + 0.29 * max(min(frame["cohort"].nunique(), _MOST), 2), 8.0)


@style.chart(height=_height)
def retention(frame: pd.DataFrame, *, least: int = 5, ax: Axes | None = None) -> Axes:
    """Draw cohorts as a triangle: who is still there (columns: age; rows: when they started).

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
    _cells(ax, share, mature.to_numpy(), small)
    grain = grain_of(share.index)
    _edges(ax, share, size, grain)
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


def _cells(ax: Axes, share: pd.DataFrame, mature: np.ndarray, small: np.ndarray) -> None:
    from matplotlib.colors import ListedColormap

    values = share.to_numpy(dtype=float)
    later = values[:, np.asarray(share.columns) > share.columns.min()]
    largest = np.nanmax(later) if np.isfinite(later).any() else 1.0
    rows, columns = np.arange(len(share) + 1) - 0.5, np.arange(share.shape[1] + 1) - 0.5
    line = {"edgecolors": "white", "linewidth": 1.2 if len(share) <= 30 else 0.2}
    plain = np.ma.masked_where(np.isnan(values) | small, values)
    ax.pcolormesh(columns, rows, plain, cmap=_colour_map(), vmin=0, vmax=max(largest, 0.01), **line)
    grey = np.ma.masked_where(np.isnan(values) | ~small, np.ones_like(values))
    ax.pcolormesh(columns, rows, grey, cmap=ListedColormap([style.LINE]), **line)
    waiting = np.ma.masked_where(np.isnan(values) | mature, np.ones_like(values))
    if not waiting.mask.all():
        ax.pcolor(
            columns,
            rows,
            waiting,
            cmap=ListedColormap(["#ffffff00"]),
            hatch="////",
            edgecolors="#8a929c",
            linewidth=0,
        )
    if max(values.shape) > _WRITTEN:
        return
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            dark = not small[row, column] and value > 0.55 * largest
            ax.text(
                column,
                row,
                f"{value:.0%}",
                ha="center",
                va="center",
                fontsize=8.5,
                color="white" if dark else style.MUTED if small[row, column] else style.INK,
            )


def _edges(ax: Axes, share: pd.DataFrame, size: pd.Series, grain: str) -> None:
    apart = max(1, -(-len(share) // 20))
    rows = np.arange(len(share))[::apart]
    names = [f"{period_words(share.index[row], grain)}  ({size.iloc[row]:,.0f})" for row in rows]
    ax.set_yticks(rows, names, fontsize=style.SMALL)
    apart = max(1, -(-share.shape[1] // 20))
    columns = np.arange(share.shape[1])[::apart]
    ax.set_xticks(columns, [f"{share.columns[column]:g}" for column in columns])
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel(f"{grain}s since the start", loc="left")
    # A few columns stretched over the whole width would not look like a triangle.
    ax.set(xlim=(-0.5, max(share.shape[1], 8) - 0.5), ylim=(len(share) - 0.5, -0.5))
    ax.grid(visible=False)


def _alt(cells: pd.DataFrame, share: pd.DataFrame, mature: pd.DataFrame) -> str:
    said = [f"Triangle of cohorts ({len(share)}) by {span(pd.Series(share.index))}."]
    ripe = cells[cells["mature"]].groupby("age")[["numerator", "denominator"]].sum()
    ripe = ripe[(ripe["denominator"] > 0) & (ripe.index > share.columns.min())]
    if len(ripe):
        pooled = ripe["numerator"] / ripe["denominator"]
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
        said.append("Hatched: not over yet.")
    return " ".join(said)
