"""Growth loops: people who bring people, step by step, and what a better step would bring in a year."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import families
from plgkit.metrics.advocacy.rows import followed, marked
from plgkit.metrics.people import Moment, activated, closed, segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between
from plgkit.stats import branching
from plgkit.stats import families as ratios

Start = Literal["activation", "sign_up"]
DAY_MINUTES, POINT, HUNDRED = 1440, 0.01, 100
WHOLE = "the whole loop"
STEPS = ("people", "senders", "sends", "accepted", "done")
NAMES = {"invite": "invitations", "link": "shared links", "viewer": "viewers who create", "together": "invitations and links"}
_PAIRS = [*itertools.pairwise(STEPS), ("people", "done")]


def _sums(one: str, other: str) -> list[str]:
    return [f"{name}_{one}_{other}" for name in ("squares", "products", "sizes")]


def _as_loops(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = [*(["period"] if parameters["grain"] else []), *([parameters["by"]] if parameters["by"] else [])]
    made, place = [], {name: number for number, name in enumerate(NAMES)}
    for name, rows in frame.groupby([*keys, "loop"], sort=False):
        found = dict(zip(keys, name[:-1], strict=True)) | {"loop": NAMES[name[-1]], "order": place[name[-1]]}
        made += [found | row for row in _one(rows, name[-1], parameters)]
    columns = ["start", "position", "step", "unit", "entered", "reached", "value", "low", "high", "days", "days_q25", "days_q75", "year", "year_low",
               "year_high", "gain", "gain_low", "gain_high", "immature"]
    table = pd.DataFrame(made, columns=[*keys, "loop", "order", *columns])
    whole = ["position", "entered", "reached", "immature"]
    table = table.astype(dict.fromkeys(whole, "int64") | dict.fromkeys(set(columns) - {*whole, "start", "step", "unit"}, "float64"))
    if "period" in table:
        table["period"] = table["period"].astype("datetime64[us]")
    table = table.sort_values([*keys, "order", "position"], ignore_index=True)
    return table[[*keys, "loop", *columns]]


def _one(rows: pd.DataFrame, kind: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps of one loop and, last, the whole of it."""
    counts, waits = rows[rows["item"] == "sums"].iloc[0], rows[rows["item"] != "sums"]
    level = parameters["level"]
    shares = [_rate(counts, one, other, level, of_one=other in ("senders", "accepted", "done")) for one, other in _PAIRS[:-1]]
    k = _rate(counts, "people", "done", level, of_one=False)
    begins = {"viewer": "created"}.get(kind, "activated" if parameters["start"] == "activation" else "signed up")
    years = _years(k, [share["value"] for share in shares], waits[waits["item"] == "cycle"])
    found = []
    for place, (share, name, time) in enumerate(zip(shares, _steps(kind), ("sent", None, "accepted", "done"), strict=True)):
        gains = dict(zip(("gain", "gain_low", "gain_high"), HUNDRED * (years[place + 1] - years[0]), strict=True))
        found.append({"position": place + 1, "step": name, "unit": "each" if place == 1 else "share", **share, **_waited(waits, time), **gains})
    found.append({"position": len(found) + 1, "step": WHOLE, "unit": "each", **k, **_waited(waits, "cycle"),
                  **dict(zip(("year", "year_low", "year_high"), years[0], strict=True))})
    return [row | {"start": begins, "immature": counts["immature"]} for row in found]


def _years(k: Mapping[str, float], shares: list[float], cycle: pd.DataFrame) -> np.ndarray:
    """A year's multiplication at K, its low and its high: a row as it is, and one for each step, were it a point better."""
    better = [1.0, *((each + POINT) / each if each > 0 else np.nan for each in shares)]
    asked = np.outer(better, [k["value"], k["low"], k["high"]])
    return branching.multiplied(asked.ravel(), cycle["minutes"] / DAY_MINUTES, cycle["n"]).reshape(asked.shape)


def _steps(kind: str) -> list[str]:
    sending, sends = {"link": ("share a link", "links shared"), "together": ("invite or share", "invitations and links sent")}.get(
        kind, ("invite somebody", "invitations sent"))
    return [sending, sends, *(("viewers came", "created something") if kind == "viewer" else ("people came", "activated"))]


def _rate(counts: pd.Series, one: str, other: str, level: float, *, of_one: bool) -> dict[str, Any]:
    """What part of one step (or how many for each) is the next, with an interval that follows families."""
    n, hits = int(counts[one]), int(counts[other])
    sums = [counts[each] for each in _sums(one, other)]
    low, high = (ratios.wilson if of_one else ratios.logarithmic)(hits, n, *sums, level=level)
    return {"entered": n, "reached": hits, "value": hits / n if n else np.nan, "low": float(low), "high": float(high)}


