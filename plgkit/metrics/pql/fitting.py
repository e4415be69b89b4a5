"""Points learned from data beside those set by hand, and what they would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import signals
from plgkit.metrics.pql import dates
from plgkit.metrics.pql.backtest import judged
from plgkit.metrics.pql.scoring import READS, lifespan
from plgkit.metrics.registry import measure
from plgkit.playbook.goals import Signal
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import points
from plgkit.stats.intervals import Floats

SETTINGS = {"within_days": "pql.within_days", "capacity": "pql.weekly_capacity", "threshold": "pql.threshold"}
_MOST = 60


class Fit(NamedTuple):
    """What was learned: the signals, their points by hand and fitted, and the scale between log-odds and points."""

    signals: list[Signal]
    hand: Floats
    fitted: Floats
    learned: points.Learned
    times: float


def asked(data: Data, also: list[str] | None) -> list[Signal]:
    """The playbook's signals, and the events that might be some: those named, else first value and the start of a trial."""
    words = data.playbook
    own = list(words.pql.signals)
    names = also
    if names is None:
        first = words.activation.event
        names = [each for each in (first, words.trial.start_event) if isinstance(each, str)]
    known = {each.name for each in own} | {name for each in own if each.at_least == 1 for name in
                                           (signals.events_of(data, each) if each.kind in ("event", "limit_hit") else [])}
    found = own + [Signal(name=name, kind="event", points=0, events=[name]) for name in names if name not in known]
    if len(found) > _MOST:
        raise BadParameter("also", also, expected=f"so few events that there are no more than {_MOST} signals in all")
    return found


def patterns(data: Data, rows: Table, asked: Sequence[Signal], lifespan_days: int | None = None) -> Table:
    """The rows with `pattern`: a bit for each signal that counted before `until` and has not faded to nothing."""
    met = signals.moments(data, asked[len(data.playbook.pql.signals):]).rename(whose="account_id")
    counts = (_.account_id == met.whose) & signals.held(met, rows.until)
    if lifespan_days is not None:
        counts = counts & (signals.left_of(met, rows.until, lifespan_days) > 0)
    held = rows.select("account_id", "until").inner_join(met, counts)
    bit = dates.number_of({each.name: 1 << place for place, each in enumerate(asked)}, held.signal)
    sums = held.mutate(bit=bit).group_by("account_id", "until").aggregate(pattern=_.bit.sum().cast("int64"))
    found = rows.left_join(sums, ["account_id", "until"]).drop("account_id_right", "until_right")
    return found.mutate(pattern=found.pattern.fill_null(0))


def signs_of(frame: pd.DataFrame, count: int) -> Floats:
    """One column per signal: whether the pattern has its bit."""
    numbers = frame["pattern"].to_numpy(dtype="int64")[:, None]
    return ((numbers >> np.arange(count)) & 1).astype(float)


