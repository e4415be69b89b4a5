"""The section about experiments: what is written down before a result is seen."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from .section import Count, Days, Name, Section, Share, fault

Looked = Literal["share", "mean", "ratio", "quantile", "time"]
Role = Literal["primary", "secondary", "guardrail"]


class Metric(Section):
    """One thing an experiment is judged by."""

    name: Name = Field(description="Name shown with its result.", examples=["reports per person"])
    event: Name = Field(description="Event it counts.", examples=["report_created"])
    kind: Looked = Field(
        "share",
        description="What is compared: the share of people who do the event, the mean number of events per person, the ratio of two such sums (see `over`), a quantile of the number per person, or of the seconds until the first.",
        examples=["mean"],
    )
    role: Role = Field(
        "secondary",
        description="The primary metric decides, secondary ones explain, a guardrail must not get worse by more than `margin`.",
        examples=["guardrail"],
    )
    over: Name | None = Field(
        None, description="Event that stands below the line, for kind ratio only.", examples=["signed_in"]
    )
    amount: Name | None = Field(
        None,
        description="Property of the event that is added up instead of counting, such as what was paid; for kinds mean, ratio and quantile.",
        examples=["price"],
    )
    q: Share = Field(0.5, description="Which quantile, for kinds quantile and time.", examples=[0.9])
    within_days: Days | None = Field(
        None, description="Days from first exposure that count; without it, the experiment's.", examples=[28]
    )
    before_days: Days = Field(
        28,
        description="Days before the first exposure in which the same is counted to explain away differences between people (CUPED).",
        examples=[14],
    )
    better: Literal["higher", "lower"] = Field(
        "higher", description="Which side is good.", examples=["lower"]
    )
    margin: Share | None = Field(
        None,
        description="By which part of the control's value a guardrail may get worse; for guardrails only.",
        examples=[0.05],
    )

    @model_validator(mode="after")
    def _agree(self) -> Metric:
        if (self.kind == "ratio") != (self.over is not None):
            raise fault("clash", f"is of kind {self.kind!r} and over {self.over!r}; expected over with kind 'ratio' and only there.")
        if self.amount is not None and self.kind in ("share", "time"):
            raise fault("clash", f"is of kind {self.kind!r} with an amount; expected kind 'mean', 'ratio' or 'quantile'.")
        if (self.role == "guardrail") != (self.margin is not None):
            raise fault("clash", f"has the role {self.role!r} and the margin {self.margin!r}; expected a margin for a guardrail and only there.")
        return self


class Experiment(Section):
    """One experiment, as written down before its result is seen."""

    control: Name = Field(
        "control", description="Variant the others are compared with.", examples=["old_page"]
    )
    metric_event: Name | None = Field(
        None,
        description="Event that counts as success; without it, the primary of `metrics`, and without that, activation.",
        examples=["report_created"],
    )
    within_days: Days = Field(
        14, description="Days from first exposure in which success counts.", examples=[7]
    )
    hypothesis: str = Field(
        "",
        description="What is expected and why.",
        examples=["A template to start from lets more people finish a report."],
    )
    shares: dict[str, Share] | None = Field(
        None,
        description="Planned share of each variant; they sum to 1. Without it, equal shares.",
        examples=[{"old_page": 0.5, "template": 0.5}],
    )
    principle: str | None = Field(
        None, description="The principle it rests on.", examples=["Show an example before asking for work."]
    )
    worth: Share | None = Field(
        None,
        description="Smallest relative change of the primary metric that would be worth having; the plan says how many people it takes to find it.",
        examples=[0.1],
    )
    exposes: Literal["signups", "active"] = Field(
        "signups",
        description="Who meets it, for planning: people as they sign up, or people at the first thing they do while it runs.",
        examples=["active"],
    )
    people: Count = Field(
        5000,
        description="People expected in all, said before the start: always-valid intervals are narrowest there, and valid everywhere.",
        examples=[20000],
    )
    metrics: list[Metric] = Field(
        default_factory=list,
        description="More to judge it by; the share of people with `metric_event` is the primary unless one of them is.",
        examples=[[
            {"name": "reports per person", "event": "report_created", "kind": "mean", "before_days": 14},
            {"name": "paid per person", "event": "checkout_finished", "kind": "mean", "amount": "price", "within_days": 28},
            {"name": "reports per visit", "event": "report_created", "kind": "ratio", "over": "signed_in"},
            {"name": "slowest starts", "event": "report_created", "kind": "time", "q": 0.9, "better": "lower"},
            {"name": "keeps sharing", "event": "report_shared", "role": "guardrail", "margin": 0.1},
        ]],
    )

    @model_validator(mode="after")
    def _shares_add_up(self) -> Experiment:
        if self.shares is None:
            return self
        if not math.isclose(sum(self.shares.values()), 1, abs_tol=1e-6):
            raise fault("clash", f"has shares that sum to {sum(self.shares.values()):g}; expected 1.")
        if self.control not in self.shares:
            raise fault(
                "clash",
                f"has the control {self.control!r}, which is not in shares: {', '.join(self.shares)}.",
            )
        return self

    @model_validator(mode="after")
    def _one_primary(self) -> Experiment:
        names = [each.name for each in self.metrics]
        again = sorted({each for each in names if names.count(each) > 1})
        if again:
            raise fault("clash", f"has the metric {', '.join(map(repr, again))} more than once; expected a name of its own for each.")
        first = [each.name for each in self.metrics if each.role == "primary"]
        if len(first) > 1:
            raise fault("clash", f"has the primary metrics {', '.join(map(repr, first))}; expected one.")
        if first and self.metric_event:
            raise fault("clash", f"has metric_event and the primary metric {first[0]!r}; expected one of the two.")
        return self
