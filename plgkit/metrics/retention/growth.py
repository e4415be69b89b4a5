"""Growth accounting: who is new, stays, comes back and goes, and what that makes of the number of active people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from ibis.expr.types import Table

from plgkit.errors import BrokenIdentity
from plgkit.metrics import actives, shapes
from plgkit.metrics.registry import measure
from plgkit.metrics.returns import Names
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain


def _churn(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = _accounted(frame, data, parameters)
    made = made.assign(numerator=made["churned"], denominator=made["active_before"])
    made = made[made["period"] > made["period"].min()]
    made = shapes.only_complete(made, data, parameters["grain"])
    made = shapes.with_share(made, parameters["level"])
    return shapes.ordered(made, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="share of people active before", better="lower", reads="events", finish=_churn)
def user_churn(data: Data, *, event: Names | None = None, by: str | None = None, grain: Grain = "week") -> Table:
    """Share of the people active in the period before who are not active in this one.

    Parameters
    ----------
    data
        Reads `events`.
    event
        Event that makes a person active; None is any activity, as the playbook's [activity] says.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period from the second: period, numerator (gone), denominator (active in the period before),
    value, low, high, immature (people who may still come in a period that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> user_churn(samples.tiny(), grain="month")[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-02-01          2            4    0.5
    """
    return actives.moves(data, grain, event=event, by=by)


_MOVES = ["active", "new", "retained", "resurrected"]


def _accounted(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Every period with those who were active before and those of them who are gone."""
    by = parameters["by"]
    made = shapes.every_period(frame, data, parameters, _MOVES)
    before = made.groupby(by)["active"].shift() if by else made["active"].shift()
    made["active_before"] = before.fillna(0).astype("int64")
    made["churned"] = made["active_before"] - made["retained"]
    return made


def _growth(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = _accounted(frame, data, parameters)
    _assert_identity(made)
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    made["settled"] = _settled(made["period"], data)
    columns = ["active", "active_before", "new", "retained", "resurrected", "churned", "complete", "settled"]
    return shapes.ordered(made, parameters, columns)


def _assert_identity(made: pd.DataFrame) -> None:
    sums = made["active_before"] + made["new"] + made["resurrected"] - made["churned"]
    broken = made[(made["active"] != sums) | (made["churned"] < 0)]
    if len(broken):
        row = broken.iloc[0]
        raise BrokenIdentity(
            "active = active before + new + resurrected - churned", where=f"the period of {row.period:%d %b %Y}",
            found=f"{row.active} is not {row.active_before} + {row.new} + {row.resurrected} - {row.churned}")


def _settled(periods: pd.Series, data: Data) -> pd.Series:
    """Whether the first of the data lies far enough back, or is the first of the product."""
    events, started = data.overview.set_index("table").loc["events"], data.playbook.product.started_on
    if periods.empty or (started is not None and events["first"].date() < started + 7 * engine.DAY):
        return pd.Series(True, index=periods.index)
    return periods >= events["first"] + pd.Timedelta(days=28)


@measure(shape="table", unit="people", better="neither", reads="events", finish=_growth)
def growth_accounting(data: Data, *, event: Names | None = None, by: str | None = None,
                      grain: Grain = "week") -> Table:
    """People active in a period: new ones, those who stayed, those back after a pause, and those gone.

    In every period active = active before + new + resurrected - churned.

    Parameters
    ----------
    data
        Reads `events`.
    event
        Event that makes a person active; None is any activity, as the playbook's [activity] says.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, active, active_before, new (active for the first time ever), retained (also
    active in the period before), resurrected (not in the one before, but earlier), churned (active in the one
    before, not in this), complete (the period is over), settled (False within four weeks of the first day of
    the data, where people from before the data are taken for new; the playbook's product.started_on tells
    that there are none).

    Raises
    ------
    BrokenIdentity
        If the identity fails in a period.

    Examples
    --------
    >>> from plgkit import samples
    >>> growth_accounting(samples.tiny()).iloc[:5, :7]
          period  active  active_before  new  retained  resurrected  churned
    0 2025-01-06       4              0    4         0            0        0
    1 2025-01-13       2              4    0         2            0        2
    2 2025-01-20       3              2    0         2            1        0
    3 2025-01-27       0              3    0         0            0        3
    4 2025-02-03       2              0    0         0            2        0
    """
    return actives.moves(data, grain, event=event, by=by)


def _quick(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = _accounted(frame, data, parameters)
    made = made.assign(numerator=made["new"] + made["resurrected"], denominator=made["churned"],
                       moved=made["new"] + made["resurrected"] + made["churned"])
    made = made[made["period"] > made["period"].min()]
    over = shapes.complete(made["period"], data, parameters["grain"])
    made = made.assign(immature=made["moved"].where(~over, 0), numerator=made["numerator"].where(over, 0),
                       denominator=made["denominator"].where(over, 0))
    made["value"] = made["numerator"] / made["denominator"].where(made["denominator"] > 0).astype("float64")
    made["low"], made["high"] = shapes.odds(made["numerator"], made["denominator"], parameters["level"])
    return shapes.ordered(made, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="ratio", better="higher", reads="events", finish=_quick,
         interval=shapes.ODDS)
def quick_ratio(data: Data, *, event: Names | None = None, by: str | None = None, grain: Grain = "week") -> Table:
    """New and resurrected people divided by those who churned: above 1 the number of active people grows.

    Parameters
    ----------
    data
        Reads `events`.
    event
        Event that makes a person active; None is any activity, as the playbook's [activity] says.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period from the second: period, numerator (new and resurrected), denominator (churned), value
    (missing where nobody churned), low, high (both counts taken as Poisson), immature (all of them in a period
    that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> quick_ratio(samples.tiny(), grain="month")[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-02-01          0            2    0.0
    """
    return actives.moves(data, grain, event=event, by=by)