def _waited(waits: pd.DataFrame, item: str | None) -> dict[str, float]:
    """Median and quartiles of the days that a step took, of those who took it."""
    rows = waits[waits["item"] == item].sort_values("minutes")
    if rows.empty:
        return {}
    upto, minutes = rows["n"].cumsum().to_numpy(), rows["minutes"].to_numpy()

    def at(share: float) -> float:
        """The value there, or the mean of the two between which it falls."""
        both = [min(np.searchsorted(upto, share * upto[-1], side), len(upto) - 1) for side in ("left", "right")]
        return float(minutes[both].mean()) / DAY_MINUTES

    return {"days": at(0.5), "days_q25": at(0.25), "days_q75": at(0.75)}


@measure(shape="table", unit="people brought by each", better="higher", reads="users invites events", finish=_as_loops,
         settings={"event": "activation.event", "within_days": "invites.within_days"},
         interval="Wilson or logarithmic, by how much families (an account and the accounts it brought) differ; a year's by that of K")
def loops(data: Data, *, event: Moment | None = None, within_days: int | None = None, start: Start = "activation",
          by: str | None = None, grain: Grain | None = None) -> Table:
    """Growth loops as steps from a person's start (`start`) to that of those it brings, within `within_days` days of it.

    The loops are invitations, shared links, both together, and, where the playbook names viewing roles and
    what creates something, free viewers who come to create. The product of a loop's steps is its K.

    Parameters
    ----------
    data
        Reads `users`, `invites` and `events`.
    event
        The moment of first value, with which a turn of the loop ends, as in `activation.rate`.
    within_days
        Days of 24 hours from a person's start in which everything must have happened, as in `k_factor`.
    start
        "activation", so that a loop leads from activated people to activated people, or "sign_up", from which K is
        exactly `k_factor`.
    by
        Column of the people who start to cut by.
    grain
        Length of the period of the start to cut by; None takes all together.

    Returns
    -------
    One row per loop and step, and one for the whole loop: loop, start (what those who enter have done), position, step,
    unit ("share", or "each" where value may be above 1), entered, reached, value (reached / entered), low, high, days (median from the step before to this one, of those who took it; of the whole loop the
    cycle), days_q25, days_q75; of the whole loop year (people whom one becomes within a year, itself and all generations
    after it), year_low, year_high; of a step gain (more people after a year for each hundred who start, were the
    step one point better: one more of a hundred), gain_low, gain_high; immature (people whose days are not over).

    Notes
    -----
    A year is the mean of a branching process: each person brings K others, after the times that were seen, and
    those bring as many. It assumes that who is brought brings as many as others do, and what a person brings after the days
    allowed is not in it. From a K of 1 on, it grows without bound.

    Examples
    --------
    Ann, Bob and Cho activated; Ann invited two, of whom Bob came and activated:

    >>> from plgkit import samples
    >>> found = loops(samples.tiny()).query("loop == 'invitations'")
    >>> found[["step", "entered", "reached", "value"]].round(2)
                   step  entered  reached  value
    0   invite somebody        3        1   0.33
    1  invitations sent        1        2   2.00
    2       people came        2        1   0.50
    3         activated        1        1   1.00
    4    the whole loop        3        1   0.33
    >>> found[["days", "year"]].round(2).iloc[-1].tolist()
    [4.27, 1.5]

    References
    ----------
    Harris, *The Theory of Branching Processes* (1963), chapter 6.
    """
    people, rows = _starting(data, event, start), followed(data, event)
    made = [_cells(data, people, rows if kind == "together" else rows.filter(rows.kind == kind), kind, within_days, by, grain)
            for kind in ("invite", "link", "together")]
    words = data.playbook
    if words.roles.viewer and words.features.create and "role" in data.users.columns:
        made.insert(2, _cells(data, _starting(data, words.features.create, "activation"), _viewers(data), "viewer", within_days,
                              by, grain))
    return ibis.union(*made)


def _starting(data: Data, event: Moment, start: Start) -> Table:
    """One row per person who starts: `user_id`, `signed_up_at` and `began_at`."""
    people = data.users.select("user_id", "signed_up_at")
    if start == "sign_up":
        return people.mutate(began_at=people.signed_up_at)
    return people.inner_join(activated(data, event).select("user_id", began_at=_.activated_at), "user_id")


def _viewers(data: Data) -> Table:
    """Every invitation, with `came` for viewers alone and `done_at`, when the viewer had first created something."""
    words = data.playbook
    rows = marked(data)
    roles = data.users.select(newcomer=_.user_id, looks=_.role.isin(words.roles.viewer).fill_null(False).ifelse(1, 0))
    made = activated(data, words.features.create).select(maker=_.user_id, made_at=_.activated_at)
    rows = rows.filter(rows.kind == "invite")
    rows = rows.left_join(roles, rows.invitee_id == roles.newcomer)
    rows = rows.mutate(came=(rows.came * rows.looks.fill_null(0)).cast("int64")).left_join(made, _.invitee_id == made.maker)
    done = ((rows.came == 1) & rows.made_at.notnull()).ifelse(ibis.greatest(rows.accepted_at, rows.made_at), ibis.null("timestamp(6)"))
    return rows.mutate(done_at=done)


