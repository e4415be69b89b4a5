"""What the playbook wrote down before a result was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plgkit.notebook import words
from plgkit.playbook.goals import Experiment

if TYPE_CHECKING:
    from plgkit.sources.data import Data

_NOTHING = "not written down"


def plans(data: Data) -> pd.DataFrame:
    """One row per experiment that the playbook names or that anybody saw: what was to be found out, and how.

    Examples
    --------
    >>> from plgkit import samples
    >>> plans(samples.tiny())[["experiment", "success", "control"]]
      experiment         success control
    0    welcome  report_created   plain
    """
    written = data.playbook.experiments
    names = sorted({*written, *(_seen(data) if data.has("exposures") or not written else ())})
    columns = ["experiment", "hypothesis", "success", "days", "control", "planned", "principle"]
    return pd.DataFrame([_row(name, written.get(name), data) for name in names], columns=columns)


def _seen(data: Data) -> list[str]:
    return list(data.exposures.select("experiment").distinct().execute()["experiment"])


def _row(name: str, written: Experiment | None, data: Data) -> dict[str, object]:
    plan = written or Experiment()
    first = next((each.name for each in plan.metrics if each.role == "primary"), None)
    success = plan.metric_event or first or data.playbook.activation.event or "activation"
    shares = [f"{variant} {words.share(share)}" for variant, share in (plan.shares or {}).items()]
    return {"experiment": name, "hypothesis": plan.hypothesis or _NOTHING, "success": success, "days": plan.within_days,
            "control": plan.control, "planned": words.listed(shares) if shares else "equal shares",
            "principle": plan.principle or _NOTHING}
