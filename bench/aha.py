"""Is the true moment of value found, and what only goes with it turned down? Over companies drawn from seeds.

    python bench/aha.py [people] [seeds]

One line per company: the first candidate, its difference on the confirming half, and the behaviours that go with
it in the same people: how many of those look like a finding, and which are confirmed as more than that (none should be).
"""

from __future__ import annotations

import sys
import time

from plgkit import samples
from plgkit.metrics import activation
from plgkit.playbook import read_playbook
from plgkit.samples.story import STORY
from plgkit.sources.connect import connect

TRUE = STORY.activation.event
GO_WITH = {*STORY.decoys, "profile_completed", "board_created", "card_added", "teammate_invited", "link_shared"}


def one(people: int, seed: int) -> dict[str, object]:
    """What the search says of one company."""
    made = samples.company(people=people, seed=seed)
    data = connect({name: made.tables[name] for name in ("events", "users")}, as_of="2026-06-30",
                   playbook=read_playbook(made.playbook))
    found = activation.aha_candidates(data)
    first, others = found.iloc[0], found[found["event"].isin(GO_WITH)]
    return {"seed": seed, "first": f"{first['event']} x{first['at_least']} in {first['days']} d", "right": first["event"] == TRUE,
            "confirmed": bool(first["confirmed"]), "difference": f"{first['difference']:.2f} ({first['low']:.2f} to {first['high']:.2f})",
            "n": int(first["n"]), "tied": int(others["tied"].sum()), "wrong": sorted(others.loc[others["confirmed"], "event"]),
            "also": sorted(set(found.loc[found["confirmed"], "event"]) - GO_WITH - {TRUE})}


def main(people: int = 4000, seeds: int = 20) -> None:
    """Print a line per company and a summary."""
    begun, rows = time.perf_counter(), []
    for seed in range(1, seeds + 1):
        rows.append(one(people, seed))
        print("  ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    right = sum(row["right"] and row["confirmed"] for row in rows)
    wrong = sum(len(row["wrong"]) for row in rows)
    print(f"{people} people: the true moment first and confirmed in {right} of {seeds} companies; of {seeds * len(GO_WITH)} "
          f"behaviours that only go with it {sum(row['tied'] for row in rows)} are tied to staying and {wrong} confirmed beyond it; "
          f"{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
