"""`plgkit check`: what is wrong with the rows of a source."""

from __future__ import annotations

import sys

import click

from plgkit.cli.shared import format_options, opened, playbook_option, show, source_argument


@click.command("check")
@source_argument
@playbook_option
@click.option("--rejects", metavar="FILE", help="Write every row set aside to this CSV file, with its reason.")
@format_options
def check_command(source: str | None, playbook: str | None, rejects: str | None, form: str, as_json: bool) -> None:
    """Check the rows of SOURCE and say what was set aside and why.

    Errors stop (exit status 2); warnings are rows set aside; infos are worth knowing.
    Each is told with what it does to the measures. Rows of "export" are those of an import.

    \b
    Example:
      plgkit check exports/ --rejects rejected.csv
    """
    import pandas as pd

    from plgkit import quality

    data = opened(source, playbook=playbook)
    found = pd.DataFrame([each.__dict__ for each in data.findings], columns=["level", "table", "rows", "what"])
    told = quality.set_aside(data)[["table", "what", "effect"]].drop_duplicates(["table", "what"])
    if form == "table" and not as_json:
        click.echo(repr(data))
        click.echo()
        show(found, form)
        for row in told.itertuples():
            click.echo(f"\n{row.table}: {row.what}\n  {row.effect}")
    else:
        show(found.merge(told, on=["table", "what"], how="left"), form, as_json)
    if rejects:
        rows = data.rejected()
        rows.to_csv(rejects, index=False)
        click.echo(f"{len(rows):,} rows set aside are in {rejects}.", err=True)
    sys.stdout.flush()
