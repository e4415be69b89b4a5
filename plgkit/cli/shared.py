"""What several commands share: opening a source, printing a frame."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

    from plgkit.sources.data import Data

source_argument = click.argument("source", required=False, metavar="[SOURCE]")
as_of_option = click.option("--as-of", metavar="DATE", help="Last day counted; by default the last complete day.")
playbook_option = click.option("--playbook", metavar="FILE", help="Playbook to use instead of the source's own.")


def format_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--format` and its short form `--json`."""
    command = click.option("--json", "as_json", is_flag=True, help="The same as --format json.")(command)
    return click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table",
                        help="How to print.", show_default=True)(command)


def opened(source: str | None, *, as_of: str | None = None, playbook: str | None = None) -> Data:
    """The source's data; without a source the bundled sample, said on standard error."""
    from plgkit import samples
    from plgkit.sources.connect import connect

    if source is None:
        click.echo("No SOURCE given: this is the bundled made-up company.", err=True)
        source = samples.bundled_path()
    return connect(source, as_of=as_of, playbook=playbook)


def show(frame: pd.DataFrame, form: str, as_json: bool = False) -> None:
    """Print a frame: for people, as CSV that is safe to open in a spreadsheet, or as JSON."""
    if as_json or form == "json":
        click.echo(json.dumps(json.loads(frame.to_json(orient="records", date_format="iso", date_unit="s")), indent=1,
                              ensure_ascii=False))
    elif form == "csv":
        from plgkit.notebook.handing import to_csv

        click.echo(to_csv(frame), nl=False)
    else:
        click.echo(readable(frame))


def readable(frame: pd.DataFrame) -> str:
    """A frame as text: days without midnight, shares with four digits, gaps as a dash."""
    import pandas as pd

    if frame.empty:
        return "No rows."
    said = frame.copy()
    for name in said.columns:
        values = said[name]
        if pd.api.types.is_datetime64_any_dtype(values):
            said[name] = values.dt.strftime("%Y-%m-%d").fillna("-")
        elif pd.api.types.is_float_dtype(values):
            said[name] = values.map(lambda each: "-" if pd.isna(each) else f"{each:,.4g}" if abs(each) < 1000 else f"{each:,.0f}")
        elif values.isna().any():
            said[name] = values.astype(object).where(values.notna(), "-")
    return said.to_string(index=False)


def value(text: str) -> Any:
    """A parameter's value as written on the command line: JSON where it is, else the text itself.

    Examples
    --------
    >>> value("14"), value("true"), value("report_created"), value('["a", "b"]')
    (14, True, 'report_created', ['a', 'b'])
    """
    try:
        return json.loads(text)
    except ValueError:
        return text


def pairs(settings: tuple[str, ...]) -> dict[str, Any]:
    """`name=value` pairs as a dictionary."""
    found = {}
    for each in settings:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{each!r} is no name=value pair, such as within_days=14.", param_hint="--set")
        found[name] = value(text)
    return found
