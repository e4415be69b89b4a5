"""A small picture for every kind of measure, drawn by hand in lines that take the page's own colours."""

from __future__ import annotations

from typing import NamedTuple

from plgkit.metrics.registry import Measure

SIZE = (120, 64)


class Picture(NamedTuple):
    """What a picture shows, and its drawing; `currentColor` is the page's ink, class "a" its accent."""

    alt: str
    lines: str


def _bars(heights: list[int], *, accent: tuple[int, ...] = ()) -> str:
    wide = 88 // len(heights)
    return "".join(f'<rect class="{"a" if at in accent else "b"}" x="{16 + at * wide}" y="{56 - high}" width="{wide - 4}" height="{high}"/>'
                   for at, high in enumerate(heights))


_AXES = '<path class="l" d="M12 6V56H110"/>'
PICTURES = {
    "rate": Picture("A line of shares over periods inside its band; the last point is hollow, as it can still rise.",
                    _AXES + '<path class="f" d="M16 32L40 26L64 30L88 20L88 34L64 42L40 38L16 46Z"/>'
                    '<path class="s" d="M16 39L40 32L64 36L88 27"/><circle class="o" cx="104" cy="33" r="3.5"/>'),
    "total": Picture("Columns over periods; the last one is hatched, as its period is not over.",
                     _AXES + _bars([18, 24, 22, 30, 36], accent=(0, 1, 2, 3)) + '<path class="l d" d="M87 20H100V56"/>'),
    "cohort": Picture("A triangle of cells: one row per cohort, one column per age, paler with age.",
                      "".join(f'<rect class="a" opacity="{1 - 0.19 * age:.2f}" x="{16 + 22 * age}" y="{6 + 13 * row}" width="20" height="11"/>'
                              for row in range(4) for age in range(4 - row))),
    "funnel": Picture("Three columns, each lower than the one before: who got to each step.",
                      "".join(f'<rect class="{kind}" x="{18 + 32 * at}" y="{56 - high}" width="24" height="{high}"/>'
                              for at, (high, kind) in enumerate(((48, "a"), (30, "a"), (16, "a"))))
                      + '<path class="l" d="M42 8L50 26M74 26L82 40"/>'),
    "distribution": Picture("A curve of who got there by when; a dotted line at half of them gives the median.",
                            _AXES + '<path class="s" d="M12 56C34 20 60 14 110 12"/><path class="l d" d="M12 32H29V56"/>'),
    "curve": Picture("A falling curve with its band: the share still there at each age.",
                     _AXES + '<path class="f" d="M12 6C30 28 60 34 110 36V46C60 44 30 38 12 10Z"/>'
                     '<path class="s" d="M12 8C30 33 60 39 110 41"/>'),
    "table": Picture("A table: a name and its numbers in every row.",
                     "".join(f'<path class="l" d="M14 {10 + 14 * row}H106"/><path class="w" d="M16 {17 + 14 * row}H{46 - 6 * (row % 2)}M62 '
                             f'{17 + 14 * row}H76M90 {17 + 14 * row}H104"/>' for row in range(3)) + '<path class="l" d="M14 52H106"/>'),
    "waterfall": Picture("Steps from an opening to a closing column: what came raises it, what left lowers it.",
                         '<rect class="b" x="12" y="30" width="16" height="26"/><rect class="a" x="34" y="16" width="16" height="14"/>'
                         '<rect class="a" x="56" y="8" width="16" height="8"/><rect class="x" x="78" y="8" width="16" height="12"/>'
                         '<rect class="b" x="98" y="20" width="12" height="36"/>'),
    "split": Picture("Two groups with their intervals: what tells them apart is how far these overlap.",
                     '<path class="l d" d="M60 6V58"/><path class="w" d="M20 20H66M54 44H104"/><circle class="o" cx="43" cy="20" r="4"/>'
                     '<circle class="a" cx="79" cy="44" r="4"/>'),
    "tree": Picture("One person brings two, of whom one brings another: the loop that growth turns in.",
                    '<path class="l" d="M20 32L52 16M20 32L52 48M56 16L92 16"/><circle class="a" cx="20" cy="32" r="6"/>'
                    '<circle class="a" cx="54" cy="16" r="6"/><circle class="o" cx="54" cy="48" r="5"/><circle class="a" cx="94" cy="16" r="6"/>'),
    "scale": Picture("A scale from 0 to 10: detractors to 6, promoters from 9.",
                     "".join(f'<rect class="{"x" if at < 7 else "b" if at < 9 else "a"}" x="{10 + 9.2 * at:.1f}" y="24" width="7.4" height="16"/>'
                             for at in range(11))),
    "bars": Picture("Columns of how many people each number of days has.", _AXES + _bars([42, 22, 14, 10, 8, 12, 20], accent=(6,))),
    "flow": Picture("Bands from one step to the next: the wider, the more people went that way.",
                    '<path class="f" d="M14 12C50 12 60 8 104 8V20C60 20 50 30 14 30Z"/><path class="f" d="M14 32C50 32 60 40 104 40V50C60 50 '
                    '50 40 14 40Z"/><path class="s" d="M12 10V42M106 6V22M106 38V52"/>'),
    "points": Picture("Accounts by their points: those over the threshold are for a call.",
                      _AXES + _bars([40, 30, 20, 12, 8, 6], accent=(4, 5)) + '<path class="l d" d="M71 8V56"/>'),
}
_OWN = {
    "acquisition.channel_split": "bars", "activation.paths": "flow", "activation.path_moves": "flow", "activation.onboarding_instead": "flow",
    "activation.time_to_value_compared": "split", "activation.aha_candidates": "split", "engagement.active_days": "bars",
    "engagement.days_by_age": "bars", "engagement.score_distribution": "bars", "engagement.free_vs_paid_usage": "split",
    "retention.growth_accounting": "waterfall", "retention.survival_compared": "split", "conversion.drivers": "split",
    "conversion.by_motion": "split", "expansion.mrr_movements": "waterfall", "expansion.by_kind": "waterfall",
    "expansion.journey": "flow", "advocacy.k_factor": "tree", "advocacy.loops": "tree", "advocacy.nps": "scale",
    "advocacy.survey": "scale", "pql.scores": "points", "pql.tiers": "points", "pql.reach": "points", "pql.calibration": "curve",
}


def picture(measure: Measure) -> str:
    """Name the picture of a measure: its own, or that of its shape.

    Examples
    --------
    >>> from plgkit.metrics import registry
    >>> picture(registry.find("expansion.mrr_movements")), picture(registry.find("activation.rate"))
    ('waterfall', 'rate')
    """
    own = _OWN.get(measure.name)
    return own or ("split" if measure.stage == "experiments" and measure.shape == "table" else measure.shape)
