"""Funnels against trying every way in plain Python, and by hand."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import plain_funnels
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_funnels import Asked

from plgkit.metrics.funnels import paths, plan
from plgkit.sources.connect import connect

MINUTE, START, AS_OF = pd.Timedelta(minutes=1), pd.Timestamp("2025-03-01 23:50"), "2025-03-01"
END = 10.0
NAMES = ["a", "b", "c", "x"]


@functools.cache
def company(seed: int):
    """People whose few events often fall on the same minute, the last ten of a day."""
    rng = np.random.default_rng(seed)
    people = {f"p{number:03d}": [(float(rng.integers(0, 10)), str(rng.choice(NAMES)), rng.choice(["1", "2", None]))
                                 for _ in range(rng.integers(1, 8))] for number in range(120)}
    return people, connect({"events": plain_funnels.as_frame(people, START, MINUTE)}, as_of=AS_OF)


CHOICES = [("a", None), ("b", None), ("c", None), ("a", "1"), ("b", "1"), ("b", "2"), (None, "2")]


@st.composite
def funnels(draw) -> Asked:
    steps = draw(st.lists(st.lists(st.sampled_from(CHOICES), min_size=1, max_size=2, unique=True), min_size=1, max_size=4))
    n, order = len(steps), draw(st.sampled_from(["ordered", "ordered", "ordered", "strict", "any"]))
    asked = Asked(steps, order=order, window=draw(st.sampled_from([1.0, 3.0, 6.0, 1440.0])),
                  entry=draw(st.sampled_from(["first", "any", "furthest"])), hold=draw(st.booleans()), end=END,
                  tie=draw(st.sampled_from([0.0, 0.0, 1.0])))
    if order != "any":
        asked.optional = draw(st.sets(st.integers(2, n), max_size=2)) if n > 1 else set()
        asked.step_windows = draw(st.one_of(st.just([]), st.lists(
            st.sampled_from([1.0, 2.0, 4.0, 1440.0]), min_size=n - 1, max_size=n - 1)))
    ends = [each for each in range(1, n + 1) if each not in asked.optional]
    if order == "ordered" and len(ends) > 1:
        for _ in range(draw(st.integers(0, 2))):
            after, before = sorted(draw(st.lists(st.sampled_from(ends), min_size=2, max_size=2, unique=True)))
            asked.exclude.append((draw(st.sampled_from(["x", "b"])), after, before, draw(st.sampled_from(["stop", "leave"]))))
    return asked


def as_parameters(asked: Asked) -> dict:
    """The plain funnel as plgkit is asked for it."""
    steps = [[{"event": event, **({"where": {"p": value}} if value else {})} for event, value in step] for step in asked.steps]
    return {
        "steps": steps, "order": asked.order, "window": f"{int(asked.window)} minutes", "entry": asked.entry,
        "hold": "p" if asked.hold else None, "optional": sorted(asked.optional) or None, "tie_seconds": asked.tie * 60 or None,
        "step_windows": [f"{int(each)} minutes" for each in asked.step_windows] or None,
        "exclude": [{"event": event, "after": after, "before": before, "effect": effect}
                    for event, after, before, effect in asked.exclude] or None}


def found_by_plgkit(data, asked: Asked) -> dict[str, tuple]:
    rows = data.run(paths(data, plan(**as_parameters(asked))))
    minutes = {name: (rows[name] - START) / MINUTE for name in rows if name.startswith(("at_", "from_"))}
    frame = pd.DataFrame(minutes).set_index(rows["user_id"])
    assert frame.index.is_unique
    return {user: (row["at_1"], {k: (row[f"at_{k}"], row[f"from_{k}"]) for k in range(2, asked.n + 1) if pd.notna(row[f"at_{k}"])})
            for user, row in frame.iterrows()}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(asked=funnels(), seed=st.integers(0, 3))
def test_every_funnel_agrees_with_trying_every_way(asked: Asked, seed: int):
    people, data = company(seed)
    expected = {}
    for user, rows in people.items():
        found = plain_funnels.best(rows, asked)
        if found:
            expected[user] = (found[0], {step: (when, since) for step, (when, _, since) in found[1].items()})
    assert found_by_plgkit(data, asked) == expected
