"""The playbook: what a product means by its words. An attribute's path is its path in playbook.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from plgkit.errors import nearest
from plgkit.schema import TABLES

from .goals import Experiment, Fit, Pql, Target
from .journey import (
    Activation,
    Activity,
    Channels,
    Conversion,
    Engagement,
    Features,
    Invites,
    Limits,
    Onboarding,
    Payment,
    Pricing,
    Roles,
    Surveys,
    Trial,
    Visits,
)
from .revenue import Revenue
from .section import Section, Strange, fault, strange
from .source import DataRules, LeaveOut, Product, Sessions, TableMap

STAGES = (
    "acquisition",
    "activation",
    "engagement",
    "retention",
    "conversion",
    "pql",
    "expansion",
    "advocacy",
    "experiments",
)


def strange_names(found: Mapping[str, Any]) -> list[Strange]:
    """Find the names of tables, columns and measures that nobody knows, in a playbook or in its TOML data."""
    tables, targets = found.get("tables"), found.get("targets")
    return [
        *_strange_tables(tables if isinstance(tables, dict) else {}),
        *_strange_targets(targets if isinstance(targets, dict) else {}),
    ]


def _strange_tables(tables: Mapping[str, Any]) -> list[Strange]:
    found = strange(tables, TABLES, what="table", under=("tables",))
    for name in TABLES.keys() & tables.keys():
        each = tables[name] if isinstance(tables[name], dict) else dict(tables[name])
        for part in ("columns", "constants"):
            names = each.get(part)
            found += strange(
                names if isinstance(names, dict) else {},
                TABLES[name].names,
                what=f"column of the table {name!r}",
                under=("tables", name, part),
            )
    return found


def _strange_targets(targets: Mapping[str, Any]) -> list[Strange]:
    hints = {}
    for name, each in targets.items():
        stage, _, measure = name.partition(".")
        inner = (
            next((key for key, value in each.items() if isinstance(value, dict)), None)
            if isinstance(each, dict)
            else None
        )
        if inner is not None:
            # Without quotes TOML makes two tables of stage and measure.
            hints[name] = f'Write the name in quotes: [targets."{name}.{inner}"].'
        elif not re.fullmatch("[a-z][a-z0-9_]*", measure):
            hints[name] = 'A target is named stage.measure, for example [targets."activation.rate"].'
        elif stage not in STAGES:
            hints[name] = f"No stage {stage!r}. {nearest(stage, STAGES)}"
    return [(("targets", name), "measure", hint) for name, hint in hints.items()]


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
    tables: dict[str, TableMap] = Field(default_factory=dict, description="Where each table comes from.")
    leave_out: LeaveOut = Field(
        default_factory=LeaveOut, description="People and accounts that are in no measure."
    )
    sessions: Sessions = Field(default_factory=Sessions, description="What one session is.")
    activity: Activity = Field(default_factory=Activity, description="Which events make a person active.")
    activation: Activation = Field(default_factory=Activation, description="The moment of first value.")
    onboarding: Onboarding = Field(default_factory=Onboarding, description="The steps of a newcomer.")
    features: Features = Field(default_factory=Features, description="Events by what they mean.")
    visits: Visits = Field(default_factory=Visits, description="From a visit to a sign-up.")
    trial: Trial = Field(default_factory=Trial, description="The trial of a paid plan.")
    conversion: Conversion = Field(default_factory=Conversion, description="From free to paid.")
    revenue: Revenue = Field(default_factory=Revenue, description="Recurring revenue.")
    limits: Limits = Field(default_factory=Limits, description="The limits of the free plan.")
    pricing: Pricing = Field(default_factory=Pricing, description="The pricing page.")
    payment: Payment = Field(default_factory=Payment, description="The means of payment.")
    channels: Channels = Field(default_factory=Channels, description="Where people come from.")
    roles: Roles = Field(default_factory=Roles, description="Roles of people.")
    invites: Invites = Field(default_factory=Invites, description="Invitations and shared links.")
    surveys: Surveys = Field(default_factory=Surveys, description="What people are asked.")
    engagement: Engagement = Field(default_factory=Engagement, description="The engagement score.")
    fit: Fit = Field(default_factory=Fit, description="The ideal customer.")
    pql: Pql = Field(default_factory=Pql, description="Product-qualified leads.")
    targets: dict[str, Target] = Field(default_factory=dict, description="What measures should reach.")
    experiments: dict[str, Experiment] = Field(default_factory=dict, description="Experiments by name.")

    @model_validator(mode="after")
    def _names_known(self) -> Playbook:
        found = strange_names({"tables": self.tables, "targets": self.targets})
        if found:
            raise fault(
                "unknown", " ".join(f"{path[-1]!r} is not a {what}. {hint}" for path, what, hint in found)
            )
        return self
