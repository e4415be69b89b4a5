"""What all charts share: colours, sizes, the empty canvas, and the words that go with a picture."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from plgkit.charts.labels import drawable, families, short
from plgkit.charts.units import number
from plgkit.stats.intervals import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "PALETTE",
    "chart",
    "colours",
    "context",
    "describe",
    "groups",
    "level_of",
    "names_of",
    "note",
    "number",
    "segment_of",
    "short",
    "text_colour",
    "unit_of",
]

BLUE, ORANGE, GREEN, PINK, SKY, AMBER = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"
PALETTE = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY)
INK, DARK, MUTED, LINE, PALE, LOSS = "#1f2328", "#3d444d", "#5f6773", "#e5e7eb", "#eef0f2", "#f4d2b8"
SMALL, NORMAL = 9.5, 10.5
WIDTH = 8.5
OTHERS = "others"

# Columns that shapes have of their own; any other cuts a frame into groups.
# fmt: off
RESERVED = frozenset([
    "period", "cohort", "age", "numerator", "denominator", "value", "low", "high", "immature", "complete",
    "mature", "step", "position", "people", "share_of_entry", "share_of_previous", "q25_seconds",
    "median_seconds", "q75_seconds", "median_seconds_from_entry", "n", "events", "q25", "q75",
    "median_among", "censored", "x", "at_risk", "difference", "p", "lift", "lift_low", "lift_high",
    "target", "status", "survival", "time", "opening", "new", "retained", "resurrected", "churned",
    "reactivation", "expansion", "contraction", "churn", "closing", "active", "definition", "measure",
    "unit", "stage", "days", "at_least", "settled",
])
# fmt: on


@contextmanager
def context() -> Iterator[None]:
    """Draw in the project's style, and leave the caller's settings as they were."""
    import matplotlib as mpl

    with mpl.rc_context(_settings()):
        yield


def chart(height: float | Callable[[pd.DataFrame], float] = 3.4) -> Callable:
    """Make a drawing function a chart: give it an axes in the style, and a note when there is no row."""

    def of(draw: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(draw)
        def drawn(frame: pd.DataFrame, *, ax: Axes | None = None, **options: Any) -> Axes:
            with context():
                if frame.empty:
                    return note(_canvas(1.2) if ax is None else ax, "There is nothing to draw: no row.")
                if ax is None:
                    ax = _canvas(height(frame) if callable(height) else height)
                return draw(frame, ax=ax, **options)

        return drawn

    return of


def describe(ax: Axes, *, alt: str, caption: str) -> Axes:
    """Give the picture its words: `alt` says what it shows, `caption` how to read it."""
    from matplotlib.text import Text

    for each in ax.figure.findobj(Text):
        each.set_parse_math(False)
    ax.figure.plgkit_description = {"alt": " ".join(alt.split()), "caption": " ".join(caption.split())}
    return ax


def note(ax: Axes, sentence: str) -> Axes:
    """Draw one line of words where there is no picture to draw."""
    if len(ax.figure.axes) == 1:
        ax.figure.set_figheight(1.2)
    ax.set_axis_off()
    ax.text(0.5, 0.5, drawable(sentence), ha="center", va="center", color=MUTED, transform=ax.transAxes)
    return describe(ax, alt=sentence, caption="")


def segment_of(frame: pd.DataFrame, by: str | None = None) -> str | None:
    """Name the column that cuts a frame into groups: the first that is no number of a shape."""
    if by is not None:
        return by
    names = (name for name in frame.columns if name not in RESERVED)
    return next((name for name in names if not pd.api.types.is_numeric_dtype(frame[name])), None)


def names_of(frame: pd.DataFrame, label: str | None, value: str) -> str:
    """Name the column with the names of rows: as asked for, a group's, or else the first of words."""
    if label is not None:
        return label
    found = segment_of(frame.drop(columns=value))
    words = (
        name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name]) and name != "period"
    )
    return found or next(words, value)


def groups(
    frame: pd.DataFrame, by: str | None, *, most: int = 6, sums: bool = False
) -> dict[str, pd.DataFrame]:
    """Split a frame by a column: the largest groups by name (or by category), the rest pooled as "others".

    Rates are pooled from their parts. Totals are added up where `sums` says that they may be; means,
    medians and curves cannot be pooled, so that the smallest groups are left out.
    """
    if by is None:
        return {"": frame}
    names = frame[by].astype(object).where(frame[by].notna(), "(none)").astype(str)
    sizes = _weight(frame).groupby(names).sum().sort_values(ascending=False, kind="stable")
    shown = list(sizes.index) if len(sizes) <= most else list(sizes.index[: most - 1])
    places = list(map(str, frame[by].cat.categories)) if hasattr(frame[by], "cat") else []
    order = sorted(
        shown, key=lambda name: (name == "(none)", places.index(name) if name in places else 0, name)
    )
    parts = {name: frame[names == name] for name in order}
    rest = _pooled(frame[~names.isin(shown)], sums=sums)
    return parts if rest is None else parts | {OTHERS: rest}


