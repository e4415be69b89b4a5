"""The section about recurring revenue: which table tells it, and what counts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .section import Currency, Name, Section

KINDS = ("subscription", "add_on", "usage", "proration", "discount", "one_off_discount", "one_off", "credit", "refund",
         "tax")
"""What a line of an invoice can be."""

STATUSES = ("active", "trialing", "past_due", "paused", "unpaid", "canceled", "paid", "open", "uncollectible", "void",
            "draft")
"""What a subscription, or an invoice, can be."""

Kind = Literal["subscription", "add_on", "usage", "proration", "discount", "one_off_discount", "one_off", "credit",
               "refund", "tax"]
Status = Literal["active", "trialing", "past_due", "paused", "unpaid", "canceled", "paid", "open", "uncollectible",
                 "void", "draft"]
Counting = Literal["counts", "stops"]
Reducing = Literal["ignore", "reduce"]
Rate = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]


class Revenue(Section):
    """Recurring revenue: which table tells what accounts pay, and what of it counts.

    Tax, one-off fees, free plans and trials never count, nor do invoices that are void, drafts, unpaid or written off.
    """

    source: Literal["changes", "periods", "invoices"] | None = Field(
        None,
        description="The table that tells: `subscriptions`, `subscription_periods` or `invoice_lines`. Without it, the "
        "first of them that is there.",
        examples=["invoices"],
    )
    past_due: Counting = Field(
        "counts", description="A subscription or invoice whose payment is late.", examples=["stops"]
    )
    paused: Counting = Field("stops", description="A subscription that is paused.", examples=["counts"])
    usage: Literal["leave_out", "count"] = Field(
        "leave_out",
        description="Lines of metered usage, which are no promise for the next month.",
        examples=["count"],
    )
    refunds: Reducing = Field(
        "ignore",
        description="Money given back. A credit note (kind `credit`) always reduces, over the service it corrects.",
        examples=["reduce"],
    )
    one_off_discounts: Reducing = Field(
        "ignore",
        description="Discounts for once or for some months. A lasting one (kind `discount`) always reduces.",
        examples=["reduce"],
    )
    churn_at: Literal["end of service", "cancellation"] = Field(
        "end of service",
        description="When an account that cancels stops paying: when what was paid for ends, or when it asked.",
        examples=["cancellation"],
    )
    bridge_days: int = Field(
        0,
        ge=0,
        le=366,
        description="A gap of at most so many days without service, such as a late renewal, is no churn. As long as "
        "it may still be closed, the account counts as paying.",
        examples=[7],
    )
    service_end: Literal["next day", "last day"] = Field(
        "next day",
        description="What `service_to` and `ended_at` say: the first day without service, or the last one with it.",
        examples=["last day"],
    )
    service_months: Annotated[int, Field(ge=1, le=120)] | None = Field(
        None,
        description="Months that a line without `service_to` pays for, such as a plain monthly payment.",
        examples=[1],
    )
    rates: dict[Currency, Rate] = Field(
        default_factory=dict,
        description="What one of each other currency is worth in the product's. It holds for all days, so that no "
        "movement comes from rates.",
        examples=[{"EUR": 1.08}],
    )
    kinds: dict[Name, Kind] = Field(
        default_factory=dict,
        description="The source's word in `kind` = what it means.",
        examples=[{"invoiceitem": "one_off"}],
    )
    statuses: dict[Name, Status] = Field(
        default_factory=dict,
        description="The source's word in `status` = what it means.",
        examples=[{"non_renewing": "active"}],
    )
    brief: Literal["ignore", "both"] = Field(
        "ignore",
        description="An account that pays at neither end of a period but inside it: as if it never had, or both new "
        "and churned.",
        examples=["both"],
    )
