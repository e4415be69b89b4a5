"""What all sections of a playbook share: their strictness and the checks of single values."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterable
from functools import cache
from types import UnionType
from typing import Annotated, Any, LiteralString, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from plgkit.errors import nearest

Strange = tuple[tuple[str, ...], str, str]


class Section(BaseModel):
    """A part of the playbook: cannot be changed, takes no key it does not know and turns no text into numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


def fault(kind: LiteralString, text: str) -> PydanticCustomError:
    """A fault of kind `expected` ("expected ..."), `unknown` (a name in place of a known one) or `clash` (keys that disagree)."""
    return PydanticCustomError(kind, "{text}", {"text": text})


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def check_zone(name: str) -> str:
    """Let through the name of an IANA time zone."""
    if name not in _zones():
        cities = {zone.rpartition("/")[2]: zone for zone in sorted(_zones(), reverse=True)}
        close = difflib.get_close_matches(name.rpartition("/")[2].replace(" ", "_"), cities, n=1)
        raise fault(
            "expected", f"an IANA time zone such as {cities[close[0]] if close else 'America/New_York'!r}."
        )
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


def strange(
    names: Iterable[str], known: Iterable[str], *, what: str, under: tuple[str, ...] = ()
) -> list[Strange]:
    """Give each name that is not known: its path, what it should be, and the nearest known one."""
    known = list(known)
    return [((*under, name), what, nearest(name, known, listed=99)) for name in names if name not in known]


def inside(annotation: Any) -> Any:
    """Strip `Annotated` and `None` from a type.

    Examples
    --------
    >>> inside(Annotated[str, "a zone"] | None)
    <class 'str'>
    """
    if get_origin(annotation) is Annotated:
        return inside(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return inside(next(each for each in get_args(annotation) if each is not type(None)))
    return annotation


def keys(section: type[Section]) -> dict[str, Any]:
    """The keys of a section as they stand in TOML, each with its field."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


Zone = Annotated[str, AfterValidator(check_zone)]
Currency = Annotated[str, AfterValidator(check_currency)]
Name = Annotated[str, AfterValidator(check_name)]
Names = Annotated[list[Name], AfterValidator(check_distinct)]
Days = Annotated[int, Field(ge=1, le=36_500)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Points = Annotated[float, Field(ge=0, allow_inf_nan=False)]
