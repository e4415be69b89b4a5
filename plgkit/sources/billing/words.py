"""Which table tells what accounts pay, in which words, and what is said about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pandas as pd
from ibis import _
from ibis.expr.types import StringValue, Table

from plgkit.errors import BadSource, MissingRates
from plgkit.playbook import Playbook
from plgkit.playbook.revenue import KINDS, STATUSES
from plgkit.schema import BILLING, TABLES

if TYPE_CHECKING:
    from plgkit.sources.data import Data

CHANGES, PERIODS, INVOICES = BILLING
SOURCES = {"changes": CHANGES, "periods": PERIODS, "invoices": INVOICES}
_ALIKE = {
    "kind": {"recurring": "subscription", "addon": "add_on", "one_time": "one_off", "credit_note": "credit",
             "metered": "usage"},
    "status": {"cancelled": "canceled", "in_trial": "trialing", "trial": "trialing", "non_renewing": "active",
               "payment_due": "past_due", "voided": "void"},
}
NO_SERVICE = "it has no service to spread it over"
BACKWARDS = "its service ends before it begins"
NO_END = "it was canceled, and nobody knows when"
UNCLEAR: Mapping[str, str] = {
    NO_SERVICE: " ([revenue] service_months says how long a line without an end lasts)", BACKWARDS: "", NO_END: ""}
_KNOWN = {"kind": KINDS, "status": STATUSES}


def chosen(tables: Iterable[str], playbook: Playbook) -> str | None:
    """The table that tells what accounts pay: the one asked for, else the most direct one that is there.

    Raises
    ------
    BadSource
        If the one asked for is not there.
    """
    there = [name for name in BILLING if name in tables]
    asked = playbook.revenue.source
    if asked is None:
        return there[0] if there else None
    name = SOURCES[asked]
    if name not in there:
        raise BadSource(f"[revenue] source is {asked!r}, the table {name!r} (one row per {TABLES[name].one_row}), which "
                        f"these data do not have. They have: {', '.join(there) or 'none that tells what accounts pay'}.")
    return name


def meaning(value: StringValue, what: str, playbook: Playbook) -> StringValue:
    """A kind or status in plgkit's words; one that nobody knows stays as it is."""
    plain = value.strip().lower().replace(" ", "_").replace("-", "_")
    own = getattr(playbook.revenue, {"kind": "kinds", "status": "statuses"}[what])
    words = _ALIKE[what] | {word.strip().lower().replace(" ", "_").replace("-", "_"): means for word, means in own.items()}
    return plain.cases(*words.items(), else_=plain)


def check(rows: Table, name: str, playbook: Playbook) -> None:
    """Make sure that every kind, status and currency is known: money is not guessed.

    Raises
    ------
    BadSource
        If a kind or status is none that is known.
    MissingRates
        If there is another currency than the product's without a rate.
    """
    from plgkit.sources import engine

    columns = {"currency": rows.currency.strip().upper()}
    columns |= {what: meaning(rows[what], what, playbook) for what in ("kind", "status") if what in rows.columns}
    found = engine.run(rows.select(**columns).distinct())
    for what in ("kind", "status"):
        if what in found:
            strange = sorted(set(found[what].dropna()) - set(_KNOWN[what]))
            if strange:
                raise BadSource(f"The column {what!r} of table {name!r} holds {_listed(strange)}, of which nobody knows what it "
                                f"means. Known are: {', '.join(_KNOWN[what])}. Say it in the playbook, for example: "
                                f'[revenue] {what}{"es" if what == "status" else "s"} = {{ {strange[0]} = '
                                f'"{_KNOWN[what][0]}" }}')
    product = playbook.product.currency
    others = sorted(set(found["currency"].dropna()) - {product, *playbook.revenue.rates})
    if others:
        raise MissingRates(name, others, product=product)


def _listed(words: list[str]) -> str:
    return ", ".join(map(repr, words[:8])) + (f" and {len(words) - 8} more" if len(words) > 8 else "")


def facts(name: str, playbook: Playbook) -> list[str]:
    """The choices behind recurring revenue, each as a few words.

    Examples
    --------
    >>> facts("subscriptions", Playbook())
    ['from subscription changes']
    >>> facts("invoice_lines", Playbook(revenue={"bridge_days": 7}))[:4]
    ['from lines of invoices', 'payments past due count', 'gaps of up to 7 days are bridged', 'churn at the end of service']
    """
    words = playbook.revenue
    said = ["from " + {CHANGES: "subscription changes", PERIODS: "subscription periods", INVOICES: "lines of invoices"}[name]]
    if name != CHANGES:
        said.append(f"payments past due {'count' if words.past_due == 'counts' else 'do not count'}")
    if words.bridge_days:
        said.append(f"gaps of up to {words.bridge_days} days are bridged")
    if name != CHANGES:
        said.append(f"churn at {'the ' if words.churn_at == 'end of service' else ''}{words.churn_at}")
    if name == PERIODS:
        said.append(f"pauses {'count' if words.paused == 'counts' else 'stop'} revenue")
    if name == INVOICES:
        said += [f"refunds {'reduce' if words.refunds == 'reduce' else 'are ignored'}",
                 f"one-off discounts {'reduce' if words.one_off_discounts == 'reduce' else 'are ignored'}",
                 f"usage {'counts' if words.usage == 'count' else 'is left out'}"]
        if words.service_months:
            said.append(f"lines without an end last {words.service_months} month{'' if words.service_months == 1 else 's'}")
    said += [f"one {code} is {rate:g} {playbook.product.currency}" for code, rate in sorted(words.rates.items())]
    return said


def findings(data: Data) -> list[tuple[str, str, int, str]]:
    """What is worth knowing of the money: level, table, rows and what, as a finding has them."""
    name = data.billing
    if name is None:
        return []
    found: list[tuple[str, str, int, str]] = []
    beside = [each for each in BILLING if each != name and each in data.everything]
    if beside and data.playbook.revenue.source is None:
        found.append(("info", name, 0, f"tells what accounts pay; {' and '.join(beside)} could too ([revenue] source)"))
    if name == CHANGES:
        return found
    try:
        counts = data.run(data.billing_lines.filter(_.reason.notnull()).group_by("reason").aggregate(n=_.count()))
    except (BadSource, MissingRates) as error:
        return [*found, ("warning", name, 0, str(error))]
    return found + _reasons(name, counts)


def _reasons(name: str, counts: pd.DataFrame) -> list[tuple[str, str, int, str]]:
    return [("warning" if row.reason in UNCLEAR else "info", name, int(row.n),
             f"no recurring revenue: {row.reason}{UNCLEAR.get(row.reason, '')}")
            for row in counts.sort_values("reason").itertuples()]
