"""The rates that one may ask about: what each is now, and what else turns when it is changed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from plgkit.flywheel.counting import Counts
from plgkit.flywheel.fitting import LONG, Rates
from plgkit.sources.data import Data


@dataclass(frozen=True)
class Lever:
    """One rate: `change` gives all rates with this one so many times what it is; counts rise by shares of themselves."""

    what: str
    value: Callable[[Data, Counts, Rates, int], float]
    change: Callable[[Rates, float], Rates]
    needs: tuple[str, ...] = ()
    is_rate: bool = True
    better: str = "higher"


def _own(rates: Rates, factor: float) -> Rates:
    own = rates.own.copy()
    own[:, 0] += np.log(factor)
    return replace(rates, own=own)


def _activates(rates: Rates, factor: float) -> Rates:
    return replace(rates, activates=np.minimum(rates.activates * factor, 1.0))


def _stays(rates: Rates, factor: float) -> Rates:
    stays = rates.stays.copy()
    stays[:, :, 1:] = np.minimum(stays[:, :, 1:] * factor, np.maximum(stays[:, :, :1], stays[:, :, 1:]))
    return replace(rates, stays=stays)


def _scaled(name: str, column: int | None = None) -> Callable[[Rates, float], Rates]:
    def change(rates: Rates, factor: float) -> Rates:
        cells = getattr(rates, name).copy()
        if column is None:
            cells *= factor
        else:
            cells[:, column] *= factor
        return replace(rates, **{name: cells})
    return change


def _measured(name: str, *, long: bool = False, **asked: object) -> Callable[[Data, Counts, Rates, int], float]:
    """The measure of the catalogue over the last complete months that have anybody to judge."""
    def value(data: Data, counts: Counts, rates: Rates, recent: int) -> float:
        stage, measure = name.split(".")
        frame = getattr(importlib.import_module(f"plgkit.metrics.{stage}"), measure)(data, grain="month", **asked)
        frame = frame[(frame["denominator"] > 0) & (frame["period"] <= counts.months[-1])].tail(LONG if long else recent)
        below = float(frame["denominator"].sum())
        return float(frame["numerator"].sum()) / below if below else float("nan")
    return value


def _signups(data: Data, counts: Counts, rates: Rates, recent: int) -> float:
    after = counts.months[-1] + pd.offsets.MonthBegin()
    return float(np.exp(rates.own[0, 0])) * after.days_in_month


def _activation(data: Data, counts: Counts, rates: Rates, recent: int) -> float:
    judged = counts.judged[:, -recent:].sum()
    return float(counts.activated[:, -recent:].sum() / judged) if judged else float("nan")


def _staying(data: Data, counts: Counts, rates: Rates, recent: int) -> float:
    """Of all who signed up in an earlier month, those active in the last months."""
    t = len(counts.months)
    size, active = counts.size.sum(axis=(0, 2)), counts.active.sum(axis=(0, 2))
    reached = [(size[:now].sum(), sum(active[now - age, age] for age in range(1, now + 1))) for now in range(max(1, t - recent), t)]
    whole = sum(each[0] for each in reached)
    return float(sum(each[1] for each in reached) / whole) if whole else float("nan")


LEVERS = {
    "acquisition.visitor_to_signup": Lever("Visitors who sign up", _measured("acquisition.visitor_to_signup"), _own, ("visits",)),
    "acquisition.signups": Lever("Sign-ups that nobody invited", _signups, _own, is_rate=False),
    "activation.rate": Lever("Newcomers who activate", _activation, _activates),
    "retention.curve": Lever("People active in a month after their first", _staying, _stays),
    "advocacy.sharing_rate": Lever("Active people who invite or share", _measured("advocacy.sharing_rate"), _scaled("invites"),
                                   ("invites",)),
    "advocacy.invite_acceptance": Lever(
        "Invitations and links that are accepted", lambda data, counts, rates, recent: float(rates.accepted[0].sum()),
        _scaled("accepted"), ("invites",)),
    "conversion.free_to_paid": Lever("Free accounts that pay", _measured("conversion.free_to_paid", long=True), _scaled("pays"),
                                     ("subscriptions",)),
    "conversion.contract_value": Lever(
        "What a new account pays in a year", lambda data, counts, rates, recent: float(12 * rates.first[0, 0]),
        _scaled("first"), ("subscriptions",), is_rate=False),
    "expansion.gross_churn": Lever(
        "Revenue lost in a month", lambda data, counts, rates, recent: float(rates.shrinks[0].sum()), _scaled("shrinks"),
        ("subscriptions",), better="lower"),
    "expansion.account_expansion": Lever("Accounts that grow in a month", _measured("expansion.account_expansion", long=True),
                                         _scaled("grows", 0), ("subscriptions",)),
}
