"""`plgkit compare`, `plgkit sensitivity`, `plgkit funnel` and `plgkit glossary`: what a number is, and would be."""

from __future__ import annotations

import click

from plgkit.cli.ask import by_option, grain_option, parameters_of, set_option
from plgkit.cli.shared import (
    as_of_option,
    format_options,
    opened,
    pairs,
    playbook_option,
    show,
    source_argument,
)


@click.command("funnel")
@click.argument("source", metavar="SOURCE")
@click.argument("steps", nargs=-1, required=True, metavar="STEP...")
@as_of_option
@playbook_option
@by_option
@grain_option
@set_option
@click.option("--like", metavar="TOOL", help="Count as posthog, mixpanel, amplitude or clickhouse does by default.")
@format_options
def funnel_command(source: str, steps: tuple[str, ...], as_of: str | None, playbook: str | None, by: str | None,
                   grain: str | None, settings: tuple[str, ...], like: str | None, form: str, as_json: bool) -> None:
    """Print how many people get through two or more STEPs of SOURCE, and how fast.

    A STEP is an event, or JSON: a list of events, or an event with conditions on its properties.

    \b
    Example:
      plgkit funnel data/sample profile_completed board_created card_finished --set window="3 days"
      plgkit funnel exports/ signed_up '{"event": "paid", "where": {"plan": "team"}}' --by channel
    """
    from plgkit.cli.shared import value
    from plgkit.metrics.funnels import funnel

    data = opened(source, as_of=as_of, playbook=playbook)
    found = funnel(data, [value(each) for each in steps], like=like, **parameters_of(by, grain, settings))
    click.echo(found.attrs["definition"], err=True)
    short = found if as_json or form != "table" else found.drop(columns=[
        name for name in found.columns if "from_entry" in name or name.startswith(("q25", "q75", "mean"))])
    show(short, form, as_json)


@click.command("compare")
@click.argument("name", metavar="MEASURE")
@click.argument("other", metavar="TOOL")
@source_argument
@as_of_option
@playbook_option
@set_option
@click.option("--age", type=int, help="For retention: the age at which people are back or not.")
@format_options
def compare_command(name: str, other: str, source: str | None, as_of: str | None, playbook: str | None,
                    settings: tuple[str, ...], age: int | None, form: str, as_json: bool) -> None:
    """Show which people another TOOL's definition of a MEASURE counts differently, and why.

    MEASURE is funnel, retention.cohorts, retention.curve, retention.growth_accounting or engagement.stickiness.
    TOOL is posthog, mixpanel or amplitude (for a funnel also clickhouse), or name=value for another parameter of
    the measure.

    \b
    Example:
      plgkit compare retention.cohorts mixpanel exports/ --set unit=day --age 7
      plgkit compare retention.cohorts clock=rolling exports/
      plgkit compare funnel mixpanel exports/ --set steps='["signed_up", "paid"]'
    """
    from plgkit.definitions import compare

    data = opened(source, as_of=as_of, playbook=playbook)
    asked = pairs((other,)) if "=" in other else other
    found = compare(data, name, asked, age=age, **pairs(settings))
    click.echo(found.attrs["verdict"], err=True)
    show(found, form, as_json)


@click.command("sensitivity")
@click.argument("name", metavar="MEASURE")
@source_argument
@as_of_option
@playbook_option
@by_option
@grain_option
@set_option
@format_options
def sensitivity_command(name: str, source: str | None, as_of: str | None, playbook: str | None, by: str | None,
                        grain: str | None, settings: tuple[str, ...], form: str, as_json: bool) -> None:
    """Ask a MEASURE under its plausible definitions and say whether the conclusion turns.

    \b
    Example:
      plgkit sensitivity activation.rate exports/ --grain month
    """
    from plgkit.definitions import sensitivity

    data = opened(source, as_of=as_of, playbook=playbook)
    found = sensitivity(data, name, **parameters_of(by, grain, settings))
    for each in found.attrs["left_out"]:
        click.echo(f"Left out: {each}", err=True)
    click.echo(found.attrs["verdict"], err=True)
    show(found, form, as_json)


@click.command("glossary")
@click.argument("name", required=False, metavar="[MEASURE]")
@click.option("--tools", is_flag=True, help="How other tools count, and where plgkit differs on purpose.")
@click.option("--markdown", is_flag=True, help="As a page of Markdown.")
@click.option("--html", "page", metavar="FILE", help="As one page, with pictures and the SQL; glossary.html beside an index of reports is linked.")
@click.option("--source", metavar="SOURCE", help="For --html: whose playbook and engine; by default the bundled company's.")
@as_of_option
@playbook_option
@format_options
def glossary_command(name: str | None, tools: bool, markdown: bool, page: str | None, source: str | None, as_of: str | None,
                     playbook: str | None, form: str, as_json: bool) -> None:
    """Explain every measure, one MEASURE, or how other tools count.

    \b
    Example:
      plgkit glossary engagement.stickiness
      plgkit glossary --markdown > glossary.md
      plgkit glossary --tools
      plgkit glossary --html reports/glossary.html --source exports/
    """
    from plgkit.glossary import as_markdown, glossary, other_tools, tools_as_markdown
    from plgkit.metrics import registry

    if page:
        _write(page, source, as_of, playbook)
        return
    if markdown:
        click.echo(tools_as_markdown() if tools else as_markdown(glossary()))
        return
    whole = form != "table" or as_json
    if tools and whole:
        show(other_tools(), form, as_json)
    elif tools:
        for part in tools_as_markdown().replace("**", "").replace("## ", "").split("\n\n"):
            click.echo(click.wrap_text(part, 100, subsequent_indent="  "))
    elif name is None:
        show(glossary() if whole else glossary()[["measure", "definition"]], form, as_json)
    else:
        words = glossary()
        found = words[words["measure"] == registry.find(name).name]
        if whole:
            show(found, form, as_json)
            return
        for column, text in found.iloc[0].items():
            click.echo(click.wrap_text(f"{column.replace('_', ' ')}: {text}", 100, subsequent_indent="  "))


def _write(page: str, source: str | None, as_of: str | None, playbook: str | None) -> None:
    from plgkit.reports import glossary, index

    data = opened(source, as_of=as_of, playbook=playbook)
    written = glossary.write(data, page)
    if written.name == index.GLOSSARY and (written.parent / "index.html").exists():
        index.write(written.parent)
    click.echo(f"Wrote {written}.")
