"""What a reader of an export says about it: which rows it knows, and what they become."""

from __future__ import annotations

import fnmatch
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from plgkit.errors import BadParameter

KINDS: Mapping[str, str] = {
    "posthog": "PostHog: batch exports as JSON Lines or Parquet, the table of events as CSV",
    "mixpanel": "Mixpanel: raw export as JSON Lines, its table as CSV",
    "amplitude": "Amplitude: zip of gzipped JSON Lines, its table as CSV",
    "segment": "Segment: warehouse tables as CSV, JSON Lines or Parquet",
    "rudderstack": "RudderStack: warehouse tables as CSV, JSON Lines or Parquet",
    "ga4": "Google Analytics 4: BigQuery export as JSON Lines or Parquet",
    "snowplow": "Snowplow: enriched events as TSV, the table of web events as CSV",
    "stripe": "Stripe: API objects as JSON, or table exports as CSV",
    "chargebee": "Chargebee: API objects as JSON",
    "recurly": "Recurly: API objects as JSON, or table exports as CSV",
    "hubspot": "HubSpot: table exports as CSV",
}
"""Every export that can be read, and in which forms."""

STAGED: Mapping[str, Mapping[str, str]] = {
    "events": {"event_id": "VARCHAR", "event": "VARCHAR", "occurred_at": "TIMESTAMP", "received_at": "TIMESTAMP",
               "known_id": "VARCHAR", "anonymous_id": "VARCHAR", "account_id": "VARCHAR", "session_id": "VARCHAR",
               "channel": "VARCHAR", "properties": "VARCHAR"},
    "links": {"one_id": "VARCHAR", "other_id": "VARCHAR", "said_at": "TIMESTAMP", "how": "VARCHAR"},
    "people": {"known_id": "VARCHAR", "said_at": "TIMESTAMP", "signed_up_at": "TIMESTAMP", "account_id": "VARCHAR",
               "channel": "VARCHAR", "role": "VARCHAR", "country": "VARCHAR"},
    "accounts": {"account_id": "VARCHAR", "said_at": "TIMESTAMP", "created_at": "TIMESTAMP", "industry": "VARCHAR",
                 "employees": "BIGINT", "trial_started_at": "TIMESTAMP", "trial_ended_at": "TIMESTAMP"},
    "exposures": {"row_id": "VARCHAR", "known_id": "VARCHAR", "anonymous_id": "VARCHAR", "experiment": "VARCHAR",
                  "variant": "VARCHAR", "exposed_at": "TIMESTAMP"},
    "surveys": {"row_id": "VARCHAR", "known_id": "VARCHAR", "anonymous_id": "VARCHAR", "answered_at": "TIMESTAMP",
                "kind": "VARCHAR", "score": "DOUBLE", "comment": "VARCHAR"},
    "subscription_periods": {"row_id": "VARCHAR", "said_at": "TIMESTAMP", "account_id": "VARCHAR", "started_at": "TIMESTAMP",
                             "ended_at": "TIMESTAMP", "mrr": "DECIMAL(18, 2)", "subscription_id": "VARCHAR", "plan": "VARCHAR",
                             "seats": "BIGINT", "motion": "VARCHAR", "currency": "VARCHAR", "status": "VARCHAR",
                             "canceled_at": "TIMESTAMP"},
    "invoice_lines": {"row_id": "VARCHAR", "said_at": "TIMESTAMP", "account_id": "VARCHAR", "issued_at": "TIMESTAMP",
                      "amount": "DECIMAL(18, 2)", "service_from": "TIMESTAMP", "service_to": "TIMESTAMP", "line_id": "VARCHAR",
                      "invoice_id": "VARCHAR", "subscription_id": "VARCHAR", "plan": "VARCHAR", "seats": "BIGINT",
                      "motion": "VARCHAR", "currency": "VARCHAR", "kind": "VARCHAR", "status": "VARCHAR",
                      "canceled_at": "TIMESTAMP"},
}
"""The tables a reader may make, before people are told apart and rows that came twice are one."""


@dataclass(frozen=True)
class Feed:
    """One sort of row in an export: how to know it, its columns, and the tables it makes.

    `telling` are the columns that such a row has, with the value where only one will do. `columns` are read as
    text, nested objects as JSON; `rest` holds all others as a JSON object. `makes` has a SELECT over `rows` for each
    staged table, or for a table of the reader's `keeps`. `needs` are the columns without which a row is none. `reads` are columns made of others before anything
    else; `once` are expressions that several queries ask for, worked out once for each row. Of `columns`, those that stay are in
    `rest` too: what is made of them tells less than they do. `noise` are columns of the transport, which nothing is made of.
    `partly` says of which rows, by a condition, more would have to be there, and where that is found.
    """

    name: str
    telling: Mapping[str, str | None]
    columns: Iterable[str]
    makes: Mapping[str, str]
    files: tuple[str, ...] = ("*",)
    needs: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    once: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    partly: Mapping[str, str] = field(default_factory=dict)

    def fits(self, file: str, row: Mapping[str, Any]) -> bool:
        """Whether rows such as this one, of a file of this name, are of this sort."""
        named = any(fnmatch.fnmatch(file.lower(), pattern) for pattern in self.files)
        return named and all(name in row and (value is None or str(row[name]) == value) for name, value in self.telling.items())


@dataclass(frozen=True)
class Reader:
    """A kind of export: its sorts of rows, and what is made of several of them together at the end.

    `keeps` are tables between staging and gathering, with their columns; `joins` makes staged tables of those.
    `unpack` finds the rows in a document that is no list of rows. `playbook` adds to the first playbook, knowing
    how many rows each table has. `names` are the columns of files that have no line of names. `zoned` says that times
    may count in another zone than UTC. `inside` is what to read in place of a row's `text`, as SQL.
    """

    kind: str
    feeds: tuple[Feed, ...]
    keeps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    joins: Mapping[str, str] = field(default_factory=dict)
    unpack: Callable[[Any], list[Any] | None] | None = None
    names: tuple[str, ...] = ()
    zoned: bool = False
    inside: str = "text"
    playbook: Callable[[Mapping[str, int]], str] | None = None

    @property
    def tables(self) -> Mapping[str, Mapping[str, str]]:
        """Every table that a row of the export may become, with its columns."""
        return {**STAGED, **self.keeps}


def reader(kind: str) -> Reader:
    """The reader of a kind of export.

    Raises
    ------
    BadParameter
        If the kind is not known.
    """
    if kind not in KINDS:
        raise BadParameter("KIND", kind, expected=f"one of {', '.join(KINDS)}")
    module: ModuleType = importlib.import_module(f"plgkit.readers.{kind}")
    return module.READER
