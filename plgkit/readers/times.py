"""SQL that reads times as exports write them."""

from __future__ import annotations

SANE = ("1990-01-01", "2200-01-01")


def epoch(text: str) -> str:
    """A whole number since 1970 in seconds, milliseconds, microseconds or nanoseconds, by its size."""
    number = f"try_cast({text} AS DOUBLE)"
    scale = (f"CASE WHEN abs({number}) < 1e11 THEN 1e6 WHEN abs({number}) < 1e14 THEN 1e3 "
             f"WHEN abs({number}) < 1e17 THEN 1 ELSE 1e-3 END")
    return sane(f"make_timestamp(try_cast(round({number} * ({scale})) AS BIGINT))")


def written(text: str, *, zone: str = "UTC") -> str:
    """A time as text, with or without a zone; without one it is in `zone`."""
    zoned = f"regexp_matches({text}, '([Zz]|[+-]\\d\\d(:?\\d\\d)?| (UTC|GMT))$') AND length({text}) > 12"
    bare = f"try_cast({text} AS TIMESTAMP)"
    if zone != "UTC":
        bare = f"timezone('UTC', timezone('{zone}', {bare}))"
    return sane(f"CASE WHEN {zoned} THEN timezone('UTC', try_cast(regexp_replace({text}, '(z| UTC| GMT)$', '+00') AS TIMESTAMPTZ)) ELSE {bare} END")


def any_time(text: str, *, zone: str = "UTC") -> str:
    """A time as text or as a number since 1970."""
    return f"CASE WHEN regexp_full_match({text}, '-?\\d+(\\.\\d+)?') THEN {epoch(text)} ELSE {written(text, zone=zone)} END"


def sane(moment: str) -> str:
    """The time, or NULL where no clock can have shown it: year 1 and year 9999 mean never."""
    return f"CASE WHEN ({moment}) BETWEEN TIMESTAMP '{SANE[0]}' AND TIMESTAMP '{SANE[1]}' THEN ({moment}) END"


def local(moment: str) -> str:
    """A time that counts in the zone the import was told (`zone`, UTC by default)."""
    return f"timezone('UTC', timezone(zone, {moment}))"
