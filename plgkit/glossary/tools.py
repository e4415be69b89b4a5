"""How other tools count, and which measures that concerns."""

from __future__ import annotations

import pandas as pd

from plgkit.metrics.registry import Measure

_ABOUT = {
    "funnel": ("seconds between steps", "a breakdown by the value at a step", "conversion in a period nobody entered in",
               "groups beyond the largest, over time", "the last bin of times to convert", "who is too young", "counting of totals",
               "any order", "repeated steps", "strict_increase", "strict_order with a step that repeats"),
    "retention": ("retention at age 0", "rolling days", "several starts", "the base of a recurring cohort"),
    "lifecycle": ("new people", "the last period"), "stickiness": (), "trend": (),
}
_KINDS = {
    "retention.cohorts": "retention", "retention.curve": "retention", "retention.day_n": "retention",
    "retention.activated_day_n": "retention", "retention.growth_accounting": "lifecycle", "retention.quick_ratio": "lifecycle",
    "engagement.stickiness": "stickiness", "engagement.active_days": "stickiness", "engagement.active_people": "trend",
}
_ELSEWHERE = {
    "conversion.trial_to_paid": "Elsewhere often the payments of a month over the trials of the same month: growing trials lower it.",
    "conversion.free_to_paid": "Elsewhere often the payments of a month over the sign-ups of the same month: growing sign-ups lower it.",
    "expansion.lifetime_value": "Elsewhere often revenue per account over churn alone: undefined without churn, and ruled by it for few "
                                "accounts.",
    "retention.curve": "Elsewhere cohorts are at times weighted twice: 1000 to 500 and 500 to 400 then give 56 % where 60 % came back.",
    "activation.aha_candidates": "Elsewhere a high share of returns among those who did it passes for a predictor, though those who did "
                                 "not return as often.",
    "retention.growth_accounting": "Elsewhere who is new is told by when a profile was made, which imports and back-fills move.",
    "advocacy.k_factor": "Elsewhere the youngest cohorts are counted before their guests could come or activate.",
    "activation.rate": "Elsewhere who signed up a moment ago counts as lost, so that the rate falls towards today.",
    "experiments.comparison": "Elsewhere an interval made for one look is looked at every day: five false alarms in a hundred become many.",
}


def other_tools() -> pd.DataFrame:
    """Say how other tools count by default, and where plgkit gives another number on purpose.

    Returns
    -------
    One row per way of counting or deliberate difference: tool, what, they, we, why, cases (published cases that
    show it). A way of counting that plgkit can take over has no why: `like="<tool>"` asks for it.

    Examples
    --------
    >>> found = other_tools()
    >>> found[(found.tool == "mixpanel") & (found.what == "retention")]["we"].item()
    'the same, with like="mixpanel" in retention'
    """
    from plgkit.metrics.presets import PRESETS, differences

    ways = [{"tool": tool, "what": kind, "they": ", ".join(f"{name} = {value}" for name, value in chosen.items()),
             "we": f'the same, with like="{tool}" in {kind}', "why": "", "cases": ""}
            for tool, kinds in PRESETS.items() for kind, chosen in kinds.items()]
    apart = [{**each._asdict(), "cases": ", ".join(each.cases)} for each in differences]
    made = pd.DataFrame([*ways, *apart])
    return made.sort_values(["tool", "why", "what"], kind="stable", ignore_index=True)


def tools_as_markdown() -> str:
    """Write how other tools count as Markdown, one heading per tool."""
    parts = []
    for tool, rows in other_tools().groupby("tool", sort=True):
        parts.append(f"## As {tool} counts")
        parts += [f"**{row.what}**: they: {row.they}; here: {row.we}{f', because {row.why}' if row.why else ''}."
                  f"{f' Cases: {row.cases}.' if row.cases else ''}" for row in rows.itertuples()]
    return "\n\n".join(parts)


def concerning(measure: Measure) -> list[str]:
    """Say how others count what this measure counts, a sentence each.

    Examples
    --------
    >>> from plgkit.metrics import registry
    >>> concerning(registry.find("engagement.stickiness"))
    ['posthog: unit = day; here the same, with like="posthog" in stickiness.']
    """
    found = [_ELSEWHERE[measure.name]] if measure.name in _ELSEWHERE else []
    kind = measure.preset or _KINDS.get(measure.name) or ("funnel" if measure.shape == "funnel" else None)
    if kind is None:
        return found
    rows = other_tools()
    rows = rows[rows["what"].isin([kind, *_ABOUT.get(kind, ())])]
    return found + [f"{row.tool}: {row.what + ', ' if row.why else ''}{row.they}; here {row.we}{f', because {row.why}' if row.why else ''}."
                    for row in rows.itertuples()]
