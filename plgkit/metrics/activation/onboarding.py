"""The way through onboarding, and the first use of features."""

from __future__ import annotations

from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import features, funnels, shapes
from plgkit.metrics.people import closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

ONBOARDING = {"steps": "onboarding.steps", "within_days": "onboarding.within_days"}


@measure(shape="rate", unit="share of people who start", better="higher", reads="users events", settings=ONBOARDING)
def onboarding_completion(data: Data, *, steps: list[str] | None = None, within_days: int | None = None,
                          by: str | None = None, grain: Grain = "week") -> Table:
    """Share of people who start onboarding and get through all its steps (`steps`) in `within_days` days.

    The first time of the first step counts as the start; the steps must be done in their order.

    Parameters
    ----------
    data
        Reads `events`, and `users` to cut by.
    steps
        The steps in order.
    within_days
        Days of 24 hours from the first step to the last; the last instant counts.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of the start: period, numerator and denominator (people), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> onboarding_completion(samples.tiny())[["period", "numerator", "denominator", "immature"]].head(1)
          period  numerator  denominator  immature
    0 2025-01-06          2            3         0
    """
    people = funnels.reached(data, steps, within_days=within_days)
    people = segmented(data, people.mutate(period=data.period(_.day, grain)), by)
    return shapes.rate(people, by=by, hit=~people[f"at_{len(steps)}"].isnull(),
                       mature=closed(data, people.at_1, within_days))


@measure(shape="funnel", unit="people", better="higher", reads="users events", settings=ONBOARDING,
         finish=funnels.as_funnel)
def onboarding_drop_off(data: Data, *, steps: list[str] | None = None, within_days: int | None = None,
                        by: str | None = None) -> Table:
    """Where people stop in onboarding: the funnel through `steps`, within `within_days` days of the first.

    Parameters
    ----------
    data
        Reads `events`, and `users` to cut by.
    steps
        The steps in order.
    within_days
        Days of 24 hours from the first step; the last instant counts.
    by
        Column to cut by.

    Returns
    -------
    One row per step and segment, as in `plgkit.metrics.funnels.funnel`: the drop-off is 1 less
    share_of_entry of the last step.

    Examples
    --------
    >>> from plgkit import samples
    >>> onboarding_drop_off(samples.tiny())[["step", "people", "share_of_previous", "lost"]].round(3)
                 step  people  share_of_previous  lost
    0  profile_filled       3              1.000     0
    1  data_connected       2              0.667     1
    2  report_created       2              1.000     0
    """
    people = funnels.reached(data, steps, within_days=within_days)
    return funnels.counted(data, people, steps, within_days=within_days, by=by)


@measure(shape="table", unit="share of sign-ups", better="higher", reads="users events", finish=features.as_adoption,
         interval="Wilson interval",
         settings={"core": "features.core", "within_days": "activation.within_days"})
def core_feature_adoption(data: Data, *, core: list[str] | None = None, within_days: int | None = None,
                          by: str | None = None, grain: Grain | None = None) -> Table:
    """Share of sign-ups who use each core feature (`core`) within `within_days` days of signing up.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    core
        One event per feature.
    within_days
        Days of 24 hours from the second of sign-up; the last instant counts.
    by
        Column to cut by.
    grain
        Length of the period of sign-up to cut by; None takes all sign-ups together.

    Returns
    -------
    One row per period, segment and feature, and one "(any)" for who used any of them: feature, numerator and denominator (people whose days are over),
    value, low, high, times_per_person (mean, among those who used it), immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> core_feature_adoption(samples.tiny())[["feature", "numerator", "denominator", "value"]]
              feature  numerator  denominator  value
    0           (any)          2            4   0.50
    1  report_created          2            4   0.50
    2   report_shared          1            4   0.25
    """
    people = data.users if grain is None else data.users.mutate(period=data.period(_.day, grain))
    people = segmented(data, people, by)
    people = people.mutate(old=closed(data, people.signed_up_at, within_days))
    keys = features.keys(by, grain)
    done = data.event(core).select("user_id", "event", "occurred_at")
    done = people.filter(people.old).select("user_id", "signed_up_at", *keys).inner_join(done, "user_id")
    done = done.filter(within(done.occurred_at, done.signed_up_at, within_days))
    done = done.select("user_id", "event", *keys)
    return features.counted(people.select(*keys, counted=people.old.ifelse(1, 0)), done, keys, any_of_them=True)
