"""The flywheel: what came and what may come, and what each rate would bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.labels import Label, date_axis, end_labels, told
from plgkit.charts.units import Scale, number, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WORDS = {"signups": ("sign-ups", "sign-ups a month"), "people": ("active people", "active people in the month"),
          "revenue": ("recurring revenue", "currency, at the end of the month")}


@style.chart(height=3.5)
def flywheel(frame: pd.DataFrame, *, outcome: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw one outcome of the flywheel: what came, what may come with its band, and what came of what was forecast.

    Parameters
    ----------
    frame
        As `plgkit.flywheel.flywheel` or `backtest` give it.
    outcome
        "signups", "people" or "revenue"; by default revenue where it is known.
    ax
        Where to draw; a new figure by default.
    """
    known = list(frame["outcome"].unique())
    outcome = outcome or ("revenue" if "revenue" in known else "people")
    rows = frame[frame["outcome"] == outcome].sort_values("period", kind="stable")
    if rows.empty:
        return style.note(ax, f"There is nothing to draw: nothing is known of {_WORDS[outcome][0]}.")
    tested = "actual" in rows.columns
    came = rows.assign(value=rows["actual"]) if tested else rows[~rows["forecast"]]
    ahead = rows if tested else pd.concat([came.tail(1).assign(low=came["value"], high=came["value"]), rows[rows["forecast"]]])
    unit, currency = _WORDS[outcome][1], frame.attrs.get("currency", "")
    axis = scale(unit, float(np.nanmax([ahead["high"].max(), came["value"].max()])), currency=currency)
    ax.fill_between(ahead["period"].to_numpy(), ahead["low"], ahead["high"], color=style.BLUE, alpha=0.16, linewidth=0)
    ax.plot(ahead["period"].to_numpy(), ahead["value"], color=style.BLUE, linestyle="--", zorder=3)
    ax.plot(came["period"].to_numpy(), came["value"], "o-" if tested else "-", color=style.INK, markersize=4, linewidth=1.8, zorder=4)
    _axes(ax, rows, axis, outcome)
    first, last, now = came.iloc[0], ahead.iloc[-1], came.iloc[-1]
    end_labels(ax, [
        Label(float(last["value"]), f"expected\n{_say(last['value'], unit, currency)}", style.text_colour(style.BLUE), bold=True),
        *([Label(float(now["value"]), f"came {_say(now['value'], unit, currency)}", style.INK)] if tested else [])], size=style.SMALL)
    held = bool(rows["inside"].all()) if tested else None
    band = f"{_say(last['low'], unit, currency)} to {_say(last['high'], unit, currency)}"
    alt = (f"{_WORDS[outcome][0].capitalize()}: {_say(first['value'], unit, currency)} in {first['period']:%B %Y}, "
           f"{_say(now['value'], unit, currency)} in {now['period']:%B %Y}; expected "
           f"{_say(last['value'], unit, currency)} in {last['period']:%B %Y} ({band})")
    alt += f"; what came {'stays within' if held else 'leaves'} the band." if tested else "."
    return style.describe(
        ax, alt=alt, caption=f"Line: what came. Dashed: what may come if all goes on as it did; the band ({style.level_of(frame)}) holds "
        "what these data leave open and the chance of single months.")


def _height(frame: pd.DataFrame) -> float:
    return 1.3 + 0.44 * max(len(frame), 2)


@style.chart(height=_height)
def levers(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what each rate would bring, raised alone: in per cent of the revenue and of the active people to come.

    Parameters
    ----------
    frame
        As `plgkit.flywheel.levers` gives it.
    ax
        Where to draw; a new figure by default.
    """
    months, per = frame.attrs["months"], frame.attrs["per"]
    outcomes = [name for name in ("revenue", "people") if frame[name].notna().any()]
    hues = {"revenue": style.BLUE, "people": style.ORANGE}
    places = np.arange(len(frame))[::-1].astype(float)
    for nth, name in enumerate(outcomes):
        whole = frame.attrs[name]
        at = places + (0.13 - 0.26 * nth if len(outcomes) > 1 else 0.0)
        moved = (frame[name].abs() > 0).to_numpy()
        value, low, high = (frame[column].to_numpy(float) / whole for column in (name, f"{name}_low", f"{name}_high"))
        ax.hlines(at[moved], low[moved], high[moved], color=hues[name], linewidth=2.4, zorder=3)
        ax.plot(value[moved], at[moved], "o", color=hues[name], markersize=6.5, zorder=4, label=f"{_WORDS[name][0]} in {months} months")
    _levers_axes(ax, frame, places)
    currency = frame.attrs.get("currency", "")
    listed = ", ".join(
        f"{told(row['what'])} " + " and ".join(f"{_signed(row[name], name, currency)}" for name in outcomes)
        for _, row in frame.iterrows())
    step = "a tenth better" if per == "tenth" else "a point better, counts and amounts by one per cent"
    return style.describe(
        ax, alt=f"What each rate, {step}, would bring after {months} months: {listed}.",
        caption=f"Each rate raised alone, {step}. Line: the interval ({style.level_of(frame)}) of what the data leave open. "
        "No dot: the rate does not touch it here.")


def _levers_axes(ax: Axes, frame: pd.DataFrame, places: np.ndarray) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    from plgkit.charts.labels import wrapped

    ax.axvline(0, color=style.MUTED, linewidth=1)
    ax.set_yticks(places, [wrapped(each, 30, most=48) for each in frame["what"]])
    ax.set_ylim(-0.6, len(frame) - 0.4)
    ax.margins(x=0.06)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:+.3g}%" if round(value, 9) else "0%"))
    ax.set_xlabel("more than if all goes on as it does")
    ax.legend(loc="lower right", handletextpad=0.2)


def _axes(ax: Axes, rows: pd.DataFrame, axis: Scale, outcome: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    date_axis(ax, rows["period"])
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(axis.tick))
    ax.set_ylabel(f"{axis.label}, month's end" if outcome == "revenue" else axis.label)


def _say(value: float, unit: str, currency: str) -> str:
    return number(round(float(value)), unit, currency=currency)


def _signed(value: float, name: str, currency: str) -> str:
    unit = f" {currency}" if name == "revenue" else " people"
    return f"{value:+,.0f}{unit}"
