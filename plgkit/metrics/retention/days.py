"""Who is back on a day after a start, and whether the activated stay longer."""

from __future__ import annotations

from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import people, returns, shapes
from plgkit.metrics.people import Moment, segmented
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
    users = data.users.select("user_id", "day", started_at=_.signed_up_at)
    return _back_on_day(data, users, day, until, clock, by, grain)


@measure(shape="rate", unit="share of activated people", better="higher", reads="users events",
         settings={"event": "activation.event"})
def activated_day_n(data: Data, *, day: int = 7, until: int | None = None, event: Moment | None = None,
                    clock: Clock = "calendar", by: str | None = None, grain: Grain = "week") -> Table:
    """Share of the people who ever activate (`event`) that are active again on day `day` after activating.

    Parameters
    ----------
    data
        Reads `users` and `events`; which of them make a person active says the playbook's [activity].
    day
        Days after the day of activation: 7 and 30 are usual.
    until
        Last day of a span that begins with `day`: any activity in it counts. None is that day alone.
    event
        The moment of first value: an event, several of which any counts, or a rule of conditions.
    clock
        "calendar" counts days of the product's zone, "rolling" 24 hours each from the second of activation.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of activation: period, numerator and denominator (people for whom the day is over), value,
    low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> activated_day_n(samples.tiny(), day=7, until=13)[["period", "numerator", "denominator"]].head(2)
          period  numerator  denominator
    0 2025-01-06          2            2
    1 2025-01-13          1            1
    """
    moments = people.activated(data, event).select("user_id", started_at=_.activated_at)
    moments = moments.mutate(day=data.local(moments.started_at).date())
    return _back_on_day(data, moments, day, until, clock, by, grain)


def _back_on_day(data: Data, begun: Table, day: int, until: int | None, clock: Clock, by: str | None,
                 grain: Grain) -> Table:
    """Of the people who began on a `day`, at `started_at`, count who is back on the day asked for."""
    last = day if until is None else until
    if isinstance(day, bool) or not isinstance(day, int) or day < 1:
        raise BadParameter("day", day, expected="a whole number of days, 1 or more")
    if isinstance(last, bool) or not isinstance(last, int) or last < day:
        raise BadParameter("until", until, expected=f"a whole number of days, {day} or more")
    returns.check_choice("clock", clock)
    begun = segmented(data, begun.mutate(period=data.period(begun.day, grain)), by)
    back, over = returns.span(data, begun, day, last, clock)
    begun = begun.mutate(over=over)
    begun = begun.left_join(back, begun.user_id == back.back_id)
    return shapes.rate(begun, by=by, hit=~begun.back_id.isnull(), mature=begun.over)
