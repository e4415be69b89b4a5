"""Where people go from step to step, and names placed by two numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import short, told
from plgkit.charts.units import number, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 7
_GAP = 0.035
_LEAST, _SMALLEST, _THINNEST = 0.015, 0.02, 0.01


@style.chart(height=4.2)
def flow(
    frame: pd.DataFrame,
    *,
    source: str = "source",
    target: str = "target",
    people: str = "people",
    ax: Axes | None = None,
) -> Axes:
    """Draw how many people go from each step to the next, as bands as thick as they are many.

    Parameters
    ----------
    frame
        One row per move: source, target, people; and, where a name occurs at several places on the
        way, `source_position` (a whole number; the target stands one further).
    source, target, people
        The columns.
    ax
        Where to draw; a new figure by default.
    """
    moves = _moves(frame, source, target, people)
    if moves.empty:
        return style.note(ax, "There is nothing to draw: nobody went from one step to another.")
    nodes = _places(moves)
    _bands(ax, moves, nodes)
    first, last = nodes["position"].min(), nodes["position"].max()
    wide = 0.014 * (last - first)
    names = style.colours(sorted({name for _, name in nodes.index}))
    room = max(10, round(88 / (last - first + 1)))
    for (position, name), node in nodes.iterrows():
        ax.bar(position, node["size"], bottom=node["low"], width=wide, color=names[name], zorder=3)
        if node["size"] < _SMALLEST and node["people"] < nodes["people"].max() * _LEAST:
            continue
        ax.annotate(
            _label(name, node["people"], room, tall=node["size"] > 0.085),
            (position, node["low"] + node["size"] / 2),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            ha="left",
            fontsize=style.SMALL,
            zorder=4,
        )
    ax.set(xlim=(first - wide, last + (last - first) * 0.9 / (last - first + 1) + wide), ylim=(1.01, -0.01))
    ax.set_axis_off()
    largest = moves.nlargest(4, "people")
    listed = ", ".join(
        f"{told(row.source)} to {told(row.target)} {row.people:,.0f}" for row in largest.itertuples()
    )
    return style.describe(
        ax,
        alt=f"Flow of people between steps, the thickest bands: {listed}.",
        caption="Read from left to right; a band is as thick as the people in it are many. "
        "The rarest steps of each place stand together as others, and the thinnest bands are not drawn.",
    )


@style.chart(height=4.0)
def scatter(
    frame: pd.DataFrame,
    *,
    x: str,
    y: str,
    label: str | None = None,
    x_unit: str | None = None,
    unit: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw names as dots by two numbers, for example how many use a feature by how often.

    Parameters
    ----------
    frame
        One row per name.
    x, y, label
        The columns; the names are found by themselves.
    x_unit, unit
        What x and y count.
    ax
        Where to draw; a new figure by default.
    """
    rows = frame[frame[x].notna() & frame[y].notna()]
    if rows.empty:
        return style.note(ax, "There is nothing to draw: no row has both values.")
    label = label or style.segment_of(rows.drop(columns=[x, y]))
    names = rows[label] if label else pd.Series("", index=rows.index)
    across, up = scale(x_unit, float(rows[x].abs().max())), scale(unit, float(rows[y].abs().max()))
    xs, ys = rows[x].astype(float).to_numpy() * across.times, rows[y].astype(float).to_numpy() * up.times
    ax.plot(xs, ys, "o", color=style.BLUE, markersize=7, alpha=0.85)
    ax.margins(x=0.08, y=0.12)
    _named(ax, xs, ys, names)
    for each, axis, name in ((ax.xaxis, across, x), (ax.yaxis, up, y)):
        each.set_major_formatter(lambda value, place, tick=axis.tick: tick(value, place))
        each.set_label_text(short(axis.label or name, 40))
    ax.grid(visible=True, axis="both")
    listed = ", ".join(
        f"{told(name)} {number(a, x_unit)}, {number(b, unit)}"
        for name, a, b in list(zip(names, rows[x], rows[y], strict=True))[:8]
    )
    return style.describe(
        ax,
        alt=f"Dots of {told(unit or y)} by {told(x_unit or x)}: {listed}.",
        caption="Each dot is one name: further right and further up is more.",
    )


def _label(name: str, people: float, room: int, *, tall: bool) -> str:
    """Name and number of a node in so many letters: on two lines where there is height for them."""
    count = f"{people:,.0f}"
    return f"{short(name, room)}\n{count}" if tall else f"{short(name, max(room - len(count) - 1, 4))} {count}"


