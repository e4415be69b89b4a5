"""Whether a conclusion holds under every plausible definition of its number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pandas as pd

from plgkit.errors import BadParameter, PlgkitError, UnknownParameter
from plgkit.metrics import registry
from plgkit.metrics.registry import Measure
from plgkit.notebook import reading
from plgkit.playbook.goals import Target
from plgkit.sources.data import Data

Conclusion = Literal["target", "change", "best"]
CONCLUSIONS = ("target", "change", "best")
_OTHER = {
    "clock": ("calendar", "rolling"), "rule": ("on", "on_or_after"), "average": ("pooled", "mean"),
    "min_events": (1, 2), "trailing_days": (28, 30), "grain": ("week", "month"), "gap_minutes": (15, 30, 60),
    "unit": ("week", "month"),
}
_COLUMNS = ["parameter", "is", "value", "low", "high", "n", "conclusion", "same"]


def sensitivity(data: Data, measure: str | Measure, *, conclusion: Conclusion | None = None,
                vary: Mapping[str, list[Any]] | None = None, **parameters: Any) -> pd.DataFrame:
    """Ask a measure under the plausible definitions, one change at a time, and say whether the conclusion turns.

    Parameters
    ----------
    data
        What the measure reads.
    measure
        A measure, or its name.
    conclusion
        "target": whether the last final value reaches the playbook's target. "change": whether it rose or fell
        against the period before. "best": which segment is ahead (needs by=). By default the target where there
        is one, the segment where by= is given, else the change.
    vary
        Parameter = values to try. By default windows of days at half, the same and double, and the other
        choices of clock, rule, grain, and what else the measure has.
    parameters
        The measure's own, for the definition in use.

    Returns
    -------
    One row per definition, the one in use first: parameter, is (its value; "as in use" in the first row), value,
    low, high, n (people or accounts behind it, missing where the measure gives none), conclusion, same (whether
    it is the conclusion of the first row; one that cannot be drawn is not the same). `attrs["verdict"]` is a
    sentence. Definitions that the data cannot answer are left out and named in `attrs["left_out"]`.

    Raises
    ------
    BadParameter
        If the conclusion cannot be drawn from this measure, or there is nothing to vary.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = sensitivity(samples.tiny(), "activation.rate", grain="month", vary={"within_days": [1, 14]})
    >>> found[["parameter", "is", "value", "conclusion", "same"]]
         parameter         is  value   conclusion  same
    0                as in use   0.50  cannot tell  True
    1  within_days          1   0.25  cannot tell  True
    2  within_days         14   0.75  cannot tell  True
    >>> found.attrs["verdict"]
    'The conclusion (cannot tell) is the same under all 3 definitions.'
    """
    measure = measure if isinstance(measure, Measure) else registry.find(measure)
    measure.resolve(data, parameters)
    _check_vary(measure, vary)
    drawn = _which(data, measure, conclusion, parameters)
    choices = dict(vary) if vary is not None else plausible(data, measure, parameters)
    if not choices:
        raise BadParameter("vary", vary, expected=f"parameters to vary: {measure.name} has {', '.join(measure.parameters)}")
    rows, left_out = [_row(data, measure, drawn, parameters, "", "as in use")], []
    for name, value in _pairs(choices):
        try:
            rows.append(_row(data, measure, drawn, {**parameters, name: value}, name, value))
        except PlgkitError as error:
            left_out.append(f"{name} = {value}: {error}")
    made = pd.DataFrame(rows, columns=_COLUMNS[:-1])
    made["same"] = made["conclusion"] == made["conclusion"].iloc[0]
    made.attrs = {"measure": measure.name, "unit": measure.unit, "verdict": _verdict(made), "left_out": left_out,
                  "currency": data.playbook.product.currency}
    return made[_COLUMNS]


def plausible(data: Data, measure: Measure, parameters: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The definitions that others would find as good, one parameter at a time, without those in use.

    Examples
    --------
    >>> from plgkit import samples
    >>> from plgkit.metrics import activation
    >>> plausible(samples.tiny(), activation.rate, {"grain": "month"})
    {'within_days': [4, 14]}
    """
    used, found = measure.resolve(data, parameters), {}
    for name in measure.parameters:
        value = used[name]
        if name in _OTHER and name not in parameters:
            others = [each for each in _OTHER[name] if each != value]
        elif name.endswith("_days") and isinstance(value, int) and name not in parameters:
            others = [each for each in ((value + 1) // 2, value * 2) if each != value]
        elif name == "day" and isinstance(value, int):
            others = [value + 1, *([value - 1] if value > 1 else [])]
        else:
            others = []
        if others and value is not None:
            found[name] = others
    return found


def _check_vary(measure: Measure, vary: object) -> None:
    if vary is None:
        return
    if not isinstance(vary, Mapping) or not all(isinstance(each, (list, tuple)) and each for each in vary.values()):
        raise BadParameter("vary", vary, expected='a list of values for each parameter, such as {"within_days": [3, 14]}')
    for name in vary:
        if name not in measure.parameters:
            raise UnknownParameter(name, measure.parameters, of=measure.name)


def _which(data: Data, measure: Measure, conclusion: str | None, parameters: Mapping[str, Any]) -> str:
    goal = data.playbook.targets.get(measure.name)
    drawn = conclusion or ("best" if parameters.get("by") else "target" if goal else "change")
    if drawn not in CONCLUSIONS:
        raise BadParameter("conclusion", conclusion, expected=f"one of {', '.join(CONCLUSIONS)}")
    if drawn == "target" and goal is None:
        raise BadParameter("conclusion", drawn, expected=f'another one: the playbook has no target for {measure.name}')
    if drawn == "best" and not parameters.get("by"):
        raise BadParameter("conclusion", drawn, expected="another one, or by= with the column to cut by")
    if drawn != "best" and parameters.get("by"):
        raise BadParameter("conclusion", drawn, expected="'best' where by= cuts the measure")
    if "grain" not in measure.parameters and drawn == "change":
        raise BadParameter("conclusion", drawn, expected=f"another one: {measure.name} has no periods to compare")
    return drawn


def _pairs(choices: Mapping[str, list[Any]]) -> Iterator[tuple[str, Any]]:
    for name, values in choices.items():
        for value in values:
            yield name, value


def _row(data: Data, measure: Measure, drawn: str, parameters: Mapping[str, Any], name: str, value: Any) -> list[Any]:
    frame = measure(data, **parameters)
    if "value" not in frame:
        raise BadParameter("measure", measure.name, expected="one whose frame has a value to draw a conclusion from")
    if "median_among" in frame:
        frame = reading.among(frame)
    final = reading.judged(frame)
    if drawn == "best":
        final = final[final["period"] == final["period"].max()] if "period" in final else final
        row = reading.last(final.sort_values("value", ignore_index=True))
        said = _best(final, parameters["by"])
    else:
        row = reading.last(frame)
        said = _changed(frame) if drawn == "change" else _met(row, data.playbook.targets[measure.name], measure.better)
    behind = next((row.get(each) for each in ("denominator", "n", "at_risk") if each in frame), None)
    return [name, value, row.get("value"), row.get("low"), row.get("high"), behind, said]


def _best(final: pd.DataFrame, by: str) -> str:
    ranked = final.dropna(subset=["value"]).sort_values("value", ascending=False)
    if len(ranked) < 2:
        return reading.UNSURE
    clear = ranked.iloc[0].get("low", float("nan")) > ranked["high"].iloc[1:].max()
    return f"{ranked[by].iloc[0]} is ahead" if clear else reading.UNSURE


def _changed(frame: pd.DataFrame) -> str:
    now, then = reading.last(frame), reading.before(frame)
    if pd.isna(now.get("value")) or pd.isna(then.get("value")) or reading.noise(now, then) is not False:
        return reading.UNSURE
    return "rose" if now["value"] > then["value"] else "fell"


def _met(row: pd.Series, goal: Target, better: str) -> str:
    return reading.standing(row, goal.value, better=goal.better or better) or reading.UNSURE


def _verdict(made: pd.DataFrame) -> str:
    first, others = made["conclusion"].iloc[0], made[~made["same"]]
    if others.empty:
        return f"The conclusion ({first}) is the same under all {len(made)} definitions."
    turned = "; ".join(f"{row['parameter']} {row['is']}: {row['conclusion']}" for _, row in others.iterrows())
    return f"The conclusion ({first}) holds under {int(made['same'].sum())} of {len(made)} definitions. It turns with {turned}."
