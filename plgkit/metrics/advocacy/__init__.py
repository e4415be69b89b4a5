"""Advocacy: do people bring others, and would they recommend the product?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import families, shapes
from plgkit.metrics.people import Moment, activated, closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import families as ratios

Kind = Literal["invite", "link"]


def sent(data: Data, kind: Kind | None) -> Table:
    """Invitations, shared links, or both; rows that do not say are invitations."""
    rows = data.invites.mutate(kind=_.kind.fill_null("invite"))
    return rows if kind is None else rows.filter(rows.kind == kind)


def brought(data: Data) -> Table:
    """One row per person who came by an invitation or a link: `invitee_id` and who sent the one accepted first."""
    rows = data.invites.filter(_.invitee_id.notnull() & _.accepted_at.notnull())
    first = ibis.window(group_by=rows.invitee_id, order_by=[rows.accepted_at, rows.sent_at, rows.inviter_id])
    rows = rows.mutate(place=ibis.row_number().over(first)).filter(_.place == 0)
    return rows.select("invitee_id", "inviter_id", "sent_at", "accepted_at")


def _as_k(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Invitees per person, with the interval of a ratio; where nothing differs there is none."""
    made = frame.assign(value=frame["numerator"] / frame["denominator"].where(frame["denominator"] > 0))
    made["low"], made["high"] = ratios.logarithmic(
        *(made[name] for name in ("numerator", "denominator", *shapes.FAMILY_SUMS)), level=parameters["level"])
    return shapes.ordered(made, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="activated invitees per sign-up", better="higher", reads="users invites events",
         settings={"event": "activation.event", "within_days": "invites.within_days"}, finish=_as_k,
         interval=families.LOGARITHMIC)
