"""Where invitations are lost: sent, accepted, activated, and inviting in turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import shapes
from plgkit.metrics.advocacy.rows import Kind, followed, sent
from plgkit.metrics.funnels import as_funnel, counted
from plgkit.metrics.people import Moment, activated, closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

STEPS = ["sent", "accepted", "activated", "invited others"]


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


def _as_funnel(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    asked = {name: parameters[name] for name in ("within_days", "by", "level")}
    return as_funnel(frame, data, {**asked, "steps": STEPS})


@measure(shape="funnel", unit="invitations", better="higher", reads="users invites events", finish=_as_funnel,
         settings={"event": "activation.event", "within_days": "invites.within_days"})
def invite_funnel(data: Data, *, event: Moment | None = None, within_days: int | None = None,
                  kind: Kind | None = "invite", by: str | None = None) -> Table:
    """Invitations: sent, accepted by somebody new, activated (`event`), and inviting others, within `within_days` days of the sending.

    An invitation sent so lately that its days are not over is immature, and not yet lost. All steps but the
    first are about the person who came by it, who counts for the invitation accepted first.

    Parameters
    ----------
    data
        Reads `users`, `invites` and `events`.
    event
        The moment of first value, as in `activation.rate`.
    within_days
        Days of 24 hours from the sending, for all steps together; the last instant counts.
    kind
        "invite", "link" for shared links, or None for both.
    by
        Column of the people who invite to cut by.

    Returns
    -------
    One row per step, as `funnels.funnel` gives it; `people` are invitations. Who had activated before
    accepting did so with the acceptance; to invite others is to send an invitation or share a link after that.

    Examples
    --------
    >>> from plgkit import samples
    >>> invite_funnel(samples.tiny())[["step", "people", "share_of_entry"]]
                 step  people  share_of_entry
    0            sent       2             1.0
    1        accepted       1             0.5
    2       activated       1             0.5
    3  invited others       0             0.0
    """
    rows = followed(data, event)
    rows = rows if kind is None else rows.filter(rows.kind == kind)
    again = sent(data, None).select(newcomer=_.inviter_id, again_at=_.sent_at)
    done = rows.filter(_.done_at.notnull()).select("invitee_id", came_at=_.done_at)
    later = done.inner_join(again, done.invitee_id == again.newcomer)
    later = later.filter(later.again_at >= later.came_at).group_by("invitee_id").aggregate(again_at=_.again_at.min())
    rows = rows.left_join(later, "invitee_id").drop("invitee_id_right")
    rows = rows.mutate(again_at=rows.done_at.notnull().ifelse(rows.again_at, ibis.null("timestamp(6)")))
    ends, nothing = rows.sent_at + ibis.interval(days=within_days), ibis.null("timestamp(6)")
    steps = {f"at_{k}": ((at >= rows.sent_at) & (at <= ends)).fill_null(False).ifelse(at, nothing) for k, at in enumerate((
        (rows.came == 1).ifelse(rows.accepted_at, nothing), rows.done_at, rows.again_at), start=2)}
    rows = rows.select(user_id=rows.inviter_id, at_1=rows.sent_at, **steps)
    return counted(data, rows, STEPS, within_days=within_days, by=by)
