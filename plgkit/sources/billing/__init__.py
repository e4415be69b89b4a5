"""What accounts pay, from whatever a company has: changes, periods or lines of invoices."""

from .changes import changes
from .lines import known_by, lines
from .stretches import stretches
from .words import CHANGES, chosen, facts, findings

__all__ = ["CHANGES", "changes", "chosen", "facts", "findings", "known_by", "lines", "stretches"]
