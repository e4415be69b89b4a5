"""What the data themselves are worth: tracking against plan, gaps, late rows, bots, gaps in columns, who is who; each with what it does to the measures."""

from __future__ import annotations

from plgkit.quality.aside import set_aside
from plgkit.quality.cells import missing_values
from plgkit.quality.clocks import clocks
from plgkit.quality.heavy import heavy_people
from plgkit.quality.identity import identity
from plgkit.quality.lateness import late_rows, moving_weeks
from plgkit.quality.tracking import tracking
from plgkit.quality.volumes import gaps, volumes

__all__ = ["clocks", "gaps", "heavy_people", "identity", "late_rows", "missing_values", "moving_weeks", "set_aside", "tracking", "volumes"]
