"""Words for a scorecard: its lines, what leaks, what changed, what to do next."""

from __future__ import annotations

import pandas as pd

from plgkit.notebook import words
from plgkit.notebook.reading import target_words
from plgkit.scorecard import NO_DATA, OFF, ON, UNSURE, leak

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
    rows = [{"stage": _stage(row.stage), "measure": row.label, "now": words.show(row.value, row.unit, currency=currency),
             "interval": _between(row, currency), "before": _shown(row.before, row.unit, currency),
             "change": _changed(row, currency),
             "target": "" if words.unknown(row.target) else target_words(row.target, row.unit, currency=currency),
             "due": "" if words.unknown(row.due) else words.day(row.due), "status": row.status}
            for row in card.itertuples()]
    return pd.DataFrame(rows, columns=["stage", "measure", "now", "interval", "before", "change", "target", "due", "status"])


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
    """Say which stage leaks most: the line that misses its target by most, beyond noise.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import scorecard
    >>> worst(scorecard(samples.tiny(), measures=["activation.rate"]))
    'No line misses its target beyond noise'
    """
    row, currency = leak(card), card.attrs.get("currency", "USD")
    if row is None:
        judged = card["status"].isin([ON, OFF, UNSURE]).any()
        return "No line misses its target beyond noise" if judged else "No target is set, so no line can miss one"
    return (f"{_stage(row.stage)} leaks most: “{row.label}” is at {words.show(row.value, row.unit, currency=currency)}, "
            f"the target is {target_words(row.target, row.unit, currency=currency)}")


def moved(card: pd.DataFrame) -> pd.DataFrame:
    """The lines of a scorecard that changed by more than noise; money, which has none, is left out.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import scorecard
    >>> len(moved(scorecard(samples.tiny(), measures=["activation.rate"])))
    0
    """
    kept = card[~card["change_is_noise"].fillna(True).astype(bool)].reset_index(drop=True)
    kept.attrs = dict(card.attrs)
    return kept


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


def _stage(name: str) -> str:
    return "Qualified leads" if name == "pql" else name.capitalize()
