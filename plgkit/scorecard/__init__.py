"""The scorecard: every headline measure with its interval, change, target and trend."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from plgkit.errors import PlgkitError, UnknownMeasure
from plgkit.metrics import features, registry
from plgkit.sources import engine

if TYPE_CHECKING:
    from plgkit.playbook.goals import Target
    from plgkit.sources.data import Data

ON, OFF, UNSURE, NO_TARGET, NO_DATA = "on target", "off target", "cannot tell", "no target", "no data"
_TREND = 12


@dataclass(frozen=True)
class Headline:
    """One line of the scorecard: a measure, what to call it, and which of its values stands for it.

    `settled` names the playbook's days after which a period of a distribution is final.
    """

    measure: str
    label: str
    parameters: dict[str, Any] = field(default_factory=dict)
    column: str = "value"
    settled: str | None = None


def _median(measure: str, label: str, settled: str) -> Headline:
    return Headline(measure, label, column="median_among", settled=settled)


HEADLINES = (
    Headline("acquisition.signups", "Sign-ups"),
    Headline("acquisition.signup_growth", "Growth of sign-ups"),
    Headline("acquisition.organic_share", "Organic share"),
    Headline("acquisition.visitor_to_signup", "Visitor to sign-up"),
    _median("acquisition.time_to_signup", "Time to sign-up", "visits.signup_within_days"),
    Headline("acquisition.cost_per_signup", "Cost of a sign-up", {"by": None}),
    Headline("activation.rate", "Activation"),
    Headline("activation.day1_rate", "Activation on day one"),
    _median("activation.time_to_value", "Time to value", "activation.within_days"),
    Headline("activation.onboarding_completion", "Onboarding finished"),
    Headline("activation.core_feature_adoption", "Core features tried"),
    Headline("engagement.active_people", "Active people"),
    Headline("engagement.stickiness", "Stickiness"),
    Headline("engagement.session_frequency", "Sessions a week"),
    Headline("engagement.feature_breadth", "Features used"),
    Headline("retention.day_n", "Retention, day 7", {"day": 7}),
    Headline("retention.user_churn", "Churn of people"),
    Headline("retention.quick_ratio", "Quick ratio of people"),
    Headline("conversion.free_to_paid", "Free to paid"),
    Headline("conversion.trial_to_paid", "Trial to paid"),
    _median("conversion.time_to_paid", "Time to paid", "conversion.within_days"),
    Headline("conversion.checkout_completion", "Checkout finished"),
    Headline("conversion.arpa", "Revenue per account"),
    Headline("conversion.contract_value", "Contract value"),
    Headline("pql.leads", "Qualified accounts"),
    Headline("pql.to_customer", "Qualified to customer"),
    Headline("expansion.mrr", "Recurring revenue"),
    Headline("expansion.nrr", "Net revenue retention"),
    Headline("expansion.grr", "Gross revenue retention"),
    Headline("expansion.gross_churn", "Churn of revenue"),
    Headline("expansion.revenue_quick_ratio", "Quick ratio of revenue"),
    Headline("advocacy.k_factor", "Invitees per sign-up"),
    Headline("advocacy.invite_acceptance", "Invitations accepted"),
    Headline("advocacy.viral_signups", "Sign-ups by invitation"),
    Headline("advocacy.sharing_rate", "People who share"),
    Headline("advocacy.nps", "Promoter score"),
)


def scorecard(data: Data, *, grain: engine.Grain = "month", measures: Iterable[str] | None = None) -> pd.DataFrame:
    """Ask every headline measure and set its last final value beside the one before and the target.

    Parameters
    ----------
    data
        The data to ask. A measure whose table or setting is missing is a line that says so.
    grain
        Length of a period, for measures that have one to choose and whose target names no other.
    measures
        Names such as "activation.rate"; by default the headlines and whatever the playbook has a target for.

    Returns
    -------
    One row per measure, stage by stage: stage, measure, label, unit, better, period, value, low, high, n (people or
    accounts it rests on), before, change, change_is_noise (missing without intervals), target, due, guardrail,
    status ("on target", "off target", "cannot tell", "no target", "no data"), trend and periods (the last 12 final
    values and when), note (why there is no value).

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
    rows = [_line(data, each, grain) for each in _chosen(data, measures)]
    made = pd.DataFrame(rows).astype(dict.fromkeys(("value", "low", "high", "n", "before", "change", "target"), "float64"))
    made["due"] = pd.to_datetime(made["due"]).astype("datetime64[us]")
    made["period"] = pd.to_datetime(made["period"]).astype("datetime64[us]")
    made["change_is_noise"] = made["change_is_noise"].astype("boolean")
    made.attrs = {"currency": data.playbook.product.currency, "grain": grain, "as_of": data.as_of.isoformat()}
    return made


def leak(card: pd.DataFrame) -> pd.Series | None:
    """The line that falls furthest short in the stage that leaks most; None if no line surely misses its target.

    A line falls short by what is missing of its target beyond its interval, as a share of the target; where
    less is better, by the share by which it would have to fall. The stage that leaks most is the one with the
    largest mean over its lines that have a target and an interval, so that one odd line makes no stage the worst.

    Parameters
    ----------
    card
        As `scorecard` gives it.

    Examples
    --------
    >>> from plgkit import samples
    >>> leak(scorecard(samples.tiny())) is None
    True
    """
    judged = card[card["status"].isin([ON, OFF, UNSURE]) & card["low"].notna() & card["high"].notna()]
    judged = judged.assign(shortfall=[_shortfall(row) if row.status == OFF else 0.0 for row in judged.itertuples()])
    stages = judged.groupby("stage", sort=False)["shortfall"].mean()
    if not (stages > 0).any():
        return None
    worst = judged.loc[judged["stage"] == stages.idxmax(), "shortfall"].astype("float64")
    return judged.loc[worst.idxmax()]


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


