"""Conversion: who starts to pay, how soon, and how much?"""

from __future__ import annotations

from plgkit.metrics.conversion.checkout import checkout_completion
from plgkit.metrics.conversion.money import arpa, contract_value
from plgkit.metrics.conversion.rates import free_to_paid, trial_to_paid
from plgkit.metrics.conversion.waiting import time_to_paid, time_to_paid_curve

__all__ = ["arpa", "checkout_completion", "contract_value", "free_to_paid", "time_to_paid", "time_to_paid_curve", "trial_to_paid"]
