"""RudderStack: its warehouse tables are those of Segment."""

from __future__ import annotations

from dataclasses import replace

from plgkit.readers import segment

READER = replace(segment.READER, kind="rudderstack")
