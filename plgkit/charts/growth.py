"""Growth: who came and went in each period, what money came and went, and of what it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import date_axis, drawable, grain_of, recent, short, shortened, span, told
from plgkit.charts.units import compact, number, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PEOPLE = {"new": style.BLUE, "resurrected": style.SKY, "churned": style.ORANGE}
_MONEY = {
    "new": style.BLUE,
    "reactivation": style.SKY,
    "expansion": style.GREEN,
    "contraction": style.AMBER,
    "churn": style.ORANGE,
}
_LEAVING = ("churned", "churn", "contraction")


@style.chart(height=3.6)
def growth_accounting(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw who came (above zero) and who went (below) in each period, and the difference.

    Parameters
    ----------
    frame
        One row per period: period, new, resurrected, churned.
    ax
        Where to draw; a new figure by default.
    """
    return _movements(ax, frame, _PEOPLE, "people")


@style.chart(height=3.6)
def mrr_movements(frame: pd.DataFrame, *, unit: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw what recurring revenue came (above zero) and went (below) in each period.

    Parameters
    ----------
    frame
        One row per period: period, new, reactivation, expansion, contraction, churn.
    unit
        What the values count; the frame's own by default.
    ax
        Where to draw; a new figure by default.
    """
    return _movements(ax, frame, _MONEY, style.unit_of(frame, unit) or "currency")


@style.chart(height=3.4)
def waterfall(frame: pd.DataFrame, *, unit: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw how the opening of the first period became the closing of the last.

    Parameters
    ----------
    frame
        One row per period: period, opening, new, reactivation, expansion, contraction, churn, closing.
    unit
        What the values count; the frame's own by default.
    ax
        Where to draw; a new figure by default.
    """
    unit, currency = style.unit_of(frame, unit) or "currency", frame.attrs.get("currency", "")
    frame = _by_period(frame)
    moves = {name: _signed(frame, name).sum() for name in _MONEY if name in frame.columns}
    start, end = float(frame["opening"].iloc[0]), float(frame["closing"].iloc[-1])
    names = ["opening", *moves, "closing"]
    bottoms = np.append([0.0, start], start + np.cumsum(list(moves.values())))[: len(moves) + 1]
    bars = [(0.0, start), *zip(bottoms[1:], moves.values(), strict=True), (0.0, end)]
    hues = [style.MUTED, *[_MONEY[name] for name in moves], style.MUTED]
    ax.bar(
        range(len(bars)), [size for _, size in bars], bottom=[low for low, _ in bars], color=hues, width=0.62
    )
    for place, (low, size) in enumerate(bars):
        sign = "+" if 0 < place < len(bars) - 1 and size > 0 else ""
        ax.annotate(
            sign + number(size, unit).replace("-", "−"),
            (place, max(low, low + size)),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=style.SMALL,
            fontweight="bold",
        )
    ax.set_xticks(range(len(bars)), names)
    _money_axis(ax, unit, currency, max((low + size for low, size in bars), default=1.0))
    ax.margins(y=0.12)
    parts = ", ".join(f"{name} {number(size, unit, currency=currency)}" for name, size in moves.items())
    alt = (
        f"Bars from an opening of {number(start, unit, currency=currency)} "
        f"to a closing of {number(end, unit, currency=currency)}: {parts}."
    )
    return style.describe(
        ax, alt=alt, caption="Each bar starts where the one before it ended; the grey ones stand on zero."
    )


@style.chart(height=3.5)
def mix(
    frame: pd.DataFrame, *, by: str | None = None, unit: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw of what a total is made: for each period the share of every group.

    Parameters
    ----------
    frame
        A total by group: period, the group's column, value.
    by
        The column of groups; found by itself.
    unit
        What the values count; the frame's own by default.
    ax
        Where to draw; a new figure by default.
    """
    unit, segment = style.unit_of(frame, unit), style.segment_of(frame, by)
    periods, frame = frame["period"], recent(frame)
    wide = (
        pd.DataFrame(
            {
                name: part.groupby("period")["value"].sum().astype(float)
                for name, part in style.groups(frame, segment, sums=True).items()
            }
        )
        .sort_index()
        .fillna(0.0)
    )
    whole = wide.sum(axis=1)
    if not (whole > 0).any():
        return style.note(ax, "There is nothing to draw: every period adds up to nothing.")
    shares = wide.div(whole.where(whole > 0), axis=0)
    hues = style.colours(list(wide.columns))
    # As an area the dark grey of a line would outshout the groups.
    hues |= {style.OTHERS: "#c3c9d0"} if style.OTHERS in hues else {}
    base = np.zeros(len(shares))
    for name in shares.columns:
        height = shares[name].fillna(0.0).to_numpy()
        ax.bar(
            shares.index.to_numpy(),
            height,
            bottom=base,
            width=_width(shares.index),
            color=hues[name],
            label=short(name, 20) if segment else "all",
            edgecolor="white",
            linewidth=0.6,
        )
        base = base + height
    _share_axis(ax, unit)
    _bar_axis(ax, pd.Series(shares.index))
    _legend(ax)
    first, last = (shares.dropna(how="all").iloc[place] for place in (0, -1))
    parts = ", ".join(f"{told(name)} from {first[name]:.0%} to {last[name]:.0%}" for name in shares.columns)
    alt = f"Stacked bars, share of {unit or 'the total'} by {told(segment or 'group')} and {grain_of(shares.index)}: {parts}."
    return style.describe(ax, alt=alt, caption=" ".join(
        ["Each bar is one period; its parts add up to the whole.", *shortened(periods, frame["period"])]))


@style.chart(height=3.5)
def inactive(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw in which state everybody ever active was at the end of each period: there, or away for how long.

    Parameters
    ----------
    frame
        Growth accounting with inactive states: period, on_last_day, idle_1_7 and so on, idle_over_30.
    ax
        Where to draw; a new figure by default.
    """
    periods, frame = frame["period"], recent(frame)
    states = [name for name in frame.columns if name.startswith("idle_")]
    sums = frame.groupby("period")[["on_last_day", *states]].sum().astype(float)
    # The last day of a period is some day of the week: apart from the days before it, it would say little.
    sums[states[0]] += sums.pop("on_last_day")
    base, hues = np.zeros(len(sums)), [style.BLUE, style.SKY, style.AMBER, "#d7dbe0"]
    for place, name in enumerate(states):
        colour = hues[-1] if name.startswith("idle_over") else hues[min(place, 2)]
        ax.bar(sums.index.to_numpy(), sums[name].to_numpy(), bottom=base, width=_width(sums.index), color=colour,
               label=_state(name), edgecolor="white", linewidth=0.6)
        base = base + sums[name].to_numpy()
    _money_axis(ax, "people", "", float(max(base.max(), 1.0)))
    _bar_axis(ax, pd.Series(sums.index))
    _legend(ax)
    last = sums.iloc[-1]
    parts = ", ".join(f"{_state(name)} {number(last[name], 'people')}" for name in states)
    return style.describe(ax, alt=f"Stacked bars of everybody ever active by {grain_of(sums.index)}; at the end: {parts}.",
                          caption=" ".join(["How long ago everybody ever active was last seen, on the last day of each "
                                            "period.", *shortened(periods, frame["period"])]))


def _state(name: str) -> str:
    low, high = name.removeprefix("idle_").split("_")
    words = f"over {high}" if low == "over" else f"up to {high}" if low == "1" else f"{low} to {high}"
    return f"{words} days ago"


def _movements(ax: Axes, frame: pd.DataFrame, kinds: dict[str, str], unit: str) -> Axes:
    periods, frame = frame["period"], _by_period(recent(frame))
    moves = {name: _signed(frame, name).to_numpy() for name in kinds if name in frame.columns}
    above, below = _stacked(ax, frame, moves, kinds)
    net = above + below
    ax.plot(
        frame["period"].to_numpy(),
        net,
        "o-",
        color=style.INK,
        markersize=3.5,
        linewidth=1.3,
        label="difference",
    )
    ax.axhline(0, color=style.MUTED, linewidth=1, zorder=2.5)
    currency = frame.attrs.get("currency", "")
    _money_axis(ax, unit, currency, float(np.nanmax(np.abs([*above, *below, 1.0]))))
    _bar_axis(ax, frame["period"])
    _legend(ax)
    grain = grain_of(frame["period"])

    def listed(of: dict[str, float]) -> str:
        return ", ".join(f"{name} {number(abs(size), unit, currency=currency)}" for name, size in of.items())

    last = {name: values[-1] for name, values in moves.items()}
    sums = {name: values.sum() for name, values in moves.items()}
    alt = (
        f"Bars above and below zero by {span(frame['period'])}. Last {grain}: {listed(last)}; "
        f"difference {number(net[-1], unit, currency=currency)}. In all: {listed(sums)}."
    )
    open_ = "" if frame["complete"].all() else f" Pale: the {grain} is not over."
    said = [
        f"Above zero: what came. Below: what went. The line is the difference.{open_}",
        *shortened(periods, frame["period"]),
    ]
    return style.describe(ax, alt=alt, caption=" ".join(said))


def _stacked(
    ax: Axes, frame: pd.DataFrame, moves: dict[str, np.ndarray], kinds: dict[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    x, width = frame["period"].to_numpy(), _width(frame["period"])
    above, below = np.zeros(len(frame)), np.zeros(len(frame))
    for name, values in moves.items():
        base = below if name in _LEAVING else above
        bars = ax.bar(x, values, bottom=base.copy(), width=width, color=kinds[name], label=name, zorder=2)
        for bar, over in zip(bars, frame["complete"], strict=True):
            bar.set_alpha(1.0 if over else 0.45)
        base += values
    return above, below


def _by_period(frame: pd.DataFrame) -> pd.DataFrame:
    """Add up the groups of each period."""
    names = [name for name in ("opening", "closing", *_PEOPLE, *_MONEY) if name in frame.columns]
    names = list(dict.fromkeys(names))
    over = frame["complete"].fillna(False).astype(bool) if "complete" in frame.columns else True
    found = frame.assign(complete=over, **{name: frame[name].astype(float) for name in names})
    found = found.groupby("period", as_index=False, sort=True).agg(
        dict.fromkeys(names, "sum") | {"complete": "min"}
    )
    found.attrs.update(frame.attrs)
    return found


def _signed(frame: pd.DataFrame, name: str) -> pd.Series:
    values = frame[name].astype(float).fillna(0.0)
    return -values.abs() if name in _LEAVING else values


def _width(periods: pd.Series | pd.Index) -> pd.Timedelta:
    days = pd.DatetimeIndex(pd.Series(periods).drop_duplicates()).sort_values()
    apart = (
        np.median(np.diff(days.to_numpy()).astype("timedelta64[h]").astype(float)) / 24
        if len(days) > 1
        else 7.0
    )
    return pd.Timedelta(days=0.78 * float(apart))


def _money_axis(ax: Axes, unit: str, currency: str, largest: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10], integer=largest >= 5))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value).replace("-", "−")))
    ax.set_ylabel(drawable(scale(unit, largest, currency=currency).label))


def _share_axis(ax: Axes, unit: str) -> None:
    from matplotlib.ticker import FuncFormatter

    ax.set_ylim(0, 1)
    ax.yaxis.set_major_formatter(FuncFormatter(scale("share", 1).tick))
    ax.set_ylabel(f"share of {short(unit, 30)}" if unit else "share")


def _bar_axis(ax: Axes, periods: pd.Series) -> None:
    date_axis(ax, periods)
    few = max(8 - periods.nunique(), 0)
    room = _width(periods) / 0.78 * (few + 1) / 2
    ax.set_xlim(periods.min() - room, periods.max() + room)


def _legend(ax: Axes) -> None:
    entries, names = ax.get_legend_handles_labels()
    order = sorted(range(len(names)), key=lambda place: names[place] == "difference")
    # What fits on one line stays on one line.
    columns = len(names) if sum(len(name) + 5 for name in names) < 100 else 3
    ax.legend(
        [entries[place] for place in order],
        [names[place] for place in order],
        ncols=columns,
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        borderaxespad=0.2,
        handlelength=1.0,
        handleheight=0.9,
        columnspacing=1.4,
        handletextpad=0.5,
        borderpad=0.2,
    )
