"""What every measure means and how to read it, from the measures' own words."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import pandas as pd

from plgkit.errors import MissingSetting
from plgkit.metrics import registry

if TYPE_CHECKING:
    from plgkit.metrics.registry import Measure
    from plgkit.sources.data import Data

_FORMULAS = {
    "rate": "numerator / denominator", "total": "one value for the period",
    "cohort": "numerator / denominator, by cohort and age", "funnel": "people at a step / people at the first step",
    "distribution": "the time by which half got there (Kaplan-Meier)", "curve": "one value for each x",
    "table": "see its columns",
}
_READING = {
    "rate": "Only people whose days are over are judged; the others are counted as immature.",
    "total": "A period that is not complete can still change.",
    "cohort": "Read along a row for one cohort, down a column for one age; an age is mature when all of it has passed.",
    "funnel": "Who entered too late to be judged is immature and never lost.",
    "distribution": "A missing median says that fewer than half got there.",
    "curve": "The band holds what this many people leave plausible at each x.",
    "table": "",
}
_BETTER = {"higher": "Higher is better.", "lower": "Lower is better.", "neither": ""}


def glossary(data: Data | None = None) -> pd.DataFrame:
    """Explain every measure in the catalogue.

    Parameters
    ----------
    data
        Where given, definitions carry the playbook's own events and days.

    Returns
    -------
    One row per measure, stage by stage: stage, measure, definition, unit, formula, how_to_read, reads.

    Examples
    --------
    >>> words = glossary().set_index("measure")
    >>> words.definition["advocacy.viral_signups"]
    'Share of sign-ups that came by an invitation or a shared link.'
    >>> from plgkit import samples
    >>> glossary(samples.tiny()).set_index("measure").definition["activation.day1_rate"]
    'Share of sign-ups who reach activation (report_created) within 24 hours of signing up.'
    """
    rows = [{"stage": each.stage, "measure": name, "definition": _definition(each, data), "unit": each.unit,
             "formula": _formula(each), "how_to_read": _reading(each), "reads": ", ".join(each.reads)}
            for name, each in registry.measures().items()]
    return pd.DataFrame(rows)


def as_markdown(words: pd.DataFrame) -> str:
    """Write a glossary as Markdown, one heading per stage.

    Examples
    --------
    >>> print(as_markdown(glossary().query("measure == 'expansion.mrr'")))
    ## Expansion
    <BLANKLINE>
    **expansion.mrr** (currency): Monthly recurring revenue at the end of the period; a year's is twelve times as much.
    *One value for the period.* A period that is not complete can still change. Higher is better. Reads subscriptions.
    """
    parts = []
    for stage, rows in words.groupby("stage", sort=False):
        parts.append(f"## {stage.capitalize()}")
        parts += [_entry(row) for row in rows.itertuples()]
    return "\n\n".join(parts)


def _entry(row: object) -> str:
    formula = f"*{row.formula[0].upper()}{row.formula[1:]}.*"
    rest = " ".join(each for each in (formula, row.how_to_read, f"Reads {row.reads}.") if each)
    return f"**{row.measure}** ({row.unit}): {row.definition}\n{rest}"


def _definition(measure: Measure, data: Data | None) -> str:
    """The first line of the docstring, with the playbook's values where they are known."""
    plain = measure.what
    if data is None:
        return plain
    try:
        resolved = measure.resolve(data, {})
    except MissingSetting:
        return plain

    def say(match: re.Match[str]) -> str:
        value = resolved.get(match.group(1))
        return match.group(1) if value is None else registry._plain(value)

    return re.sub(r"`(\w+)`", say, measure.summary)


def _formula(measure: Measure) -> str:
    """The shape's formula, with what is counted where the docstring says it in brackets."""
    found = re.search(r"numerator and denominator \((?:both in )?([^)]*)\)", _section(measure, "Returns"))
    counted = f" ({found.group(1).split(';')[0]})" if found else ""
    return _FORMULAS[measure.shape] + counted


def _reading(measure: Measure) -> str:
    """What stands between the first line and the parameters, then how its shape is read."""
    text = inspect.getdoc(measure.function) or ""
    about = re.split(r"\n\n?Parameters\n-+\n", text)[0].partition("\n")[2]
    words = re.sub(r"\s+", " ", about).strip().replace("`", "")
    # Nobody is too young for what only looks back.
    reading = "" if "immature (0)" in _section(measure, "Returns") else _READING[measure.shape]
    return " ".join(each for each in (words, reading, _BETTER[measure.better]) if each)


def _section(measure: Measure, title: str) -> str:
    found = re.search(rf"\n{title}\n-+\n(.*?)(?=\n\n\w[\w ]*\n-+\n|\Z)", inspect.getdoc(measure.function) or "", re.S)
    return re.sub(r"\s+", " ", found.group(1)) if found else ""
