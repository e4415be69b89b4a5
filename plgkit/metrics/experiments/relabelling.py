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
from plgkit.sources.digests import Digest
from plgkit.stats import intervals

DEALT = "dealt"
WAYS = ("one look at the end", "a look every day", "a look every day, always-valid")
COLUMNS = ["experiment", "way", "metric", "n", "draws", "false", "value", "low", "high", "stated"]


def _as_aa(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    parts = []
    for name, rows in frame.groupby("experiment", sort=True):
        metrics = [(slot, each) for slot, each in enumerate(plans.metrics(data, name)) if each.kind not in plans.RANKED and each.role != "guardrail"]
        if metrics:
            parts.append(_checked(rows, metrics, plans.plan(data, name), parameters).assign(experiment=name))
    made = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    made["value"] = made["false"] / made["draws"].where(made["draws"] > 0).astype("float64")
    made["low"], made["high"] = intervals.wilson(made["false"], made["draws"], level=parameters["level"])
    return made[COLUMNS]


def _checked(rows: pd.DataFrame, metrics: list[tuple[int, Metric]], wanted: Experiment, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """False finds per way of looking and metric, out of so many ways to deal the same people out."""
    rows = rows[rows["variant"].notna()]
    sums = [each for each in rows.columns if each.startswith("m")]
    cells = rows.groupby([DAY, DEALT])[sums].sum().sort_index()
    days, n = cells.index.get_level_values(DAY), int(cells[f"m{metrics[0][0]}_n"].sum())
    alpha, found = 1 - parameters["level"], {way: [] for way in WAYS}
    labels = np.random.default_rng(parameters["seed"]).random((parameters["draws"], len(cells))) < 0.5
    for slot, metric in metrics:
        one, other = (_upto(cells, days, chosen, slot, metric) for chosen in (~labels, labels))
        looked = judging.followed(one, other, metric, wanted, adjusted=parameters["adjusted"], level=parameters["level"])
        p, always = (np.nan_to_num(looked[each], nan=1.0) for each in ("p", "p_always"))
        for way, each in zip(WAYS, (p[:, -1], p.min(axis=1), always.min(axis=1)), strict=True):
            found[way].append(each)
    made = []
    for way, each in found.items():
        for (_slot, metric), p in zip(metrics, each, strict=True):
            made.append({"way": way, "metric": metric.name, "n": n, "draws": len(p), "false": int((p <= alpha).sum()), "stated": alpha})
    return pd.DataFrame(made)


def _upto(cells: pd.DataFrame, days: pd.Index, chosen: np.ndarray, slot: int, metric: Metric) -> dict[str, np.ndarray]:
    """Sums of the chosen cells up to the end of each day: one row per draw, one column per day."""
    ends = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    sums = doings.sums(cells, slot, metric)
    return {name: (chosen * values).cumsum(axis=1)[:, ends] for name, values in sums.items()}


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
        How many ways to deal people out, half to either side. Those of one day are dealt in up to 16 groups.
    adjusted
        Whether to take out what people did before, as `results` does.
    seed
        Same seed, same dealings.

    Returns
    -------
    One row per experiment, way to look and metric (the primary first; no guardrails, quantiles and times): n (people), draws,
    false (finds), value (share of the draws), low, high, stated (what the test promises).

    Examples
    --------
    >>> from plgkit import samples
    >>> aa(samples.tiny())[["way", "metric", "draws", "false"]]
                                  way          metric  draws  false
    0             one look at the end  report_created    500      0
    1                a look every day  report_created    500      0
    2  a look every day, always-valid  report_created    500      0
    """
    if draws < 1 or draws > 10_000:
        raise BadParameter("draws", draws, expected="a whole number between 1 and 10,000")
    names = plans.chosen(data, experiment)
    padded = doings.columns(data, names)
    parts = [doings.counted(data, name, doings.first_exposures(data, name), cells=False, padded=padded,
                            keys=lambda rows, name=name: {DAY: _day(data, name, rows), DEALT: Digest(rows.user_id).to_expr().substr(0, 1)})
             for name in names]
    return doings.together(parts or [doings.nobody(data, day="date", dealt="string")])


def _day(data: Data, name: str, rows: Table) -> Any:
    """The day on which a person's days are over for every metric."""
    longest = max(range(len(plans.metrics(data, name))), key=lambda slot: plans.days(plans.plan(data, name), plans.metrics(data, name)[slot]))
    return doings.over_on(data, name, longest, rows)
