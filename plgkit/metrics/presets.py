"""How other tools count by default, as parameters of plgkit's own measures, and where plgkit differs on purpose.

`like="posthog"` takes the parameters of that tool for the measure at hand; parameters given besides go first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from plgkit.errors import UnknownPreset

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "posthog": {
        "retention": {"entry": "first_matching", "rule": "on", "clock": "calendar", "unit": "day", "first_age": 1},
        "lifecycle": {"grain": "day"},
    },
    "mixpanel": {
        "retention": {"entry": "first_matching", "rule": "on", "clock": "rolling", "unit": "day", "first_age": 0},
    },
    "amplitude": {
        "retention": {"entry": "recurring", "rule": "on", "clock": "rolling", "unit": "day", "first_age": 1},
    },
}


class Difference(NamedTuple):
    """A place where plgkit gives another number than a tool, on purpose."""

    tool: str
    what: str
    they: str
    we: str
    why: str
    cases: tuple[str, ...] = ()


differences: list[Difference] = []


def preset(tool: str, kind: str) -> dict[str, Any]:
    """The parameters by which a tool counts one kind of thing.

    Raises
    ------
    UnknownPreset
        If there is no such tool, or it does not count this kind of thing.
    """
    known = [name for name, kinds in PRESETS.items() if kind in kinds]
    if tool not in known:
        raise UnknownPreset(tool, known)
    return PRESETS[tool][kind]
