"""Early behaviours that go with staying: looked for among one half of the people, confirmed among the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import accounts
from plgkit.metrics.people import closed, segmented, since_signup
from plgkit.metrics.registry import measure
from plgkit.sources import rollups
from plgkit.sources.data import Data
from plgkit.sources.digests import half
from plgkit.stats import compare, intervals, strata

Outcome = Literal["active", "paid"]
EVERYBODY = ""
SEARCH, CONFIRM = 0, 1
COLUMNS = ["rank", "event", "at_least", "days", "n", "did", "reach", "precision", "recall", "lift", "phi", "difference",
           "low", "high", "p", "p_corrected", "tied", "beyond", "beyond_low", "beyond_high", "beyond_p", "confirmed"]


def _people(data: Data, parameters: Mapping[str, Any]) -> Table:
    """Sign-ups watched to the end of the outcome window: `half`, `hit`, and per number of days `there_<days>` (1 or 0)."""
    by, start = parameters["by"], parameters["from_days"]
    users = data.users.filter(closed(data, data.users.signed_up_at, parameters["to_days"]))
    seen = since_signup(data, rollups.active_events(data.events, data.playbook))

    def between(first_hour: int, last_hour: int) -> ibis.Value:
        first, last = (seen.signed_up_at + ibis.interval(hours=hour) for hour in (first_hour, last_hour))
        return ((seen.occurred_at >= first) & (seen.occurred_at < last)).ifelse(1, 0).max()

    seen = seen.group_by("user_id").aggregate(
        back=between(24 * start, 24 * parameters["to_days"]),
        **{f"there_{days}": between(12 * days, 24 * days) for days in parameters["days"]})
    people = users.left_join(seen, "user_id").drop("user_id_right")
    people = people.mutate(hit=people.back.fill_null(0))
    if parameters["outcome"] == "paid":
        people = _payers(data, people, start, parameters["to_days"])
    there = {f"there_{days}": people[f"there_{days}"].fill_null(0) if parameters["still_there"] else ibis.literal(1)
             for days in parameters["days"]}
    return segmented(data, people, by).select(
        "user_id", "hit", *([by] if by else []), half=half(people.user_id), **there)


def _payers(data: Data, people: Table, start: int, stop: int) -> Table:
    """Those whose account had not paid before the outcome window; `hit` is whether it first paid in it."""
    paid = accounts.members(data).inner_join(accounts.first_payments(data).select("account_id", "paid_at"), "account_id")
    people = people.left_join(paid.select("user_id", "paid_at"), "user_id").drop("user_id_right")
    opens, shuts = (people.signed_up_at + ibis.interval(days=days) for days in (start, stop))
    people = people.mutate(hit=((people.paid_at >= opens) & (people.paid_at < shuts)).fill_null(False).ifelse(1, 0))
    return people.filter(people.paid_at.isnull() | (people.paid_at >= people.signed_up_at + ibis.interval(days=start)))


def _early(data: Data, parameters: Mapping[str, Any]) -> Table:
    """How often each person did each event: `n_<days>` within so many days of signing up."""
    events = rollups.active_events(data.events, data.playbook) if parameters["events"] is None else data.event(parameters["events"])
    done = since_signup(data, events)
    done = done.filter(done.occurred_at < done.signed_up_at + ibis.interval(days=max(parameters["days"])))
    return done.group_by("user_id", "event").aggregate(**{
        f"n_{days}": (done.occurred_at < done.signed_up_at + ibis.interval(days=days)).ifelse(1, 0).sum()
        for days in parameters["days"]})


def _counted(people: Table, early: Table, parameters: Mapping[str, Any], keys: list[str]) -> Table:
    """How many people, and how many of them with the outcome, per days, event and times done; and of everybody."""
    done, parts = people.inner_join(early, "user_id"), []
    for days in parameters["days"]:
        there = f"there_{days}"
        rows = done.filter((done[there] == 1) & (done[f"n_{days}"] > 0))
        times = ibis.least(rows[f"n_{days}"], max(parameters["at_least"])).cast("int64")
        parts.append(rows.select(*keys, "event", "hit", days=ibis.literal(days, "int64"), times=times))
        everybody = people.filter(people[there] == 1)
        parts.append(everybody.select(*keys, event=ibis.literal(EVERYBODY), hit=everybody.hit,
                                      days=ibis.literal(days, "int64"), times=ibis.literal(0, "int64")))
    return ibis.union(*[each.select(*keys, "event", "days", "times", "hit") for each in parts]).group_by(
        *keys, "event", "days", "times").aggregate(people=_.count().cast("int64"), hits=_.hit.sum().cast("int64"))


def _did_or_not(frame: pd.DataFrame, keys: list[str], at_least: Sequence[int]) -> pd.DataFrame:
    """Per cell, event, days and times: x1 of n1 who did it so often, x2 of n2 of the others."""
    everybody = frame[frame["event"] == EVERYBODY].drop(columns=["event", "times"])
    done = frame[frame["event"] != EVERYBODY]
    parts = [done[done["times"] >= times].groupby([*keys, "event", "days"], as_index=False)[["people", "hits"]].sum()
             .assign(at_least=times) for times in at_least]
    tried = pd.concat(parts, ignore_index=True)[["event", "days", "at_least"]].drop_duplicates()
    cells = everybody.rename(columns={"people": "n", "hits": "x"}).merge(tried, on="days")
    made = cells.merge(pd.concat(parts, ignore_index=True), on=[*keys, "event", "days", "at_least"], how="left")
    made = made.fillna({"people": 0, "hits": 0}).rename(columns={"people": "n1", "hits": "x1"})
    return made.assign(n2=made["n"] - made["n1"], x2=made["x"] - made["x1"])


def _as_candidates(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, level = parameters["by"], parameters["level"]
    keys = [by] if by else []
    cells = _did_or_not(frame.astype({"event": object}), [*keys, "half"], parameters["at_least"])
    names = [*keys, "event", "days", "at_least"]
    found = cells[cells["half"] == SEARCH].drop(columns="half")
    found = found[(found["n1"] > 0) & (found["n2"] > 0)]
    if found.empty:
        return pd.DataFrame(columns=[*keys, *COLUMNS])
    found["p"] = strata.share_p(found["x1"], found["n1"], found["x2"], found["n2"])
    found["sure"] = strata.correlation(found["x1"], found["n1"], found["x2"], found["n2"], level=level)[1]
    grouped = found.groupby(keys) if keys else found.groupby(lambda _: 0)
    found["p_corrected"] = grouped["p"].transform(compare.benjamini_hochberg)
    found = found.sort_values([*keys, "sure", "event", "days", "at_least"], ascending=[*[True] * len(keys), False, *[True] * 3])
    tried = len(found)
    if not parameters["every"]:
        found = found.drop_duplicates([*keys, "event"])
    found["rank"] = found.groupby(keys).cumcount() + 1 if keys else np.arange(1, len(found) + 1)
    made = found[[*names, "rank", "p", "p_corrected"]].merge(
        cells[cells["half"] == CONFIRM], on=names, how="left")
    made = _described(made.fillna(dict.fromkeys(["n", "x", "n1", "x1", "n2", "x2"], 0)), level)
    made["tied"] = (made["p_corrected"] <= 1 - level) & (made["low"] > 0)
    made = _beyond_the_first(data, made, parameters, names)
    made = made.sort_values([*keys, "rank"], ignore_index=True)[[*keys, *COLUMNS]]
    made.attrs["tried"] = tried
    return made


def _described(made: pd.DataFrame, level: float) -> pd.DataFrame:
    """Reach, precision, recall, lift and difference on the confirming half."""
    n, did, others = (made[name].where(made[name] > 0).astype("float64") for name in ("n", "n1", "n2"))
    made["did"], made["reach"], made["precision"] = made["n1"], made["n1"] / n, made["x1"] / did
    made["recall"] = made["x1"] / made["x"].where(made["x"] > 0)
    made["lift"] = made["precision"] / (made["x"] / n).where(made["x"] > 0)
    made["phi"] = strata.correlation(made["x1"], did, made["x2"], others, level=level)[0]
    made["difference"] = made["precision"] - made["x2"] / others
    made["low"], made["high"] = intervals.newcombe(made["x1"], did, made["x2"], others, level=level)
    return made.astype({"n": "int64", "did": "int64"})


def _beyond_the_first(data: Data, made: pd.DataFrame, parameters: Mapping[str, Any], names: list[str]) -> pd.DataFrame:
    """Add what is left of each tie among people alike in the first candidate; the first keeps its own."""
    keys, level = names[:-3], parameters["level"]
    first = made[(made["rank"] == 1) & made["tied"]]
    made[["beyond", "beyond_low", "beyond_high", "beyond_p"]] = np.nan
    made["confirmed"] = made["tied"] & (made["rank"] == 1)
    if first.empty or len(made) == len(first):
        return made
    counts = data.run(_among_alike(data, parameters, first)).astype({"event": object})
    cells = _did_or_not(counts, [*keys, "half", "did_first"], parameters["at_least"])
    left = strata.mantel_haenszel(cells, [*names, "half"], level=level)
    searched = left[left["half"] == SEARCH][[*names, "p", "difference"]].rename(columns={"p": "beyond_p", "difference": "at_first"})
    left = left[left["half"] == CONFIRM].rename(
        columns={"difference": "beyond", "low": "beyond_low", "high": "beyond_high"})[[*names, "beyond", "beyond_low", "beyond_high"]]
    made = made.drop(columns=["beyond", "beyond_low", "beyond_high", "beyond_p"]).merge(left, on=names, how="left").merge(
        searched, on=names, how="left")
    other = made["rank"] > 1
    made.loc[~other, ["beyond", "beyond_low", "beyond_high", "beyond_p"]] = np.nan
    made["beyond_p"] = (made.groupby(keys) if keys else made.groupby(lambda _: 0))["beyond_p"].transform(compare.benjamini_hochberg)
    stands = (made["beyond_p"] <= 1 - level) & (made["at_first"] > 0) & (made["beyond_low"] > 0)
    made["confirmed"] = made["tied"] & (~other | stands)
    return made


def _among_alike(data: Data, parameters: Mapping[str, Any], first: pd.DataFrame) -> Table:
    """The counts again, apart for who did the first candidate (of the segment) in the longest of the days tried and who did not."""
    by = parameters["by"]
    people, early = _people(data, parameters), _early(data, parameters)
    joined = early.inner_join(people.select("user_id", *([by] if by else [])), "user_id")
    did = ibis.literal(False)
    for row in first.to_dict("records"):
        here = (joined.event == row["event"]) & (joined[f"n_{max(parameters['days'])}"] >= int(row["at_least"]))
        did = did | (here & (joined[by] == row[by]) if by else here)
    firsts = joined.filter(did).select("user_id", did_first=ibis.literal(1))
    people = people.left_join(firsts, "user_id").drop("user_id_right")
    people = people.mutate(did_first=people.did_first.fill_null(0))
    return _counted(people, early, parameters, [*([by] if by else []), "half", "did_first"])


@measure(shape="table", unit="share of sign-ups", better="higher", reads="users events", finish=_as_candidates,
         interval="Newcombe interval of the difference; Miettinen and Nurminen's of the difference beyond the first")
def aha_candidates(data: Data, *, outcome: Outcome = "active", from_days: int = 28, to_days: int = 56,
                   days: Sequence[int] = (1, 3, 7), at_least: Sequence[int] = (1, 2, 3, 5, 10),
                   events: list[str] | None = None, still_there: bool = True, every: bool = False, by: str | None = None) -> Table:
    """Early behaviours tied to being `outcome` between `from_days` and `to_days` days after sign-up; no claim that they cause it.

    Every event, done at least so many times within so many days of signing up, is tried as a sign of the outcome among one half of the people
    (by their ids). The tries are ranked by how strong their correlation with it is at least, each p-value is corrected for
    all of them, and the other half of the people is asked whether it holds. An event that goes with the first on the list
    comes after it in the same people; what is left of it among people alike in the first is `beyond`.

    Counted are people who were watched to the end of the outcome window and were still there at the end of the days tried: seen
    in their second half. Who had gone by then could neither do it nor come back, and would make anything that takes
    time look good. Whether somebody was there is judged by what was known at that moment: to ask whether they came back
    later would let in people for doing the very thing too late.

    Parameters
    ----------
    data
        Reads `users` and `events`; `subscriptions` for who paid.
    outcome
        "active": any activity in the outcome window. "paid": the account first paid in it; who had paid before is out.
    from_days, to_days
        Days of 24 hours after sign-up in which the outcome counts: from the first, before the second.
    days
        Days of 24 hours from the second of sign-up within which the event is counted, tried one after the other. None may
        reach into the outcome window.
    at_least
        How many times, tried one after the other.
    events
        The events tried; all that count as activity by default.
    still_there
        False lets those in who had already gone.
    every
        True gives every try a row, not only the best of each event.
    by
        Column to cut by: each group is searched and confirmed for itself.

    Returns
    -------
    One row per event, the strongest tie first: rank, event, at_least, days; on the confirming half n (people), did (of
    them, who did it), reach (share), precision (share of those with the outcome), recall (share of all with the
    outcome who had done it), lift (precision over the share of all), phi (correlation of having done it and the outcome),
    difference (to those who did not) with low and high;
    p and p_corrected on the searching half; tied (p_corrected small, low above 0); beyond with beyond_low and beyond_high
    (the difference among people alike in the first, confirming half), beyond_p (searching half, corrected); confirmed
    (tied, and tied beyond the first). `attrs["tried"]` says how many tries were corrected for.

    Raises
    ------
    BadParameter
        If the days tried reach into the outcome window.

    Examples
    --------
    >>> import plgkit
    >>> from plgkit import samples
    >>> from plgkit.playbook import read_playbook
    >>> acme = samples.company(people=600, seed=1)
    >>> data = plgkit.connect(acme.tables, as_of="2026-06-30", playbook=read_playbook(acme.playbook))
    >>> found = aha_candidates(data)
    >>> found[["rank", "event", "at_least", "tied", "confirmed"]].head(1)
       rank          event  at_least  tied  confirmed
    0     1  card_finished         1  True       True

    References
    ----------
    Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995), 289-300. Van Houwelingen, "Dynamic
    prediction by landmarking in event history analysis", Scandinavian Journal of Statistics 34 (2007), 70-85.
    """
    if not days or min(days) < 1 or max(days) > from_days:
        raise BadParameter("days", list(days), expected=f"whole numbers of days, from 1 to the {from_days} before the outcome window")
    if from_days >= to_days:
        raise BadParameter("to_days", to_days, expected=f"more days than from_days, which is {from_days}")
    chosen = {"outcome": outcome, "from_days": from_days, "to_days": to_days, "days": days, "at_least": at_least,
              "events": events, "still_there": still_there, "by": by}
    return _counted(_people(data, chosen), _early(data, chosen), chosen, [*([by] if by else []), "half"])
