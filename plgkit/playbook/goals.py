"""The sections about what is wanted: the ideal customer, qualified leads and targets."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from .section import Count, Days, Name, Names, Number, Points, Section, fault
from .trial import Experiment as Experiment

Kind = Literal[
    "onboarding_completed",
    "invited",
    "integration_connected",
    "active_days",
    "core_features",
    "items_created",
    "active_streak",
    "limit_hit",
    "pricing_viewed",
    "premium_tried",
    "payment_details",
    "company_size",
    "industry",
    "event",
]


KINDS: dict[str, str] = {
    "onboarding_completed": "people who finished the last of `onboarding.steps`",
    "invited": "invitations sent",
    "integration_connected": "events of `features.integration`",
    "active_days": "days on which anyone was active, as `activity` says",
    "core_features": "different events of `features.core`",
    "items_created": "events of `features.create`",
    "active_streak": "longest run of active days without a gap",
    "limit_hit": "events of `limits.event`",
    "pricing_viewed": "events of `pricing.event`",
    "premium_tried": "events of `features.premium`",
    "payment_details": "events of `payment.event`",
    "company_size": "1 if the account's employees are within `fit`, else 0",
    "industry": "1 if the account's industry is among `fit.industries`, else 0",
    "event": "events of the signal's own list `events`",
}
"""What each kind of signal counts for an account."""


class Fit(Section):
    """The ideal customer."""

    employees_min: Count | None = Field(
        None, description="Fewest people of a company that fits.", examples=[20]
    )
    employees_max: Count | None = Field(
        None, description="Most people of a company that fits.", examples=[500]
    )
    industries: Names = Field(
        default_factory=list, description="Industries that fit.", examples=[["software", "finance"]]
    )

    @model_validator(mode="after")
    def _in_order(self) -> Fit:
        if None not in (self.employees_min, self.employees_max) and self.employees_min > self.employees_max:
            raise fault(
                "clash", f"has employees_min {self.employees_min} above employees_max {self.employees_max}."
            )
        return self


class Signal(Section):
    """One sign that an account is ready to buy."""

    name: Name = Field(description="Name shown among the reasons of a score.", examples=["invited a team"])
    points: Points = Field(description="Points it is worth.", examples=[25])
    kind: Kind = Field(
        description="What is counted; the events are those of the playbook's own sections, or, for kind event, those in `events`.",
        examples=["invited"],
    )
    at_least: Count = Field(1, description="How often, how many or how many days.", examples=[4])
    at_most: Count | None = Field(None, description="No points above this.", examples=[3])
    within_days: Days | None = Field(
        None, description="Only the first days of the account count.", examples=[14]
    )
    events: Names = Field(
        default_factory=list,
        description="Events that count, for kind event only.",
        examples=[["api_key_created"]],
    )

    @model_validator(mode="after")
    def _agree(self) -> Signal:
        if self.at_most is not None and self.at_most < self.at_least:
            raise fault("clash", f"has at_most {self.at_most} below at_least {self.at_least}.")
        if self.kind == "event" and not self.events:
            raise fault("clash", "is of kind 'event' without events; expected the events that count.")
        if self.kind != "event" and self.events:
            raise fault(
                "clash", f"is of kind {self.kind!r} with events; expected kind 'event', or no events."
            )
        return self


class Tier(Section):
    """One way to treat accounts, from a number of points up."""

    name: Name = Field(description="Name of the tier.", examples=["inside sales"])
    from_: Points = Field(alias="from", description="Fewest points.", examples=[65])


def _signals() -> list[Signal]:
    return [
        Signal(name="onboarding completed", kind="onboarding_completed", points=10),
        Signal(name="invited 1 to 3 people", kind="invited", points=15, at_most=3),
        Signal(name="invited 4 or more people", kind="invited", points=25, at_least=4),
        Signal(name="integration connected", kind="integration_connected", points=20),
        Signal(
            name="active on 5 of the first 14 days", kind="active_days", points=15, at_least=5, within_days=14
        ),
        Signal(name="3 or more core features", kind="core_features", points=20, at_least=3),
        Signal(name="10 or more items created", kind="items_created", points=15, at_least=10),
        Signal(name="active 7 days running", kind="active_streak", points=25, at_least=7),
        Signal(name="free-plan limit hit", kind="limit_hit", points=30),
        Signal(name="pricing page seen twice", kind="pricing_viewed", points=15, at_least=2),
        Signal(name="premium feature tried", kind="premium_tried", points=20),
        Signal(name="payment details entered", kind="payment_details", points=40),
        Signal(name="company size in profile", kind="company_size", points=10),
        Signal(name="industry in profile", kind="industry", points=10),
    ]


def _tiers() -> list[Tier]:
    starts = {"nurture": 0, "upgrade campaign": 41, "inside sales": 65, "account executive": 100}
    return [Tier(name=name, from_=points) for name, points in starts.items()]


def _check_signals(signals: list[Signal]) -> list[Signal]:
    names = [each.name for each in signals]
    again = sorted({each for each in names if names.count(each) > 1})
    if again:
        raise fault(
            "clash", f"has {', '.join(map(repr, again))} more than once; expected a name of its own for each."
        )
    return signals


def _check_tiers(tiers: list[Tier]) -> list[Tier]:
    starts = [each.from_ for each in tiers]
    if not starts or starts[0] != 0 or any(b <= a for a, b in itertools.pairwise(starts)):
        found = ", ".join(f"{each:g}" for each in starts) or "nothing"
        raise fault("clash", f"begin at {found}; expected a first tier from 0 and each next one higher.")
    return tiers


class Pql(Section):
    """Product-qualified leads: signals, their points and what is done at which score."""

    threshold: Points = Field(65, description="Points from which an account is a lead.", examples=[80])
    lifespan_days: Days | None = Field(
        None,
        description="Days until a signal is worth nothing, losing the same every day; without it, no decay.",
        examples=[90],
    )
    within_days: Days = Field(
        90, description="Days from qualifying in which a first payment counts.", examples=[60]
    )
    weekly_capacity: Count = Field(20, description="Leads that the team can call in a week.", examples=[50])
    marketing_events: Names = Field(
        default_factory=list,
        description="Events that make an account a marketing-qualified lead, from the first of them on.",
        examples=[["demo_requested", "guide_downloaded"]],
    )
    marketing_column: Name | None = Field(
        None,
        description="Column of accounts or people that tells marketing-qualified leads, as it stands on the last day; they count as such from their creation. Without `marketing_events` only.",
        examples=["lifecycle_stage"],
    )
    marketing_values: Names = Field(
        default_factory=list,
        description="Values of that column that mean yes; without them, any value but no and false.",
        examples=[["mql", "sql"]],
    )
    signals: Annotated[list[Signal], AfterValidator(_check_signals)] = Field(
        default_factory=_signals,
        description="All signals; a list given here takes the place of the defaults.",
        examples=[
            [
                {"name": "invited a few", "kind": "invited", "points": 10, "at_most": 3, "within_days": 14},
                {"name": "invited a team", "kind": "invited", "points": 25, "at_least": 4},
                {"name": "made an API key", "kind": "event", "points": 30, "events": ["api_key_created"]},
            ]
        ],
    )
    tiers: Annotated[list[Tier], AfterValidator(_check_tiers)] = Field(
        default_factory=_tiers,
        description="Tiers in rising order, the first from 0.",
        examples=[[{"name": "nurture", "from": 0}, {"name": "sales", "from": 65}]],
    )


class Target(Section):
    """What a measure should reach, and by when."""

    value: Number = Field(description="The value wanted, in the measure's unit.", examples=[0.55])
    due: Annotated[dt.date, Field(strict=False)] | None = Field(
        None, description="Day by which it should be reached.", examples=[dt.date(2026, 12, 31)]
    )
    better: Literal["higher", "lower"] | None = Field(
        None,
        description="Which side of the value is good; without it, as the measure says.",
        examples=["higher"],
    )
    grain: Literal["day", "week", "month", "quarter"] | None = Field(
        None,
        description="Length of the period that the value is for; a count has another target for a week than for a month.",
        examples=["month"],
    )
    guardrail: bool = Field(
        False, description="A line that must hold: a run of reports fails when it is missed.", examples=[True]
    )
