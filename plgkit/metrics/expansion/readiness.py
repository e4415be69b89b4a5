"""Readiness: from first value to expansion, the first sign of it, and the accounts to speak with next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import durations, ledger, shapes
from plgkit.metrics.accounts import members, openings
from plgkit.metrics.expansion import signs
from plgkit.metrics.expansion.signs import Names
from plgkit.metrics.people import Moment, activated, closed, current_subscription, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between

DAY_SECONDS = 86_400.0
FREE, PAYING, FORMER = "free", "paying", "paid before"
_TWICE, _USE_UP, _MORE_DAYS = 2, 150, 5


def activations(data: Data, event: Moment) -> Table:
    """One row per account any of whose people activated: `account_id` and `activated_at`, when the first did."""
    people = activated(data, event).inner_join(members(data), "user_id")
    return people.group_by("account_id").aggregate(activated_at=_.activated_at.min())


def expansions(data: Data) -> Table:
    """One row per change by which a paying account pays more: `account_id` and `expanded_at`."""
    rows = data.subscriptions
    by_time = ibis.window(group_by=rows.account_id, order_by=[rows.changed_at, rows.mrr_minor])
    rows = rows.mutate(before=rows.mrr_minor.lag().over(by_time).fill_null(0))
    return rows.filter((_.before > 0) & (_.mrr_minor > _.before)).select("account_id", expanded_at=_.changed_at)


@measure(shape="rate", unit="share of activated accounts", better="higher", reads="users events subscriptions",
         settings={"event": "activation.event"})
def activation_to_expansion(data: Data, *, event: Moment | None = None, within_days: int = 90,
                            by: str | None = None, grain: Grain = "month") -> Table:
    """Share of activated accounts that expand within `within_days` days of activating (activation: `event`).

    An account activates with the first of its people. It expands when it pays more than it paid just before; its
    first payment is none.

    Parameters
    ----------
    data
        Reads `users`, `events` and `subscriptions`.
    event
        The moment of first value; as the playbook says by default.
    within_days
        Days of 24 hours from the activation; the last instant counts.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of activation: period, numerator and denominator (accounts), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> activation_to_expansion(samples.tiny(), within_days=40)[["numerator", "denominator", "immature"]].head(1)
       numerator  denominator  immature
    0          1            2         0
    """
    rows = activations(data, event)
    rows = rows.mutate(period=data.period(data.local(rows.activated_at).date(), grain))
    more = rows.inner_join(expansions(data), "account_id").filter(_.expanded_at >= _.activated_at)
    more = more.group_by("account_id").aggregate(expanded_at=_.expanded_at.min())
    rows = segmented(data, rows.left_join(more, "account_id").drop("account_id_right"), by, unit="account_id")
    return shapes.rate(rows, by=by, hit=within(rows.expanded_at, rows.activated_at, within_days),
                       mature=closed(data, rows.activated_at, within_days))


def _in_days(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return durations.as_distribution(frame, data, parameters, per=DAY_SECONDS)


@measure(shape="distribution", unit="days", better="lower", reads="accounts users events subscriptions", finish=_in_days)
def time_to_expansion_signal(data: Data, *, near: float = 0.8, limit: Names | None = None, premium: Names | None = None,
                             by: str | None = None, grain: Grain | None = None) -> Table:
    """Days from an account's start to the first sign that it needs more; those without one yet still count.

    The signs: it has people for at least `near` of the seats it pays for, it hits a limit, or it tries a premium
    feature. What these data cannot show is not looked for.

    Parameters
    ----------
    data
        Reads `accounts` (or `users`), and where they are there `events` and `subscriptions` (seats).
    near
        Part of the paid seats that people of the account fill.
    limit, premium
        Events; None is what the playbook's [limits] event and [features] premium say.
    by
        Column to cut by.
    grain
        Length of the period of the start to cut by; None takes all together.

    Returns
    -------
    One row per period and segment: n (accounts), events (showed a sign), value (median days, Kaplan-Meier), low,
    high, q25, q75, median_among (of those that did).

    Raises
    ------
    MissingSetting
        If the data can show none of the signs.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = time_to_expansion_signal(samples.tiny())  # Ann shares a report, a premium feature, after 23 hours
    >>> found[["n", "events", "median_among"]].round(3)
       n  events  median_among
    0  3       1         0.958
    """
    limit = data.playbook.limits.event if limit is None else limit
    premium = data.playbook.features.premium if premium is None else premium
    parts = signs.all_signs(data, percent=signs.check_near(near), limit=limit, premium=premium)
    shown = ibis.union(*parts) if len(parts) > 1 else parts[0]
    shown = shown.group_by("account_id").aggregate(at=_["at"].min())
    rows = openings(data).left_join(shown, "account_id").drop("account_id_right")
    rows = segmented(data, rows, by, unit="account_id")
    did = rows["at"].notnull()
    end = did.ifelse(ibis.greatest(rows["at"], rows.created_at), data.end_literal)
    rows = rows.mutate(reached=did.ifelse(1, 0), duration=seconds_between(end, rows.created_at))
    if grain:
        rows = rows.mutate(period=data.period(rows.day, grain))
    return durations.counted(rows, by=by, period=grain is not None)


def _as_accounts(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, days, percent = parameters["by"], parameters["trailing_days"], signs.check_near(parameters["near"])
    said = [_reasons(row, days, percent) for row in frame.to_dict("records")]
    made = frame.assign(mrr=frame["mrr_minor"] / ledger.MINOR, seats=frame["seats"].astype("Int64"),
                        reasons=pd.Series(["; ".join(each) for each in said], dtype="str", index=frame.index))
    made = made.sort_values(["signs", "mrr_minor", "people", "account_id"], ascending=[False, False, False, True],
                            ignore_index=True)
    return made[["account_id", *([by] if by else []), "status", "mrr", "seats", "people", "signs", "reasons"]]


def _reasons(row: Mapping[str, Any], days: int, percent: int) -> list[str]:
    """What speaks for an account, in words."""
    said = []
    if row["near"]:
        said.append(f"{row['people']} people on {int(row['seats'])} seats")
    if row["hits"] >= _TWICE:
        said.append(f"hit a limit {row['hits']} times")
    if row["tries"]:
        said.append(f"tried premium features {row['tries']} times" if row["tries"] > 1 else "tried a premium feature")
    if row["looks"] >= _TWICE:
        said.append(f"looked at prices {row['looks']} times")
    if row["up"]:
        said.append(f"{row['days_now']} person-days of use, {row['days_before']} in the {days} days before")
    return said


@measure(shape="table", unit="signs", better="neither", reads="accounts users events subscriptions", finish=_as_accounts)
def next_best_accounts(data: Data, *, trailing_days: int = 28, near: float = 0.8, top: int = 20,
                       by: str | None = None) -> Table:
    """The `top` accounts with the most signs, in the last `trailing_days` days, that they need more than they have.

    Signs count alike: people for at least `near` of the seats it pays for; a limit hit twice; a premium feature
    tried; prices looked at twice; and use up by half, counted in days on which each person was active, on as many
    days before. Among equals who pays more comes first. It orders accounts; what they would pay it does not say.

    Parameters
    ----------
    data
        Reads `users`, and where they are there `accounts`, `events` and `subscriptions`. Events are those of the
        playbook: [limits], [features] premium, [pricing].
    trailing_days
        Days up to `as_of` in which signs count; seats are those of its end.
    near
        Part of the paid seats that people of the account fill.
    top
        How many accounts to list.
    by
        Column to show beside each account.

    Returns
    -------
    One row per account with a sign, the most signs first: account_id, status (free, paying, paid before), mrr
    (currency a month), seats (missing if none are paid), people, signs (how many), reasons (in words).

    Examples
    --------
    >>> from plgkit import samples
    >>> next_best_accounts(samples.tiny(), trailing_days=50)[["account_id", "status", "mrr", "reasons"]]
      account_id  status   mrr                  reasons
    0         a1  paying  30.0  looked at prices 2 times
    """
    since = ibis.date((data.as_of - (trailing_days - 1) * engine.DAY).isoformat())
    rows = _with_plan(data, openings(data).select("account_id"))
    counted = members(data).group_by("account_id").aggregate(people=_.count().cast("int64"))
    rows = _with(rows, counted, "people")
    words = data.playbook
    for name, events in (("hits", words.limits.event), ("tries", words.features.premium), ("looks", words.pricing.event)):
        rows = _with(rows, _times(data, events, since, name), name)
    rows = _with(rows, *_use(data, trailing_days))
    percent = signs.check_near(near)
    near_all = ((rows.seats > 0) & (rows.people * 100 >= rows.seats * percent)).fill_null(False)
    up = (rows.days_before > 0) & (rows.days_now * 100 >= rows.days_before * _USE_UP) & (
        rows.days_now - rows.days_before >= _MORE_DAYS)
    rows = rows.mutate(near=near_all.ifelse(1, 0), up=up.ifelse(1, 0))
    rows = rows.mutate(signs=(
        rows.near + rows.up + (rows.hits >= _TWICE).ifelse(1, 0) + (rows.tries > 0).ifelse(1, 0)
        + (rows.looks >= _TWICE).ifelse(1, 0)).cast("int64"))
    rows = rows.filter(_.signs > 0).order_by(_.signs.desc(), _.mrr_minor.desc(), _.people.desc(), _.account_id).limit(top)
    return segmented(data, rows, by, unit="account_id")


def _with_plan(data: Data, accounts: Table) -> Table:
    """Accounts with what they pay for now: status, `mrr_minor` and `seats`, missing where nothing is paid."""
    if not data.has("subscriptions"):
        return accounts.mutate(status=ibis.literal(FREE), mrr_minor=ibis.literal(0, "int64"), seats=ibis.null("int64"))
    now = current_subscription(data).select(payer=_.account_id, minor=_.mrr_minor, had=_.seats.cast("int64"))
    rows = accounts.left_join(now, accounts.account_id == now.payer)
    pays = (rows.minor > 0).fill_null(False)
    return rows.select(
        "account_id", status=ibis.cases((pays, PAYING), (rows.payer.notnull(), FORMER), else_=FREE),
        mrr_minor=rows.minor.fill_null(0), seats=pays.ifelse(rows.had, ibis.null("int64")))


def _with(rows: Table, counts: Table | None, *names: str) -> Table:
    """Rows with counts per account beside them, 0 where there are none."""
    if counts is None:
        return rows.mutate(**dict.fromkeys(names, ibis.literal(0, "int64")))
    joined = rows.left_join(counts, "account_id").drop("account_id_right")
    return joined.mutate(**{name: joined[name].fill_null(0) for name in names})


def _times(data: Data, names: Names | None, since: ibis.Value, called: str) -> Table | None:
    rows = signs.events(data, names)
    if rows is None:
        return None
    rows = rows.filter(data.local(rows["at"]).date() >= since)
    return rows.group_by("account_id").aggregate(**{called: _.count().cast("int64")})


def _use(data: Data, days: int) -> tuple:
    """Days on which each person of an account was active, in the last days and in as many before."""
    names = ("days_now", "days_before")
    if not data.has("events"):
        return None, *names
    middle = ibis.date((data.as_of - (days - 1) * engine.DAY).isoformat())
    first = ibis.date((data.as_of - (2 * days - 1) * engine.DAY).isoformat())
    active = data.activity.filter(_.day >= first).inner_join(members(data), "user_id")
    late = active.day >= middle
    return active.mutate(late=late.ifelse(1, 0), early=late.ifelse(0, 1)).group_by("account_id").aggregate(
        days_now=_.late.sum().cast("int64"), days_before=_.early.sum().cast("int64")), *names
