"""Who is back on a day after a start, and whether the activated stay longer."""

from __future__ import annotations

from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import returns, shapes
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.metrics.returns import Clock
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain


@measure(shape="rate", unit="share of sign-ups", better="higher", reads="users events")
def day_n(data: Data, *, day: int = 7, until: int | None = None, clock: Clock = "calendar", by: str | None = None,
          grain: Grain = "week") -> Table:
    """Share of sign-ups who are active again on day `day` after signing up.

    Parameters
    ----------
    data
        Reads `users` and `events`; which of them make a person active says the playbook's [activity].
    day
        Days after the day of sign-up: 1, 7, 30 are usual.
    until
        Last day of a span that begins with `day`: any activity in it counts. None is that day alone.
    clock
        "calendar" counts days of the product's zone, "rolling" 24 hours each from the second of sign-up.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of sign-up: period, numerator and denominator (people for whom the day is over), value,
    low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> day_n(samples.tiny(), day=1)[["period", "numerator", "denominator", "value"]].head(1)
          period  numerator  denominator  value
    0 2025-01-06          2            4    0.5
    """
    last = day if until is None else until
    if isinstance(day, bool) or not isinstance(day, int) or day < 1:
        raise BadParameter("day", day, expected="a whole number of days, 1 or more")
    if isinstance(last, bool) or not isinstance(last, int) or last < day:
        raise BadParameter("until", until, expected=f"a whole number of days, {day} or more")
    returns.check_choice("clock", clock)
    people = data.users.mutate(period=data.period(_.day, grain), started_at=_.signed_up_at)
    people = segmented(data, people, by)
    back, over = returns.span(data, people, day, last, clock)
    people = people.mutate(over=over)
    people = people.left_join(back, people.user_id == back.back_id)
    return shapes.rate(people, by=by, hit=~people.back_id.isnull(), mature=people.over)