def colours(names: list[str]) -> dict[str, str]:
    """Give each group its colour; what is "others" or unknown is grey."""
    plain = [name for name in names if name not in (OTHERS, "(none)")]
    own = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(plain)}
    return {name: own.get(name, DARK if name == OTHERS else "#a8afb8") for name in names}


def text_colour(colour: str) -> str:
    """Darken a light colour until words in it can be read on white."""
    from matplotlib.colors import to_hex, to_rgb

    parts = np.array(to_rgb(colour))
    while _contrast(parts) < 4.5:
        parts = parts * 0.96
    return to_hex(parts)


def unit_of(frame: pd.DataFrame, unit: str | None) -> str:
    """Take the unit that was asked for, or else the frame's own."""
    if unit is not None:
        return unit
    own = frame.attrs.get("unit")
    return str(own) if own else ("share" if "denominator" in frame.columns else "")


def level_of(frame: pd.DataFrame) -> str:
    """Write the level of the frame's intervals."""
    return f"{frame.attrs.get('level', 0.95):.0%}"


def _contrast(parts: np.ndarray) -> float:
    """Contrast with white, as the Web Content Accessibility Guidelines 2.2 reckon it."""
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05))


def _canvas(height: float) -> Axes:
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(WIDTH, height), layout="constrained")[1]


def _settings() -> dict[str, Any]:
    return {
        "text.parse_math": False,
        "text.usetex": False,
        "text.color": INK,
        "font.family": families(),
        "font.size": NORMAL,
        "figure.dpi": 144,
        "savefig.dpi": "figure",
        "figure.facecolor": "white",
        "figure.constrained_layout.h_pad": 0.06,
        "figure.constrained_layout.w_pad": 0.06,
        "axes.facecolor": "white",
        "axes.labelcolor": MUTED,
        "axes.labelsize": NORMAL,
        "axes.titlesize": NORMAL,
        "axes.titlecolor": MUTED,
        "axes.titlelocation": "left",
        "axes.edgecolor": LINE,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.spines.left": False,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.spines.bottom": False,
        "axes.formatter.use_mathtext": False,
        "axes.unicode_minus": True,
        "grid.color": LINE,
        "grid.linewidth": 0.9,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelsize": NORMAL,
        "ytick.labelsize": NORMAL,
        "xtick.major.pad": 6,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.minor.size": 0,
        "ytick.minor.size": 0,
        "lines.linewidth": 2.0,
        "lines.solid_capstyle": "round",
        "hatch.linewidth": 0.6,
        "legend.frameon": False,
        "legend.fontsize": SMALL,
        "savefig.bbox": None,
    }


def _weight(frame: pd.DataFrame) -> pd.Series:
    for name in ("denominator", "people", "n", "at_risk", "value"):
        if name in frame.columns:
            return pd.to_numeric(frame[name], errors="coerce").astype(float).abs().fillna(0.0)
    return pd.Series(1.0, index=frame.index)


def _pooled(rest: pd.DataFrame, *, sums: bool) -> pd.DataFrame | None:
    keys = [name for name in ("period", "cohort", "age") if name in rest.columns]
    if rest.empty or not keys:
        return None
    flags = {name: "min" for name in ("mature", "complete") if name in rest.columns}
    if not {"numerator", "denominator"} <= set(rest.columns):
        found = rest.groupby(keys, as_index=False).agg({"value": "sum"} | flags) if sums else None
        return None if found is None else found.assign(low=float("nan"), high=float("nan"))
    parts = {name: "sum" for name in ("numerator", "denominator", "immature") if name in rest.columns}
    found = rest.groupby(keys, as_index=False).agg(parts | flags)
    people = found["denominator"].astype(float)
    found["value"] = found["numerator"].astype(float) / people.where(people > 0)
    low, high = wilson(found["numerator"], found["denominator"])
    own = _counts_people(rest)
    return found.assign(low=low if own else float("nan"), high=high if own else float("nan"))


def _counts_people(rates: pd.DataFrame) -> bool:
    """Tell whether a rate's interval is that of people counted, and not of money or something else."""
    if "low" not in rates.columns:
        return False
    low, _ = wilson(rates["numerator"], rates["denominator"])
    return bool(np.allclose(low, rates["low"].astype(float), equal_nan=True))
