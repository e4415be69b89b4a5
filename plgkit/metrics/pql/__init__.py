"""Product-qualified leads: which accounts are ready to buy, by what they do?"""

from __future__ import annotations

from plgkit.metrics.pql.backtest import backtest, calibration
from plgkit.metrics.pql.customers import against_others, to_customer
from plgkit.metrics.pql.drift import drift
from plgkit.metrics.pql.fitting import fitted_points, refitted
from plgkit.metrics.pql.leads import leads, reach, tiers
from plgkit.metrics.pql.relisting import relisted
from plgkit.metrics.pql.scoring import scores
from plgkit.metrics.pql.worth import lifetime_value

__all__ = ["against_others", "backtest", "calibration", "drift", "fitted_points", "leads", "lifetime_value", "reach",
           "refitted", "relisted", "scores", "tiers", "to_customer"]
