"""Which stage the scorecard names, in made-up companies of which one stage has been broken on purpose."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from plgkit import connect, samples
from plgkit.samples.breaking import FAULTS
from plgkit.scorecard import leaks, scorecard


def main() -> None:
    """Print, per company and stage broken, what the scorecard says leaks most, and why."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--people", type=int, default=20_000)
    asked.add_argument("--seeds", type=int, nargs="+", default=[7])
    given = asked.parse_args()
    for seed in given.seeds:
        for stage in [None, *FAULTS]:
            with tempfile.TemporaryDirectory() as folder:
                samples.write_company(Path(folder), people=given.people, seed=seed, **({"broken": stage} if stage else {}))
                card = scorecard(connect(folder))
            found = leaks(card)
            said = [f"{row.stage}: {row.label}, {row.reason} ({row.size:.0%})" for row in found.head(2).itertuples()]
            drifted = int(card["drifted"].fillna(False).sum())
            print(f"{given.people:,} people, seed {seed}, broken: {stage or 'nothing':12} {'; '.join(said)}; {drifted} lines moved", flush=True)


if __name__ == "__main__":
    main()
