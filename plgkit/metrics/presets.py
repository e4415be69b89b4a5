"""How other tools count by default, as parameters of plgkit's own measures, and where plgkit differs on purpose.

`like="posthog"` takes the parameters of that tool for the measure at hand; parameters given besides go first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from plgkit.errors import UnknownPreset

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "posthog": {
        "funnel": {"window": "14 days", "entry": "furthest", "exclude_effect": "leave"},
        "retention": {"entry": "first_matching", "rule": "on", "clock": "calendar", "unit": "day", "first_age": 1},
        "lifecycle": {"grain": "day"},
        "stickiness": {"unit": "day"},
        "trend": {"of": "events", "grain": "day"},
    },
    "mixpanel": {
        "funnel": {"window": "7 days", "entry": "first"},
        "retention": {"entry": "first_matching", "rule": "on", "clock": "rolling", "unit": "day", "first_age": 0},
    },
    "amplitude": {
        "funnel": {"window": "1 day", "entry": "furthest", "tie_seconds": 1},
        "retention": {"entry": "recurring", "rule": "on", "clock": "rolling", "unit": "day", "first_age": 1},
    },
    "clickhouse": {
        "funnel": {"entry": "any"},
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


differences: list[Difference] = [
    Difference(
        "posthog", "seconds between steps", "the mean over all of a person's attempts that get furthest",
        "those of the first of these attempts", "every person then has one way through, whose times add up",
        ("ph-funnel-054",)),
    Difference(
        "posthog", "a breakdown by the value at a step", "who did not reach that step is left out of every step",
        "who did not reach it is in \"(none)\"", "the groups add up to the whole, and a loss does not disappear",
        ("ph-funnel_breakdown-014", "ph-funnel_breakdown-031")),
    Difference(
        "posthog", "conversion in a period nobody entered in", "0 %", "missing", "nothing out of nothing is no share",
        ("ph-funnel_trend-007", "ph-funnel_trend-011")),
    Difference(
        "posthog", "groups beyond the largest, over time", "left out", "\"(other)\"", "the groups add up to the whole",
        ("ph-funnel_trend-007",)),
    Difference(
        "posthog", "the last bin of times to convert", "begins with the longest time and holds it alone",
        "ends with the longest time, unless other edges are given", "bins of equal meaning can be compared",
        ("ph-funnel_time_to_convert-001", "ph-funnel_time_to_convert-004")),
    Difference(
        "posthog", "who is too young", "counts as lost until the window has closed", "is counted apart, as immature",
        "otherwise every funnel falls towards today"),
    Difference(
        "mixpanel", "counting of totals", "a new attempt begins once the one before has converted or run out",
        "with count=\"attempts\" every moment of entry is one", "what became of an entry does not hang on the one before"),
    Difference(
        "amplitude", "any order", "only the first step listed enters", "any of the steps enters",
        "in any order no step is the first"),
    Difference(
        "clickhouse", "repeated steps", "one event serves all steps that ask for it, unless strict_once is on",
        "each step needs an event of its own", "a second purchase is another purchase", ("ch-windowfunnel-21",)),
    Difference(
        "clickhouse", "strict_increase", "an event at the same instant is not later", "events at one instant keep no order",
        "clocks of whole seconds put one click's events at one instant; there is no such mode", ("ch-windowfunnel-20",)),
    Difference(
        "clickhouse", "strict_order with a step that repeats", "stops at the first step",
        "goes on: the repetition is the next step", "a repeated step is a step", ("ch-windowfunnel-33",)),
    Difference(
        "posthog", "retention at age 0", "everybody in the cohort, whoever came back",
        "those who came back within the period they started in, and a refusal where the start is itself the return",
        "a share that cannot be other than 100 % is no finding, and one that can is worth showing",
        ("ph-retention-004", "ph-retention-007", "ph-retention-011", "ph-retention-014",
         "ph-retention-017")),
    Difference(
        "posthog", "the last period", "the period in which the dates end is filled up with what came after them",
        "the last day counted ends everything, and a period that it cuts is marked as not complete",
        "rows after the last day counted change nothing, so that a report can be made again",
        ("ph-lifecycle-007",)),
    Difference(
        "posthog", "new people", "new in the period in which the profile was made",
        "new in the period of the first event of the chosen kind",
        "profiles are made by imports and back-fills too, and a person may come long before the event that is asked about"),
    Difference(
        "amplitude", "rolling days", "starts are rounded down to the hour, so that 17:59 to 17:00 next day is day 1",
        "24 hours from the very second of the start", "rounding calls up to an hour too little a day"),
    Difference(
        "amplitude", "several starts", "every start event opens windows of its own, and one return may count for several days",
        "a person stands once in the cohort of each period with a start event", "a share of people should count people"),
    Difference(
        "mixpanel", "the base of a recurring cohort", "those who did the returning event on the date",
        "those who did the start event in the period", "who came back is a part of who started"),
]


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
