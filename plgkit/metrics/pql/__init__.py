"""Product-qualified leads: which accounts are ready to buy, by what they do?"""

from __future__ import annotations

from plgkit.metrics.pql.backtest import backtest, calibration
from plgkit.metrics.pql.customers import to_customer
from plgkit.metrics.pql.leads import leads, reach, tiers
from plgkit.metrics.pql.scoring import scores

__all__ = ["backtest", "calibration", "leads", "reach", "scores", "tiers", "to_customer"]