def k_factor(data: Data, *, event: Moment | None = None, within_days: int | None = None, by: str | None = None,
             grain: Grain = "month") -> Table:
    """Invitees each new person brings who activate (`event`) within `within_days` days of that person's sign-up.

    Above 1, each generation is larger than the one before. All who signed up are in the
    denominator, also those who invite nobody. An invitee counts for whose invitation was
    accepted first.

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
    came = brought(data)
    reached = activated(data, event).select(newcomer=_.user_id, activated_at=_.activated_at)
    came = came.inner_join(reached, came.invitee_id == reached.newcomer).select("inviter_id", "activated_at")
    people = data.users.left_join(came, data.users.user_id == came.inviter_id)
    people = people.mutate(
        hit=within(people.activated_at, people.signed_up_at, within_days).ifelse(1, 0),
        people=closed(data, people.signed_up_at, within_days).ifelse(1, 0), period=data.period(people.day, grain))
    people = people.group_by("user_id", "period", "people").aggregate(brought=_.hit.sum().cast("int64"))
    return families.ratio(data, segmented(data, people.mutate(hits=people.people * people.brought), by), by=by)


@measure(shape="rate", unit="share of invitations", better="higher", reads="users invites",
         settings={"within_days": "invites.within_days"})
def invite_acceptance(data: Data, *, within_days: int | None = None, kind: Kind | None = "invite",
                      through: Literal["accepted", "activated"] = "accepted", by: str | None = None,
                      grain: Grain = "month") -> Table:
    """Share of invitations that are `through` within `within_days` days of being sent.

    Parameters
    ----------
    data
        Reads `users` and `invites`; for "activated" also `events`.
    within_days
        Days of 24 hours from the sending; the last instant counts.
    kind
        "invite", "link" for shared links, or None for both.
    through
        "accepted", or "activated": accepted, and the invitee activated within the same days.
    by
        Column of the people who invite to cut by.
    grain
        Length of the period of the sending.

    Returns
    -------
    One row per period: period, numerator and denominator (invitations), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> invite_acceptance(samples.tiny())[["period", "numerator", "denominator", "value"]].head(1)
          period  numerator  denominator  value
    0 2025-01-01          1            2    0.5
    """
    rows = sent(data, kind)
    rows = rows.select("invitee_id", "sent_at", "accepted_at", user_id=_.inviter_id, period=data.period(_.day, grain))
    done_at = rows.accepted_at
    if through == "activated":
        moment = data.playbook.activation.event or data.playbook.activation.rule
        reached = activated(data, moment).select(newcomer=_.user_id, activated_at=_.activated_at)
        rows = rows.left_join(reached, rows.invitee_id == reached.newcomer)
        done_at = rows.accepted_at.notnull().ifelse(ibis.greatest(rows.accepted_at, rows.activated_at), rows.accepted_at)
        done_at = rows.activated_at.notnull().ifelse(done_at, ibis.null("timestamp(6)"))
    rows = segmented(data, rows.mutate(done_at=done_at), by)
    return shapes.rate(rows, by=by, hit=within(rows.done_at, rows.sent_at, within_days),
                       mature=closed(data, rows.sent_at, within_days))


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


def _with_complete(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = shapes.as_rate(frame, data, parameters)
    return made.assign(complete=shapes.complete(made["period"], data, parameters["grain"]))


@measure(shape="rate", unit="share of active people", better="higher", reads="users events invites",
         finish=_with_complete, interval=families.WIDENED)
def sharing_rate(data: Data, *, kind: Kind | None = None, by: str | None = None, grain: Grain = "month") -> Table:
    """Share of the people active in a period who invite somebody or share a link in it.

    Parameters
    ----------
    data
        Reads `events` and `invites`.
    kind
        Only "invite" or only "link"; None for both.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, numerator and denominator (people), value, low, high, immature (0),
    complete (a period that goes on can only rise).

    Examples
    --------
    >>> from plgkit import samples
    >>> sharing_rate(samples.tiny())[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-01-01          2            4    0.5
    1 2025-02-01          0            2    0.0
    """
    active = data.activity.mutate(period=data.period(_.day, grain))
    active = active.group_by("user_id", "period").aggregate(days=_.count())
    shared = sent(data, kind).select(user_id=_.inviter_id, period=data.period(_.day, grain))
    shared = shared.group_by("user_id", "period").aggregate(shared=_.count())
    rows = active.left_join(shared, ["user_id", "period"])
    rows = segmented(data, rows.select("user_id", "period", shares=rows.shared.notnull()), by)
    return families.rate(data, rows, by=by, hit=rows.shares, mature=ibis.literal(True))


def _as_nps(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Points with the interval of a difference of two shares of the same answers."""
    from scipy.special import ndtri

    counts = ["promoters", "passives", "detractors"]
    made = shapes.every_period(frame, data, parameters, counts)
    n = made[counts].sum(axis=1)
    shares = made[counts].div(n.where(n > 0), axis=0).astype("float64")
    score = shares["promoters"] - shares["detractors"]
    spread = np.sqrt((shares["promoters"] + shares["detractors"] - score**2).clip(lower=0) / n)
    half = float(ndtri((1 + parameters["level"]) / 2)) * spread.where(spread > 0)
    made = made.assign(n=n.astype("int64"), value=100 * score, low=(100 * (score - half)).clip(lower=-100),
                       high=(100 * (score + half)).clip(upper=100))
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    return shapes.ordered(made, parameters, [*counts, "n", "value", "low", "high", "complete"])


@measure(shape="total", unit="points", better="higher", reads="users surveys", finish=_as_nps,
         additive=False, interval="normal interval by the variance of a trinomial")
def nps(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Net promoter score: the share of answers of 9 and 10 less the share of 0 to 6, in points from -100 to 100.

    A person who answers more than once in a period counts with the last answer.

    Parameters
    ----------
    data
        Reads `surveys` of the kind nps, or of no kind.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, promoters, passives, detractors and n (people), value (points), low, high
    (normal, by the variance of a trinomial; missing where all answer alike), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> nps(samples.tiny())[["period", "promoters", "passives", "detractors", "value"]]
          period  promoters  passives  detractors  value
    0 2025-02-01          2         1           1   25.0

    References
    ----------
    Reichheld, "The one number you need to grow", Harvard Business Review 81 (2003): the groups.
    """
    answers = data.surveys.filter(_.kind.fill_null("nps") == "nps").mutate(period=data.period(_.day, grain))
    last = ibis.window(group_by=[answers.user_id, answers.period],
                       order_by=[answers.answered_at.desc(), answers.score.desc()])
    answers = answers.mutate(place=ibis.row_number().over(last)).filter(_.place == 0)
    answers = segmented(data, answers, by)
    answers = answers.mutate(up=(answers.score >= 9).ifelse(1, 0), down=(answers.score <= 6).ifelse(1, 0))
    return answers.group_by("period", *([by] if by else [])).aggregate(
        promoters=_.up.sum().cast("int64"), passives=(_.count() - _.up.sum() - _.down.sum()).cast("int64"),
        detractors=_.down.sum().cast("int64"))
