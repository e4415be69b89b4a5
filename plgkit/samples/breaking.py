"""One stage of the made-up company broken on purpose, from a day on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import numpy as np

from plgkit.errors import BadParameter, UnknownStage

from . import clock

_SPRING, _WINTER = date(2026, 4, 1), date(2026, 1, 1)


@dataclass(frozen=True)
class Fault:
    """What is wrong, the factor by which, and the day from which on unless another is given."""

    what: str
    factor: float
    since: date = _SPRING


FAULTS = MappingProxyType(
    {
        "acquisition": Fault("Half as many visits become sign-ups.", 0.5),
        "activation": Fault("Half as many newcomers activate.", 0.5),
        "engagement": Fault("Those who stay are active on half as many days.", 0.5),
        "retention": Fault("Fewer newcomers stay (0.4 times), and those who are there leave within weeks.", 0.4),
        "conversion": Fault("Accounts begin to pay 0.3 times as often.", 0.3, _WINTER),
        "pql": Fault("Accounts with signs of need pay 0.2 times as often; others pay instead, by invoice.", 0.2, _WINTER),
        "expansion": Fault("Accounts shrink and end five times as often, and grow a fifth as often.", 5.0),
        "advocacy": Fault("Invitations and links are accepted 0.3 times as often.", 0.3),
    }
)
"""By stage. Who begins to pay is known after 90 days only, so that these two begin a quarter earlier."""


@dataclass(frozen=True)
class Broken:
    """The stage that is broken and since when, or nothing."""

    stage: str | None = None
    since: date = _SPRING

    def factor(self, stage: str, at: np.ndarray) -> np.ndarray:
        """Give the factor of a stage at each time (seconds): 1 unless it is broken by then."""
        return np.where(self.begun(stage, at), FAULTS[stage].factor, 1.0)

    def begun(self, stage: str, at: np.ndarray) -> np.ndarray:
        """Tell at which times (seconds) the stage is broken."""
        return (stage == self.stage) & (at >= clock.MIDNIGHTS[clock.number_of(self.since)])

    def truth(self) -> dict[str, object]:
        """Say it as truth.json does; nothing where nothing is broken."""
        if self.stage is None:
            return {}
        fault = FAULTS[self.stage]
        said = {"stage": self.stage, "since": self.since.isoformat(), "what": fault.what, "factor": fault.factor}
        return {"broken": said}


SOUND = Broken()


def broken_in(stage: str | None, since: date | str | None = None) -> Broken:
    """Read the name of the stage that is to be broken, and the day."""
    if stage is None:
        return SOUND
    if stage not in FAULTS:
        raise UnknownStage(stage, list(FAULTS))
    day = FAULTS[stage].since if since is None else since
    try:
        day = date.fromisoformat(str(day))
    except ValueError:
        day = None
    if day is None or not clock.FIRST_DAY < day <= clock.LAST_DAY:
        raise BadParameter("broken_from", since, expected=f"a day from {clock.FIRST_DAY} to {clock.LAST_DAY}")
    return Broken(stage, day)
