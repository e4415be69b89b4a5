"""Frames as tables: every cell escaped, numbers as people read them, rows of few people greyed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from plgkit.notebook import words
from plgkit.notebook.text import escape, tame

_MOST_ROWS = 60
_LONG_CELL = 40
_LONGEST_CELL = 80
_HEADS = {"immature": "too young", "censored": "not yet", "mature": "judged"}
_PEOPLE = ("n", "denominator", "people", "at_risk")
_PARTS = ("difference", "precision", "recall", "reach", "beyond", "at_end", "fall")
_PARTED = ("repeating", "there", "known", "still_moves", "up_to")
_SHARES = ("value", "low", "high", "q25", "q75", "median_among", "among", "of_all")
_PLAIN = ("share", "each")
"""Units of rows that are told by how their numbers are written."""
_CHANCES = ("p", "p_others", "p_corrected")


def facts(frame: pd.DataFrame) -> dict[str, Any]:
    """Give what a report page needs to know of a frame besides its cells."""
    named = {name: frame.attrs.get(name) for name in ("measure", "definition", "unit")}
    return {name: str(value) for name, value in named.items() if value}


def as_text(frame: pd.DataFrame) -> str:
    """Write a frame as plain text, the same in every terminal."""
    if frame.empty:
        return f"No rows. Columns: {', '.join(map(str, frame.columns))}."
    calm = frame.map(lambda cell: tame(cell, at_most=_LONGEST_CELL) if isinstance(cell, str) else cell)
    calm.columns = [tame(each, at_most=_LONGEST_CELL) for each in calm.columns]
    return calm.to_string(max_rows=_MOST_ROWS, float_format=_rounded, line_width=None, show_dimensions=False)


def as_html(frame: pd.DataFrame, *, few: int = 5, longest: int = _LONGEST_CELL) -> str:
    """Write a frame as an HTML table without a script, a style or a live link in it."""
    flat = _flat(frame)
    if flat.empty:
        return f'<p class="none">{escape(as_text(frame))}</p>'
    unit, currency = str(frame.attrs.get("unit", "")), str(frame.attrs.get("currency", "USD"))
    units = flat.pop("unit") if "unit" in flat and flat["unit"].isin(_PLAIN).all() else None
    columns = {name: _column(flat[name], name, _unit_of(name, flat, unit) if units is None or name not in _SHARES else units, currency, longest)
               for name in flat.columns}
    if frame.attrs.get("interval", True):
        columns = _with_intervals(columns)
    kinds = {name: _class(flat[name], cells) if name in flat else "" for name, cells in columns.items()}
    head = "".join(f"<th{kinds[name]}>{_head(name, flat)}</th>" for name in columns)
    grey = _few(flat, few)
    rows = [
        ('<tr class="few">' if grey[at] else "<tr>")
        + "".join(f"<td{kinds[name]}>{cells[at]}</td>" for name, cells in columns.items())
        + "</tr>"
        for at in range(min(len(flat), _MOST_ROWS))
    ]
    more = f'<p class="more">{words.count(len(flat) - _MOST_ROWS)} more rows.</p>' if len(flat) > _MOST_ROWS else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="scroll">{table}</div>{more}'


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    plain = frame
    # Numbers without a name say only which rows were left out.
    counted = frame.index.nlevels == 1 and frame.index.name is None and pd.api.types.is_integer_dtype(frame.index)
    if not counted:
        plain = frame.reset_index()
    plain = plain.copy()
    plain.columns = [
        " / ".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in plain.columns
    ]
    return plain.loc[:, ~plain.columns.duplicated()]


def _unit_of(name: str, frame: pd.DataFrame, unit: str) -> str:
    """Give the unit of a column: an interval without a value is that of the share, and so is the value of a way."""
    shared = "share_of_entry" in frame or {"way", "share"} <= set(frame.columns)
    return "share" if shared and name in ("value", "low", "high") else unit


def _with_intervals(columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """Make one column of the two ends of each interval."""
    joined: dict[str, list[str]] = {}
    for name, cells in columns.items():
        stem = name.removesuffix("low")
        if name.endswith("high") and f"{name.removesuffix('high')}low" in columns:
            continue
        if stem != name and f"{stem}high" in columns:
            joined[f"{stem.replace('_', ' ')}95% interval"] = [
                f"{low} – {high}" if words.UNKNOWN not in (low, high) and low and high else ""
                for low, high in zip(cells, columns[f"{stem}high"], strict=True)
            ]
        else:
            joined[name] = cells
    return joined


def _column(values: pd.Series, name: str, unit: str | pd.Series, currency: str, longest: int) -> list[str]:
    """The cells of a column, each row in a unit of its own where rows have one."""
    units = [unit] * len(values) if isinstance(unit, str) else list(unit)
    return [_cell(value, name, each, currency, longest) for value, each in list(zip(values, units, strict=True))[:_MOST_ROWS]]


def _cell(value: Any, name: str, unit: str, currency: str, longest: int) -> str:
    if isinstance(value, (list, tuple, dict, set)):
        return escape(value, at_most=_LONGEST_CELL)
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return words.UNKNOWN if name in _SHARES else ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (pd.Timestamp, np.datetime64)):
        stamp = pd.Timestamp(value)
        return words.day(stamp) if stamp == stamp.normalize() else f"{stamp:%Y-%m-%d %H:%M}"
    if isinstance(value, (int, float, np.number)):
        return escape(_figure(float(value), name, unit, currency))
    return escape(value, at_most=longest)


def _figure(value: float, name: str, unit: str, currency: str) -> str:
    stem = name.removesuffix("_low").removesuffix("_high")
    if stem in _SHARES and unit == "each":
        return words.number(value, 2)
    if stem in _SHARES and unit:
        return words.show(value, unit, currency=currency)
    if name.startswith("share") or name.endswith("_share") or stem in _PARTED or (stem in _PARTS and unit.startswith("share")):
        return words.share(value, 1)
    if name in _CHANCES:
        return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
    if name.endswith("_hours"):
        return words.hours(value)
    if name.endswith("_seconds") or "_seconds_" in name:
        return words.duration(value)
    if name.endswith("_minor"):
        return words.money(value, currency)
    if value.is_integer():
        return words.count(value)
    return words.number(value, 0 if abs(value) >= 100 else 2 if abs(value) >= 0.1 else 4)


def _rounded(value: float) -> str:
    if words.unknown(value):
        return "NaN"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.1f}"


def _numeric(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _few(frame: pd.DataFrame, few: int) -> list[bool]:
    name = next((each for each in _PEOPLE if each in frame and _numeric(frame[each])), None)
    if name is None:
        return [False] * len(frame)
    return (frame[name].fillna(0) < few).tolist()


def _head(name: str, frame: pd.DataFrame) -> str:
    if name not in frame:
        return escape(name)
    shown = _HEADS.get(name, name.replace("_seconds", "").replace("_minor", "").replace("_", " "))
    return escape(shown, at_most=_LONGEST_CELL)


def _class(values: pd.Series, cells: list[str]) -> str:
    if _numeric(values):
        return ""
    return ' class="text long"' if max(map(len, cells), default=0) > _LONG_CELL else ' class="text"'
