"""`plgkit list`, `plgkit define` and `plgkit measure`: the catalogue from the command line."""

from __future__ import annotations

import json

import click

from plgkit.cli.shared import (
    as_of_option,
    format_options,
    opened,
    pairs,
    playbook_option,
    show,
    source_argument,
)

by_option = click.option("--by", metavar="COLUMN", help="Column to cut by, such as channel or plan.")
grain_option = click.option("--grain", metavar="GRAIN", help="day, week, month or quarter.")
set_option = click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter of the measure.")


@click.command("list")
@click.option("--stage", metavar="STAGE", help="Only the measures of one stage.")
@format_options
def list_command(stage: str | None, form: str, as_json: bool) -> None:
    """List the measures of the catalogue.

    \b
    Example:
      plgkit list --stage activation
    """
    from plgkit.errors import BadParameter
    from plgkit.metrics.registry import STAGES, catalogue

    found = catalogue()
    if stage is not None:
        if stage not in STAGES:
            raise BadParameter("--stage", stage, expected=f"one of {', '.join(STAGES)}")
        found = found[found["stage"] == stage]
    short = found if as_json or form != "table" else found[["measure", "shape", "unit", "what"]]
    show(short, form, as_json)


def parameters_of(by: str | None, grain: str | None, settings: tuple[str, ...]) -> dict[str, object]:
    """What was said of a measure's parameters, by name."""
    return {**({"by": by} if by else {}), **({"grain": grain} if grain else {}), **pairs(settings)}


@click.command("define")
@click.argument("name", metavar="MEASURE")
@source_argument
@as_of_option
@playbook_option
@by_option
@grain_option
@set_option
@click.option("--sql", is_flag=True, help="Print the query instead.")
@click.option("--dialect", metavar="NAME", help="The query in another dialect, such as postgres.")
@click.option("--json", "as_json", is_flag=True, help="The definition as data.")
def define_command(name: str, source: str | None, as_of: str | None, playbook: str | None, by: str | None,
                   grain: str | None, settings: tuple[str, ...], sql: bool, dialect: str | None, as_json: bool) -> None:
    """Say what the numbers of a MEASURE mean on these data.

    \b
    Example:
      plgkit define activation.rate exports/ --set within_days=14
      plgkit define activation.rate exports/ --sql --dialect postgres
    """
    from plgkit.metrics.registry import find

    measure = find(name)
    data = opened(source, as_of=as_of, playbook=playbook)
    parameters = parameters_of(by, grain, settings)
    if sql or dialect:
        click.echo(measure.sql(data, dialect=dialect, **parameters))
        return
    definition = measure.define(data, **parameters)
    click.echo(json.dumps(dict(definition.facts), indent=1, default=str) if as_json else definition.text)


@click.command("measure")
@click.argument("name", metavar="MEASURE")
@source_argument
@as_of_option
@playbook_option
@by_option
@grain_option
@set_option
@click.option("--level", type=float, default=0.95, show_default=True, help="Share that intervals cover.")
@format_options
def measure_command(name: str, source: str | None, as_of: str | None, playbook: str | None, by: str | None,
                    grain: str | None, settings: tuple[str, ...], level: float, form: str, as_json: bool) -> None:
    """Print the numbers of one MEASURE, its definition on standard error.

    In CSV a text that a spreadsheet would read as a formula begins with an apostrophe.

    \b
    Example:
      plgkit measure activation.rate exports/ --by channel --grain month --format csv
      plgkit measure pql.scores exports/ --set lifespan_days=30 --format csv > call-list.csv
    """
    from plgkit.metrics.registry import find

    measure = find(name)
    data = opened(source, as_of=as_of, playbook=playbook)
    frame = measure(data, level=level, **parameters_of(by, grain, settings))
    click.echo(frame.attrs["definition"], err=True)
    show(frame, form, as_json)
