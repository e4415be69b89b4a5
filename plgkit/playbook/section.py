"""What all sections of a playbook share: their strictness and the checks of single values."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, LiteralString

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from plgkit.errors import nearest


class Section(BaseModel):
    """A part of the playbook: cannot be changed, takes no key it does not know and turns no text into numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


def fault(kind: LiteralString, text: str, **about: Any) -> PydanticCustomError:
    """A fault of kind `expected` ("expected ..."), `unknown` (a name in place of a known one) or `clash` (keys that disagree)."""
    return PydanticCustomError(kind, "{text}", {"text": text, **about})


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def check_zone(name: str) -> str:
    """Let through the name of an IANA time zone."""
    if name not in _zones():
        guess = nearest(name.replace(" ", "_"), _zones(), listed=0)
        hint = f" {guess}" if guess.startswith("Did") else ""
        raise fault("expected", f"an IANA time zone such as 'America/New_York'.{hint}")
    return name


def check_currency(code: str) -> str:
    """Let through what looks like a currency's ISO 4217 code."""
    if not re.fullmatch("[A-Z]{3}", code):
        raise fault("expected", "a currency's code of three capital letters such as 'USD'.")
    return code


def check_name(name: str) -> str:
    """Let through a name that is not blank."""
    if not name.strip():
        raise fault("expected", "a name that is not blank.")
    return name


def check_distinct(names: list[str]) -> list[str]:
    """Let through a list in which no name stands twice."""
    again = sorted({each for each in names if names.count(each) > 1})
    if again:
        raise fault("expected", f"each name once; {', '.join(map(repr, again))} stands there more than once.")
    return names


def check_known(names: Iterable[str], known: Iterable[str], *, what: str) -> None:
    """Let through names that are all known; the fault lists the others, each with the nearest known one."""
    known = list(known)
    strange = {name: nearest(name, known, listed=99) for name in names if name not in known}
    if strange:
        raise fault("unknown", f"unknown {what}: {', '.join(strange)}", names=strange, what=what)


Zone = Annotated[str, AfterValidator(check_zone)]
Currency = Annotated[str, AfterValidator(check_currency)]
Name = Annotated[str, AfterValidator(check_name)]
Names = Annotated[list[Name], AfterValidator(check_distinct)]
Days = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Points = Annotated[float, Field(ge=0, allow_inf_nan=False)]
