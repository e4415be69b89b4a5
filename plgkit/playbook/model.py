"""The playbook: what a product means by its words. An attribute's path is its path in playbook.toml."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from plgkit.schema import TABLES

from .goals import Experiment, Fit, Pql, Target
from .journey import (
    Activation, Activity, Channels, Conversion, Engagement, Features, Invites, Limits, Onboarding, Payment, Pricing,
    Roles, Trial, Visits,
)
from .section import Section, check_known, fault
from .source import DataRules, LeaveOut, Product, Sessions, TableMap

STAGES = ("acquisition", "activation", "engagement", "retention", "conversion", "pql", "expansion", "advocacy", "experiments")


def _check_tables(tables: dict[str, TableMap]) -> dict[str, TableMap]:
    check_known(tables, TABLES, what="table")
    for name, each in tables.items():
        check_known([*each.columns, *each.constants], TABLES[name].names, what=f"column of table {name!r}")
    return tables


def _check_targets(targets: dict[str, Target]) -> dict[str, Target]:
    for name in targets:
        if not re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", name):
            raise fault("unknown", "no measure", names={name: "A target is named stage.measure, in quotes: "
                                                        '[targets."activation.rate"].'}, what="measure")
    check_known([name.partition(".")[0] for name in targets], STAGES, what="stage")
    return targets


class Playbook(Section):
    """What a product means by its words: `Playbook()` holds the defaults, `read_playbook` reads a file.

    Examples
    --------
    >>> playbook = Playbook(activation={"event": "report_created"})
    >>> playbook.activation.within_days, playbook.product.time_zone, len(playbook.pql.signals)
    (7, 'UTC', 14)
    """

    product: Product = Field(default_factory=Product, description="The product itself.")
    data: DataRules = Field(default_factory=DataRules, description="How rows are cleaned.")
    tables: Annotated[dict[str, TableMap], AfterValidator(_check_tables)] = Field(
        default_factory=dict, description="Where each table comes from.")
    leave_out: LeaveOut = Field(default_factory=LeaveOut, description="People and accounts that are in no measure.")
    sessions: Sessions = Field(default_factory=Sessions, description="What one session is.")
    activity: Activity = Field(default_factory=Activity, description="Which events make a person active.")
    activation: Activation = Field(default_factory=Activation, description="The moment of first value.")
    onboarding: Onboarding = Field(default_factory=Onboarding, description="The steps of a newcomer.")
    features: Features = Field(default_factory=Features, description="Events by what they mean.")
    visits: Visits = Field(default_factory=Visits, description="From a visit to a signup.")
    trial: Trial = Field(default_factory=Trial, description="The trial of a paid plan.")
    conversion: Conversion = Field(default_factory=Conversion, description="From free to paid.")
    limits: Limits = Field(default_factory=Limits, description="The limits of the free plan.")
    pricing: Pricing = Field(default_factory=Pricing, description="The pricing page.")
    payment: Payment = Field(default_factory=Payment, description="The means of payment.")
    channels: Channels = Field(default_factory=Channels, description="Where people come from.")
    roles: Roles = Field(default_factory=Roles, description="Roles of people.")
    invites: Invites = Field(default_factory=Invites, description="Invitations and shared links.")
    engagement: Engagement = Field(default_factory=Engagement, description="The engagement score.")
    fit: Fit = Field(default_factory=Fit, description="The ideal customer.")
    pql: Pql = Field(default_factory=Pql, description="Product-qualified leads.")
    targets: Annotated[dict[str, Target], AfterValidator(_check_targets)] = Field(
        default_factory=dict, description="What measures should reach.")
    experiments: dict[str, Experiment] = Field(default_factory=dict, description="Experiments by name.")
