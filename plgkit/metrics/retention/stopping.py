"""How long people and accounts last: survival until they stop using, or paying for, the product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import accounts, families
from plgkit.metrics.people import first_of
from plgkit.metrics.registry import measure
from plgkit.metrics.retention.units import cut
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import intervals
from plgkit.stats import survival as curves

Of = Literal["accounts", "people"]
Stop = Literal["use", "payment"]
_CHOICES = {"of": ("accounts", "people"), "stop": ("use", "payment")}


def _spans(data: Data, of: Of, stop: Stop, silent_days: int, by: str | None) -> Table:
    """How many share each `duration` in days and `reached` (1 stopped, 0 still there when last known)."""
    for name, value in (("of", of), ("stop", stop)):
        if value not in _CHOICES[name]:
            raise BadParameter(name, value, expected=f"one of {', '.join(_CHOICES[name])}")
    if stop == "payment" and of == "people":
        raise BadParameter("of", of, expected="accounts where the stop is that of payment")
    rows = _paying(data) if stop == "payment" else _using(data, of, silent_days)
    unit = "user_id" if of == "people" else "account_id"
    rows = cut(data, rows, by, unit=unit)
    rows = families.dealt(data, rows) if of == "people" else rows
    keys = [*([by] if by else []), *(["dealt"] if "dealt" in rows.columns else [])]
    return rows.group_by(*keys, "duration", "reached").aggregate(n=_.count().cast("int64"))


def _using(data: Data, of: Of, silent_days: int) -> Table:
    """One row per unit: days from its start to the last before the first silence of so many days."""
    if of == "people":
        starts = data.users.select("user_id", start=_.day)
        days = data.activity.select("user_id", "day", "prev_day")
        unit = "user_id"
    else:
        starts = accounts.openings(data).select("account_id", start=_.day)
        days = data.activity.select("user_id", "day").inner_join(accounts.members(data), "user_id")
        days = days.group_by("account_id", "day").aggregate(n=_.count())
        before = days.day.lag().over(ibis.window(group_by=days.account_id, order_by=days.day))
        days = days.select("account_id", day=days.day, prev_day=before)
        unit = "account_id"
    known = data.as_of - silent_days * engine.DAY
    cut = ibis.date(known.isoformat())
    starts = starts.filter(starts.start <= cut)
    seen = starts.inner_join(days, unit)
    seen = seen.filter(seen.day >= seen.start)
    before = ibis.greatest(seen.prev_day.fill_null(seen.start), seen.start)
    silence = engine.days_between(seen.day, before) > silent_days
    seen = seen.mutate(stop=silence.ifelse(before, ibis.null("date"))).group_by(unit).aggregate(
        stop=_.stop.min(), last=_.day.max())
    rows = starts.left_join(seen, unit)
    stop = rows.stop.fill_null(rows["last"].fill_null(rows.start))
    reached = stop <= cut
    return rows.select(unit, duration=engine.days_between(ibis.least(stop, cut), rows.start) + 1,
                       reached=reached.ifelse(1, 0).cast("int64"))


def _paying(data: Data) -> Table:
    """One row per account that ever paid: days from its first payment to the first day it pays nothing."""
    paid = accounts.first_payments(data).select("account_id", "paid_at", "paid_day")
    changes = data.subscriptions.select("account_id", "changed_at", "mrr_minor", end_day=_.day)
    later = changes.inner_join(paid, "account_id")
    ended = later.filter((later.mrr_minor == 0) & (later.changed_at > later.paid_at))
    ended = first_of(ended, "account_id", "changed_at").select("account_id", "end_day")
    rows = paid.left_join(ended, "account_id")
    last = rows.end_day.fill_null(ibis.date((data.as_of + engine.DAY).isoformat()))
    return rows.select("account_id", duration=engine.days_between(last, rows.paid_day),
                       reached=rows.end_day.notnull().ifelse(1, 0).cast("int64"))


def _curve(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    columns = [*([by] if by else []), "x", "value", "low", "high", "at_risk"]
    parts = []
    for segment, rows in frame.groupby(by or (lambda _: 0), sort=True):
        found = curves.kaplan_meier(rows["duration"], rows["reached"], weights=rows["n"], groups=rows.get("dealt"),
                                    level=parameters["level"])
        parts.append(found.rename(columns={"time": "x", "survival": "value"}).assign(**{by or "all": segment})[columns])
    made = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    # While nobody has stopped the curve has no variance, and still is not certain.
    whole = made["value"] == 1
    made.loc[whole, "low"] = intervals.wilson(made["at_risk"], made["at_risk"], level=parameters["level"])[0][whole]
    made = made.astype({"at_risk": "int64"} | dict.fromkeys(["x", "value", "low", "high"], "float64"))
    made.attrs["x_unit"] = "days"
    if by and len(frame):
        test = curves.logrank(frame["duration"], frame["reached"], frame[by], weights=frame["n"])
        made.attrs["logrank"] = {"statistic": test.statistic, "freedom": test.freedom, "p": test.p}
    return made


@measure(shape="curve", unit="share still there", better="higher", reads="users events", finish=_curve)
def survival(data: Data, *, of: Of = "accounts", stop: Stop = "use", silent_days: int = 28,
             by: str | None = None) -> Table:
    """Share still there after so many days: time until they (`of`) stop (`stop`), over all that ever began.

    Use stops on the last active day before the first `silent_days` days without any activity; a
    later return does not undo it, or older ones would have had more time to return. Who began less than that many
    days ago is left out, and who has not stopped is known to be there up to that many days ago.

    Parameters
    ----------
    data
        Reads `users` and `events` (and `accounts` where it is there), or `subscriptions` for payment.
    of
        "accounts", used while any of their people is active, or "people".
    stop
        "use", or "payment": from an account's first payment to the first day on which it pays nothing.
    silent_days
        Days without activity that count as having stopped.
    by
        Column to cut by; attrs["logrank"] of the frame then holds the test that all segments last alike.

    Returns
    -------
    One row per day on which one stopped or was last known: x (days since the start), value (share still there
    after it), low, high (log-log; Wilson while nobody has stopped), at_risk (how many were known to be there until that day).

    Examples
    --------
    >>> from plgkit import samples
    >>> survival(samples.tiny(), silent_days=14)[["x", "value", "at_risk"]].round(3)
          x  value  at_risk
    0   0.0  1.000        3
    1   2.0  0.667        3
    2  27.0  0.333        2
    3  29.0  0.000        1
    """
    return _spans(data, of, stop, silent_days, by)


def _compared(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, level, at = parameters["by"], parameters["level"], parameters["at_days"]
    columns = [by, "n", "stopped", "expected", "value", "low", "high", "there", "there_low", "there_high", "p"]
    if frame.empty:
        return pd.DataFrame(columns=columns)
    test = curves.logrank(frame["duration"], frame["reached"], frame[by], weights=frame["n"])
    rows = []
    for segment, mine in frame.groupby(by, sort=True):
        found = curves.kaplan_meier(mine["duration"], mine["reached"], weights=mine["n"], groups=mine.get("dealt"), level=level)
        at_day = found[found["time"] <= at].iloc[-1] if found["time"].max() >= at else dict.fromkeys(found, np.nan)
        rows.append((segment, *curves.quantile(found), *(at_day[name] for name in ("survival", "low", "high"))))
    made = pd.DataFrame(rows, columns=[by, "value", "low", "high", "there", "there_low", "there_high"])
    made = made.merge(test.groups.rename(columns={"group": by, "people": "n", "observed": "stopped"}), on=by)
    return made.assign(p=test.p)[columns].astype({"n": "int64", "stopped": "int64"})


@measure(shape="table", unit="days", better="higher", reads="users events", finish=_compared,
         interval="log-log of the Kaplan-Meier curve; log-rank test")
def survival_compared(data: Data, *, by: str = "channel", of: Of = "accounts", stop: Stop = "use",
                      silent_days: int = 28, at_days: int = 90) -> Table:
    """How long they (`of`) last until they stop (`stop`) by segment, with the log-rank test that all last alike.

    Parameters
    ----------
    data, of, stop, silent_days
        As in `survival`.
    by
        Column to cut by.
    at_days
        Day at which to compare the shares still there.

    Returns
    -------
    One row per segment: the segment, n, stopped, expected (how many would have stopped if all segments lasted
    alike), value (days after which half have stopped; missing where half have not), low, high, there (share
    still there after `at_days` days; missing where nobody was watched for so long), there_low, there_high, p (of
    the log-rank test over all segments: how often chance alone sets them so far apart).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = survival_compared(samples.tiny(), by="industry", silent_days=14)
    >>> found[["industry", "n", "stopped", "expected", "value"]].round(2)
       industry  n  stopped  expected  value
    0    (none)  1        1      0.33    2.0
    1    retail  1        1      0.83   27.0
    2  software  1        1      1.83   29.0
    """
    return _spans(data, of, stop, silent_days, by)
