"""How many people new people bring: by cohort, by the days since they came, and as a part of all who sign up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import families, shapes
from plgkit.metrics.advocacy.rows import brought, followed
from plgkit.metrics.people import Moment, closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between
from plgkit.stats import counting
from plgkit.stats import families as ratios

DAY_SECONDS = 86_400


def as_k(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Invitees per person, with the interval of a ratio; where nothing differs there is none."""
    made = frame.assign(value=frame["numerator"] / frame["denominator"].where(frame["denominator"] > 0))
    made["low"], made["high"] = ratios.logarithmic(
        *(made[name] for name in ("numerator", "denominator", *shapes.FAMILY_SUMS)), level=parameters["level"])
    return shapes.ordered(made, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="activated invitees per sign-up", better="higher", reads="users invites events",
         settings={"event": "activation.event", "within_days": "invites.within_days"}, finish=as_k,
         interval=families.LOGARITHMIC)
def k_factor(data: Data, *, event: Moment | None = None, within_days: int | None = None, by: str | None = None,
             grain: Grain = "month") -> Table:
    """Invitees each new person brings who activate (`event`) within `within_days` days of that person's sign-up.

    Above 1, each generation is larger than the one before. All who signed up are in the
    denominator, also those who invite nobody. An invitee counts for whose invitation was
    accepted first, once it is accepted and the invitee has activated; who was there before it
    was sent does not count.

    Parameters
    ----------
    data
        Reads `users`, `invites` and `events`.
    event
        The moment of first value, as in `activation.rate`.
    within_days
        Days of 24 hours from the sign-up of the person who invites; the last instant counts.
    by
        Column of the inviting people to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of sign-up: period, numerator (activated invitees), denominator (people), value
    (may be above 1), low, high, immature (people).

    Examples
    --------
    >>> from plgkit import samples
    >>> k_factor(samples.tiny())[["period", "numerator", "denominator", "value"]].head(1)
          period  numerator  denominator  value
    0 2025-01-01          1            4   0.25
    """
    came = followed(data, event).filter(_.done_at.notnull()).select("inviter_id", "done_at")
    people = data.users.left_join(came, data.users.user_id == came.inviter_id)
    people = people.mutate(
        hit=within(people.done_at, people.signed_up_at, within_days).ifelse(1, 0),
        people=closed(data, people.signed_up_at, within_days).ifelse(1, 0), period=data.period(people.day, grain))
    people = people.group_by("user_id", "period", "people").aggregate(brought=_.hit.sum().cast("int64"))
    return families.ratio(data, segmented(data, people.mutate(hits=people.people * people.brought), by), by=by)


def _as_curve(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    columns = [*([by] if by else []), "x", "value", "low", "high", "at_risk"]
    parts = []
    for name, rows in frame.assign(everyone=0).groupby(by or "everyone", sort=True):
        made = counting.mean_number(rows["day"], rows["brought"], rows["leaving"], rows["dealt"],
                                    upto=parameters["up_to_days"], level=parameters["level"])
        parts.append(made.assign(**{by or "everyone": name})[columns])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns).astype({"at_risk": "int64"})


@measure(shape="curve", unit="activated invitees per sign-up", better="higher", reads="users invites events",
         settings={"event": "activation.event"}, finish=_as_curve,
         interval="logarithmic, robust variance of the mean number between families (an account and the accounts it brought)")
def k_curve(data: Data, *, event: Moment | None = None, up_to_days: int = 28, by: str | None = None) -> Table:
    """Invitees a person has brought who activated (`event`), on average, by each of the first `up_to_days` days since sign-up.

    Each person counts for the whole days it was watched, so that young ones are in it too and none of them
    is taken for one who brings nobody. At the days that `k_factor` allows it is that number, with the young.

    Parameters
    ----------
    data
        Reads `users`, `invites` and `events`.
    event
        The moment of first value, as in `activation.rate`.
    up_to_days
        Where the curve ends.
    by
        Column of the inviting people to cut by.

    Returns
    -------
    One row per day: x (days of 24 hours since sign-up), value (invitees per person by then), low, high, at_risk
    (people watched for the whole day that ends there). Days that nobody was watched are not there.

    Examples
    --------
    >>> from plgkit import samples
    >>> k_curve(samples.tiny(), up_to_days=5)[["x", "value", "at_risk"]].tail(2)
       x  value  at_risk
    4  4   0.00        4
    5  5   0.25        4

    References
    ----------
    Lawless and Nadeau, "Some simple robust methods for the analysis of recurrent events", Technometrics 37 (1995), 158-168.
    """
    people = data.users.select("user_id", "signed_up_at")
    people = families.dealt(data, segmented(data, people, by), always=True)
    people = people.mutate(watched=_days(data.end_literal, people.signed_up_at))
    came = followed(data, event).filter(_.done_at.notnull()).select("inviter_id", "done_at")
    came = came.inner_join(people, came.inviter_id == people.user_id)
    came = came.mutate(day=_days(came.done_at, came.signed_up_at))
    came = came.filter((came.done_at >= came.signed_up_at) & (came.day < came.watched) & (came.day < up_to_days))
    keys = ["dealt", *([by] if by else []), "day"]
    nothing = ibis.literal(0).cast("int64")
    came = came.group_by(*keys).aggregate(brought=_.count().cast("int64")).mutate(leaving=nothing)
    gone = people.mutate(day=ibis.least(people.watched, ibis.literal(up_to_days).cast("int64")))
    gone = gone.group_by(*keys).aggregate(leaving=_.count().cast("int64")).mutate(brought=nothing)
    order = [*keys, "brought", "leaving"]
    return came.select(*order).union(gone.select(*order))


def _days(later: ibis.Value, start: ibis.Value) -> ibis.Value:
    """Whole days of 24 hours from one moment to another."""
    return (seconds_between(later, start) / DAY_SECONDS).floor().cast("int64")


@measure(shape="rate", unit="share of sign-ups", better="higher", reads="users", interval=families.WIDENED)
def viral_signups(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Share of sign-ups that came by an invitation or a shared link.

    Parameters
    ----------
    data
        Reads `users` (invited_by) and, where it is there, `invites`.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of sign-up: period, numerator and denominator (people), value, low, high, immature (0).

    Raises
    ------
    MissingTable
        If there are no `invites` and no user has an invited_by: then nothing is known of who came how.

    Examples
    --------
    >>> from plgkit import samples
    >>> viral_signups(samples.tiny())[["period", "numerator", "denominator", "value"]].head(1)
          period  numerator  denominator  value
    0 2025-01-01          1            4   0.25
    """
    people = data.users.mutate(period=data.period(_.day, grain), came=_.invited_by.notnull())
    if data.has("invites") or not _names_inviters(data):
        by_invite = brought(data).select(newcomer=_.invitee_id)
        people = people.left_join(by_invite, people.user_id == by_invite.newcomer)
        people = people.mutate(came=people.came | people.newcomer.notnull())
    people = segmented(data, people, by)
    return families.rate(data, people, by=by, hit=people.came, mature=ibis.literal(True))


def _names_inviters(data: Data) -> bool:
    return bool(data.run(data.users.filter(_.invited_by.notnull()).aggregate(n=_.count()))["n"].iloc[0])
