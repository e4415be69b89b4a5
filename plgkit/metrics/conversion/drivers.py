"""What accounts that pay later did in their first days, and the others did not: all looked at, and corrected for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics.conversion.early import Watched, watched
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import compare, intervals, strata

EVERYBODY, EVENT, BREADTH = "", "event", "breadth"
LEVELS = (2, 3, 4, 6, 8)
"""Days active from which accounts count as differently busy."""
COLUMNS = ["rank", "kind", "behaviour", "at_least", "n", "did", "reach", "value", "others", "recall", "lift", "difference", "low", "high",
           "p", "p_corrected", "tied", "beyond", "beyond_low", "beyond_high"]
_BREADTHS = {"days active": "active_days", "people active": "active_people", "core features used": "core"}


def _counted(found: Watched, most: int, by: str | None, breadths: list[str]) -> Table:
    """Accounts and payers among them by behaviour, times done and how busy they were; and of everybody."""
    keys = [by] if by else []
    breadth = found.breadth.rename(breadth_id="account_id")
    busy = found.accounts.left_join(breadth, found.accounts.account_id == breadth.breadth_id).drop("breadth_id")
    busy = busy.mutate(busy=sum(((busy.active_days >= each).fill_null(False).ifelse(1, 0) for each in LEVELS), start=ibis.literal(0)))

    def part(rows: Table, kind: str, behaviour: ibis.Value, times: ibis.Value) -> Table:
        return rows.select(*keys, kind=ibis.literal(kind), behaviour=behaviour, times=engine.whole(ibis.least(times, most)),
                           busy=engine.whole(rows.busy), hit=rows.hit)

    did = found.events.inner_join(busy.select("account_id", "busy", "hit", *keys), "account_id")
    parts = [part(busy, EVERYBODY, ibis.literal(""), ibis.literal(0)), part(did, EVENT, did.event, did.times)]
    for name in breadths:
        some = busy.filter(busy[_BREADTHS[name]] > 0)
        parts.append(part(some, BREADTH, ibis.literal(name), some[_BREADTHS[name]]))
    return ibis.union(*parts).group_by(*keys, "kind", "behaviour", "times", "busy").aggregate(
        accounts=_.count().cast("int64"), hits=_.hit.sum().cast("int64"))


def _cells(frame: pd.DataFrame, keys: list[str], at_least: Sequence[int]) -> pd.DataFrame:
    """Per behaviour, times and busyness: x1 of n1 accounts that did it so often, x2 of n2 of the others."""
    everybody = frame[frame["kind"] == EVERYBODY].rename(columns={"accounts": "n", "hits": "x"})[[*keys, "busy", "n", "x"]]
    done, names = frame[frame["kind"] != EVERYBODY], [*keys, "kind", "behaviour", "busy"]
    parts = [done[done["times"] >= times].groupby(names, as_index=False)[["accounts", "hits"]].sum().assign(at_least=times)
             for times in at_least]
    counts = pd.concat(parts, ignore_index=True)
    tried = counts[[*keys, "kind", "behaviour", "at_least"]].drop_duplicates()
    made = tried.merge(everybody, on=keys) if keys else tried.merge(everybody, how="cross")
    made = made.merge(counts, on=[*names, "at_least"], how="left").fillna({"accounts": 0, "hits": 0})
    made = made.sort_values([*names, "at_least"], ignore_index=True)
    return made.assign(n1=made["accounts"], x1=made["hits"], n2=made["n"] - made["accounts"], x2=made["x"] - made["hits"])


def _as_drivers(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, level = parameters["by"], parameters["level"]
    keys = [by] if by else []
    cells = _cells(frame.astype({"behaviour": object}), keys, sorted(set(parameters["at_least"])))
    names = [*keys, "kind", "behaviour", "at_least"]
    found = cells.groupby(names, as_index=False)[["n1", "x1", "n2", "x2"]].sum()
    found = found[(found["n1"] > 0) & (found["n2"] > 0)].reset_index(drop=True)
    if found.empty:
        return pd.DataFrame(columns=[*keys, *COLUMNS])
    sides = [found[name] for name in ("x1", "n1", "x2", "n2")]
    found["p"], found["sure"] = strata.share_p(*sides), strata.correlation(*sides, level=level)[1]
    grouped = found.groupby(keys) if keys else found.groupby(lambda _: 0)
    found["p_corrected"] = grouped["p"].transform(compare.benjamini_hochberg)
    tried = grouped["p"].transform("count")
    order = [*keys, "sure", "behaviour", "at_least"]
    found = found.assign(tried=tried).sort_values(order, ascending=[*[True] * len(keys), False, True, True])
    if not parameters["every"]:
        found = found.drop_duplicates([*keys, "kind", "behaviour"])
    found["rank"] = found.groupby(keys).cumcount() + 1 if keys else np.arange(1, len(found) + 1)
    made = found.merge(_among_alike(cells, names, level), on=names, how="left")
    made = _described(made, keys, level).sort_values([*keys, "rank"], ignore_index=True)
    attrs = {"tried": len(tried)}
    made = made[[*keys, *COLUMNS]].astype({"n": "int64", "did": "int64", "behaviour": "str"})
    made.attrs = attrs
    return made


def _among_alike(cells: pd.DataFrame, names: list[str], level: float) -> pd.DataFrame:
    """What is left of each difference among accounts that were active on about as many days."""
    alike = cells[cells["behaviour"] != "days active"]
    if alike.empty:
        return pd.DataFrame(columns=[*names, "beyond", "beyond_low", "beyond_high"])
    left = strata.mantel_haenszel(alike, names, level=level)
    return left.rename(columns={"difference": "beyond", "low": "beyond_low", "high": "beyond_high"})[
        [*names, "beyond", "beyond_low", "beyond_high"]]


def _described(made: pd.DataFrame, keys: list[str], level: float) -> pd.DataFrame:
    """Shares of both sides and their difference, its interval wide enough for all of those said to be tied together."""
    n, hits = made["n1"] + made["n2"], made["x1"] + made["x2"]
    made = made.assign(n=n, did=made["n1"], reach=made["n1"] / n, value=made["x1"] / made["n1"], others=made["x2"] / made["n2"],
                       recall=made["x1"] / hits.where(hits > 0))
    made["lift"] = made["value"] / (hits / n).where(hits > 0)
    made["difference"] = made["value"] - made["others"]
    made["tied"] = made["p_corrected"] <= 1 - level
    grouped = made.groupby(keys) if keys else made.groupby(lambda _: 0)
    wrong = (1 - level) * grouped["tied"].transform("sum").clip(lower=1) / made["tried"]
    for share, rows in made.groupby(wrong):
        low, high = intervals.newcombe(*(rows[name] for name in ("x1", "n1", "x2", "n2")), level=1 - min(share, 1 - level))
        made.loc[rows.index, "low"], made.loc[rows.index, "high"] = low, high
    return made


@measure(shape="table", unit="share of accounts", better="higher", reads="users events subscriptions", finish=_as_drivers,
         settings={"to_days": "conversion.within_days"},
         interval="Newcombe, widened for how many were tried (false coverage); Miettinen and Nurminen's among accounts alike in days active")
def drivers(data: Data, *, days: int = 14, to_days: int | None = None, at_least: Sequence[int] = (1, 2, 3, 5, 10),
            events: list[str] | None = None, still_there: bool = True, every: bool = False, by: str | None = None) -> Table:
    """Behaviours of the first `days` days tied to a first payment later, up to `to_days` days; no claim that they cause it.

    Every event done at least so many times by an account's people, and how many days, people and core features were active, is
    held against whether the account pays later. Counted are accounts watched to the end of the outcome window that had not yet
    paid at the end of the first days (else paying would count as its own sign) and were still there: seen in their
    second half. Steps of paying itself (checkout, payment details) are no behaviour and are left out unless named in `events`.

    Each p-value is corrected for all that were tried (Benjamini-Hochberg), and intervals are widened so that of those said to be tied
    no more miss than the level allows (Benjamini-Yekutieli). Who is busy does more of everything: `beyond` is the difference
    that is left among accounts active on about as many days.

    Parameters
    ----------
    data
        Reads `users`, `events`, `subscriptions`, and `accounts` where it is there.
    days
        Days of 24 hours from the second of creation in which behaviours count.
    to_days
        Days of 24 hours from creation up to which a first payment counts; the last instant counts.
    at_least
        How many times, days, people or features, tried one after the other.
    events
        The events tried; all that count as activity by default.
    still_there
        False lets those in who had already gone.
    every
        True gives every try a row, not only the surest of each behaviour.
    by
        Column to cut by: each group is corrected for itself.

    Returns
    -------
    One row per behaviour, the surest tie first: rank, kind ("event", "breadth"), behaviour, at_least, n (accounts), did (of them, who
    did it), reach (share), value (share of those that did it that paid later), others (the same of the others), recall (share of payers that
    had done it), lift (value over the share of all), difference (value less others) with low and high, p, p_corrected, tied,
    beyond with beyond_low and beyond_high. `attrs["tried"]` says how many tries were corrected for.

    Raises
    ------
    BadParameter
        If `to_days` is not after `days`.

    Examples
    --------
    >>> import plgkit
    >>> from plgkit import samples
    >>> from plgkit.playbook import read_playbook
    >>> acme = samples.company(people=600, seed=1)
    >>> data = plgkit.connect(acme.tables, as_of="2026-06-30", playbook=read_playbook(acme.playbook))
    >>> found = drivers(data)
    >>> bool((found.p <= found.p_corrected).all()), bool((found.did <= found.n).all())
    (True, True)

    References
    ----------
    Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995), 289-300. Benjamini and Yekutieli, "False
    discovery rate-adjusted multiple confidence intervals for selected parameters", Journal of the American Statistical
    Association 100 (2005), 71-81.
    """
    words = data.playbook
    core = words.features.core
    found = watched(data, days=days, to_days=to_days, core=core, still_there=still_there, by=by)
    if events is None:
        paying = {words.conversion.checkout_started, words.conversion.checkout_finished, words.payment.event} - {None}
        did = found.events.filter(_.event.notin(sorted(paying))) if paying else found.events
    else:
        data.event(events)
        did = found.events.filter(_.event.isin(events))
    breadths = [name for name in _BREADTHS if core or name != "core features used"]
    return _counted(Watched(found.accounts, did, found.breadth), max(at_least), by, breadths)
