"""The scorecard itself: one line per measure, and the history behind the lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from plgkit.errors import PlgkitError
from plgkit.metrics import registry
from plgkit.scorecard import asking, judging
from plgkit.scorecard.headlines import Headline, chosen
from plgkit.stats.compare import benjamini_hochberg

if TYPE_CHECKING:
    from plgkit.sources import engine
    from plgkit.sources.data import Data

_NUMBERS = ("value", "low", "high", "n", "before", "change", "usual", "lately", "drift", "drift_low", "drift_high", "drift_p",
            "target", "pace", "needed", "at_due", "at_due_low", "at_due_high")
_SURE = 0.05


def scorecard(data: Data, *, grain: engine.Grain = "month", measures: Iterable[str] | str | None = None) -> pd.DataFrame:
    """Ask every headline measure and set its last final value beside the one before, its own past and the target.

    Parameters
    ----------
    data
        The data to ask. A measure whose table or setting is missing is a line that says so.
    grain
        Length of a period, for measures that have one to choose and whose target names no other.
    measures
        Names such as "activation.rate"; "all" for every rate and total of the catalogue; by default the headlines and
        whatever the playbook has a target for.

    Returns
    -------
    One row per measure, stage by stage: stage, measure, label, unit, better, own (whether it counts only those who came
    through the stages before), period, value, low, high, n (people or accounts it rests on), before, change,
    change_is_noise (missing without intervals), usual (the mean of the nine final values before the last three), lately (of
    the last three), drift, drift_low, drift_high, drift_p, drifted (whether the drift is more than noise, with the p of all
    lines corrected for their number by Benjamini and Hochberg), target, due, guardrail, status ("on target", "off target",
    "cannot tell", "no target", "no data"), reach ("met", "on the way", "too slow", "cannot tell", "missed": whether the
    target is reached by its day), pace and needed (per period), at_due, at_due_low, at_due_high (where the straight line
    through the last values leads by that day), trend and periods (the last 12 final values and when), note (why there is
    no value).

    Raises
    ------
    UnknownMeasure
        If a name is not in the catalogue.

    Examples
    --------
    >>> from plgkit import samples
    >>> card = scorecard(samples.tiny(), measures=["activation.rate", "expansion.mrr"])
    >>> card[["label", "value", "before", "target", "status"]]
                   label  value  before  target       status
    0         Activation    0.5     NaN     0.6  cannot tell
    1  Recurring revenue   30.0    70.0     NaN    no target
    """
    made = pd.DataFrame([_line(data, each, grain) for each in chosen(data, measures)])
    made = made.astype(dict.fromkeys(_NUMBERS, "float64"))
    for name in ("due", "period"):
        made[name] = pd.to_datetime(made[name]).astype("datetime64[us]")
    made["change_is_noise"] = made["change_is_noise"].astype("boolean")
    corrected = pd.Series(benjamini_hochberg(made["drift_p"]), index=made.index)
    made.insert(list(made).index("drift_p") + 1, "drifted", (corrected <= _SURE).astype("boolean").where(corrected.notna(), pd.NA))
    made.attrs = {"currency": data.playbook.product.currency, "grain": grain, "as_of": data.as_of.isoformat()}
    return made


def history(card: pd.DataFrame) -> pd.DataFrame:
    """One row per measure and period of its trend, as `charts.scoreboard` draws it.

    Examples
    --------
    >>> from plgkit import samples
    >>> history(scorecard(samples.tiny(), measures=["expansion.mrr"]))[["measure", "period", "value"]]
             measure     period  value
    0  expansion.mrr 2025-01-01   70.0
    1  expansion.mrr 2025-02-01   30.0
    """
    columns = ["stage", "measure", "label", "unit", "target", "status", "periods", "trend"]
    made = card[columns].explode(["periods", "trend"], ignore_index=True)
    made = made.rename(columns={"periods": "period", "trend": "value"})
    made["period"] = pd.to_datetime(made["period"]).astype("datetime64[us]")
    made = made.astype({"value": "float64"})
    made.attrs = dict(card.attrs)
    return made


def _line(data: Data, headline: Headline, grain: engine.Grain) -> dict[str, Any]:
    """One measure asked; an error that plgkit raises on purpose becomes the line's note."""
    measure, goal = registry.find(headline.measure), data.playbook.targets.get(headline.measure)
    better = goal.better if goal and goal.better else measure.better
    about = {"stage": measure.stage, "measure": measure.name, "label": headline.label, "unit": measure.unit, "better": better,
             "own": headline.own}
    aim = {"target": goal.value if goal else None, "due": goal.due if goal else None, "guardrail": bool(goal and goal.guardrail)}
    try:
        final = asking.final(data, headline, goal.grain if goal and goal.grain else grain)
        note = "" if len(final) else "Nothing to count yet, or every period is still open."
    except PlgkitError as error:
        final, note = pd.DataFrame(columns=asking.COLUMNS), str(error)
    now = judging.status(final, goal, better)
    return {**about, **judging.facts(final), **judging.drift(final), **aim, "status": now,
            **judging.objective(final, goal, better, now, data.as_of), **_trend(final), "note": note}


def _trend(final: pd.DataFrame) -> dict[str, tuple]:
    last = final.tail(judging.TREND)
    return {"trend": tuple(float(each) for each in last["value"]), "periods": tuple(last["period"])}
