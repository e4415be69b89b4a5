"""Frames handed on as files that a spreadsheet opens without running anything in them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with an apostrophe before every text, and every name of a column, that a spreadsheet would read as a formula.

    Examples
    --------
    >>> harmless(pd.DataFrame({"account_id": ["a1", "=1+1", " @sum"], "score": [1, -2, 3]}))
      account_id  score
    0         a1      1
    1      '=1+1     -2
    2     ' @sum      3
    """
    texts = [name for name in frame.columns if pd.api.types.is_string_dtype(frame[name]) or frame[name].dtype == object]
    made = frame.assign(**{name: frame[name].map(_harmless, na_action="ignore") for name in texts})
    return made.rename(columns=_harmless)


def _harmless(text: object) -> object:
    return f"'{text}" if isinstance(text, str) and (text.startswith(_STARTS_A_FORMULA) or text.lstrip(" ").startswith(
        _STARTS_A_FORMULA)) else text


def to_csv(frame: pd.DataFrame, path: str | Path | None = None) -> str | None:
    """Write a frame as CSV that is safe to open in a spreadsheet; without a path, return its text.

    Parameters
    ----------
    frame
        Such as the list of accounts to call.
    path
        The file, written in UTF-8 with the mark by which spreadsheets know it.

    Examples
    --------
    >>> print(to_csv(pd.DataFrame({"account_id": ["=1+1"], "score": [65.0]})), end="")
    account_id,score
    '=1+1,65.0
    """
    text = harmless(frame).to_csv(index=False, lineterminator="\n")
    if path is None:
        return text
    Path(path).write_text(text, encoding="utf-8-sig", newline="\n")
    return None
