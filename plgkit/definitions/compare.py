"""Which people two definitions count differently, and which of the parameters is to blame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.definitions import who
from plgkit.errors import BadParameter, PlgkitError
from plgkit.metrics import registry
from plgkit.metrics.funnels.asked import options, ordered
from plgkit.metrics.registry import Measure
from plgkit.sources import engine
from plgkit.sources.data import Data

ABSENT = "not counted"
_WHO: dict[str, Callable[..., Table]] = {
    "funnel": who.funnel,
    "retention.cohorts": who.retention, "retention.curve": who.retention,
    "retention.growth_accounting": who.lifecycle, "engagement.stickiness": who.stickiness,
}
_COLUMNS = ["parameter", "ours", "theirs", "counted", "counted_instead", "people", "examples"]


def compare(data: Data, measure: str | Measure, other: str | Mapping[str, Any], *, age: int | None = None,
            examples: int = 3, **parameters: Any) -> pd.DataFrame:
    """Show which people another definition counts differently, and why.

    It walks from one definition to the other, changing one parameter after the other; who is counted differently
    after a change is counted differently because of it. A cut (by=) and a way of averaging (average=) change how people
    are shown, not how they are counted, and are passed over.

    Parameters
    ----------
    data
        What the measure reads.
    measure
        "funnel" (then steps= says which; it counts people), retention.cohorts or curve, retention.growth_accounting,
        or engagement.stickiness.
    other
        A tool ("posthog", "mixpanel", "amplitude", for funnels also "clickhouse"), or parameters of the measure.
    age
        For retention: the age at which people are back or not; by default the first after the start.
    examples
        How many people to name in a row.
    parameters
        The measure's own, for the first definition.

    Returns
    -------
    One row per changed parameter and way of being counted differently: parameter, ours, theirs (its values),
    counted (how the people are counted before the change), counted_instead (after it), people, examples (some of
    their ids). `attrs["verdict"]` says it in a sentence; `attrs["counted"]` and `attrs["counted_instead"]` hold
    how many people each definition counts in which way.

    Raises
    ------
    BadParameter
        If people cannot be compared by this measure.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = compare(samples.tiny(), "retention.cohorts", {"clock": "rolling"}, unit="day", age=1)
    >>> found[["parameter", "theirs", "counted", "counted_instead", "people", "examples"]]
      parameter   theirs counted counted_instead  people examples
    0     clock  rolling    back        not back       1      ann
    >>> found.attrs["verdict"]
    '1 of 4 people is counted differently, because of clock.'
    """
    name = measure.name.replace("funnels.ordered", "funnel") if isinstance(measure, Measure) else measure
    if not isinstance(name, str) or name not in _WHO:
        raise BadParameter("measure", name, expected=f"one of {', '.join(_WHO)}")
    if not isinstance(other, (str, Mapping)):
        raise BadParameter("other", other, expected='a tool such as "posthog", or the parameters that differ, such as {"clock": "rolling"}')
    if isinstance(examples, bool) or not isinstance(examples, int) or examples < 0:
        raise BadParameter("examples", examples, expected="a whole number, 0 or more")
    measure = ordered if name == "funnel" else registry.find(name)
    ours = _resolved(data, measure, parameters)
    theirs = _resolved(data, measure, {**parameters, **({"like": other} if isinstance(other, str) else other)})
    more = {}
    if _WHO[name] is who.retention:
        more["age"] = _age(ours, theirs, age)
        # Which ages are shown changes nothing for one of them.
        ours["first_age"] = theirs["first_age"] = more["age"]
    steps = list(_walk(data, measure, partial(_WHO[name], **more), ours, theirs))
    rows = [row for step in steps[1:] for row in _differences(data, step, examples)]
    made = pd.DataFrame(rows, columns=_COLUMNS)
    counts = [_counts(data, steps[at][1]) for at in (0, -1)]
    made.attrs = {"measure": measure.name, "counted": counts[0], "counted_instead": counts[1],
                  "verdict": _verdict(data, steps, made)}
    return made


def _age(ours: Mapping[str, Any], theirs: Mapping[str, Any], age: int | None) -> int:
    if age is None:
        return max(1, ours["first_age"], theirs["first_age"])
    if isinstance(age, bool) or not isinstance(age, int) or age < 0:
        raise BadParameter("age", age, expected="a whole number, 0 or more")
    return age


def _resolved(data: Data, measure: Measure, parameters: dict[str, Any]) -> dict[str, Any]:
    if measure is not ordered:
        return measure.resolve(data, parameters)
    return measure.resolve(data, options(parameters.pop("like", None), parameters))


def _walk(data: Data, measure: Measure, count: Callable[..., Table], ours: dict[str, Any],
          theirs: dict[str, Any]) -> Iterator[tuple[str, Table, Table | None, dict[str, Any], dict[str, Any]]]:
    """From ours to theirs: the parameters changed, who is counted then, and who was before."""
    here, before = dict(ours), _people(data, count, ours)
    measure.function(data, **theirs)  # refuses what cannot be asked; a step on the way there may not make sense
    yield "", before, None, {}, {}
    names, changed = [name for name in ours if ours[name] != theirs[name] and name not in ("like", "by", "average")], []
    for name in names:
        changed.append(name)
        here[name] = theirs[name]
        try:
            measure.function(data, **here)
        except PlgkitError:
            # It makes sense only together with the next one.
            continue
        now = _people(data, count, here)
        yield " and ".join(changed), now, before, {each: ours[each] for each in changed}, {each: theirs[each] for each in changed}
        before, changed = now, []


def _people(data: Data, count: Callable[..., Table], parameters: Mapping[str, Any]) -> Table:
    return engine.keep(data.connection, "who", count(data, parameters).select("user_id", "counted"))


def _differences(data: Data, step: tuple, examples: int) -> Iterator[list[Any]]:
    name, now, before, ours, theirs = step
    both = before.rename(before_id="user_id", was="counted").outer_join(now, [("before_id", "user_id")])
    both = both.select(user_id=both.before_id.fill_null(both.user_id), was=both.was.fill_null(ABSENT),
                       now=both.counted.fill_null(ABSENT))
    changed = both.filter(both.was != both.now)
    counts = data.run(changed.group_by("was", "now").aggregate(people=_.count()))
    for row in counts.sort_values(["people", "was", "now"], ascending=[False, True, True]).itertuples():
        some = changed.filter(_.was == row.was, _.now == row.now).order_by("user_id").limit(examples)
        named = ", ".join(data.run(some.select("user_id"))["user_id"])
        yield [name, _words(ours), _words(theirs), row.was, row.now, int(row.people), named]


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(str(each) for each in values.values())


def _counts(data: Data, people: Table) -> dict[str, int]:
    found = data.run(people.group_by("counted").aggregate(people=_.count()))
    return dict(zip(found.sort_values("counted")["counted"], found.sort_values("counted")["people"].astype(int), strict=True))


def _verdict(data: Data, steps: list[tuple], made: pd.DataFrame) -> str:
    everybody = steps[0][1].select("user_id").union(steps[-1][1].select("user_id")).distinct()
    total = int(data.run(everybody.aggregate(n=_.count()))["n"].iloc[0])
    first, last = steps[0][1].rename(before_id="user_id", was="counted"), steps[-1][1]
    same = first.inner_join(last, [("before_id", "user_id")]).filter(_.was == _.counted)
    differ = total - int(data.run(same.aggregate(n=_.count()))["n"].iloc[0])
    if not differ:
        return f"All {total:,} people are counted alike."
    why = made.groupby("parameter", sort=False)["people"].sum()
    said = ", ".join(f"{name} ({people:,})" for name, people in why.items()) if len(why) > 1 else why.index[0]
    return f"{differ:,} of {total:,} people {'is' if differ == 1 else 'are'} counted differently, because of {said}."
