"""Words for a scorecard: its lines, what leaks, what changed, what to do next."""

from __future__ import annotations

import pandas as pd

from plgkit.notebook import words
from plgkit.notebook.reading import grain, target_words
from plgkit.scorecard import LOST, NO_DATA, OFF, ON, UNSURE, leak, leaks

_ASK = {
    "acquisition": "look at the channels: where visitors come from and which of them sign up",
    "activation": "walk the first session like a newcomer and shorten the way to the moment of value",
    "engagement": "find what people who use more do differently, and lead others to it",
    "retention": "speak with people in the week in which most leave",
    "conversion": "look at what those who pay did before, and remove what stops others from it",
    "pql": "compare the qualified accounts that paid with those that did not, and call sooner",
    "expansion": "speak with the accounts that pay less than a year ago",
    "advocacy": "read what detractors wrote and follow one invitation from its sending to its first use",
}


def lines(card: pd.DataFrame) -> pd.DataFrame:
    """The lines of a scorecard as people read them, each value in the unit of its measure.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import scorecard
    >>> lines(scorecard(samples.tiny(), measures=["activation.rate"]))[["measure", "now", "target", "status"]]
          measure    now target       status
    0  Activation  50.0%    60%  cannot tell
    """
    currency = card.attrs.get("currency", "USD")
    rows = [{"stage": stage_name(row.stage), "measure": row.label, "now": words.show(row.value, row.unit, currency=currency),
             "interval": _between(row, currency), "before": _shown(row.before, row.unit, currency),
             "change": _changed(row, currency),
             "target": "" if words.unknown(row.target) else target_words(row.target, row.unit, currency=currency),
             "due": "" if words.unknown(row.due) else words.day(row.due), "status": row.status, "by then": row.reach}
            for row in card.itertuples()]
    return pd.DataFrame(rows, columns=["stage", "measure", "now", "interval", "before", "change", "target", "due", "status", "by then"])


def _shown(value: float, unit: str, currency: str) -> str:
    return "" if words.unknown(value) else words.show(value, unit, currency=currency)


def _between(row: object, currency: str) -> str:
    if words.unknown(row.low) or words.unknown(row.high):
        return ""
    return f"{words.show(row.low, row.unit, currency=currency)} – {words.show(row.high, row.unit, currency=currency)}"


def _changed(row: object, currency: str) -> str:
    if words.unknown(row.change):
        return ""
    size = words.gap(row.change, row.unit, currency=currency)
    noise = row.change_is_noise
    doubt = "" if noise is pd.NA else ", noise" if noise else ""
    return f"{'+' if row.change > 0 else '−' if row.change < 0 else ''}{size}{doubt}"


def standings(card: pd.DataFrame) -> str:
    """Say how many targets are met, missed and open.

    Examples
    --------
    >>> standings(pd.DataFrame({"status": ["on target", "off target", "off target", "no target"]}))
    '1 of 3 targets is met, 2 are missed, and for 0 the numbers cannot tell'
    """
    met, missed, open_ = ((card["status"] == each).sum() for each in (ON, OFF, UNSURE))
    if not met + missed + open_:
        return "No line with a value has a target; set some under [targets] in the playbook"
    return (f"{met} of {met + missed + open_} targets {'is' if met == 1 else 'are'} met, {missed} "
            f"{'is' if missed == 1 else 'are'} missed, and for {open_} the numbers cannot tell")


def worst(card: pd.DataFrame) -> str:
    """Say which stage leaks most, and why: what has got worse, or else what is short of its target, beyond noise.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import scorecard
    >>> worst(scorecard(samples.tiny(), measures=["activation.rate"]))
    'No line is surely worse than its own past, and none misses its target beyond noise'
    """
    row, currency = leak(card), card.attrs.get("currency", "USD")
    if row is None:
        judged = card["status"].isin([ON, OFF, UNSURE]).any()
        return "No line is surely worse than its own past, and " + (
            "none misses its target beyond noise" if judged else "no target is set that one could miss")
    if row.reason == LOST:
        was, now = (words.show(each, row.unit, currency=currency) for each in (row.usual, row.lately))
        return (f"{stage_name(row.stage)} leaks most: “{row.label}” was at {was} and has been at {now} in the last three {_periods(row)}, "
                "which is more than noise")
    return (f"{stage_name(row.stage)} leaks most: “{row.label}” is at {words.show(row.value, row.unit, currency=currency)}, "
            f"the target is {target_words(row.target, row.unit, currency=currency)}")


def _periods(row: pd.Series) -> str:
    name = grain(pd.DataFrame({"period": row["periods"]}))
    return "values" if name == "period" else f"{name}s"


