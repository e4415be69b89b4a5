"""`Data`: the tables of one product up to one day, with the playbook that says what they mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import DateColumn, Table

from plgkit.errors import BadSource, MissingRates, MissingTable, UnknownEvent
from plgkit.playbook import Playbook
from plgkit.schema import BILLING, TABLES
from plgkit.sources import addresses, billing, engine
from plgkit.sources.facts import Finding

_ANSWERING = "answering"


@dataclass(frozen=True, repr=False, eq=False)
class Data:
    """The tables of one product, up to and including the day `as_of`.

    Made by `plgkit.connect`. Tables are Ibis expressions: `data.events`, `data.users` and so on,
    clean, with times in UTC, `day` in the product's time zone and money in integer minor units.
    Rows after `as_of` are not in them.

    Attributes
    ----------
    as_of
        The last day counted, in the product's time zone.
    end
        The first instant (UTC) after it.
    playbook
        What the product means by its words.
    findings
        What the checks found.
    version
        A name for the rows and for how they were read; equal data, equal version.
    answers
        What measures have been asked so far: the same question is not worked out twice.
    """

    connection: ibis.BaseBackend = field(repr=False)
    everything: Mapping[str, Table]
    rows_set_aside: Mapping[str, Table]
    rollups: Mapping[str, Table]
    playbook: Playbook
    as_of: dt.date
    findings: tuple[Finding, ...]
    version: str
    source: str
    derived: frozenset[str] = frozenset()
    answers: dict[str, pd.DataFrame] = field(default_factory=dict)
    _memo: dict[str, Any] = field(default_factory=dict)
    _kept: dict[str, Table] = field(default_factory=dict)

    @property
    def end(self) -> dt.datetime:
        """The first instant (UTC) after `as_of`."""
        return engine.to_utc(self.as_of + engine.DAY, self.playbook.product.time_zone)

    @property
    def end_literal(self) -> ibis.Value:
        """`end` as a value in a query."""
        return ibis.timestamp(self.end.isoformat(sep=" "))

    def has(self, *tables: str) -> bool:
        """Whether the data have these tables; what accounts pay may be told by another one."""
        return all(name in self.everything or (name == billing.CHANGES and self.billing is not None) for name in tables)

    @property
    def billing(self) -> str | None:
        """The table that tells what accounts pay: `subscriptions`, `subscription_periods` or `invoice_lines`."""
        return billing.chosen(self.everything, self.playbook)

    @property
    def billing_lines(self) -> Table:
        """Every period or line of an invoice, with what it adds to its account's recurring revenue, and when.

        Columns: account_id, subscription_id, reference, line_id, issued_at, kind, status, plan, seats, motion,
        currency, amount_minor, from_at, until_at, from_day, until_day, months, mrr_minor and reason (why it is none).

        Raises
        ------
        MissingTable
            If the data have neither periods nor invoices, or tell what accounts pay by changes.
        """
        if self.billing in (None, billing.CHANGES):
            name = BILLING[-1]
            raise MissingTable(name, self.everything, one_row=TABLES[name].one_row)
        if "billing_lines" not in self._memo:
            self._memo["billing_lines"] = billing.lines(self, self.billing)
        return self._memo["billing_lines"]

    @property
    def revenue_facts(self) -> list[str]:
        """The choices behind recurring revenue, each as a few words; none where nothing tells what accounts pay."""
        return billing.facts(self.billing, self.playbook) if self.billing else []

    def table(self, name: str) -> Table:
        """One table up to `as_of`.

        Raises
        ------
        MissingTable
            If the data do not have it.
        """
        if not self.has(name):
            raise MissingTable(name, self.everything, one_row=TABLES[name].one_row)
        if name not in self._memo:
            self._memo[name] = billing.changes(self, self.billing) if name == billing.CHANGES else self._known_by_then(name)
        return self._memo[name]

    def _known_by_then(self, name: str) -> Table:
        """Rows up to `as_of`, with what happened later in them taken out."""
        rows, last = self.everything[name], ibis.date(self.as_of.isoformat())
        rows = rows.filter(rows.day <= last)
        if name == "invites":
            later = rows.accepted_at >= self.end_literal
            rows = rows.mutate(
                accepted_at=later.fill_null(False).ifelse(ibis.null("timestamp(6)"), rows.accepted_at),
                invitee_id=later.fill_null(False).ifelse(ibis.null("string"), rows.invitee_id))
        if name == "accounts":
            for column in ("trial_started_at", "trial_ended_at"):
                later = (rows.trial_started_at >= self.end_literal).fill_null(False)
                rows = rows.mutate(**{column: later.ifelse(ibis.null("timestamp(6)"), rows[column])})
        return billing.known_by(rows, self) if name in BILLING[1:] else rows

    events = property(lambda self: self.table("events"), doc="What people did.")
    users = property(lambda self: self.table("users"), doc="People who signed up.")
    accounts = property(lambda self: self.table("accounts"), doc="Workspaces or companies.")
    visits = property(lambda self: self.table("visits"), doc="Visits by people not signed in.")
    subscriptions = property(lambda self: self.table("subscriptions"), doc="Changes of what accounts pay.")
    subscription_periods = property(lambda self: self.table("subscription_periods"), doc="Stretches of subscriptions.")
    invoice_lines = property(lambda self: self.table("invoice_lines"), doc="Lines of invoices and credit notes.")
    invites = property(lambda self: self.table("invites"), doc="Invitations and shared links.")
    surveys = property(lambda self: self.table("surveys"), doc="Answered surveys.")
    spend = property(lambda self: self.table("spend"), doc="Marketing cost by channel and day.")
    exposures = property(lambda self: self.table("exposures"), doc="First sights of variants.")

    @property
    def activity(self) -> Table:
        """One row per person and active day: n, first_day, prev_day."""
        return self._rollup("activity", "day")

    @property
    def activity_week(self) -> Table:
        """One row per person and active week: n, days, first_week, prev_week.

        Where `as_of` falls inside a week, that week counts the days up to it.
        """
        self.table("events")
        last_week = engine.period_of(self.as_of, "week", self.playbook.product.week_start)
        if self._ends_inside_a_week(last_week):
            from plgkit.sources import rollups

            return rollups.up_to(self.activity, self.rollups["activity_week"], last_week, self.playbook)
        return self._rollup("activity_week", "week")

    def _ends_inside_a_week(self, last_week: dt.date) -> bool:
        last_day = self.last_active_day
        return last_day is not None and last_day > self.as_of and self.as_of < last_week + 6 * engine.DAY

    def _rollup(self, name: str, unit: str) -> Table:
        self.table("events")
        rows = self.rollups[name]
        return rows.filter(rows[unit] <= ibis.date(self.as_of.isoformat()))

    @property
    def last_active_day(self) -> dt.date | None:
        """The last day with activity in all the data, also after `as_of`."""
        if "last_active_day" not in self._memo:
            self._memo["last_active_day"] = _day(self.run(
                self.rollups["activity"].aggregate(last=_.day.max())).iloc[0, 0])
        return self._memo["last_active_day"]

    @property
    def event_names(self) -> list[str]:
        """The names of all events up to `as_of`, in order."""
        if "event_names" not in self._memo:
            names = self.events.group_by("event").aggregate(n=_.count()).order_by("event")
            self._memo["event_names"] = list(self.run(names)["event"])
        return self._memo["event_names"]

    @property
    def _all_event_names(self) -> list[str]:
        """The names of all events, also of those that only come after `as_of`, as what is new in a product does."""
        if "all_event_names" not in self._memo:
            names = self.everything["events"].select("event").distinct()
            self._memo["all_event_names"] = sorted(self.run(names)["event"])
        return self._memo["all_event_names"]

    @property
    def tells_families(self) -> bool:
        """Whether anybody is known to have an account or to have come by somebody."""
        if "tells_families" not in self._memo:
            known = self.users.filter(_.account_id.notnull() | _.invited_by.notnull()).aggregate(n=_.count())
            self._memo["tells_families"] = "users" not in self.derived and bool(self.run(known)["n"].iloc[0])
        return self._memo["tells_families"]

    def event(self, names: str | list[str]) -> Table:
        """The events of one name, or of any of several.

        Raises
        ------
        UnknownEvent
            If a name occurs nowhere, nor after `as_of`: a misspelt name would otherwise read as nothing done.
        """
        wanted = [names] if isinstance(names, str) else list(names)
        strange = [name for name in wanted if name not in self.event_names] if self.event_names else []
        for name in strange:
            if name not in self._all_event_names:
                raise UnknownEvent(name, self._all_event_names)
        events = self.events
        return events.filter(events.event == wanted[0] if len(wanted) == 1 else events.event.isin(wanted))

    def period(self, day: DateColumn, grain: engine.Grain) -> DateColumn:
        """The first day of the period in which a day falls; weeks begin as the playbook says."""
        return engine.period(day, grain, self.playbook.product.week_start)

    def local(self, time: ibis.Value) -> ibis.Value:
        """A time of these data on the clock of the product's zone."""
        first, last = self.span
        return engine.local(time, self.playbook.product.time_zone, first=first, last=max(last, self.as_of))

    @property
    def span(self) -> tuple[dt.date, dt.date]:
        """The first and last day over all tables up to `as_of`."""
        days = self.overview[["first", "last"]].dropna()
        if days.empty:
            return self.as_of, self.as_of
        return days["first"].min().date(), days["last"].max().date()

    @property
    def overview(self) -> pd.DataFrame:
        """One row per table: rows, first and last day up to `as_of`, rows set aside."""
        if "overview" not in self._memo:
            found = []
            for name in TABLES:
                if not self.has(name):
                    continue
                rows = self._shown(name)
                one = self.run(rows.aggregate(rows=_.count(), first=_.day.min(), last=_.day.max())).iloc[0]
                aside = sum(each.rows for each in self.findings
                            if each.table == name and each.level == "warning" and "counts as missing" not in each.what)
                left = sum(each.rows for each in self.findings
                           if each.table == name and each.what.startswith("left out: "))
                found.append({"table": name, "rows": int(one.rows), "first": one["first"], "last": one["last"],
                              "set_aside": aside, "left_out": left})
            self._memo["overview"] = pd.DataFrame(
                found, columns=["table", "rows", "first", "last", "set_aside", "left_out"])
        return self._memo["overview"]

    def _shown(self, name: str) -> Table:
        """A table to count; changes of what accounts pay as their source has them, where their money is not clear."""
        try:
            return self.table(name)
        except (BadSource, MissingRates):
            return self.everything[self.billing]

    def rejected(self) -> pd.DataFrame:
        """Every row set aside: its table, the reason, and the row as JSON; those left out on purpose too."""
        found = []
        for name, rows in self.rows_set_aside.items():
            frame = self.run(rows)
            plain = frame.drop(columns="reason").to_json(orient="records", lines=True, date_format="iso", date_unit="us")
            lines = [line for line in plain.split("\n") if line]
            found += list(zip([name] * len(frame), frame["reason"], lines, strict=True))
        made = pd.DataFrame(found, columns=["table", "reason", "row"])
        return made.sort_values(["table", "reason", "row"], ignore_index=True)

    def once(self, name: str, make: Callable[[], Table]) -> Table:
        """Rows that many answers need: worked out once while answers are, and part of a query that is only to be read."""
        if not self._memo.get(_ANSWERING):
            return make()
        if name not in self._kept:
            self._kept[name] = engine.keep(self.connection, "once", make())
        return self._kept[name]

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While queries are made to be run: rows needed `once` are worked out and kept."""
        before = self._memo.get(_ANSWERING, False)
        self._memo[_ANSWERING] = True
        try:
            yield
        finally:
            self._memo[_ANSWERING] = before

    def run(self, query: Table) -> pd.DataFrame:
        """Run a query on the data's engine."""
        return engine.run(query)

    def __repr__(self) -> str:
        """A summary that says what is here, until when, and what is missing."""
        product = self.playbook.product
        lines = [f"{product.name}: data through {self.as_of:%d %b %Y} ({product.time_zone}), from {self.source}"]
        for row in self.overview.itertuples():
            span = f"{row.first:%d %b %Y} - {row.last:%d %b %Y}" if row.rows else "empty"
            aside = f", {row.set_aside:,} set aside" if row.set_aside else ""
            left = f", {row.left_out:,} left out" if row.left_out else ""
            made = ", from first events" if row.table in self.derived else ""
            if row.table == billing.CHANGES and self.billing != billing.CHANGES:
                made = f", {self.revenue_facts[0]}"
            lines.append(f"  {row.table:<14}{row.rows:>12,} rows  {span}{made}{aside}{left}")
        missing = [name for name in TABLES if not self.has(name) and name not in BILLING[1:]]
        if missing:
            lines.append(f"  missing: {', '.join(missing)}")
        return "\n".join(lines)


def _day(value: object) -> dt.date | None:
    return None if pd.isna(value) else pd.Timestamp(value).date()


def describe_source(source: object) -> str:
    """A source's name without the folders above it, so that equal runs print alike on every machine."""
    if addresses.is_address(source):
        return addresses.shown(str(source))
    if isinstance(source, (str, Path)):
        return Path(source).name
    if isinstance(source, Mapping):
        return "data frames"
    return type(source).__module__.split(".")[2] if type(source).__module__.startswith("ibis.backends") else str(type(source))