def _named(ax: Axes, xs: np.ndarray, ys: np.ndarray, names: pd.Series) -> None:
    """Name the dots, those further up first; a name that would cover another or a dot is left out."""
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    dots = list(zip((xs - left) / (right - left), (ys - bottom) / (top - bottom), strict=True))
    taken: list[tuple[float, float, float]] = []
    for place in np.argsort(-ys, kind="stable"):
        text = short(names.iloc[place], 22)
        x, y = dots[place]
        wide = 0.0125 * len(text) + 0.02
        others = taken + [(a - 0.008, a + 0.008, b) for at, (a, b) in enumerate(dots) if at != place]
        sides = [("left", (7, 0), x, y), ("right", (-7, 0), x - wide, y), ("center", (0, 11), x - wide / 2, y + 0.065)]
        free = [
            side
            for side in sides
            if 0 <= side[2] <= 1 - wide
            and not any(abs(side[3] - b) < 0.055 and side[2] < end and begin < side[2] + wide for begin, end, b in others)
        ]
        if not free:
            continue
        turn, offset, start, height = free[0]
        taken.append((start, start + wide, height))
        ax.annotate(
            text,
            (xs[place], ys[place]),
            xytext=offset,
            textcoords="offset points",
            va="center",
            ha=turn,
            fontsize=style.SMALL,
        )


def _moves(frame: pd.DataFrame, source: str, target: str, people: str) -> pd.DataFrame:
    moves = pd.DataFrame(
        {
            "source": frame[source].astype(object).where(frame[source].notna(), "(none)").astype(str),
            "target": frame[target].astype(object).where(frame[target].notna(), "(none)").astype(str),
            "people": frame[people].astype(float),
        }
    )
    known = "source_position" in frame.columns
    moves["start"] = frame["source_position"] if known else _depth(moves)
    depths = {} if known else dict(zip(moves["source"], moves["start"], strict=True))
    # A band may pass over a column, but never runs backwards.
    moves["end"] = np.maximum(moves["target"].map(depths).fillna(0), moves["start"] + 1).astype(int)
    moves = moves[moves["people"] > 0].copy()
    for side, place in (("source", "start"), ("target", "end")):
        sizes = moves.groupby([place, side])["people"].transform("sum")
        rank = sizes.groupby(moves[place]).rank(method="dense", ascending=False)
        whole = moves.groupby(moves["start"])["people"].sum().max()
        moves[side] = moves[side].where((rank <= _MOST) & (sizes >= _LEAST * whole), style.OTHERS)
    return moves.groupby(["start", "end", "source", "target"], as_index=False)["people"].sum()


def _depth(moves: pd.DataFrame) -> pd.Series:
    """Place each move by how many moves lead to its source; all at one place if they go in circles."""
    depth = dict.fromkeys(moves["source"], 0)
    for _ in range(len(depth) + 1):
        before = dict(depth)
        for start, end in zip(moves["source"], moves["target"], strict=True):
            if end in depth:
                depth[end] = max(depth[end], depth[start] + 1)
        if depth == before:
            return moves["source"].map(depth)
    return pd.Series(0, index=moves.index)


def _places(moves: pd.DataFrame) -> pd.DataFrame:
    """Give each node its height and place: a column per position, the largest on top."""
    out = moves.groupby(["start", "source"])["people"].sum()
    into = moves.groupby(["end", "target"])["people"].sum()
    sizes = pd.concat([out.rename_axis(["position", "name"]), into.rename_axis(["position", "name"])], axis=1)
    people = sizes.max(axis=1)
    columns = people.groupby(level=0)
    most = (columns.size() - 1).max()
    whole = columns.sum().max() / max(1 - _GAP * most, 0.3)
    rows = []
    for position, column in columns:
        low = 0.0
        for (_, name), count in column.sort_values(ascending=False, kind="stable").items():
            rows.append((position, name, count, low, count / whole))
            low += count / whole + _GAP
    nodes = pd.DataFrame(rows, columns=["position", "name", "people", "low", "size"])
    return nodes.set_index(["position", "name"], drop=False)


def _bands(ax: Axes, moves: pd.DataFrame, nodes: pd.DataFrame) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    used: dict[tuple[str, int, str], float] = {}
    order = moves.assign(
        a=[nodes.loc[(row.start, row.source), "low"] for row in moves.itertuples()],
        b=[nodes.loc[(row.end, row.target), "low"] for row in moves.itertuples()],
    ).sort_values(["start", "a", "b"])
    hues = style.colours(sorted({name for _, name in nodes.index}))
    whole = moves.groupby("start")["people"].sum().max()
    for row in order.itertuples():
        node = nodes.loc[(row.start, row.source)]
        thick = row.people * node["size"] / node["people"]
        ends = []
        for key, low in ((("out", row.start, row.source), row.a), (("in", row.end, row.target), row.b)):
            ends.append(low + used.get(key, 0.0))
            used[key] = used.get(key, 0.0) + thick
        if row.people < _THINNEST * whole:
            continue
        x0, x1, (y0, y1) = row.start, row.end, ends
        middle = (x0 + x1) / 2
        points = [
            (x0, y0),
            (middle, y0),
            (middle, y1),
            (x1, y1),
            (x1, y1 + thick),
            (middle, y1 + thick),
            (middle, y0 + thick),
            (x0, y0 + thick),
            (x0, y0),
        ]
        codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
        ax.add_patch(
            PathPatch(Path(points, codes), facecolor=hues[row.source], alpha=0.25, linewidth=0, antialiased=False, zorder=2)
        )
