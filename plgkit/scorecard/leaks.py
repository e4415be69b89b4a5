"""Which stage leaks most, and why."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from plgkit.scorecard.headlines import HEADLINES
from plgkit.scorecard.judging import OFF, ON, UNSURE

LOST, MISSING = "worse than its own past", "short of its target"


def leaks(card: pd.DataFrame) -> pd.DataFrame:
    """The stages by how much they leak, each with its worst line and the reason.

    What has just got worse goes before what has long been short of its target: it was better a little while ago, and
    whatever was done to it can still be undone. A line has got worse where its last values are below its own past by more
    than noise (`drifted`); only lines that count those who came through the stages before (`own`) are looked at, because
    the others fall with every leak upstream. If fewer of all accounts pay, fewer of the qualified do: they are worse only by
    what is more than that. A line is short by what is missing of its target beyond its interval, as a
    share of the target; where less is better, by the share by which it would have to fall. Of shortfalls a stage has the
    mean over its lines that have a target and an interval, so that one odd line makes no stage the worst.

    Parameters
    ----------
    card
        As `scorecard` gives it.

    Returns
    -------
    One row per stage that leaks, the worst first: stage, reason ("worse than its own past", "short of its target"), size (the
    share lost of the usual value, or missing of the target, beyond the interval), measure, label, and place (the worst line's row in the card).

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import scorecard
    >>> leaks(scorecard(samples.tiny())).empty
    True
    """
    rows = [*_lost(card), *_missing(card)]
    made = pd.DataFrame(rows, columns=["stage", "reason", "size", "place"])
    made = made.sort_values(["reason", "size"], ascending=[False, False], kind="stable").drop_duplicates("stage", ignore_index=True)
    for name in ("measure", "label"):
        made[name] = [card.loc[place, name] if name in card else "" for place in made["place"]]
    return made[["stage", "reason", "size", "measure", "label", "place"]]


def leak(card: pd.DataFrame) -> pd.Series | None:
    """The worst line of the stage that leaks most, with the reason; None if no line is surely worse or short.

    Parameters
    ----------
    card
        As `scorecard` gives it.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import scorecard
    >>> leak(scorecard(samples.tiny())) is None
    True
    """
    found = leaks(card)
    if found.empty:
        return None
    first = found.iloc[0]
    row = card.loc[first["place"]].copy()
    row["reason"], row["shortfall"] = first["reason"], first["size"]
    return row


def _lost(card: pd.DataFrame) -> list[tuple[str, str, float, Any]]:
    """Per stage its own line that has lost most of its usual value, of those that surely have got worse."""
    if "drifted" not in card:
        return []
    sure = card[card["drifted"].fillna(False).astype(bool) & card["own"]]
    whole, beyond = (pd.Series([_loss(row, to) for _, row in card.iterrows()], index=card.index) for to in ("mean", "bound"))
    sizes = _alone(card, beyond, whole).loc[sure.index]
    worst = sizes[sizes > 0].groupby(sure["stage"], sort=False).idxmax()
    return [(stage, LOST, sizes[place], place) for stage, place in worst.items()]


def _loss(row: pd.Series, to: str) -> float:
    """The share of its usual value that a line has lost, beyond its interval or in the mean; where less is better, by which it would have to fall."""
    lower = row["better"] == "lower"
    lately = row["lately"] if to == "mean" else row["usual"] + (row["drift_low"] if lower else row["drift_high"])
    if row["better"] == "neither" or not row["usual"] > 0:
        return math.nan
    if lower:
        return 1 - row["usual"] / lately if lately > 0 else math.nan
    return 1 - max(lately, 0.0) / row["usual"]


def _alone(card: pd.DataFrame, sizes: pd.Series, wholes: pd.Series) -> pd.Series:
    """What each line has lost; of a choice, what it has lost beyond those it was chosen from."""
    names = card.loc[sizes.index, "measure"]
    lost = dict(zip(card.loc[wholes.index, "measure"], wholes, strict=True))
    of = {each.measure: lost.get(each.of, math.nan) for each in HEADLINES if each.of}
    alone = [1 - (1 - size) / (1 - of[name]) if 0 < of.get(name, 0) < 1 else size for name, size in zip(names, sizes, strict=True)]
    return pd.Series(alone, index=sizes.index, dtype="float64")


def _missing(card: pd.DataFrame) -> list[tuple[str, str, float, Any]]:
    """Per stage the mean of what is missing of its targets, and the line that misses most."""
    judged = card[card["status"].isin([ON, OFF, UNSURE]) & card["low"].notna() & card["high"].notna()]
    short = pd.Series([_shortfall(row) if row.status == OFF else 0.0 for row in judged.itertuples()], index=judged.index, dtype="float64")
    stages = _alone(judged, short, _gap(judged)).clip(lower=0.0).groupby(judged["stage"], sort=False)
    worst = stages.idxmax() if len(judged) else {}
    return [(stage, MISSING, size, worst[stage]) for stage, size in stages.mean().items() if size > 0]


def _gap(card: pd.DataFrame) -> pd.Series:
    """How much of the target is missing in the mean, as a share."""
    lower = card["better"] == "lower"
    return (1 - card["value"] / card["target"]).where(~lower, 1 - card["target"] / card["value"])


def _shortfall(row: Any) -> float:
    """How much of the target is missing beyond doubt, as a share."""
    if row.better == "lower":
        return 1 - row.target / row.low if row.low > 0 else math.nan
    return 1 - row.high / row.target if row.target > 0 else math.nan
