"""Checkouts that people finish by themselves."""

from __future__ import annotations

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import shapes
from plgkit.metrics.people import closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain


@measure(shape="rate", unit="share of checkouts", better="higher", reads="events users",
         settings={"started": "conversion.checkout_started", "finished": "conversion.checkout_finished"})
def checkout_completion(data: Data, *, started: str | None = None, finished: str | None = None,
                        within_days: int = 1, by: str | None = None, grain: Grain = "month") -> Table:
    """Share of checkouts (`started`) that are finished (`finished`) within `within_days` days.

    A person's checkouts of one period count once, from the first: opening the page again is no
    new checkout.

    Parameters
    ----------
    data
        Reads `events` and `users`.
    started, finished
        Events that open and complete a self-serve checkout.
    within_days
        Days of 24 hours from the start; the last instant counts.
    by
        Column of people to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of the start: period, numerator and denominator (people), value, low, high, immature.

    Raises
    ------
    UnknownEvent
        If one of the two events never happened.

    Examples
    --------
    >>> from plgkit import samples
    >>> checkout_completion(samples.tiny())[["period", "numerator", "denominator"]].head(1)
          period  numerator  denominator
    0 2025-01-01          1            3
    """
    done = data.event(finished).select("user_id", "occurred_at", "day", finishes=ibis.literal(1, "int64"))
    begun = data.event(started).select("user_id", "occurred_at", "day", finishes=ibis.literal(0, "int64"))
    rows = begun.union(done)
    ahead = ibis.window(group_by=rows.user_id, order_by=[rows.occurred_at, rows.finishes], preceding=0, following=None)
    finish = (rows.finishes == 1).ifelse(rows.occurred_at, ibis.null("timestamp(6)"))
    rows = rows.mutate(finished_at=finish.min().over(ahead)).filter(_.finishes == 0)
    rows = rows.mutate(period=data.period(_.day, grain)).group_by("user_id", "period").aggregate(
        occurred_at=_.occurred_at.min(), finished_at=_.finished_at.min())
    rows = segmented(data, rows, by)
    return shapes.rate(rows, by=by, hit=within(rows.finished_at, rows.occurred_at, within_days),
                       mature=closed(data, rows.occurred_at, within_days))
