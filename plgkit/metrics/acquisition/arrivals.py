"""Who signs up, how that grows, and by which way people come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import actives, families, shapes
from plgkit.metrics.people import NONE, segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import families as ratios


@measure(shape="total", unit="people", better="higher", reads="users")
def signups(data: Data, *, by: str | None = None, grain: Grain = "week") -> Table:
    """People who signed up.

    Parameters
    ----------
    data
        Reads `users`.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, value (people), low, high (exact Poisson interval), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> signups(samples.tiny(), by="channel")[["period", "channel", "value"]].head(3)
          period      channel  value
    0 2025-01-06       invite      1
    1 2025-01-06      organic      2
    2 2025-01-06  paid_search      1
    """
    people = segmented(data, data.users.mutate(period=data.period(_.day, grain)), by)
    return shapes.total(people, _.count().cast("int64"), by=by)


def _growth(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    frame = shapes.every_period(frame, data, parameters, ["numerator", "denominator", *shapes.FAMILY_SUMS])
    frame = frame[frame["period"] > frame["period"].min()]
    effect = ratios.design_effect(*(frame[name] for name in ("numerator", "denominator", *shapes.FAMILY_SUMS)))
    frame = frame.assign(denominator=frame["denominator"] - frame["numerator"])
    over = shapes.complete(frame["period"], data, parameters["grain"])
    frame = frame.assign(immature=frame["numerator"].where(~over, 0), numerator=frame["numerator"].where(over, 0),
                         denominator=frame["denominator"].where(over, 0))
    known = frame["denominator"].where(frame["denominator"] > 0).astype("float64")
    low, high = shapes.odds(frame["numerator"], frame["denominator"], parameters["level"], effect)
    frame["numerator"] -= frame["denominator"]
    frame = frame.assign(value=frame["numerator"] / known, low=low - 1, high=high - 1)
    return shapes.ordered(frame, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="share", better="higher", reads="users", finish=_growth,
         interval=families.ODDS)
def signup_growth(data: Data, *, by: str | None = None, grain: Grain = "week") -> Table:
    """Sign-ups against the period before: 0.1 is a tenth more.

    A period that is not over is not compared; its sign-ups stand as immature.

    Parameters
    ----------
    data
        Reads `users`.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period from the second: period, numerator (sign-ups more than in the period before),
    denominator (sign-ups of the period before), value (missing after a period without any), low, high,
    immature.

    The interval takes both counts as Poisson's, widened by how much families differ: their ratio is bounded by
    Wilson's interval of the share that the later one has of both.

    Examples
    --------
    >>> from plgkit import samples
    >>> signup_growth(samples.tiny())[["period", "numerator", "denominator", "value"]].head(1)
          period  numerator  denominator  value
    0 2025-01-13         -4            4   -1.0
    """
    people = segmented(data, data.users.mutate(period=data.period(_.day, grain)), by)
    keys = ["period", *([by] if by else [])]
    parts = families.moves(data, people.select("user_id", *keys), stayed=ibis.literal(False),
                           following=actives.following(people.period, grain), keys=keys)
    return families.summed(parts.mutate(hits=parts.came, people=parts.came + parts.before), keys)


@measure(shape="rate", unit="share of sign-ups", better="higher", reads="users", settings={"paid": "channels.paid"},
         interval=families.WIDENED)
def organic_share(data: Data, *, paid: list[str] | None = None, by: str | None = None,
                  grain: Grain = "week") -> Table:
    """Share of sign-ups that came by a channel other than the paid ones (`paid`).

    A person without a channel counts as unpaid.

    Parameters
    ----------
    data
        Reads `users` (channel).
    paid
        The channels that cost money.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of sign-up: period, numerator and denominator (people), value, low, high, immature
    (always 0: a channel is known at once).

    Examples
    --------
    >>> from plgkit import samples
    >>> organic_share(samples.tiny())[["period", "numerator", "denominator", "value"]].head(1)
          period  numerator  denominator  value
    0 2025-01-06          3            4   0.75
    """
    people = segmented(data, data.users.mutate(period=data.period(_.day, grain), way=_.channel.fill_null(NONE)), by)
    return families.rate(data, people, by=by, hit=people.way.notin(paid), mature=ibis.literal(True))


def _split(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = ["period", *([parameters["by"]] if parameters["by"] not in (None, "channel") else [])]
    whole = frame.groupby(keys)["numerator"].transform("sum")
    made = shapes.with_share(frame.assign(denominator=whole), parameters["level"])
    paid = data.playbook.channels.paid if parameters["paid"] is None else parameters["paid"]
    made["kind"] = np.where(made["channel"].isin(paid), PAID, ORGANIC) if paid else "not said"
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    made = made.astype({"kind": "str"}).sort_values([*keys, "channel"], ignore_index=True)
    return made[[*keys, "channel", "kind", "numerator", "denominator", "value", "low", "high", "complete"]]


PAID, ORGANIC = "paid", "organic"


@measure(shape="table", unit="share of sign-ups", better="neither", reads="users", finish=_split,
         interval="Wilson interval")
def channel_split(data: Data, *, paid: list[str] | None = None, by: str | None = None,
                  grain: Grain = "month") -> Table:
    """Sign-ups of each channel as a share of all sign-ups of the period.

    Parameters
    ----------
    data
        Reads `users` (channel).
    paid
        The channels that cost money; None is what the playbook's [channels] paid says.
    by
        Column to cut by, besides the channel.
    grain
        Length of a period.

    Returns
    -------
    One row per period and channel with sign-ups: channel, kind (paid, organic, or "not said" where the playbook
    names no paid channel), numerator (sign-ups of the channel), denominator (of all), value, low, high, complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> channel_split(samples.tiny())[["channel", "kind", "numerator", "denominator"]]
           channel     kind  numerator  denominator
    0       invite  organic          1            4
    1      organic  organic          2            4
    2  paid_search     paid          1            4
    """
    people = data.users.mutate(period=data.period(_.day, grain), channel=_.channel.fill_null(NONE))
    people = segmented(data, people, by)
    keys = ["period", *([by] if by not in (None, "channel") else []), "channel"]
    return people.group_by(*keys).aggregate(numerator=_.count().cast("int64"))