def moved(card: pd.DataFrame, *, least: int = 0) -> pd.DataFrame:
    """The lines that are off their own past by more than noise, and so many more that at least `least` lines are shown.

    The intervals are as wide as it takes to look at all lines at once (Benjamini and Yekutieli 2005): they leave out zero
    where the corrected p says that a line has moved, and nowhere else. A line that was below zero is no share of its usual.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import scorecard
    >>> moved(scorecard(samples.tiny(), measures=["activation.rate"])).empty
    True
    """
    sure = card["drifted"].fillna(False).astype(bool)
    kept = card[card["drift_p"].notna() & (card["usual"] != 0)].sort_values("drift_p", kind="stable")
    kept = kept.head(max(int(sure.sum()), least)).sort_index()
    currency, looked = card.attrs.get("currency", "USD"), int(card["drifted"].notna().sum())
    made = pd.DataFrame({"stage": kept["stage"].map(stage_name), "measure": kept["label"]})
    for name in ("usual", "lately"):
        made[name] = [words.show(getattr(row, name), row.unit, currency=currency) for row in kept.itertuples()]
    share = 100 / kept["usual"].where(kept["trend"].map(lambda values: min(values, default=0) >= 0))
    made["difference"] = share * kept["drift"]
    wider = pd.Series([_wider(len(values), max(int(sure.sum()), 1) / looked) for values in kept["trend"]], index=kept.index, dtype="float64")
    for name in ("low", "high"):
        made[name] = share * (kept["drift"] + wider * (kept[f"drift_{name}"] - kept["drift"]))
    worse = (kept["drift"] < 0) != (kept["better"] == "lower")
    made["for the"] = ["better or worse" if each == "neither" else "worse" if bad else "better"
                       for each, bad in zip(kept["better"], worse, strict=True)]
    made["verdict"] = ["more than noise" if each else "noise" for each in sure[kept.index]]
    made = made.reset_index(drop=True)
    made.attrs = {"unit": "% of the usual", "looked_at": looked}
    return made


def _wider(values: int, part: float) -> float:
    """How much wider an interval gets that is to hold among `part` of all lines picked."""
    from scipy.special import stdtrit

    freedom = 4.0 * max(values - 2, 1)
    return float(stdtrit(freedom, 1 - 0.025 * part) / stdtrit(freedom, 0.975))


def changed(found: pd.DataFrame) -> str:
    """Say how many lines are off their own past, and which.

    Examples
    --------
    >>> found = pd.DataFrame({"measure": ["Activation", "Sign-ups"], "for the": ["worse", "better"], "verdict": "more than noise"})
    >>> found.attrs = {"looked_at": 34}
    >>> changed(found)
    'Of 34 lines, 2 are off their own past by more than noise: worse Activation; better Sign-ups.'
    >>> changed(found.head(0))
    'Of 34 lines, none is off its own past by more than noise.'
    """
    looked, found = words.counted(found.attrs["looked_at"], "line"), found[found["verdict"] != "noise"]
    if found.empty:
        return f"Of {looked}, none is off its own past by more than noise."
    parts = [f"{way} {words.listed(rows['measure'])}" for way in ("worse", "better")
             if len(rows := found[found["for the"] == way])]
    verb = "is off its" if len(found) == 1 else "are off their"
    return f"Of {looked}, {words.count(len(found))} {verb} own past by more than noise{': ' if parts else ''}{'; '.join(parts)}."


def next_step(card: pd.DataFrame) -> str:
    """Say what to do next: about the stage that leaks most, or, where none does, about what is not known.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import scorecard
    >>> next_step(scorecard(samples.tiny(), measures=["activation.rate"]))
    'Next: hold the course; 1 line has too few people to tell, so ask again over a longer period'
    """
    row = leak(card)
    if row is None:
        open_ = int((card["status"] == UNSURE).sum())
        if not open_:
            judged = card["status"].isin([ON, OFF]).any()
            return "Next: hold the course" if judged else "Next: agree on a target for what matters most"
        return (f"Next: hold the course; {open_} {'line has' if open_ == 1 else 'lines have'} too few people to tell, "
                "so ask again over a longer period")
    due = "" if words.unknown(row.due) else f", before {words.day(row.due)}"
    return f"Next: {_ASK.get(row.stage, f'open the notebook of {row.stage}')}{due}"


def on_the_way(card: pd.DataFrame) -> str:
    """Say which targets will be reached by their day if the lines go on as they do.

    Examples
    --------
    >>> card = pd.DataFrame({"label": ["Activation", "Stickiness", "Sign-ups"], "reach": ["too slow", "cannot tell", "on the way"]})
    >>> on_the_way(card)
    'Of 3 targets with a day, by which they are to be reached: met or on the way 1, too slow or missed 1 (Activation), cannot tell 1'
    """
    dated = card[card["reach"] != ""]
    if dated.empty:
        return "No target has a day by which it is to be reached"
    late = dated[dated["reach"].isin(["too slow", "missed"])]
    fine = int(dated["reach"].isin(["met", "on the way"]).sum())
    named = f" ({words.listed(late['label'].head(4))}{' and others' if len(late) > 4 else ''})" if len(late) else ""
    return (f"Of {words.counted(len(dated), 'target')} with a day, by which they are to be reached: met or on the way {fine}, "
            f"too slow or missed {len(late)}{named}, cannot tell {len(dated) - fine - len(late)}")


def unasked(card: pd.DataFrame) -> str:
    """Say how many lines have no data.

    Examples
    --------
    >>> unasked(pd.DataFrame({"status": ["no data", "on target"], "label": ["Sign-ups", "Activation"]}))
    '1 line has no data: Sign-ups'
    """
    gone = card[card["status"] == NO_DATA]["label"]
    if gone.empty:
        return "Every line has data"
    return f"{len(gone)} {'line has' if len(gone) == 1 else 'lines have'} no data: {words.listed(gone)}"


def leaky_stages(card: pd.DataFrame) -> pd.DataFrame:
    """The stages that leak in the words of a reader: stage, reason, worst line, share lost or missing.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import scorecard
    >>> leaky_stages(scorecard(samples.tiny())).columns.tolist()
    ['stage', 'reason', 'worst line', 'share lost or missing']
    """
    found = leaks(card)
    made = found.assign(stage=found["stage"].map(stage_name))[["stage", "reason", "label", "size"]]
    return made.rename(columns={"label": "worst line", "size": "share lost or missing"})


def stage_name(name: str) -> str:
    """A stage as people read it."""
    return "Qualified leads" if name == "pql" else name.capitalize()
