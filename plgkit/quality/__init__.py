"""What the data themselves are worth: tracking against plan, gaps, late rows, bots, gaps in columns, who is who; each with what it does to the measures."""

from __future__ import annotations

from plgkit.quality.cells import clocks, missing_values
from plgkit.quality.identity import identity
from plgkit.quality.lateness import late_rows, moving_weeks
from plgkit.quality.tracking import heavy_people, tracking
from plgkit.quality.volumes import gaps, set_aside, volumes

__all__ = ["clocks", "gaps", "heavy_people", "identity", "late_rows", "missing_values", "moving_weeks", "set_aside", "tracking", "volumes"]
