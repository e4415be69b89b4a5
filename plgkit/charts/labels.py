"""Words inside a picture: cut to length, kept apart, and never more than the font can draw."""

from __future__ import annotations

import functools
import textwrap
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Tried in this order, only for letters that DejaVu Sans lacks, and only where installed.
_FURTHER = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "PingFang SC",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
)
_LACKING = "\u25a1"


class Label(NamedTuple):
    """Words at the right end of a line: their height on the axis, text, colour and weight."""

    y: float
    text: str
    colour: str
    bold: bool = False


def short(label: object, most: int = 28) -> str:
    """Cut a label to `most` characters, on one line, with no sign that cannot be drawn.

    Examples
    --------
    >>> short("a name that goes on for longer than any chart has room")
    'a name that goes on for lon…'
    >>> short(None), short(""), short(pd.Timestamp("2026-04-01"))
    ('(none)', '(empty)', '1 Apr 2026')
    """
    if label is None or (isinstance(label, float) and np.isnan(label)):
        return "(none)"
    said = f"{label.day} {label:%b %Y}" if isinstance(label, pd.Timestamp) else str(label)
    text = " ".join(drawable(said).split())
    if not text:
        return "(empty)"
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def told(label: object, most: int = 40) -> str:
    """Cut a label for words outside the picture, where every letter can stand."""
    text = "(none)" if label is None or (isinstance(label, float) and np.isnan(label)) else str(label)
    text = " ".join("".join(each for each in text if unicodedata.category(each) != "Cc").split()) or "(empty)"
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def span(periods: pd.Series) -> str:
    """Write from when to when: "week, 5 Jan 2026 to 29 Jun 2026"."""
    grain, first, last = grain_of(periods), periods.min(), periods.max()
    if first == last:
        return f"period, {period_words(first, grain)}"
    return f"{grain}, {period_words(first, grain)} to {period_words(last, grain)}"


def wrapped(label: object, width: int, *, most: int = 28) -> str:
    """Cut a label and break it into lines of about `width` characters."""
    return "\n".join(textwrap.wrap(short(label, most), max(width, 8), max_lines=3, placeholder="…"))


def drawable(text: str) -> str:
    """Leave out control signs, and put a box for each letter that no font at hand has."""
    kept = (each if each in "\n\t " or unicodedata.category(each)[0] != "C" else "" for each in text)
    return "".join(each if not each or _known(each) else _LACKING for each in kept)


