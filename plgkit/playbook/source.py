"""The sections about the data: the product's calendar, where each table is, who is left out."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .section import Count, Currency, Name, Names, Section, Share, Zone, fault

Scalar = str | int | float | bool
Constant = str | int | float | bool | dt.datetime | dt.date


class Product(Section):
    """The product itself: its name, its calendar and its money."""

    name: Name = Field("My product", description="Name shown in titles.", examples=["Reportly"])
    time_zone: Zone = Field(
        "UTC",
        description="IANA time zone in which days, weeks and months are cut.",
        examples=["Europe/Vienna"],
    )
    week_start: Literal["monday", "sunday"] = Field(
        "monday", description="First day of a week.", examples=["sunday"]
    )
    currency: Currency = Field("USD", description="ISO 4217 code of all money in the data.", examples=["EUR"])
    started_on: Annotated[dt.date, Field(strict=False)] | None = Field(
        None,
        description="First day of the product. Where the data begin later, early people are not taken for new ones.",
        examples=[dt.date(2024, 3, 1)],
    )
    gross_margin: Share = Field(
        1.0,
        description="Share of revenue left after the cost of serving it; used for lifetime value and payback.",
        examples=[0.8],
    )
    kind: Literal["small_business_software", "enterprise_software", "other_business_product", "consumer_subscription", "other"] | None = Field(
        None,
        description="What kind of product it is and for whom. Numbers of other companies are shown beside its own only "
        "where they are of the same kind; without it, none are.",
        examples=["small_business_software"],
    )


class DataRules(Section):
    """How rows are cleaned before anything is counted."""

    duplicates: Literal["event_id", "exact", "keep"] = Field(
        "event_id",
        description="Which events are the same one sent twice: those with one event_id (rows equal in all columns "
        "where there is no such column), only rows equal in all columns, or none.",
        examples=["exact"],
    )
    unknown_people: Literal["set_aside", "keep"] = Field(
        "set_aside",
        description="What happens to rows of people who are not in the users table.",
        examples=["keep"],
    )
    late_after_hours: int = Field(
        24,
        ge=0,
        le=1_000_000,
        description="An event received more hours than this after it happened is counted as late "
        "in the data report.",
        examples=[48],
    )
    settled_after_days: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="In a database: events and visits of days further back than this before the last one kept are taken as "
        "they were, so that an opening reads these last days only, not the times of all rows. Rows that come later than "
        "that are seen when the line is taken out.",
        examples=[35],
    )


class TableMap(Section):
    """Where one table comes from and which of its columns is which."""

    file: Name | None = Field(
        None,
        description="File beside the playbook; may hold `*` for several of the same columns. Without file and "
        "table, the table's own name is looked for.",
        examples=["export/events-*.csv.gz"],
    )
    table: Name | None = Field(
        None,
        description="Table or view in a database, with its schema where it needs one.",
        examples=["analytics.events"],
    )
    columns: dict[str, Name] = Field(
        default_factory=dict,
        description="plgkit's column = the source's column. A column of the same name needs no entry.",
        examples=[{"user_id": "distinct_id", "occurred_at": "timestamp"}],
    )
    constants: dict[str, Constant] = Field(
        default_factory=dict,
        description="plgkit's column = a value that all rows have.",
        examples=[{"event": "order_placed"}],
    )
    times_in: Zone = Field(
        "UTC", description="Time zone of times that are written without one.", examples=["America/New_York"]
    )
    money_in: Literal["units", "minor"] = Field(
        "units",
        description="Whether amounts are in the currency's unit (12.50) or in its smallest coin, as payment services "
        "write them (1250; for yen, which has no smaller coin, 1250 is 1250).",
        examples=["minor"],
    )
    keep: Literal["all", "first"] = Field(
        "all",
        description='"first" keeps the earliest row of each key: a users table made from an events file.',
        examples=["first"],
    )
    where: dict[str, list[Scalar]] = Field(
        default_factory=dict,
        description="Source column = values; only rows with one of them are read.",
        examples=[{"environment": ["production"]}],
    )
    extra: Names = Field(
        default_factory=list,
        description="Further source columns to keep, to cut measures by.",
        examples=[["plan", "browser"]],
    )

    @model_validator(mode="after")
    def _agree(self) -> TableMap:
        if self.file is not None and self.table is not None:
            raise fault("clash", "has both file and table; expected one of them.")
        both = sorted(self.columns.keys() & self.constants.keys())
        if both:
            raise fault(
                "clash", f"has {', '.join(both)} in both columns and constants; expected one of them."
            )
        return self


class LeaveOut(Section):
    """People and accounts that are in no measure. The rows removed are counted in the data report."""

    internal: bool = Field(True, description="Leave out people whose is_internal is true.", examples=[False])
    user_ids: Names = Field(
        default_factory=list,
        description="Ids of people; `*` stands for any letters.",
        examples=[["load-test-*", "u_17"]],
    )
    users: dict[str, Names] = Field(
        default_factory=dict,
        description="Column of users = values; people with one of them are left out.",
        examples=[{"role": ["bot"]}],
    )
    account_ids: Names = Field(
        default_factory=list,
        description="Ids of accounts; `*` stands for any letters.",
        examples=[["acme-demo"]],
    )


class Sessions(Section):
    """What one session is, where the data carry no session id."""

    gap_minutes: Count = Field(
        30, description="A pause longer than this begins a new session.", examples=[45]
    )
