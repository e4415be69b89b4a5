"""The true parameters from which the made-up company grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType


@dataclass(frozen=True)
class Channel:
    """One channel: its part of the founders, and the true rates of the people it brings."""

    founders: float
    activates: float
    visits_to_signup: float
    cost_per_signup: float = 0.0


@dataclass(frozen=True)
class Activation:
    """The first finished card. `curiosity_adds` is per standard deviation of the hidden trait."""

    event: str = "card_finished"
    in_first_session: float = 0.875
    first_session_median_minutes: float = 7.2
    first_session_spread: float = 0.75
    later_mean_days: float = 4.0
    curiosity_adds: float = 0.15
    card_without_it: float = 0.40
    profile: float = 0.96
    board_without_card: float = 0.55
    invites_with_it: float = 0.85
    invites_with_card: float = 0.66

    @property
    def by_day_7(self) -> float:
        """Share of all who ever activate that does so within seven days."""
        later = 1 - 2.718281828 ** (-6 / self.later_mean_days)
        return self.in_first_session + (1 - self.in_first_session) * later


@dataclass(frozen=True)
class Retention:
    """Who stays after the first week is one coin; activation alone changes its odds."""

    stays_if_activated: float = 0.60
    stays_if_not: float = 0.12
    stay_mean_weeks: float = 130.0
    paying_stay_longer: float = 3.0
    comes_back: float = 0.12
    gap_mean_weeks: float = 9.0
    second_stay_mean_weeks: float = 14.0
    first_week_daily: float = 0.12
    first_week_daily_activated: float = 0.08
    first_week_daily_curiosity: float = 0.05
    second_week_daily: float = 0.20
    daily: float = 0.44
    daily_spread: float = 0.30
    week_off: float = 0.05
    more_sessions: float = 0.37
    events_per_session: float = 2.2
    features: tuple[float, ...] = (0.95, 0.85, 0.68, 0.58, 0.52)


@dataclass(frozen=True)
class Growth:
    """Sign-ups, invitations and shared links."""

    monthly: float = 0.05
    more_invites: float = 0.75
    invite_accepted: float = 0.33
    accept_median_hours: float = 16.0
    accept_spread: float = 1.2
    later_invites: float = 0.12
    shares_link_if_activated: float = 0.26
    shares_link_if_not: float = 0.06
    link_accepted: float = 0.32


@dataclass(frozen=True)
class Experiment:
    """One experiment, half of the people in each variant."""

    variants: tuple[str, str]
    first_day: date
    last_day: date
    effect: float
    on: str


@dataclass(frozen=True)
class Money:
    """Chances in log-odds, so that `need` and the signals add up."""

    limit_hit: float = -1.0
    integration: float = -1.4
    premium: float = -1.5
    trial: float = -1.2
    trial_per_need: float = 0.8
    pays: float = -4.62
    pays_per: MappingProxyType[str, float] = field(
        default_factory=lambda: MappingProxyType(
            {
                "limit_hit": 0.9,
                "pricing_twice": 0.8,
                "integration": 0.5,
                "premium": 0.7,
                "fit": 0.5,
                "activated": 0.9,
                "trial": 1.6,
                "need": 0.5,
            }
        )
    )
    trial_days: int = 14
    sales_share_of_large: float = 0.65
    checkout_finished: float = 0.62
    price: MappingProxyType[str, float] = field(
        default_factory=lambda: MappingProxyType({"team": 12.0, "business": 20.0})
    )
    monthly_churn: float = 0.015
    monthly_expansion: float = 0.05
    monthly_contraction: float = 0.018
    monthly_upgrade: float = 0.012
    comes_back: float = 0.2


@dataclass(frozen=True)
class Dirt:
    """Shares of rows, unless named otherwise, that are made as bad as real ones."""

    duplicates: float = 0.004
    late: float = 0.008
    fast_clock: float = 0.003
    wild_times_per_million: float = 20.0
    no_person: float = 0.0005
    broken_properties: float = 0.0001
    bots_per_thousand: float = 1.5
    bot_events_a_day: float = 12.0
    internal_people: int = 12
    unknown_people_per_thousand: float = 1.0
    missing_day: date = date(2025, 11, 12)


@dataclass(frozen=True)
class Story:
    """All true parameters of the company."""

    channels: MappingProxyType[str, Channel] = field(
        default_factory=lambda: MappingProxyType(
            {
                "organic_search": Channel(0.265, 0.43, 0.0234),
                "direct": Channel(0.175, 0.42, 0.0278),
                "paid_search": Channel(0.34, 0.38, 0.0224, 31.0),
                "paid_social": Channel(0.22, 0.30, 0.0134, 24.0),
                "referral": Channel(0.0, 0.52, 0.045),
                "invite": Channel(0.0, 0.575, 0.28),
            }
        )
    )
    activation: Activation = Activation()
    retention: Retention = Retention()
    growth: Growth = Growth()
    money: Money = Money()
    dirt: Dirt = Dirt()
    experiments: MappingProxyType[str, Experiment] = field(
        default_factory=lambda: MappingProxyType(
            {
                "guided_start": Experiment(
                    ("control", "guided"), date(2026, 1, 12), date(2026, 5, 31), 0.05, "card_finished"
                ),
                "button_color": Experiment(
                    ("green", "orange"), date(2026, 2, 2), date(2026, 4, 12), 0.0, "pricing_viewed"
                ),
            }
        )
    )
    decoys: tuple[str, ...] = ("tour_watched", "template_browsed", "theme_changed")


STORY = Story()


def plain(value: object) -> object:
    """Turn parameters into dicts, lists, numbers and text, as JSON has them."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if hasattr(value, "items"):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value
