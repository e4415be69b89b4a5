"""Results: every metric of an experiment against its control, corrected, beside intervals that hold at any look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from ibis.expr.types import Table

from plgkit.metrics.experiments import doings, judging, plans
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.stats import compare

Correction = Literal["holm", "bh", "none"]
OWN = ["n", "value", "low", "high"]
LAST = ["p_corrected", "differ_p", "split_p", "immature", "set_aside", "verdict"]


def _as_results(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    keys = ["experiment", "metric", *([by] if by else []), "variant"]
    columns = [*keys, "role", "kind", *OWN, *judging.AGAINST, *LAST]
    parts = [_one(name, rows, data, parameters) for name, rows in frame.groupby("experiment", sort=True)]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _one(name: str, frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, level, wanted = parameters["by"], parameters["level"], plans.plan(data, name)
    all_of = plans.metrics(data, name)
    metrics = [(slot, all_of[slot]) for slot in plans.looked_at(data, name, parameters["metric"])]
    totals = frame[frame[doings.SLOT] < 0]
    people = totals[totals["variant"].notna()].groupby("variant")["people"].sum()
    split_p = plans.split(people, wanted)
    told = {"adjusted": parameters["adjusted"], "refused": plans.refused(split_p, list(people.index), wanted), "level": level}
    if by:
        parts = [pd.DataFrame(judging.rows_of(part, metrics, wanted, **told)).assign(**{by: segment})
                 for segment, part in frame.groupby(by, sort=True)]
        made = pd.concat([each for each in parts if len(each)], ignore_index=True)
    else:
        made = pd.DataFrame(judging.rows_of(frame, metrics, wanted, **told))
    made = judging.corrected(made, parameters["correction"])
    made["differ_p"] = _differ(made, by)
    made = made.assign(experiment=name, split_p=split_p, set_aside=int(totals.loc[totals["variant"].isna(), "people"].sum()))
    good = {each.name: each.better for each in all_of}
    made["good"] = made["metric"].map(good)
    compared = made["difference"].notna()
    made.loc[compared, "verdict"] = [judging.said(row, level) for row in made[compared].itertuples()]
    if by:
        order = {each.name: place for place, each in enumerate(all_of)}
        made = made.sort_values(["metric", by], key=lambda each: each.map(order) if each.name == "metric" else each, kind="stable")
    return made


def _differ(rows: pd.DataFrame, by: str | None) -> np.ndarray:
    """Per metric and variant: how probable it is that segments differ so much where the effect is one and the same."""
    found = np.full(len(rows), np.nan)
    if not by:
        return found
    for _, part in rows.groupby(["metric", "variant"]):
        found[rows.index.get_indexer(part.index)] = compare.differ(part["difference"], part["error"])
    return found


@measure(shape="table", unit="share, mean, ratio or quantile", better="neither", reads="exposures events", finish=_as_results,
         interval="Newcombe for shares, Welch for means and ratios (delta method), resampled ranks for quantiles; always-valid: "
                  "asymptotic confidence sequence")
def results(data: Data, *, experiment: str | None = None, metric: str | None = None, adjusted: bool = True,
            correction: Correction = "holm", by: str | None = None) -> Table:
    """Every metric of an experiment, for each variant against the control.

    Each person counts once, from the first exposure, and only when the person's days are over; who saw several variants
    is set aside. Where the split is not the planned one (p below 0.001), nothing is compared. What a person did in the days
    before the exposure explains part of what they do after it; that part is taken out of means, ratios and shares
    (CUPED). Newcomers did nothing before: for them, nothing changes. Quantiles, and medians of times, are not
    adjusted and have no always-valid interval.

    Parameters
    ----------
    data
        Reads `exposures` and `events`. Metrics, control and planned shares are those of the playbook.
    experiment
        Which one; None for all.
    metric
        Which one, by its name; "primary" for the primary one of each; None for all of an experiment.
    adjusted
        Whether to take out what people did before.
    correction
        How p is corrected for how many variants, segments and secondary metrics are looked at: "holm" holds the chance
        of a single false find, "bh" the share of false ones among the finds, "none" neither. The primary metric comes
        first: secondary ones count only where it is clear. Guardrails are not among them: each has to hold by itself.
    by
        Column of people or accounts to cut by, as it is now. Segments are corrected for together.

    Returns
    -------
    One row per experiment, metric and variant, the primary metric and the control first: role, kind, n (people), value with
    low and high (as counted), difference to the control with difference_low and difference_high for a look at the end,
    always_low and always_high for as many looks as one likes; the same of the lift (relative); p and p_always, removed
    (share of variance that was taken out), smallest (lift that so many people find four times in five), p_corrected,
    differ_p (of segments that differ so much where the effect is one), split_p, immature, set_aside, verdict. A guardrail
    holds if it is not worse by its margin with the stated level, is broken if it surely is, and else not shown to hold.

    Raises
    ------
    UnknownExperiment
        If nobody was exposed to an experiment of that name.

    Examples
    --------
    >>> from plgkit import samples
    >>> results(samples.tiny())[["metric", "variant", "n", "value", "difference", "verdict"]]
               metric variant  n  value  difference              verdict
    0  report_created   plain  2    1.0         NaN              control
    1  report_created  guided  2    0.5        -0.5  no clear difference

    References
    ----------
    Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online controlled experiments by utilizing pre-experiment data",
    WSDM (2013), 123-132. Dmitrienko and Tamhane, "Gatekeeping procedures with clinical trial applications", Pharmaceutical
    Statistics 6 (2007), 171-180. Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
    confidence sequences", Annals of Statistics 52 (2024), 2613-2640.
    """
    names = plans.chosen(data, experiment)
    if experiment is None and metric not in (None, "primary"):
        names = [name for name in names if metric in {each.name for each in plans.metrics(data, name)}] or names[:1]

    def slots(name: str) -> list[int]:
        return plans.looked_at(data, name, metric)

    padded = doings.columns(data, names, slots)
    parts = [doings.counted(data, name, doings.first_exposures(data, name), slots=slots(name), by=by, padded=padded) for name in names]
    return doings.together(parts or [doings.nobody(data, by=by)])