def _chosen(data: Data, measures: Iterable[str] | None) -> list[Headline]:
    """The lines asked for, in the order of the stages."""
    known, headlines = registry.measures(), {each.measure: each for each in HEADLINES}
    names = list(measures) if measures is not None else [*headlines, *data.playbook.targets]
    for name in names:
        if name not in known and name not in headlines:
            raise UnknownMeasure(name, known)
    found = {name: headlines.get(name) or Headline(name, _label(name)) for name in names if name in known}
    return sorted(found.values(), key=lambda each: registry.STAGES.index(known[each.measure].stage))


def _label(name: str) -> str:
    words = name.partition(".")[2].replace("_", " ")
    return words[0].upper() + words[1:]


def _line(data: Data, headline: Headline, grain: engine.Grain) -> dict[str, Any]:
    """One measure asked; an error that plgkit raises on purpose becomes the line's note."""
    measure, goal = registry.find(headline.measure), data.playbook.targets.get(headline.measure)
    about = {"stage": measure.stage, "measure": measure.name, "label": headline.label, "unit": measure.unit,
             "better": goal.better if goal and goal.better else measure.better}
    aim = {"target": goal.value if goal else None, "due": goal.due if goal else None,
           "guardrail": bool(goal and goal.guardrail)}
    grain = goal.grain if goal and goal.grain else grain
    asked = {**({"grain": grain} if "grain" in measure.parameters else {}), **headline.parameters}
    try:
        final = _final(_values(measure(data, **asked), headline), data, headline, asked)
        note = "" if len(final) else "Nothing to count yet, or every period is still open."
    except PlgkitError as error:
        final, note = pd.DataFrame(columns=["period", "value", "low", "high", "n"]), str(error)
    return about | _facts(final) | aim | {"status": _status(final, goal, about["better"]), **_trend(final), "note": note}


def _values(frame: pd.DataFrame, headline: Headline) -> pd.DataFrame:
    """A measure's frame with one row per period: period, value, low, high, n, and whether it is final."""
    made = frame[frame["feature"] == features.ANY].copy() if "feature" in frame else frame.copy()
    if headline.column == "median_among":
        made = made.assign(value=made["median_among"], low=made["among_low"], high=made["among_high"], n=made["events"])
    elif "n" not in made:
        made["n"] = made.get("denominator", math.nan)
    if "period" not in made:
        made["period"] = pd.NaT
    if "value" not in made or not {"low", "high"} <= set(made.columns):
        raise PlgkitError("It has no single value; ask the measure itself.")
    if made["period"].duplicated().any():
        raise PlgkitError("It has several values per period; ask the measure itself.")
    return made


def _final(frame: pd.DataFrame, data: Data, headline: Headline, asked: dict[str, Any]) -> pd.DataFrame:
    """The periods that have ended, in which nobody is too young to be judged."""
    kept = frame[frame["value"].notna()]
    if "complete" in kept:
        kept = kept[kept["complete"].astype(bool)]
    if "immature" in kept:
        kept = kept[kept["immature"].fillna(0) == 0]
    if "open_from" in frame.attrs:
        kept = kept[~(kept["period"] >= pd.Timestamp(frame.attrs["open_from"]))]
    if headline.settled and "grain" in asked:
        section, key = headline.settled.split(".")
        days = getattr(getattr(data.playbook, section), key) * engine.DAY
        over = [engine.next_period(each.date(), asked["grain"]) + days <= data.as_of + engine.DAY
                for each in kept["period"]]
        kept = kept[pd.Series(over, index=kept.index, dtype="bool")]
    return kept.sort_values("period", ignore_index=True)


def _facts(final: pd.DataFrame) -> dict[str, Any]:
    """The last final row and how it differs from the one before."""
    names = ["period", "value", "low", "high", "n"]
    if final.empty:
        return dict.fromkeys([*names, "before", "change", "change_is_noise"])
    now, then = final.iloc[-1], final.iloc[-2] if len(final) > 1 else None
    facts = {name: now[name] for name in names}
    if then is None:
        return facts | dict.fromkeys(["before", "change", "change_is_noise"])
    return facts | {"before": then["value"], "change": now["value"] - then["value"], "change_is_noise": _noise(now, then)}


def _noise(now: pd.Series, then: pd.Series) -> bool | None:
    """Whether the interval of the difference, built of the two intervals (Newcombe 1998), holds 0."""
    seen = [float(each[name]) for each in (now, then) for name in ("value", "low", "high")]
    if any(map(math.isnan, seen)):
        return None
    value, low, high, value_then, low_then, high_then = seen
    difference = value - value_then
    return bool(difference - math.hypot(value - low, high_then - value_then) <= 0
                <= difference + math.hypot(high - value, value_then - low_then))


def _status(final: pd.DataFrame, goal: Target | None, better: str) -> str:
    if final.empty:
        return NO_DATA
    if goal is None:
        return NO_TARGET
    now = final.iloc[-1]
    if now["low"] < goal.value < now["high"]:
        return UNSURE
    met = now["value"] <= goal.value if better == "lower" else now["value"] >= goal.value
    return ON if met else OFF


def _trend(final: pd.DataFrame) -> dict[str, tuple]:
    last = final.tail(_TREND)
    return {"trend": tuple(float(each) for each in last["value"]), "periods": tuple(last["period"])}


def _shortfall(row: Any) -> float:
    """How much of the target is missing beyond doubt, as a share."""
    if row.better == "lower":
        return 1 - row.target / row.low if row.low > 0 else math.nan
    return 1 - row.high / row.target if row.target > 0 else math.nan
