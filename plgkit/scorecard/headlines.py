"""Which measures stand on the scorecard, and under what name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plgkit.errors import UnknownMeasure
from plgkit.metrics import registry

if TYPE_CHECKING:
    from plgkit.sources.data import Data

ALL = "all"


@dataclass(frozen=True)
class Headline:
    """One line of the scorecard: a measure, what to call it, and which of its values stands for it.

    `settled` names the playbook's days after which a period of a distribution is final. `own` lines count only
    those who came through the stages before, so that they fall for what happens in their own stage; one that is about a
    choice `of` those whom another line counts falls for its own stage only by what that one does not fall.
    """

    measure: str
    label: str
    parameters: dict[str, Any] = field(default_factory=dict)
    column: str = "value"
    settled: str | None = None
    own: bool = False
    of: str | None = None


def _own(measure: str, label: str, **parameters: Any) -> Headline:
    return Headline(measure, label, parameters, own=True)


def _median(measure: str, label: str, settled: str) -> Headline:
    return Headline(measure, label, column="median_among", settled=settled)


HEADLINES = (
    Headline("acquisition.signups", "Sign-ups"),
    Headline("acquisition.signup_growth", "Growth of sign-ups"),
    Headline("acquisition.organic_share", "Organic share"),
    _own("acquisition.visitor_to_signup", "Visitor to sign-up"),
    _median("acquisition.time_to_signup", "Time to sign-up", "visits.signup_within_days"),
    Headline("acquisition.cost_per_signup", "Cost of a sign-up", {"by": None}),
    _own("activation.rate", "Activation"),
    _own("activation.day1_rate", "Activation on day one"),
    _median("activation.time_to_value", "Time to value", "activation.within_days"),
    _own("activation.onboarding_completion", "Onboarding finished"),
    _own("activation.core_feature_adoption", "Core features tried"),
    Headline("engagement.active_people", "Active people"),
    _own("engagement.stickiness", "Stickiness"),
    _own("engagement.session_frequency", "Sessions a week"),
    _own("engagement.feature_breadth", "Features used"),
    Headline("retention.day_n", "Retention, day 7", {"day": 7}),
    _own("retention.activated_day_n", "Activated, back in week two", day=7, until=13),
    _own("retention.user_churn", "Churn of people"),
    Headline("retention.quick_ratio", "Quick ratio of people"),
    Headline("conversion.free_to_paid", "Free to paid"),
    _own("conversion.trial_to_paid", "Trial to paid"),
    _own("conversion.upgrade_after_activation", "Activated to paid"),
    _median("conversion.time_to_paid", "Time to paid", "conversion.within_days"),
    _own("conversion.checkout_completion", "Checkout finished"),
    Headline("conversion.arpa", "Revenue per account"),
    Headline("conversion.contract_value", "Contract value"),
    Headline("pql.leads", "Qualified accounts"),
    Headline("pql.to_customer", "Qualified to customer", own=True, of="conversion.free_to_paid"),
    Headline("expansion.mrr", "Recurring revenue"),
    _own("expansion.nrr", "Net revenue retention"),
    _own("expansion.grr", "Gross revenue retention"),
    _own("expansion.gross_churn", "Churn of revenue"),
    Headline("expansion.revenue_quick_ratio", "Quick ratio of revenue"),
    Headline("advocacy.k_factor", "Invitees per sign-up"),
    _own("advocacy.invite_acceptance", "Invitations accepted"),
    Headline("advocacy.viral_signups", "Sign-ups by invitation"),
    Headline("advocacy.sharing_rate", "People who share"),
    Headline("advocacy.nps", "Promoter score"),
)

# Measures that have one value per period only when asked in a certain way.
_ASKED = {"acquisition.cac": {"by": None}, "acquisition.cac_payback": {"by": None}, "acquisition.ltv_to_cac": {"by": None}}


def chosen(data: Data, measures: Iterable[str] | str | None) -> list[Headline]:
    """The lines asked for, in the order of the stages: the headlines, those named, or every rate and total.

    Raises
    ------
    UnknownMeasure
        If a name is not in the catalogue.
    """
    known, headlines = registry.measures(), {each.measure: each for each in HEADLINES}
    if measures is None:
        names = [*headlines, *data.playbook.targets]
    elif measures == ALL:
        names = [*headlines, *(name for name, each in known.items() if each.shape in ("rate", "total")), *_ASKED]
    else:
        names = [measures] if isinstance(measures, str) else list(measures)
    for name in names:
        if name not in known and name not in headlines:
            raise UnknownMeasure(name, known)
    found = {name: headlines.get(name) or Headline(name, label_of(name), _ASKED.get(name, {})) for name in names if name in known}
    return sorted(found.values(), key=lambda each: registry.STAGES.index(known[each.measure].stage))


def label_of(name: str) -> str:
    """A measure's name as words."""
    words = name.partition(".")[2].replace("_", " ")
    return words[0].upper() + words[1:]
