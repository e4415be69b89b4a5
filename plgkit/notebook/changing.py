"""Words for what a change is made of, for days out of the usual, and for the numbers of other companies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plgkit.errors import MissingGroups, NothingToSplit, ShortHistory
from plgkit.metrics import people
from plgkit.notebook import words
from plgkit.scorecard import change, explained, leaks

if TYPE_CHECKING:
    from plgkit.sources.data import Data

_ELSE = ("activation.rate", "acquisition.signups", "engagement.active_people")
_SPANS = (3, 9)
_EFFECTS = {"rate": "its own rate", "mix": "its share of all", "count": "counted"}


def taken_apart(data: Data, card: pd.DataFrame, columns: str, *, measure: str = "", grain: str = "month") -> pd.DataFrame:
    """Split the change of one measure by each of some columns: of the one asked for, or of the line that leaks most.

    The last three final periods are set against the nine before, as on the scorecard. Where that line has no parts, the
    next one that has is taken.

    Parameters
    ----------
    data, card
        The data and their scorecard.
    columns
        Columns to cut by, with commas; those that the data do not have are left out.
    measure
        The measure to take apart; empty for the line that leaks most.
    grain
        Length of a period.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import scorecard
    >>> card = scorecard(samples.tiny(), measures=["activation.rate"])
    >>> taken_apart(samples.tiny(), card, "channel, mood").attrs["measure"]
    'acquisition.signups'
    """
    known = people.segments(data)
    cuts = [each.strip() for each in columns.split(",") if each.strip() in known]
    if not cuts:
        raise MissingGroups(columns.partition(",")[0].strip(), None)
    labels = dict(zip(card["measure"], card["label"], strict=True))
    for name in [measure] if measure else _likely(card):
        try:
            parts = change(data, name, by=cuts, grain=grain, pooled=_SPANS)
        except (NothingToSplit, LookupError):
            continue
        parts.attrs["label"] = labels.get(name, name)
        return _with_groups(parts, cuts[0])
    return change(data, measure or _ELSE[-1], by=cuts, grain=grain, pooled=_SPANS)


def _with_groups(parts: pd.DataFrame, first: str) -> pd.DataFrame:
    """The columns that have more than one group."""
    groups = parts.groupby("by")["segment"].transform("nunique")
    if not (groups > 1).any():
        raise MissingGroups(first, None)
    return parts[groups > 1].reset_index(drop=True)


def _likely(card: pd.DataFrame) -> list[str]:
    """What to take apart first: of each stage that leaks the worst line, then its own ones."""
    own = card[card["own"]]
    found = [each for row in leaks(card).itertuples() for each in (row.measure, *own.loc[own["stage"] == row.stage, "measure"])]
    return list(dict.fromkeys([*found, *_ELSE]))


def made_of(parts: pd.DataFrame) -> str:
    """Say what a change is made of: where it sits, or that it is everywhere alike.

    Examples
    --------
    >>> parts = pd.DataFrame({"by": ["channel"] * 4, "segment": ["ads", "web"] * 2, "effect": ["rate", "rate", "mix", "mix"],
    ...                       "before": [0.5, 0.4, 0.6, 0.4], "now": [0.3, 0.4, 0.6, 0.4], "value": [-0.12, 0.0, 0.0, 0.0],
    ...                       "apart": [-0.2, 0.2, None, None], "apart_p": [0.001, 0.001, None, None],
    ...                       "real": [True, False, False, False]})
    >>> parts.attrs = {"unit": "share of sign-ups", "whole": {"before": 0.46, "now": 0.34, "change": -0.12, "noise": False}}
    >>> made_of(parts)
    'It moved from 46.0% to 34.0%, more than noise: −12.0 points by the rates of segments and 0.0 points by their mix (channel). \
Most unlike the others is ads: from 50.0% to 30.0%, which is more than noise.'
    """
    whole, unit, currency = parts.attrs["whole"], parts.attrs["unit"], parts.attrs.get("currency", "USD")
    before, now = (words.show(whole[name], unit, currency=currency) for name in ("before", "now"))
    noise = {True: ", within noise", False: ", more than noise", None: ""}[whole["noise"]]
    first = explained(parts).iloc[0]
    said = f"It moved from {before} to {now}{noise}"
    if not words.unknown(first["mix"]):
        said += (f": {_signed(first['rate'], unit, currency)} by the rates of segments and {_signed(first['mix'], unit, currency)} "
                 f"by their mix ({first['by']})")
    if first["reversed"]:
        return f"{said}. Every single segment moved the other way: the mix alone did it."
    if words.unknown(first["unlike_p"]):
        return f"{said}."
    row = parts[(parts["by"] == first["by"]) & (parts["segment"] == first["unlike"]) & (parts["effect"] != "mix")].iloc[0]
    was, is_now = (words.show(row[name], unit, currency=currency) for name in ("before", "now"))
    sure = "which is more than noise" if first["real"] else "which is noise: no segment stands out, so look for what touched all alike"
    return f"{said}. Most unlike the others is {words.listed([row['segment']])}: from {was} to {is_now}, {sure}."


def largest(parts: pd.DataFrame, most: int = 8) -> pd.DataFrame:
    """The largest parts of the column that explains most, as `charts.differences` draws them.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import change
    >>> largest(change(samples.tiny(), "engagement.active_people", by="channel"))[["part", "difference"]].head(1)
                    part  difference
    0  organic (counted)        -1.0
    """
    first = explained(parts).iloc[0]["by"]
    rows = parts[parts["by"] == first].sort_values("value", key=abs, ascending=False, kind="stable").head(most)
    made = pd.DataFrame({"part": [f"{words.listed([row.segment])} ({_EFFECTS[row.effect]})" for row in rows.itertuples()],
                         "difference": rows["value"].to_numpy(), "low": rows["low"].to_numpy(), "high": rows["high"].to_numpy()})
    made.attrs = {name: parts.attrs[name] for name in ("measure", "unit", "currency") if name in parts.attrs}
    return made


def strange_days(found: pd.DataFrame) -> str:
    """Say which days were out of the usual, or that none was, and of how many looked at.

    Examples
    --------
    >>> found = pd.DataFrame({"label": ["Sign-ups"] * 2, "period": pd.to_datetime(["2026-06-01", "2026-06-02"]), "value": [10.0, 0.0],
    ...                       "expected": [9.5, 11.0], "kind": ["", "nothing"], "p": [0.8, 0.001], "note": ["", ""]})
    >>> strange_days(found)
    'Of 2 values looked at, 1 is out of the usual: Sign-ups on 2 Jun 2026, nothing at all.'
    >>> strange_days(found.head(1))
    'Of 1 value looked at, none is out of the usual.'
    """
    looked = found["p"].notna()
    if not looked.any():
        return found["note"].iloc[0].capitalize() + "." if len(found) else "There is nothing to look at."
    said = f"Of {words.counted(int(looked.sum()), 'value')} looked at,"
    odd = found[found["kind"] != ""]
    if odd.empty:
        return f"{said} none is out of the usual."
    ways = {"nothing": "nothing at all", "low": "too few", "high": "too many"}
    parts = [f"{words.listed([row.label])} on {words.day(row.period)}, {ways[row.kind]}" for row in odd.head(4).itertuples()]
    more = f" and {words.count(len(odd) - 4)} more" if len(odd) > 4 else ""
    return f"{said} {words.count(len(odd))} {'is' if len(odd) == 1 else 'are'} out of the usual: {'; '.join(parts)}{more}."


def compared_with(others: pd.DataFrame) -> str:
    """Say what numbers of other companies may stand beside the own ones.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.scorecard import benchmarks
    >>> compared_with(benchmarks(samples.tiny()))
    'The playbook does not say what kind of product this is ([product] kind), so that no number of other companies is shown.'
    """
    if others.attrs["kind"] is None:
        return "The playbook does not say what kind of product this is ([product] kind), so that no number of other companies is shown."
    shown = others[others["shown"].astype(bool)] if len(others) else others
    if shown.empty:
        return "No number of other companies is known that means the same as one of these."
    parts = [f"{row.label} {words.share(row.value, 1)} (others: {row.says}; {row.source})" for row in shown.itertuples()]
    return "; ".join(parts) + "."


def to_pull(data: Data) -> pd.DataFrame:
    """What raising each rate would bring in a year, as `flywheel.levers` gives it; no row where the history is too short.

    Examples
    --------
    >>> from plgkit import samples
    >>> to_pull(samples.tiny()).empty
    True
    """
    from plgkit import flywheel

    try:
        return flywheel.levers(data)
    except ShortHistory:
        return pd.DataFrame()


def _signed(value: float, unit: str, currency: str) -> str:
    sign = "+" if value > 0 and round(abs(value), 4) else "−" if value < 0 and round(abs(value), 4) else ""
    return f"{sign}{words.gap(abs(value), unit, currency=currency)}"
