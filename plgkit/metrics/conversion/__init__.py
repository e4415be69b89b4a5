"""Conversion: who starts to pay, how soon, and how much?"""

from __future__ import annotations

from plgkit.metrics.conversion.before import usage_before_paying
from plgkit.metrics.conversion.checkout import checkout_completion
from plgkit.metrics.conversion.drivers import drivers
from plgkit.metrics.conversion.money import arpa, arpu, contract_value
from plgkit.metrics.conversion.motions import by_motion
from plgkit.metrics.conversion.orders import repeat_buying
from plgkit.metrics.conversion.rates import free_to_paid, trial_to_paid, upgrade_after_activation
from plgkit.metrics.conversion.returning import buying_forecast
from plgkit.metrics.conversion.trials import revenue_per_trial
from plgkit.metrics.conversion.waiting import time_to_paid, time_to_paid_curve

__all__ = [
    "arpa", "arpu", "buying_forecast", "by_motion", "checkout_completion", "contract_value", "drivers",
    "free_to_paid", "repeat_buying", "revenue_per_trial", "time_to_paid", "time_to_paid_curve", "trial_to_paid",
    "upgrade_after_activation", "usage_before_paying",
]
