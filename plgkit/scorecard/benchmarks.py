"""Numbers of other companies, each with the companies it is of; shown only beside a number that means the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from plgkit.errors import PlgkitError
from plgkit.metrics import expansion, registry
from plgkit.scorecard import asking
from plgkit.scorecard.headlines import Headline

if TYPE_CHECKING:
    from plgkit.sources.data import Data

SMALL, ENTERPRISE, BUSINESS, CONSUMER = ("small_business_software", "enterprise_software", "other_business_product",
                                         "consumer_subscription")
SOFTWARE, FOR_BUSINESS = (SMALL, ENTERPRISE), (SMALL, ENTERPRISE, BUSINESS)
_AMPLITUDE = "2,600+ companies, Amplitude 2025"
_GROWTH = "200 B2B products, Growth Unhinged with ChartMogul and ProductLed, 2026"
_LENNY = "opinion of about 20 practitioners, Rachitsky and Winters 2020"
_MOGUL = "2,100+ businesses, ChartMogul 2023"


@dataclass(frozen=True)
class Benchmark:
    """One number of other companies: of which measure, of what kinds of product, what it says, how it is spread, whose it is."""

    measure: str
    label: str
    unit: str
    kinds: tuple[str, ...]
    low: float
    high: float
    says: str
    source: str
    parameters: tuple[tuple[str, object], ...] = ()
    fits: Callable[[Data], str] = lambda data: ""


def _card_first(data: Data) -> str:
    first = data.playbook.trial.card_first
    return "" if first else ("it is of trials that ask for a card at their start, and " + (
        "these do not" if first is False else "the playbook does not say whether these do ([trial] card_first)"))


_SIX_MONTHS = (("day", 180), ("until", 209), ("clock", "rolling"))
BENCHMARKS = (
    Benchmark("retention.day_n", "Retention, day 7", "share", (*FOR_BUSINESS, CONSUMER, "other"), 0.07, 0.07,
              "7 % or more is the top quarter", _AMPLITUDE, (("day", 7), ("clock", "rolling"))),
    Benchmark("conversion.free_to_paid", "Free to paid", "share", FOR_BUSINESS, 0.08, 0.08,
              "median 8 %, but with two peaks: few products are near 8 %", _GROWTH),
    Benchmark("conversion.trial_to_paid", "Trial to paid", "share", FOR_BUSINESS, 0.30, 0.30,
              "about 30 % where a card is asked for first; no spread is told", _GROWTH, (), _card_first),
    Benchmark("retention.day_n", "Retention, month 6", "share", (SMALL,), 0.60, 0.80, "60 % is good, 80 % great", _LENNY, _SIX_MONTHS),
    Benchmark("retention.day_n", "Retention, month 6", "share", (ENTERPRISE,), 0.70, 0.90, "70 % is good, 90 % great", _LENNY, _SIX_MONTHS),
    Benchmark("retention.day_n", "Retention, month 6", "share", (CONSUMER,), 0.40, 0.70, "40 % is good, 70 % great", _LENNY, _SIX_MONTHS),
    Benchmark("expansion.mrr_movements", "Revenue gained by expansion", "share", SOFTWARE, 0.288, 0.323,
              "28.8 % in 2020, 32.3 % in 2023, in the mean", _MOGUL),
)


def benchmarks(data: Data) -> pd.DataFrame:
    """Set numbers of other companies beside the product's own, where definition, unit and population are the same.

    What kind of product it is says the playbook's [product] kind; without it there is nobody to compare with, and no number
    is shown. Own numbers are those of the last final quarter.

    Returns
    -------
    One row per number of products of this kind: label, measure, period, value, low, high (own), other_low, other_high (what the others
    have), says (how they are spread), source (whose numbers), shown (whether they may be compared), why_not.

    Examples
    --------
    >>> from plgkit import samples
    >>> benchmarks(samples.tiny()).empty
    True
    """
    kind = data.playbook.product.kind
    rows = [_row(data, each) for each in BENCHMARKS if kind in each.kinds]
    columns = ["label", "measure", "period", "value", "low", "high", "other_low", "other_high", "says", "source", "shown", "why_not"]
    made = pd.DataFrame(rows, columns=columns)
    made.attrs = {"kind": kind, "unit": "share"}
    return made


def _row(data: Data, each: Benchmark) -> dict[str, object]:
    about = {"label": each.label, "measure": each.measure, "says": each.says, "source": each.source}
    why = each.fits(data)
    try:
        own = _own(data, each).tail(1)
        why = why or ("" if len(own) else "there is no final quarter yet")
    except PlgkitError as error:
        own, why = pd.DataFrame(columns=asking.COLUMNS), why or str(error)
    if why:
        return about | {"shown": False, "why_not": why}
    now = own.iloc[0]
    return about | {"period": now["period"], "value": now["value"], "low": now["low"], "high": now["high"], "other_low": each.low,
                    "other_high": each.high, "shown": True, "why_not": ""}


def _own(data: Data, each: Benchmark) -> pd.DataFrame:
    if each.measure == "expansion.mrr_movements":
        return _by_expansion(data)
    registry.find(each.measure)
    return asking.final(data, Headline(each.measure, each.label, dict(each.parameters)), "quarter")


def _by_expansion(data: Data) -> pd.DataFrame:
    """Expansion as a share of all recurring revenue gained in the quarter."""
    moves = expansion.mrr_movements(data, grain="quarter")
    gained = moves[["new", "reactivation", "expansion"]].sum(axis=1)
    made = pd.DataFrame({"period": moves["period"], "value": moves["expansion"] / gained.where(gained > 0), "low": float("nan"),
                         "high": float("nan"), "n": float("nan")})
    return made[moves["complete"].astype(bool) & made["value"].notna()] if "complete" in moves else made[made["value"].notna()]
