"""How often experiments find what is there, and what is not: over made-up companies, and over people drawn by simple laws.

    python bench/experiments_truth.py                       a quick look: 20 companies, nothing is kept
    python bench/experiments_truth.py --runs 200 --keep docs

A company is drawn in numpy before any dirt, and each of its two experiments is read on every day by the same code that
`experiments.looks` uses. That the measures count the same people on the dirty tables is held by tests/test_truth.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from plgkit.metrics.experiments import judging
from plgkit.playbook.trial import Experiment, Metric
from plgkit.samples.block import Block, blocks
from plgkit.samples.clock import DAY, END, NEVER
from plgkit.samples.story import STORY
from plgkit.samples.words import CODE
from plgkit.stats import arms, compare, intervals, power, ranks

SHARE, MEAN = Metric(name="share", event="any"), Metric(name="mean", event="any", kind="mean")
WINDOW, SIZES = 14 * DAY, (3_800, 12_000)
LAWS, DAYS, A_DAY = 2_000, 30, 40


def main() -> None:
    """Count, print, and keep where asked to."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=20)
    arguments.add_argument("--keep", type=Path)
    given = arguments.parse_args()
    rows = [row for people in SIZES for row in of_companies(people, given.runs)] + of_laws(LAWS if given.runs >= 200 else LAWS // 10)
    table = pd.DataFrame(rows, columns=["what", "runs", "hits", "stated"])
    table["rate"] = table["hits"] / table["runs"]
    table["low"], table["high"] = intervals.wilson(table["hits"], table["runs"])
    table = table[["what", "runs", "hits", "rate", "low", "high", "stated"]]
    print(table.round(4).to_string(index=False))
    if given.keep:
        table.to_csv(given.keep / "experiments.csv", index=False, lineterminator="\n", float_format="%.6g")
        page = given.keep / "experiments.md"
        head, mark, _ = page.read_text(encoding="utf-8").partition("<!-- results -->\n")
        page.write_text(head + mark + _as_page(table), encoding="utf-8")


def of_companies(people: int, runs: int) -> list[tuple]:
    """The real effect and the one that is none, over companies of so many people."""
    read: dict[str, list] = {name: [] for name in STORY.experiments}
    for seed in range(runs):
        drawn = list(blocks(people, seed))
        for number, (name, run) in enumerate(STORY.experiments.items()):
            read[name].append(_read(drawn, number, run.on))
    found = pd.DataFrame(read["guided_start"])
    truth = found["x2"].sum() / found["n2"].sum() - found["x1"].sum() / found["n1"].sum()
    stated = np.mean([power.chance(share * (1 - share), 2 * min(n1, n2), truth) for n1, n2, share in zip(
        found["n1"], found["n2"], (found["x1"] + found["x2"]) / (found["n1"] + found["n2"]), strict=True)])
    covered = [each.low <= truth <= each.high for each in (
        compare.shares(row.x2, row.n2, row.x1, row.n1) for row in found.itertuples())]
    none, of = pd.DataFrame(read["button_color"]), f"companies of {people:,}"
    return [(f"{of}: the real effect is found at the end", runs, int((found["end"] <= 0.05).sum()), float(stated)),
            (f"{of}: the interval at the end holds the real effect", runs, int(np.sum(covered)), 0.95),
            (f"{of}: the real effect is found on some day, always-valid", runs, int((found["always"] <= 0.05).sum()), np.nan),
            (f"{of}: the null is found at the end", runs, int((none["end"] <= 0.05).sum()), 0.05),
            (f"{of}: the null is found on some day, fixed horizon", runs, int((none["daily"] <= 0.05).sum()), np.nan),
            (f"{of}: the null is found on some day, always-valid", runs, int((none["always"] <= 0.05).sum()), 0.05)]


def _read(drawn: list[Block], number: int, event: str) -> dict[str, float]:
    """One experiment of one company: counts at the end, p at the end and the smallest of all days."""
    parts = [_of_block(block, number, event) for block in drawn]
    day, variant, hit = (np.concatenate(each) for each in zip(*parts, strict=True))
    sides = []
    for which in (0, 1):
        mine = variant == which
        n, x = (np.bincount(day[mine], weights, day.max() + 1).cumsum()[day.min():] for weights in (None, hit[mine].astype(float)))
        sides.append(_sums(n.astype(float), x, x))
    looked = judging.followed(*sides, SHARE, Experiment(), adjusted=False, level=0.95)
    p, always = (np.nan_to_num(looked[each], nan=1.0) for each in ("p", "p_always"))
    (n1, x1), (n2, x2) = ((each["n"][-1], each["x"][-1]) for each in sides)
    return {"n1": n1, "x1": x1, "n2": n2, "x2": x2, "end": p[-1], "daily": p.min(), "always": always.min()}


def _of_block(block: Block, number: int, event: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Day on which each person's days were over, variant, and success."""
    seen, things = block.exposures, block.done
    times = seen.at
    rows = np.flatnonzero((seen.experiment == number) & (times + WINDOW <= END))
    start = np.full(len(block.people), NEVER)
    start[seen.person[rows]] = times[rows]
    does = (things.code == CODE[event]) & (things.at >= start[things.person]) & (things.at <= start[things.person] + WINDOW)
    hit = np.zeros(len(block.people), dtype=bool)
    hit[things.person[does]] = True
    return (times[rows] + WINDOW) // DAY, seen.variant[rows], hit[seen.person[rows]]


def of_laws(runs: int) -> list[tuple]:
    """Intervals and false finds for each kind of metric, of people drawn by simple laws; looked at on thirty days."""
    random = np.random.default_rng(2026)
    drawn = {
        "shares": (SHARE, lambda: _bernoulli(random, runs, 0.3), False),
        "means of skewed counts": (MEAN, lambda: _counts(random, runs), False),
        "means, adjusted": (MEAN, lambda: _counts(random, runs), True),
        "ratios": (MEAN, lambda: _ratios(random, runs), False),
        "ratios, adjusted": (MEAN, lambda: _ratios(random, runs), True),
    }
    rows = []
    for name, (metric, draw, adjusted) in drawn.items():
        looked = judging.followed(draw(), draw(), metric, Experiment(), adjusted=adjusted, level=0.95)
        ever, always = (np.nan_to_num(looked[each], nan=1.0).min(axis=1) for each in ("p", "p_always"))
        inside = (looked["low"][:, -1] <= 0) & (looked["high"][:, -1] >= 0)
        rows += [(f"{name}: the interval at the end holds no difference", runs, int(inside.sum()), 0.95),
                 (f"{name}: found at the end", runs, int((looked["p"][:, -1] <= 0.05).sum()), 0.05),
                 (f"{name}: found on some day, fixed horizon", runs, int((ever <= 0.05).sum()), np.nan),
                 (f"{name}: found on some day, always-valid", runs, int((always <= 0.05).sum()), 0.05)]
    return [*rows, *_of_quantiles(random, runs), *_of_guardrails(random, runs)]


def _of_quantiles(random: np.random.Generator, runs: int) -> list[tuple]:
    drawn = np.exp(random.normal(size=(runs, 2, 600))).round(2)
    inside = 0
    for one, other in drawn:
        found = ranks.quantiles(one, np.ones(600), other, np.ones(600), draws=2_000)
        inside += found.low <= 0 <= found.high
    return [("medians: the interval at the end holds no difference", runs, int(inside), 0.95)]


def _of_guardrails(random: np.random.Generator, runs: int) -> list[tuple]:
    """A metric that is worse by exactly the margin, which must not be said to hold more often than one time in forty."""
    held = 0
    for _ in range(runs):
        one, other = (_sums(1_200.0, float(x), float(x)) for x in random.binomial(1_200, (0.4, 0.36)))
        held += arms.no_worse(one, other, 0.1)[0] > 0
    return [("guardrails: worse by the margin and said to hold", runs, held, 0.025)]


def _sums(n, x, xx, **more) -> dict[str, np.ndarray]:
    nothing = np.zeros_like(np.asarray(x, dtype=float))
    return {"n": n, "x": x, "a": nothing, "xx": xx, "xa": nothing, "aa": nothing} | more


def _bernoulli(random: np.random.Generator, runs: int, share: float) -> dict[str, np.ndarray]:
    x = random.binomial(A_DAY, share, (runs, DAYS)).cumsum(axis=1).astype(float)
    return _sums((np.arange(DAYS) + 1.0) * A_DAY, x, x)


def _counts(random: np.random.Generator, runs: int) -> dict[str, np.ndarray]:
    """Counts after and before of people who do more or less by nature."""
    nature = random.gamma(0.8, 3.0, (runs, DAYS, A_DAY))
    x, a = random.poisson(nature).astype(float), random.poisson(nature).astype(float)
    return _summed(x=x, a=a)


def _ratios(random: np.random.Generator, runs: int) -> dict[str, np.ndarray]:
    """Orders over visits, after and before; who comes more often orders a larger part of the time."""
    nature, parts = random.gamma(1.5, 2.0, (runs, DAYS, A_DAY)), {}
    for top, bottom in ("xy", "ab"):
        parts[bottom] = 1.0 + random.poisson(nature)
        parts[top] = random.binomial(parts[bottom].astype(int), np.clip(0.1 + 0.05 * nature, 0, 0.9)).astype(float)
    return _summed(**parts)


def _summed(**terms: np.ndarray) -> dict[str, np.ndarray]:
    names = [each for each in arms.TERMS if each in terms]
    made = {"n": (np.arange(DAYS) + 1.0) * A_DAY}
    for name in arms.products("".join(names)):
        made[name] = np.prod([terms[letter] for letter in name], axis=0).sum(axis=2).cumsum(axis=1)
    return made


def _as_page(table: pd.DataFrame) -> str:
    lines = ["| | runs | rate | by chance between | stated |", "|---|---|---|---|---|"]
    for row in table.itertuples():
        stated = "" if np.isnan(row.stated) else f"{100 * row.stated:.1f} %"
        lines.append(f"| {row.what} | {row.runs:,} | **{100 * row.rate:.1f} %** | {100 * row.low:.1f} to {100 * row.high:.1f} % | {stated} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
