"""The flywheel: sign-ups, activation, retention, invitations and payment as one wheel that turns itself.

Fitted to the data, it says what comes if all goes on as it does, what would come if a rate rose, and which rate to raise.
"""

from plgkit.flywheel.asking import backtest, flywheel, levers, what_if
from plgkit.flywheel.levering import LEVERS

__all__ = ["LEVERS", "backtest", "flywheel", "levers", "what_if"]
