"""Whom fitted points would bring onto the list of the week, and whom they would take from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis.expr.types import Table

from plgkit.metrics import signals
from plgkit.metrics.accounts import first_payments, openings
from plgkit.metrics.pql import fitting
from plgkit.metrics.pql.scoring import READS, lifespan
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

_COLUMNS = ["account_id", "moves", "fitted", "fitted_place", "hand", "hand_place", "because"]
_FITTED = ("within_days", "threshold", "later", "also", "lifespan_days", "grain")


def _as_lists(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    points = fitting.fitted_points(data, **{name: parameters[name] for name in _FITTED}).set_index("signal")
    kinds = {"account_id": "str", "moves": "str", "fitted": "float64", "fitted_place": "int64", "hand": "float64",
             "hand_place": "int64", "because": "str"}
    if points["fitted"].isna().all() or frame.empty:
        return pd.DataFrame(columns=_COLUMNS).astype(kinds)
    for side in ("hand", "fitted"):
        frame[side] = (frame["left"] * frame["signal"].map(points[side].fillna(0.0))).round(9)
    frame["more"] = frame["fitted"] - frame["hand"]
    made = frame.groupby("account_id", as_index=False)[["hand", "fitted"]].sum()
    for side in ("hand", "fitted"):
        ranked = made.sort_values([side, "account_id"], ascending=[False, True])["account_id"]
        made[f"{side}_place"] = made["account_id"].map(pd.Series(np.arange(1, len(made) + 1), index=ranked))
    most = parameters["capacity"]
    made = made[(made["hand_place"] <= most) | (made["fitted_place"] <= most)]
    now, before = made["fitted_place"] <= most, made["hand_place"] <= most
    made = made.assign(moves=np.select([now & before, now], ["stays", "enters"], "leaves"))
    made["because"] = [_because(frame[frame["account_id"] == row.account_id], row.moves) for row in made.itertuples()]
    return made.sort_values("fitted_place", ignore_index=True)[_COLUMNS].astype(kinds)


def _because(rows: pd.DataFrame, moves: str) -> str:
    """The signals whose points moved the account the most."""
    if moves == "stays":
        return ""
    rows = rows[rows["more"] > 0] if moves == "enters" else rows[rows["more"] < 0]
    rows = rows.assign(most=rows["more"].abs()).sort_values(["most", "signal"], ascending=[False, True]).head(2)
    return ", ".join(f"{name} ({more:+.0f})" for name, more in zip(rows["signal"], rows["more"], strict=True))


@measure(shape="table", unit="points", better="neither", reads=READS, finish=_as_lists, settings=fitting.SETTINGS)
def relisted(data: Data, *, within_days: int | None = None, capacity: int | None = None, threshold: float | None = None,
             later: int = 3, also: list[str] | None = None, lifespan_days: int | None = None, grain: Grain = "month") -> Table:
    """Accounts that never paid among the best `capacity`, by points fitted to who pays within `within_days` days or by those set by hand.

    The points are those of `fitted_points`, at `threshold` points. Of equal scores the first account by name comes first.

    Parameters
    ----------
    data, within_days, threshold, later, also, grain
        As in `fitted_points`.
    capacity
        Accounts that the team can call in a week.
    lifespan_days
        As in `fitted_points`; on both lists points fade, as in `scores`.

    Returns
    -------
    One row per account on either list, the best by fitted points first: account_id, moves ("enters", "leaves", "stays"), fitted and
    hand (points on the last day), fitted_place, hand_place, because (the signals whose points move it most). Nothing where no
    points could be learned.

    Examples
    --------
    >>> from plgkit import samples
    >>> len(relisted(samples.tiny()))  # two payers teach nothing
    0
    """
    fitting.check(later, capacity)
    until = ibis.date((data.as_of + engine.DAY).isoformat())
    asked = fitting.asked(data, also)
    met = signals.moments(data, asked[len(data.playbook.pql.signals):])
    met = met.filter(signals.held(met, until))
    met = met.select("account_id", "signal", left=signals.left_of(met, until, lifespan(data, lifespan_days)).cast("float64"))
    rows = openings(data).select("account_id").inner_join(met, "account_id")
    if data.has("subscriptions"):
        rows = rows.anti_join(first_payments(data), "account_id")
    return rows.select("account_id", "signal", "left")
