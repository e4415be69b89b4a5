"""What makes a function a measure, and the catalogue of all measures."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

import pandas as pd

from plgkit.errors import (
    BadParameter,
    MissingSetting,
    NotOpened,
    UnknownMeasure,
    UnknownParameter,
    UnnamedParameter,
)
from plgkit.metrics import given, presets
from plgkit.playbook import Playbook
from plgkit.sources import engine
from plgkit.sources.data import Data

if TYPE_CHECKING:
    import ibis

Shape = Literal["rate", "total", "cohort", "funnel", "distribution", "curve", "table"]
Better = Literal["higher", "lower", "neither"]
STAGES = ("acquisition", "activation", "engagement", "retention", "conversion", "pql", "expansion", "advocacy",
          "experiments")
INTERVALS = {
    "rate": "Wilson", "cohort": "Wilson", "funnel": "Wilson",
    "total": "exact Poisson, for counts", "distribution": "log-log of the Kaplan-Meier curve",
    "curve": "log-log, Greenwood",
}
_FOUND: dict[str, Measure] = {}


@dataclass(frozen=True)
class Definition:
    """What a number means: one line for people, the same as data for machines."""

    text: str
    facts: Mapping[str, Any]

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


@dataclass(frozen=True, repr=False, eq=False)
class Measure:
    """A function from a product's tables to a small tidy frame.

    Called, it gives the frame; `sql` the query behind it; `define` what its numbers mean.
    """

    function: Callable[..., ibis.Table]
    finish: Callable[..., pd.DataFrame]
    shape: Shape
    unit: str
    better: Better
    reads: tuple[str, ...]
    settings: Mapping[str, str]
    additive: bool = True
    interval: str | None = None
    preset: str | None = None

    @property
    def stage(self) -> str:
        """The stage of the customer's life it belongs to."""
        return self.function.__module__.removeprefix("plgkit.metrics.").partition(".")[0]

    @property
    def name(self) -> str:
        """Its name in the catalogue, such as `activation.rate`."""
        return f"{self.stage}.{self.function.__name__}"

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return inspect.getdoc(self.function).splitlines()[0]

    @property
    def what(self) -> str:
        """Its summary as a plain sentence: a parameter's own default in its place, N for days of the playbook."""
        def say(match: re.Match[str]) -> str:
            name = match.group(1)
            default = self.parameters[name].default if name in self.parameters else None
            return str(default) if default is not None else "N" if name.endswith(("_days", "_minutes")) else name.replace("_", " ")

        return re.sub(r"`(\w+)`", say, self.summary)

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Its parameters by name, without the data."""
        signature = inspect.signature(self.function)
        return dict(list(signature.parameters.items())[1:])

    def __call__(self, data: Data, *unnamed: object, level: float = 0.95, **parameters: Any) -> pd.DataFrame:
        """The measure as a frame; `level` is the share that intervals cover."""
        if unnamed:
            raise UnnamedParameter(unnamed[0], self.parameters, of=self.name)
        if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
            raise BadParameter("level", level, expected="a share between 0 and 1, such as 0.95")
        resolved = self.resolve(data, parameters)
        asked = f"{self.name}({resolved!r}, {level})"
        if asked not in data.answers:
            data.answers[asked] = self._answer(data, resolved, level)
        return data.answers[asked].copy()

    def _answer(self, data: Data, resolved: dict[str, Any], level: float) -> pd.DataFrame:
        with data.answering():
            query = self.function(data, **resolved)
        frame = data.run(query)
        frame = self.finish(frame, data, {**resolved, "level": level})
        frame.attrs = {**frame.attrs, "measure": self.name, "unit": self.unit, "better": self.better, "shape": self.shape,
                       "currency": data.playbook.product.currency, "definition": _define(self, data, resolved).text}
        if resolved.get("grain"):
            after = data.as_of + engine.DAY
            start = engine.period_of(after, resolved["grain"], data.playbook.product.week_start)
            # The first period that has not ended: everybody in it may be old enough, and more may still come.
            frame.attrs["open_from"] = str(start)
        return frame

    def query(self, data: Data, **parameters: Any) -> ibis.Table:
        """The query as an Ibis expression."""
        return self.function(data, **self.resolve(data, parameters))

    def sql(self, data: Data, *, dialect: str | None = None, **parameters: Any) -> str:
        """The query as text, in the engine's dialect or in another such as `postgres`."""
        return engine.sql(self.query(data, **parameters), dialect)

    def define(self, data: Data, **parameters: Any) -> Definition:
        """What the numbers mean with these parameters on these data."""
        return _define(self, data, self.resolve(data, parameters))

    def resolve(self, data: Data, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters: those given, then the playbook's, then the function's own."""
        if not isinstance(data, Data):
            raise NotOpened(data)
        for name in parameters:
            if name not in self.parameters:
                raise UnknownParameter(name, self.parameters, of=self.name)
        if self.preset and parameters.get("like") is not None:
            parameters = {**presets.preset(parameters["like"], self.preset), **parameters}
        resolved = {}
        for name, parameter in self.parameters.items():
            value = parameters.get(name, None if parameter.default is parameter.empty else parameter.default)
            if value is None and name in self.settings:
                value = _setting(data.playbook, self.settings[name], self)
            resolved[name] = value
        self._check(resolved)
        return resolved

    def _check(self, resolved: Mapping[str, Any]) -> None:
        for name, value in resolved.items():
            if value is None and self.parameters[name].default is None:
                continue
            if name == "grain" and value not in get_args(engine.Grain):
                raise BadParameter(name, value, expected=f"one of {', '.join(get_args(engine.Grain))}")
            if name.endswith("_days") and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise BadParameter(name, value, expected="a whole number of days, 1 or more")
            given.check(self.function, name, str(self.parameters[name].annotation), value)

    def __repr__(self) -> str:
        return f"<measure {self.name}: {self.summary}>"


def _setting(playbook: Playbook, path: str, of: Measure) -> Any:
    """The playbook's word for a parameter nobody gave.

    Raises
    ------
    MissingSetting
        If the playbook leaves it open too.
    """
    section, key = path.split(".")
    words = getattr(playbook, section)
    if path == "activation.event":
        value = words.event or words.rule
    else:
        value = getattr(words, key)
    if value is None or value == []:
        field = type(words).model_fields[key]
        example = f"[{section}] {key} = {_toml(field.examples[0])}"
        raise MissingSetting(path, example=example, why=f"This needs [{section}] {key} in the playbook ({_asks(field)}).")
    return value


def _asks(field: Any) -> str:
    text = field.description.split(";")[0].rstrip(".")
    return f"{text[0].lower()}{text[1:]}"


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def measure(*, shape: Shape, unit: str, better: Better, reads: str,
            settings: Mapping[str, str] = MappingProxyType({}),
            finish: Callable[..., pd.DataFrame] | None = None, additive: bool = True,
            interval: str | None = None,
            preset: str | None = None) -> Callable[[Callable[..., ibis.Table]], Measure]:
    """Make a function a measure and put it into the catalogue.

    Parameters
    ----------
    shape
        What its frame looks like; see `plgkit.metrics.shapes`.
    unit
        The unit of `value`, such as "share of sign-ups".
    better
        Whether more is better.
    reads
        The tables it reads, blank-separated.
    settings
        Parameter = path in the playbook that says its value where nobody gives one.
    finish
        Makes the frame of the query's rows: `finish(frame, data, parameters)`. By default the shape's own.
    additive
        Whether the counts of segments add up to the whole.
    interval
        The method of low and high, where it is not the shape's own.
    preset
        The part of `plgkit.metrics.presets` from which its parameter `like` takes how another tool counts.
    """
    def make(function: Callable[..., ibis.Table]) -> Measure:
        from plgkit.metrics import shapes

        made = Measure(function, finish or shapes.FINISH[shape], shape, unit, better, tuple(reads.split()),
                       MappingProxyType(dict(settings)), additive, interval or INTERVALS.get(shape), preset)
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            object.__setattr__(made, name, getattr(function, name))
        object.__setattr__(made, "__wrapped__", function)
        object.__setattr__(made, "__signature__", _signature(function))
        _FOUND[made.name] = made
        return made
    return make


def _signature(function: Callable[..., ibis.Table]) -> inspect.Signature:
    given = inspect.signature(function)
    level = inspect.Parameter("level", inspect.Parameter.KEYWORD_ONLY, default=0.95, annotation="float")
    return given.replace(parameters=[*given.parameters.values(), level], return_annotation="pd.DataFrame")


def measures() -> dict[str, Measure]:
    """All measures by name, stage by stage."""
    for stage in STAGES:
        importlib.import_module(f"plgkit.metrics.{stage}")
    return {name: each for stage in STAGES for name, each in _FOUND.items() if each.stage == stage}


def find(name: str) -> Measure:
    """One measure by its name.

    Raises
    ------
    UnknownMeasure
        If there is none of this name; the nearest is named.
    """
    known = measures()
    if not isinstance(name, str) or name not in known:
        raise UnknownMeasure(name, known)
    return known[name]


def catalogue() -> pd.DataFrame:
    """All measures: one row per measure with stage, shape, unit, direction, what it is and what it reads."""
    rows = [{"measure": name, "stage": each.stage, "shape": each.shape, "unit": each.unit, "better": each.better,
             "what": each.what, "reads": ", ".join(each.reads)} for name, each in measures().items()]
    return pd.DataFrame(rows)


def _define(of: Measure, data: Data, parameters: Mapping[str, Any]) -> Definition:
    said = set()

    def say(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in parameters:
            return match.group(0).strip("`")
        said.add(name)
        return _plain(parameters[name])

    summary = re.sub(r"`(\w+)`", say, of.summary)
    cuts = [f"{word} {parameters[name]}" for name, word in (("grain", "By"), ("by", "Cut by"))
            if parameters.get(name) and name not in said]
    rest = [f"{name} = {_plain(value)}" for name, value in parameters.items()
            if name not in said and name not in ("grain", "by") and value is not None]
    product = data.playbook.product
    parts = [summary, *([f"With {', '.join(rest)}."] if rest else []),
             *[f"{each}." for each in cuts],
             *([f"Interval: {of.interval}."] if of.interval else []),
             f"Days in {product.time_zone}, data through {data.as_of:%d %b %Y}."]
    revenue = data.revenue_facts if "subscriptions" in of.reads else []
    parts += [f"Revenue {', '.join(revenue)}."] if len(revenue) > 1 else []
    removed = _removed(of, data)
    parts += [f"{removed}."] if removed else []
    facts = {"measure": of.name, "unit": of.unit, "better": of.better, "shape": of.shape,
             "parameters": {name: _fact(value) for name, value in parameters.items()},
             "time_zone": product.time_zone, "week_start": product.week_start, "as_of": data.as_of.isoformat(),
             "interval": of.interval, "revenue": revenue, "reads": list(of.reads), "data": data.version,
             "removed": [each.__dict__ for each in data.findings if each.table in of.reads and each.level != "error"]}
    return Definition(" ".join(parts), MappingProxyType(facts))


def _removed(of: Measure, data: Data) -> str:
    left = sum(each.rows for each in data.findings if each.table == "users" and each.what.startswith("left out"))
    aside = sum(row.set_aside for row in data.overview.itertuples() if row.table in of.reads)
    said = [f"{left:,} people left out (internal, bots)"] if left else []
    return ", ".join([*said, *([f"{aside:,} rows set aside"] if aside else [])])


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(" or ".join(map(_plain, each)) if isinstance(each, (list, tuple)) else _plain(each) for each in value)
    if hasattr(value, "event"):
        times = f" at least {value.at_least} times" if value.at_least > 1 else ""
        where = ", ".join(f"{key} = {_plain(each)}" for key, each in getattr(value, "where", {}).items())
        return f"{_plain(value.event)}{f' ({where})' if where else ''}{times}"
    return str(value)


def _fact(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_fact(each) for each in value]
    if hasattr(value, "model_dump"):
        return value.model_dump()
    return value if value is None or isinstance(value, (str, int, float, bool, dict)) else str(value)
