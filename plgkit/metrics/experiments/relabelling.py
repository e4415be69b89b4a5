"""The A/A check: what the whole way from people to a verdict finds when variants are dealt out anew, by chance alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics.experiments import doings, judging, plans
from plgkit.metrics.experiments.looks import DAY
from plgkit.metrics.registry import measure
from plgkit.playbook.trial import Experiment, Metric
from plgkit.sources.data import Data
from plgkit.stats import arms, intervals

_CELLS_AT_ONCE = 2_000_000
WAYS = ("one look at the end", "a look every day", "every day, always-valid")
COLUMNS = ["experiment", "metric", "way", "n", "draws", "false", "value", "low", "high", "stated"]


def _as_aa(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    parts = []
    for name, rows in frame.groupby("experiment", sort=True):
        metrics = [(slot, plans.metrics(data, name)[slot]) for slot in _slots(data, name)]
        if metrics:
            parts.append(_checked(rows, metrics, plans.plan(data, name), parameters).assign(experiment=name))
    made = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    made["value"] = made["false"] / made["draws"].where(made["draws"] > 0).astype("float64")
    made["low"], made["high"] = intervals.wilson(made["false"], made["draws"], level=parameters["level"])
    return made[COLUMNS]


def _checked(rows: pd.DataFrame, metrics: list[tuple[int, Metric]], wanted: Experiment, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """False finds per metric and way of looking, out of so many ways to deal the same people out."""
    alpha, made = 1 - parameters["level"], []
    for slot, metric in metrics:
        cells = rows[rows[doings.SLOT] == slot].sort_values([DAY, *arms.TERMS], ignore_index=True)
        if cells.empty:
            continue
        random, found = np.random.default_rng(parameters["seed"]), []
        at_once = max(1, _CELLS_AT_ONCE // len(cells))
        for start in range(0, parameters["draws"], at_once):
            treated = random.binomial(cells["people"], 0.5, (min(at_once, parameters["draws"] - start), len(cells)))
            sides = (_upto(cells, each, metric) for each in (cells["people"].to_numpy() - treated, treated))
            looked = judging.followed(*sides, metric, wanted, adjusted=parameters["adjusted"], level=parameters["level"])
            p, always = (np.nan_to_num(looked[each], nan=1.0) for each in ("p", "p_always"))
            found.append([p[:, -1], p.min(axis=1), always.min(axis=1)])
        made += [{"metric": metric.name, "way": way, "n": int(cells["people"].sum()), "draws": len(p), "false": int((p <= alpha).sum()), "stated": alpha}
                 for way, p in zip(WAYS, np.concatenate(found, axis=1), strict=True)]
    return pd.DataFrame(made)


def _upto(cells: pd.DataFrame, people: np.ndarray, metric: Metric) -> arms.Sums:
    """Sums of so many of the alike people up to the end of each day: one row per draw, one column per day."""
    starts = np.flatnonzero(np.append(True, cells[DAY].to_numpy()[1:] != cells[DAY].to_numpy()[:-1]))
    terms = {letter: cells[letter].to_numpy(dtype=float) / (doings.MINOR if metric.amount and letter in "xa" else 1) for letter in doings.letters(metric)}
    worth = {"n": 1.0} | {name: np.prod([terms[letter] for letter in name], axis=0) for name in arms.products("".join(terms))}
    return {name: np.add.reduceat(people * each, starts, axis=1).cumsum(axis=1) for name, each in worth.items()}


@measure(shape="table", unit="share of dealings", better="lower", reads="exposures events", finish=_as_aa, interval="Wilson interval")
def aa(data: Data, *, experiment: str | None = None, draws: int = 500, adjusted: bool = True, seed: int = 0) -> Table:
    """How often people of an experiment who are dealt out anew by chance, in `draws` ways, seem to differ: false finds, all of them.

    Nobody is treated differently in these dealings, so that a test for one look at the end should find something about as often as
    it states. Where it finds more, the counting or the test is at fault, and its results are not to be trusted. The same
    with a look every day, and stopping at the first find, shows what peeking does.

    Parameters
    ----------
    data
        Reads `exposures` and `events`.
    experiment
        Which one; None for all.
    draws
        How many ways to deal people out, each with an even chance of either side.
    adjusted
        Whether to take out what people did before, as `results` does.
    seed
        Same seed, same dealings.

    Returns
    -------
    One row per experiment, metric and way to look (the primary first; no guardrails, quantiles and times): n (people), draws,
    false (finds), value (share of the draws), low, high, stated (what the test promises).

    Examples
    --------
    >>> from plgkit import samples
    >>> aa(samples.tiny())[["metric", "way", "draws", "false"]]
               metric                      way  draws  false
    0  report_created      one look at the end    500      0
    1  report_created         a look every day    500      0
    2  report_created  every day, always-valid    500      0
    """
    if draws < 1 or draws > 10_000:
        raise BadParameter("draws", draws, expected="a whole number between 1 and 10,000")
    parts = []
    for name in plans.chosen(data, experiment):
        slots = _slots(data, name)
        parts += doings.alike(data, name, doings.first_exposures(data, name), slots) if slots else []
    return doings.together(parts or [doings.nobody(data, day="date", **dict.fromkeys(arms.TERMS, "int64"))])


def _slots(data: Data, name: str) -> list[int]:
    """The metrics to check: those that sums tell and that can be found to differ."""
    return [slot for slot, each in enumerate(plans.metrics(data, name)) if each.kind not in plans.RANKED and each.role != "guardrail"]
