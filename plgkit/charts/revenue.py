"""Revenue by cohort: what each keeps at one age, and the layers of which a period's revenue is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plgkit.charts import style
from plgkit.charts.growth import _bar_axis, _legend, _money_axis, _width
from plgkit.charts.labels import Label, date_axis, end_labels, grain_of, period_words, recent, shortened, span
from plgkit.charts.units import number, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LAYERS = 6


@style.chart(height=3.4)
def cohort_values(
    frame: pd.DataFrame, *, age: int = 12, reference: float | None = 1.0, unit: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw what each cohort keeps at one age, a dot with its interval, against a line.

    Parameters
    ----------
    frame
        Cohorts: cohort, age, numerator, denominator, value, low, high, mature. Without groups.
    age
        The age to compare the cohorts at; where none is so old, the last that any has reached.
    reference
        A value to compare with, such as 1 for all that was paid at first; None draws no line.
    unit
        What the values count; the frame's own by default.
    ax
        Where to draw; a new figure by default.
    """
    unit = style.unit_of(frame, unit) or "share"
    over = frame[frame["mature"].astype(bool) & frame["value"].notna() & (frame["age"] > 0)]
    if over.empty:
        return style.note(ax, "There is nothing to draw yet: no cohort has an age behind it.")
    at = min(age, int(over["age"].max()))
    periods, rows = over["cohort"], recent(over[over["age"] == at], "cohort")
    axis = scale(unit, float(rows["value"].max()))
    x, y = rows["cohort"].to_numpy(), rows["value"].to_numpy(dtype=float) * axis.times
    ax.vlines(x, rows["low"].to_numpy(dtype=float) * axis.times, rows["high"].to_numpy(dtype=float) * axis.times,
              color=style.BLUE, alpha=0.35, linewidth=4)
    ax.plot(x, y, "o", color=style.BLUE, markersize=6, zorder=3)
    together = float(rows["numerator"].sum() / rows["denominator"].sum()) if rows["denominator"].sum() else np.nan
    date_axis(ax, rows["cohort"])
    ax.set_ylim(bottom=0)
    _percents(ax, unit)
    lines = [Label(together * axis.times, f"together {number(together, unit)}", style.BLUE, False)] if together == together else []
    ax.axhline(together * axis.times, color=style.BLUE, linewidth=1, alpha=0.6, zorder=1)
    if reference is not None:
        ax.axhline(reference * axis.times, linestyle=(0, (1, 2)), color=style.MUTED, linewidth=1.4, zorder=1)
        if abs(reference - together) > 0.005:
            lines.append(Label(reference * axis.times, number(reference, unit), style.MUTED, False))
    end_labels(ax, sorted(lines, key=lambda each: each.y), size=style.SMALL)
    grain = grain_of(frame["cohort"])
    told = ", ".join(f"{period_words(row.cohort, grain)} {number(row.value, unit)}" for row in rows.itertuples())
    later = f"{at} {grain}" if at == 1 else f"{at} {grain}s"
    caption = [f"Each dot is the accounts that began in one {grain}, {later} on; bar: the interval "
               f"({style.level_of(frame)}).", *([f"Dotted: {number(reference, unit)}."] if reference is not None else []),
               *shortened(periods[over["age"] == at], rows["cohort"])]
    return style.describe(ax, alt=f"Dots of {unit} by cohort at age {at}: {told}. Together: {number(together, unit)}.",
                          caption=" ".join(caption))


@style.chart(height=3.6)
def revenue_layers(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the revenue of each period as layers, one for the accounts that began in each year (or period).

    Parameters
    ----------
    frame
        Cohorts of revenue: cohort, age, numerator (currency). Groups are added up.
    ax
        Where to draw; a new figure by default.
    """
    starts = pd.DatetimeIndex(frame["cohort"].unique()).sort_values()
    grain, currency = grain_of(frame["cohort"]), frame.attrs.get("currency", "")
    if grain == "period" and (starts.day == 1).all():
        # One cohort alone tells no distance; cohorts of revenue begin with months unless they are asked for otherwise.
        grain = "month"
    place = pd.Series(range(len(starts)), index=starts)
    if grain in ("month", "quarter"):
        now = [start + pd.DateOffset(months=int(age) * (3 if grain == "quarter" else 1))
               for start, age in zip(frame["cohort"], frame["age"], strict=True)]
    else:
        days = np.diff(starts.to_numpy()).min() if len(starts) > 1 else np.timedelta64(7, "D")
        now = [start + int(age) * pd.Timedelta(days) for start, age in zip(frame["cohort"], frame["age"], strict=True)]
    yearly = len(starts) > _MOST_LAYERS
    name = frame["cohort"].dt.year.astype(str) if yearly else frame["cohort"].map(lambda each: period_words(each, grain))
    order = frame["cohort"].dt.year if yearly else frame["cohort"].map(place)
    cells = pd.DataFrame({"period": now, "layer": name, "order": order, "value": frame["numerator"].astype(float)})
    whole, cells = cells["period"], recent(cells)
    wide = cells.pivot_table(index="period", columns=["order", "layer"], values="value", aggfunc="sum", fill_value=0.0)
    shades = np.linspace(1.0, 0.35, wide.shape[1])
    base = np.zeros(len(wide))
    for shade, (_, layer) in zip(shades, wide.columns, strict=True):
        height = wide.xs(layer, axis=1, level="layer").to_numpy()[:, 0]
        ax.bar(wide.index.to_numpy(), height, bottom=base, width=_width(wide.index), color=style.BLUE, alpha=shade,
               label=f"began {layer}", edgecolor="white", linewidth=0.5)
        base = base + height
    _money_axis(ax, "currency", currency, float(max(base.max(), 1.0)))
    _bar_axis(ax, pd.Series(wide.index))
    _legend(ax)
    last = wide.iloc[-1]
    told = ", ".join(f"began {layer} {number(float(last[(spot, layer)]), 'currency', currency=currency)}"
                     for spot, layer in wide.columns)
    return style.describe(
        ax, alt=f"Stacked bars of revenue by {span(pd.Series(wide.index))}; at the end: {told}.",
        caption=" ".join(["Each layer is the accounts that began to pay then: does it grow, or melt away?",
                          *shortened(whole, cells["period"])]))


def _percents(ax: Axes, unit: str) -> None:
    from matplotlib.ticker import FuncFormatter

    ax.yaxis.set_major_formatter(FuncFormatter(scale("share", 1).tick))
    ax.set_ylabel(style.short(unit, 30))