def parted(frame: pd.DataFrame, within_days: int, later: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The dates to learn from and the `later` last ones, to judge by: no outcome learned from was known only afterwards."""
    days = np.unique(frame["date"])
    if len(days) <= later:
        return frame.iloc[:0], frame.iloc[:0]
    first = days[-later]
    over = pd.to_datetime(frame["date"]) + pd.Timedelta(days=within_days) <= pd.Timestamp(first)
    return frame[over], frame[frame["date"] >= first]


def learned(frame: pd.DataFrame, asked: list[Signal], threshold: float) -> Fit:
    """Learn the points of all signals from cells of alike accounts."""
    frame = frame.assign(fold=[int(each[0], 16) for each in frame["dealt"]])
    frame = frame.groupby(["pattern", "fold"], as_index=False)[["accounts", "hits"]].sum()
    signs = signs_of(frame, len(asked))
    people, hits = (frame[name].to_numpy(dtype=float) for name in ("accounts", "hits"))
    hand = np.array([float(each.points) for each in asked])
    found = points.learn(signs, people, hits, frame["fold"].to_numpy())
    above = people[signs @ hand >= threshold - 1e-9].sum()
    times = points.scale(found.weights, signs, people, above, threshold)
    return Fit(asked, hand, points.whole(found.weights, times), found, times)


def check(later: int, capacity: int = 1) -> None:
    for name, value, what in (("later", later, "dates"), ("capacity", capacity, "accounts")):
        if value < 1:
            raise BadParameter(name, value, expected=f"a whole number of {what}, 1 or more")


def _as_points(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    signals_asked = asked(data, parameters["also"])
    earlier, _later = parted(frame, parameters["within_days"], parameters["later"])
    fit = learned(earlier, signals_asked, parameters["threshold"])
    met = signs_of(earlier, len(signals_asked))
    people, hits = (earlier[name].to_numpy(dtype=float) for name in ("accounts", "hits"))
    half = _student(parameters["level"]) * fit.learned.error * fit.times
    middle = fit.learned.weights * fit.times
    notes = [signals.silent(data, each) for each in signals_asked]
    made = pd.DataFrame({
        "signal": [each.name for each in signals_asked], "kind": [each.kind for each in signals_asked],
        "n": (met * people[:, None]).sum(axis=0).astype("int64"), "payers": (met * hits[:, None]).sum(axis=0).astype("int64"),
        "hand": fit.hand, "fitted": fit.fitted, "low": middle - half, "high": middle + half, "change": fit.fitted - fit.hand,
        "weight": fit.learned.weights, "note": notes}).astype({"signal": "str", "kind": "str", "note": "str"})
    unheard = (made["n"] == 0) | made["fitted"].isna()
    made.loc[unheard, ["fitted", "low", "high", "change", "weight"]] = np.nan
    made["sure"] = (made["low"] > 0).astype("bool")
    made["place"] = made["weight"].fillna(-1.0).round(6)
    made = made.sort_values(["place", "hand", "signal"], ascending=[False, False, True], ignore_index=True).drop(columns="place")
    made.insert(0, "rank", np.arange(1, len(made) + 1))
    made.attrs = {"dates": earlier["date"].nunique(), "payers": int(hits.sum()), "n": int(people.sum())}
    return made[["rank", "signal", "kind", "n", "payers", "hand", "fitted", "low", "high", "change", "sure", "weight", "note"]]


def _student(level: float) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + level) / 2, points.FOLDS - 1))


@measure(shape="table", unit="points", better="neither", reads=READS, finish=_as_points,
         settings={"within_days": "pql.within_days", "threshold": "pql.threshold"},
         interval="delete-a-group jackknife, 16 groups of accounts")
def fitted_points(data: Data, *, within_days: int | None = None, threshold: float | None = None, later: int = 3,
                  also: list[str] | None = None, lifespan_days: int | None = None, grain: Grain = "month") -> Table:
    """Points of every signal as data have them, from who first paid within `within_days` days, beside those set by hand.

    Learned by a logistic regression that is held back from believing too much (ridge), on the dates of `backtest` whose window
    was over before the `later` last ones, which are kept to judge by. Points are scaled so that as many accounts reach
    `threshold` points as with those set by hand, and are whole. A signal that would take points away has none. Signals that go
    together share their points between them, and none of it says that a signal causes paying.

    Parameters
    ----------
    data
        As `scores`; needs `subscriptions`.
    within_days
        Days after the date in which a first payment counts.
    threshold
        Points from which an account is a lead.
    later
        How many of the last dates are kept to judge by.
    also
        Events that are no signals yet, to learn what they would be worth; by default the one of activation and the start of a trial.
    lifespan_days
        Days in which points fade, as in `scores`: a signal is learned from as long as anything of it is left.
    grain
        Length of a period: the last day of each is a date.

    Returns
    -------
    One row per signal, the most telling first: rank, signal, kind, n (accounts with it, once per date), payers (of them), hand
    (points in the playbook; 0 where it is no signal yet), fitted (missing where nothing could be learned), low, high, change,
    sure (the interval is above 0), weight (log-odds), note (why it gives no points on these data; else empty).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = fitted_points(samples.tiny(), within_days=10, grain="week")  # two payers teach nothing
    >>> found[["signal", "hand", "fitted"]].head(2)
                        signal  hand  fitted
    0  payment details entered  40.0     NaN
    1      free-plan limit hit  30.0     NaN

    References
    ----------
    Hosmer, Lemeshow and Sturdivant, "Applied Logistic Regression" (3rd edition, 2013), chapter 1.
    """
    check(later)
    rows = patterns(data, dates.snapshots(data, within_days, grain), asked(data, also), lifespan(data, lifespan_days))
    return dates.cells(rows, "date", "pattern", "dealt")


def _sides(frame: pd.DataFrame, fit: Fit) -> pd.DataFrame:
    """The cells with both scores."""
    signs = signs_of(frame, len(fit.signals))
    return frame.assign(hand=(signs @ fit.hand).round(6), fitted=(signs @ np.nan_to_num(fit.fitted)).round(6))


def _as_refitted(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    level, threshold, capacity = (parameters[name] for name in ("level", "threshold", "capacity"))
    earlier, later = parted(frame, parameters["within_days"], parameters["later"])
    fit = learned(earlier, asked(data, parameters["also"]), threshold)
    columns = ["cut", "quality", "hand", "hand_low", "hand_high", "fitted", "fitted_low", "fitted_high", "difference", "low", "high"]
    if np.isnan(fit.times) or later.empty:
        return pd.DataFrame(columns=columns).astype(dict.fromkeys(columns[2:], "float64") | {"cut": "str", "quality": "str"})
    later, crowds, rows = _sides(later, fit), dates.crowds(later), []
    for cut in ("capacity", "threshold"):
        found = {}
        for side in ("hand", "fitted"):
            scores = np.unique(later[side])[::-1]
            found[side] = judged(*dates.spread(later, crowds, side), scores, cut, capacity, threshold)
        for quality in ("called", "precision", "recall", "lift", *(["concordance"] if cut == "capacity" else [])):
            hand, fitted = (found[side][quality][:, -1] for side in ("hand", "fitted"))
            shown = [number for each in (hand, fitted, fitted - hand)
                     for number in (each[0], *dates.span(each[1:], float(each[0]), level))]
            rows.append((cut, quality, *shown))
    made = pd.DataFrame(rows, columns=columns).astype({"cut": "str", "quality": "str"})
    made.attrs = {"dates": int(later["date"].nunique())}
    return made


@measure(shape="table", unit="share of accounts", better="higher", reads=READS, settings=SETTINGS, finish=_as_refitted,
         interval=dates.BY_ACCOUNT)
def refitted(data: Data, *, within_days: int | None = None, capacity: int | None = None, threshold: float | None = None,
             later: int = 3, also: list[str] | None = None, lifespan_days: int | None = None, grain: Grain = "month") -> Table:
    """What fitted points would have found on the `later` last dates, beside those set by hand.

    The points are those of `fitted_points`, learned from earlier dates only; lists are of the best `capacity` accounts or of all
    from `threshold` points on, and a payment counts within `within_days` days.

    Parameters
    ----------
    data, within_days, threshold, later, also, lifespan_days, grain
        As in `fitted_points`; both kinds of points count in full while anything of a signal is left.
    capacity
        Accounts that the team can call in a week.

    Returns
    -------
    One row per list and quality: cut ("capacity", "threshold"), quality (called, precision, recall, lift, concordance: as in
    `backtest`), hand with hand_low and hand_high, fitted with fitted_low and fitted_high, difference with low and high. Nothing
    where no points could be learned.

    Examples
    --------
    >>> from plgkit import samples
    >>> len(refitted(samples.tiny()))  # two payers teach nothing
    0
    """
    check(later, capacity)
    rows = patterns(data, dates.snapshots(data, within_days, grain), asked(data, also), lifespan(data, lifespan_days))
    return dates.cells(rows, "date", "pattern", "dealt")