def _cells(data: Data, people: Table, rows: Table, kind: str, days: int, by: str | None, grain: Grain | None) -> Table:
    """The sums of one loop in one row per segment, and how many took so many minutes for each step."""
    people = people.mutate(mature=closed(data, people.began_at, days).ifelse(1, 0))
    if grain:
        people = people.mutate(period=data.period(data.local(people.began_at).date(), grain))
    people = segmented(data, people, by)
    keys = [*(["period"] if grain else []), *([by] if by else [])]
    turns = _turns(people, rows, days)
    sums = _summed(data, people, turns, keys)
    names = [each for pair in _PAIRS for each in _sums(*pair)]
    columns = [*keys, "loop", "item", "minutes", "n", "immature", *STEPS, *names]
    loop = ibis.literal(kind)
    nothing = ibis.literal(0).cast("int64")
    sums = sums.mutate(loop=loop, item=ibis.literal("sums"), minutes=nothing, n=nothing).select(*columns)
    waits = [each.mutate(loop=loop, immature=nothing, **dict.fromkeys([*STEPS, *names], nothing)).select(*columns)
             for each in _waits(turns, keys)]
    return ibis.union(sums, *waits)


def _turns(people: Table, rows: Table, days: int) -> Table:
    """What people whose days are over sent, with flags of how far it got in these days."""
    turns = people.filter(people.mature == 1).inner_join(rows.drop("day"), _.user_id == rows.inviter_id)

    def counts(at: ibis.Value) -> ibis.Value:
        return ((at >= turns.signed_up_at) & (at <= turns.began_at + ibis.interval(days=days))).fill_null(False)

    done = counts(turns.done_at)
    accepted = done | (counts(turns.accepted_at) & (turns.came == 1))
    sends = accepted | counts(turns.sent_at)
    return turns.mutate(sends=sends.ifelse(1, 0), accepted=accepted.ifelse(1, 0), done=done.ifelse(1, 0)).filter(_.sends == 1)


def _summed(data: Data, people: Table, turns: Table, keys: list[str]) -> Table:
    """Per segment the people at each step, and the sums over families that the intervals need."""
    sent = turns.group_by("user_id").aggregate(
        **{name: _[name].sum().cast("int64") for name in ("sends", "accepted", "done")})
    rows = people.left_join(sent, "user_id").drop("user_id_right")
    counted = {name: rows[name].fill_null(0).cast("int64") for name in ("sends", "accepted", "done")}
    rows = rows.mutate(**counted).mutate(
        people=_.mature.cast("int64"), senders=(_.sends > 0).ifelse(1, 0).cast("int64"), young=(1 - _.mature).cast("int64"))
    rows = families.joined(data, rows)
    rows = rows.mutate(single=rows.family.isnull().ifelse(rows.user_id, ibis.null("string")))
    parts = rows.group_by("family", "single", *keys).aggregate(
        **{name: _[name].sum().cast("int64") for name in (*STEPS, "young")})
    sums = {name: _[name].sum().cast("int64") for name in STEPS}
    for one, other in _PAIRS:
        pairs = zip(_sums(one, other), ((other, other), (one, other), (one, one)), strict=True)
        sums |= {name: (parts[a] * parts[b]).sum().cast("int64") for name, (a, b) in pairs}
    sums["immature"] = _.young.sum().cast("int64")
    if keys:
        return parts.group_by(*keys).aggregate(**sums)
    found = parts.aggregate(everybody=_.count(), **sums)
    return found.filter(found.everybody > 0).drop("everybody")


def _waits(turns: Table, keys: list[str]) -> list[Table]:
    """How many took so many minutes: to the first sending, to acceptance, to the end, and for the whole turn."""
    firsts = turns.group_by("user_id", "began_at", *keys).aggregate(first_at=_.sent_at.min())
    spans = {"sent": (firsts, "first_at", "began_at"), "accepted": (turns.filter(turns.accepted == 1), "accepted_at", "sent_at"),
             "done": (turns.filter(turns.done == 1), "done_at", "accepted_at"),
             "cycle": (turns.filter(turns.done == 1), "done_at", "began_at")}
    found = []
    for item, (rows, later, earlier) in spans.items():
        minutes = (seconds_between(rows[later], rows[earlier]) / 60).floor().cast("int64")
        rows = rows.mutate(minutes=ibis.greatest(minutes, ibis.literal(0).cast("int64")), item=ibis.literal(item))
        found.append(rows.group_by(*keys, "item", "minutes").aggregate(n=_.count().cast("int64")))
    return found
