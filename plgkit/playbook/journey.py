"""The sections about a customer's way: from activation through trial and payment to invitations."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field, model_validator

from .section import Count, Days, Name, Names, Points, Section, fault


class Activity(Section):
    """Which events make a person active."""

    events: Names | None = Field(
        None,
        description="Only these events; without it, all.",
        examples=[["report_created", "report_viewed"]],
    )
    except_: Names = Field(
        default_factory=list,
        alias="except",
        description="Events that never count, such as those a server sends.",
        examples=[["email_sent"]],
    )


class Condition(Section):
    """One condition of an activation rule."""

    event: Name | Names = Field(
        description="Event, or list of events of which any counts.", examples=["report_created"]
    )
    at_least: Count = Field(1, description="How often.", examples=[3])
    where: dict[Name, Any] = Field(
        default_factory=dict,
        description="Property = what it must be: a value, a list of values, or operators (eq, ne, in, not_in, contains, set, >, >=, <, <=).",
        examples=[{"plan": ["team", "business"]}],
    )


class Activation(Section):
    """The moment of first value: one event, or a rule of several conditions."""

    event: Name | None = Field(None, description="Event that means first value.", examples=["report_created"])
    rule: list[Condition] = Field(
        default_factory=list,
        description="Instead of an event: conditions that must all be met.",
        examples=[[{"event": "report_created", "at_least": 3}, {"event": ["invite_sent", "link_shared"]}]],
    )
    within_days: Days = Field(
        7, description="Days allowed, from the second of sign-up; the last second counts.", examples=[14]
    )
    silent_days: Days = Field(
        14,
        description="Days in a row without activity after which a person who has not activated counts as having left.",
        examples=[7],
    )

    @model_validator(mode="after")
    def _one_way(self) -> Activation:
        if self.event is not None and self.rule:
            raise fault("clash", "has both event and rule; expected one of them.")
        return self


class Onboarding(Section):
    """The steps of a newcomer, in order."""

    steps: Names = Field(
        default_factory=list,
        description="Events, the first step first; a step stands once.",
        examples=[["signed_up", "source_connected", "report_created"]],
    )
    within_days: Days = Field(14, description="Days allowed from the first step to the last.", examples=[7])


class Features(Section):
    """Events by what they mean for the use of the product."""

    core: Names = Field(
        default_factory=list,
        description="One event per core feature.",
        examples=[["report_created", "alert_set"]],
    )
    create: Names = Field(
        default_factory=list, description="Events that create an item.", examples=[["report_created"]]
    )
    integration: Names = Field(
        default_factory=list, description="Events that connect another tool.", examples=[["source_connected"]]
    )
    premium: Names = Field(
        default_factory=list,
        description="Events of features that only a paid plan keeps.",
        examples=[["forecast_opened"]],
    )


class Visits(Section):
    """From a visit to a sign-up."""

    signup_within_days: Days = Field(
        30,
        description="Days from a visitor's first visit in which a sign-up still counts for it.",
        examples=[7],
    )


class Trial(Section):
    """The trial of a paid plan."""

    days: Days = Field(14, description="Length of the trial.", examples=[30])
    start_event: Name | None = Field(
        None,
        description="Event that starts a trial, where accounts carry no trial_started_at.",
        examples=["trial_started"],
    )
    pay_within_days: Days = Field(
        30,
        description="Days from the start of a trial in which a first payment counts as its result.",
        examples=[45],
    )
    card_first: bool | None = Field(
        None,
        description="Whether a trial asks for a card at its start; shown beside the rate.",
        examples=[True],
    )


class Conversion(Section):
    """From free to paid."""

    within_days: Days = Field(
        90, description="Days from sign-up in which a first payment counts.", examples=[60]
    )
    checkout_started: Name | None = Field(
        None, description="Event that opens a self-serve checkout.", examples=["checkout_opened"]
    )
    checkout_finished: Name | None = Field(
        None, description="Event that completes it.", examples=["checkout_done"]
    )


class Limits(Section):
    """The limits of the free plan."""

    event: Name | None = Field(
        None, description="Event sent when a person hits a limit.", examples=["limit_hit"]
    )


class Pricing(Section):
    """The pricing page."""

    event: Name | None = Field(
        None, description="Event sent when a person sees it.", examples=["pricing_viewed"]
    )


class Payment(Section):
    """The means of payment."""

    event: Name | None = Field(
        None, description="Event sent when payment details are entered.", examples=["card_added"]
    )


class Channels(Section):
    """Where people come from."""

    paid: Names = Field(
        default_factory=list,
        description="Channels that cost money; all others are organic.",
        examples=[["ads", "affiliate"]],
    )


class Roles(Section):
    """Roles of people, as in the role column of users."""

    viewer: Names = Field(
        default_factory=list, description="Roles that only look.", examples=[["viewer", "guest"]]
    )
    editor: Names = Field(
        default_factory=list, description="Roles that make things.", examples=[["editor", "admin"]]
    )


class Invites(Section):
    """Invitations and shared links."""

    within_days: Days = Field(
        14,
        description="Days from an invitation to its acceptance, and for an invitee to activate.",
        examples=[7],
    )


class Surveys(Section):
    """Surveys of satisfaction and of who would recommend the product."""

    shown: Names = Field(
        default_factory=list,
        description="Events sent when a person is asked; their property `survey`, where there is one, says for what. Without them, events whose names say so.",
        examples=[["survey_shown"]],
    )
    answer_within_days: Days = Field(
        7, description="Days from being asked in which an answer is one to it.", examples=[14]
    )


class Weights(Section):
    """The weights of the engagement score. They sum to 1."""

    breadth: Points = Field(0.4, description="Weight of how many core features are used.", examples=[0.5])
    depth: Points = Field(0.3, description="Weight of how much is done.", examples=[0.25])
    frequency: Points = Field(0.3, description="Weight of on how many days.", examples=[0.25])

    @model_validator(mode="after")
    def _sum_to_one(self) -> Weights:
        total = self.breadth + self.depth + self.frequency
        if not math.isclose(total, 1, abs_tol=1e-6):
            raise fault("clash", f"sum to {total:g}; expected weights that sum to 1.")
        return self


class Engagement(Section):
    """The engagement score of a person, 0 to 100."""

    weights: Weights = Field(
        default_factory=Weights,
        description="What the score is made of; the three sum to 1.",
        examples=[{"breadth": 0.5, "depth": 0.25, "frequency": 0.25}],
    )
    full_actions: Count = Field(
        3, description="Uses of core features on an active day that count as full depth.", examples=[5]
    )
    full_days: Days = Field(
        20, description="Active days in four weeks that count as full frequency.", examples=[8]
    )
