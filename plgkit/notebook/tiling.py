"""Tiles: one measure each, with its interval, its change and its target."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from plgkit.errors import BadParameter, MissingSetting, MissingTable
from plgkit.notebook import reading, words
from plgkit.notebook.picking import SIZES
from plgkit.notebook.shown import Shown
from plgkit.notebook.text import escape, tame

if TYPE_CHECKING:
    from plgkit.sources import Data

FROM_PLAYBOOK: Any = object()
_SPARK_PERIODS = 12


def tile(
    measured: Callable[..., pd.DataFrame] | pd.DataFrame,
    data: Data | None = None,
    label: str = "",
    *,
    target: float | None = FROM_PLAYBOOK,
    guardrail: bool = False,
    better: str | None = None,
    unit: str | None = None,
    few: int = 5,
    **parameters: Any,
) -> dict[str, Any]:
    """Ask one measure and keep what a tile shows of it.

    The value is that of the last period that is final, and the change is against the period
    before it. Of a median that half of all never reach, it is that of those who got there. A
    table or a setting that is missing greys this tile and no other.

    Parameters
    ----------
    measured
        A measure, asked with `data` and `parameters`; or a frame that it gave.
    data
        The data to ask; not needed with a frame.
    label
        What the tile is called.
    target
        The value to reach; as the playbook says unless given, `None` for no target.
    guardrail
        Whether a report should fail when the value is off target.
    better
        `"higher"` or `"lower"`; as the measure says unless given.
    unit
        As the measure says unless given.
    few
        Below this many people the value is hidden.

    Examples
    --------
    >>> frame = pd.DataFrame({"value": [0.362], "low": [0.358], "high": [0.367], "denominator": [41286]})
    >>> one = tile(frame, label="Activation", unit="share of sign-ups", target=0.4)
    >>> one["shown"], one["pill"]
    ('36.2%', 'below target 40%')
    """
    about = {"label": tame(label, at_most=60), "guardrail": guardrail, "measure": _name(measured)}
    try:
        frame = measured if isinstance(measured, pd.DataFrame) else measured(data, **parameters)
    except (MissingTable, MissingSetting) as error:
        return about | {"missing": str(error), "status": None}
    if "period" in frame and frame["period"].duplicated().any():
        raise BadParameter("the frame of a tile", "several rows per period", expected="one row per period, without by=")
    goal = _goal(data, _name(measured), parameters.get("grain")) if target is FROM_PLAYBOOK else None
    target = (goal.value if goal else None) if target is FROM_PLAYBOOK else target
    guardrail = guardrail or bool(getattr(goal, "guardrail", False))
    unit = unit or frame.attrs.get("unit") or getattr(measured, "unit", "") or ""
    better = better or getattr(goal, "better", None) or getattr(measured, "better", None) or "higher"
    currency = frame.attrs.get("currency") or _currency(data)
    facts = _facts(frame, unit=unit, currency=currency, target=target, better=better, few=few)
    return about | {"guardrail": guardrail, "unit": unit, "better": better} | facts


def tiles(*each: dict[str, Any]) -> Shown:
    """Show tiles side by side; they stand at the top of the report page.

    Examples
    --------
    >>> frame = pd.DataFrame({"value": [0.362], "low": [0.358], "high": [0.367], "denominator": [41286]})
    >>> tiles(tile(frame, label="Activation", unit="share of sign-ups", target=0.4))
    Activation: 36.2% (35.8% – 36.7%, n 41,286); below target 40%
    """
    style = "<style>.tiles{display:flex;flex-wrap:wrap;gap:1em}.tile{min-width:11em}.val{font-size:1.8em}</style>"
    return Shown("tiles", "\n".join(map(_line, each)), style + html(each), {"tiles": list(each)})


def html(each: tuple[dict[str, Any], ...] | list[dict[str, Any]]) -> str:
    """Write tiles as HTML; every text in them is escaped."""
    return f'<div class="tiles" id="tiles">{"".join(map(_html, each))}</div>'


def _facts(
    frame: pd.DataFrame, *, unit: str, currency: str, target: float | None, better: str, few: int
) -> dict[str, Any]:
    if frame.empty or "value" not in frame:
        return {"value": None, "shown": words.UNKNOWN, "status": None, "target": target}
    # Periods in which half got there and others in which they did not have one measure in common only.
    among = "median_among" in frame and frame["value"].isna().any()
    frame = reading.among(frame) if among else frame
    now, then = reading.last(frame, least=0), reading.before(frame, least=0)
    people = next((now[name] for name in SIZES if name in now.index), None)
    if not words.unknown(people) and people < few:
        return {"value": None, "shown": "too few", "n": int(people), "status": None, "target": target}
    status = reading.standing(now, target, better=better)
    facts = {
        "value": _plain(now["value"]), "low": _plain(now.get("low")), "high": _plain(now.get("high")),
        "n": None if words.unknown(people) else int(people), "target": _plain(target), "status": status,
        "period": None if words.unknown(now.get("period")) else str(now["period"])[:10],
        "shown": words.show(now["value"], unit, currency=currency),
        "interval": _interval(now, people, unit, currency) + (" who got there" if among else ""),
        "pill": _pill(now, target, status, unit, currency),
        "spark": [_plain(value) for value in reading.judged(frame)["value"].tail(_SPARK_PERIODS)],
        "grain": reading.grain(frame),
    }
    if not words.unknown(then.get("value")):
        facts["change"] = reading.change(frame, unit, currency=currency)
        facts["before"] = _plain(then["value"])
    return facts


def _interval(row: pd.Series, people: Any, unit: str, currency: str) -> str:
    parts = []
    if not words.unknown(row.get("low")) and not words.unknown(row.get("high")):
        low, high = (words.show(row[name], unit, currency=currency) for name in ("low", "high"))
        parts.append(f"{low} – {high}")
    if not words.unknown(people):
        parts.append(f"n {words.count(people)}")
    return ", ".join(parts)


def _pill(row: pd.Series, target: float | None, status: str | None, unit: str, currency: str) -> str:
    if status is None or target is None:
        return ""
    goal = reading.target_words(target, unit, currency=currency)
    if status == reading.UNSURE:
        return f"cannot tell: target {goal}"
    if status == reading.ON:
        return f"on target {goal}"
    return f"{'below' if row['value'] < target else 'above'} target {goal}"


def _line(facts: dict[str, Any]) -> str:
    if "missing" in facts:
        return f"{facts['label']}: {facts['missing']}"
    interval = f" ({facts['interval']})" if facts.get("interval") else ""
    rest = [facts[name] for name in ("change", "pill") if facts.get(name)]
    return "; ".join([f"{facts['label']}: {facts['shown']}{interval}", *rest])


def _html(facts: dict[str, Any]) -> str:
    label = f'<div class="lbl">{escape(facts.get("label", ""))}</div>'
    if "missing" in facts:
        reason = escape(str(facts["missing"]).partition(". ")[0])
        return f'<div class="tile none">{label}<div class="val">–</div><div class="ci">{reason}.</div></div>'
    tone = {reading.ON: "good", reading.OFF: "bad"}.get(str(facts.get("status")), "mid")
    parts = [label, f'<div class="val">{escape(facts.get("shown", ""))}</div>']
    parts.append(f'<div class="ci">{escape(facts.get("interval") or "")}</div>')
    parts.append(spark(facts.get("spark") or [], grain=str(facts.get("grain", "period"))))
    if facts.get("change"):
        parts.append(f'<div class="delta">{_arrow(facts)} {escape(facts["change"])}</div>')
    if facts.get("pill"):
        parts.append(f'<div class="pill">{escape(facts["pill"])}</div>')
    return f'<div class="tile {tone}">{"".join(parts)}</div>'


def spark(values: list[float | None], *, grain: str = "period") -> str:
    """Draw a line of a few values, small enough for a tile."""
    known = [float(each) for each in values if not words.unknown(each)]
    if len(known) < 3:
        return ""
    low, high = min(known), max(known)
    step, reach = 92 / (len(known) - 1), (high - low) or 1.0
    at = [(2 + round(i * step, 1), round(22 - 18 * (value - low) / reach, 1)) for i, value in enumerate(known)]
    line = " ".join(f"{x:g},{y:g}" for x, y in at)
    return (
        f'<svg class="spark" viewBox="0 0 100 26" role="img" aria-label="trend over {len(known)} {escape(grain)}s">'
        f'<polyline fill="none" stroke="currentColor" stroke-width="2" points="{line}"/>'
        f'<circle cx="{at[-1][0]:g}" cy="{at[-1][1]:g}" r="2.6" fill="currentColor"/></svg>'
    )


def _arrow(facts: dict[str, Any]) -> str:
    value, before = facts.get("value"), facts.get("before")
    if value is None or before is None or str(facts["change"]).startswith("the same"):
        return "■"
    return "▲" if value > before else "▼"


def _plain(value: Any) -> float | None:
    return None if words.unknown(value) else float(f"{float(value):.10g}")


def _name(measured: object) -> str:
    if isinstance(measured, pd.DataFrame):
        return str(measured.attrs.get("measure", ""))
    return str(getattr(measured, "name", "") or getattr(measured, "__name__", ""))


def _goal(data: Data | None, name: str, grain: str | None) -> Any:
    """The playbook's target, unless it is for periods of another length."""
    goal = None if data is None else data.playbook.targets.get(name)
    return None if goal is None or (goal.grain and goal.grain != grain) else goal


def _currency(data: Data | None) -> str:
    return "USD" if data is None else data.playbook.product.currency