@functools.cache
def families() -> list[str]:
    """List the fonts to draw with: DejaVu Sans, then what is installed for other scripts."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *[name for name in _FURTHER if name in installed]]


def end_labels(ax: Axes, labels: list[Label], *, size: float = 10.0, below: float = 0.0) -> None:
    """Write labels right of the axes at the height of their lines, moved apart where they would touch.

    `below` is how many points under the axes are taken by words.
    """
    if not labels:
        return
    bottom, top = ax.get_ylim()
    points = max(_height_in_points(ax) - below, 1.0)
    heights = [1.3 * size * (1 + each.text.count("\n")) / points for each in labels]
    wanted = [(each.y - bottom) / (top - bottom) for each in labels]
    for label, height in zip(labels, spread(wanted, heights), strict=True):
        ax.annotate(
            label.text,
            (1, height),
            xycoords="axes fraction",
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            ha="left",
            color=label.colour,
            fontsize=size,
            fontweight="bold" if label.bold else "normal",
            annotation_clip=False,
        )


def spread(wanted: list[float], heights: list[float]) -> list[float]:
    """Move places between 0 and 1 apart until labels of these heights do not touch.

    Examples
    --------
    >>> spread([0.5, 0.5], [0.1, 0.1])
    [0.45, 0.55]
    """
    order = np.argsort(wanted, kind="stable")
    blocks: list[list[float]] = []
    for place in order:
        start = min(max(wanted[place] - heights[place] / 2, 0.0), 1.0 - heights[place])
        blocks.append([start, heights[place], 1])
        while len(blocks) > 1 and blocks[-2][0] + blocks[-2][1] > blocks[-1][0]:
            start, height, count = blocks.pop()
            before = blocks[-1]
            # Two runs that touch become one, centred on what its labels wanted on average.
            middle = before[2] * (before[0] + before[1] / 2) + count * (start + height / 2)
            total = before[1] + height
            blocks[-1] = [middle / (before[2] + count) - total / 2, total, before[2] + count]
            blocks[-1][0] = max(0.0, min(blocks[-1][0], 1.0 - total))
    found = [0.0] * len(wanted)
    places = iter(order)
    for start, _, count in blocks:
        for _ in range(int(count)):
            place = next(places)
            found[place] = round(float(start + heights[place] / 2), 6)
            start += heights[place]
    return found


def date_axis(ax: Axes, periods: pd.Series, *, most: int = 8) -> None:
    """Put date ticks on the x axis, each at a period and with its year where it begins."""
    import matplotlib.dates as mdates

    days = pd.DatetimeIndex(pd.Series(periods).dropna().unique()).sort_values()
    shown = _ticks(days, most)
    words, year = [], None
    for day in shown:
        words.append(period_words(day, grain_of(days), year=day.year != year, broken=True))
        year = day.year
    ax.set_xticks(mdates.date2num(shown.to_numpy()), words)
    first, last = mdates.date2num(days[[0, -1]].to_numpy())
    room = max(0.045 * (last - first), 0.5)
    # Periods without a value have their place too.
    ax.set_xlim(first - room, last + room)


def period_words(day: pd.Timestamp, grain: str, *, year: bool = True, broken: bool = False) -> str:
    """Write a period as a reader says it: "5 Jan 2026", "Jan 2026", "Q1 2026"."""
    named = {"month": f"{day:%b}", "quarter": f"Q{day.quarter}", "year": f"{day.year}"}
    text = named.get(grain, f"{day.day} {day:%b}")
    if not year or grain == "year":
        return text
    return f"{text}\n{day.year}" if broken else f"{text} {day.year}"


def recent(frame: pd.DataFrame, column: str = "period", *, most: int = 120) -> pd.DataFrame:
    """Keep the last five years, and no more periods than there is room for."""
    days = pd.DatetimeIndex(frame[column].dropna().unique()).sort_values()
    if not len(days):
        return frame
    first = max(days[-1] - pd.DateOffset(years=5), days[-min(most, len(days))])
    return frame[frame[column] >= first]


def shortened(whole: pd.Series, shown: pd.Series) -> list[str]:
    """Say how many of the periods are drawn, if not all are."""
    drawn, all_ = shown.nunique(), whole.nunique()
    return [f"The last {drawn} of {all_} {grain_of(whole)}s."] if drawn < all_ else []


def grain_of(periods: pd.Series | pd.DatetimeIndex) -> str:
    """Tell from their distance whether periods are days, weeks, months, quarters or years."""
    days = pd.DatetimeIndex(pd.Series(periods).dropna().unique()).sort_values()
    if len(days) < 2:
        return "period"
    apart = float(np.median(np.diff(days.to_numpy()).astype("timedelta64[h]").astype(float))) / 24
    sizes = ((3, "day"), (20, "week"), (45, "month"), (200, "quarter"))
    return next((name for most, name in sizes if apart <= most), "year")


def _ticks(days: pd.DatetimeIndex, most: int) -> pd.DatetimeIndex:
    apart = max(1, -(-len(days) // most))
    if grain_of(days) == "month" and apart > 1:
        apart = next((each for each in (2, 3, 6, 12, 24, 60) if each >= apart), 120)
        round_ones = days[(days.year * 12 + days.month - 1) % apart == 0]
        return round_ones if len(round_ones) > 1 else days[::apart]
    return days[::-1][::apart][::-1]


def _height_in_points(ax: Axes) -> float:
    share = 0.72 if len(ax.figure.axes) == 1 else ax.get_position().height * 0.9
    return max(ax.figure.get_figheight() * 72 * share, 1.0)


def _known(letter: str) -> bool:
    return letter in "\n\t" or any(ord(letter) in _letters(family) for family in families())


@functools.cache
def _letters(family: str) -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(family, fallback_to_default=False)).get_charmap())
