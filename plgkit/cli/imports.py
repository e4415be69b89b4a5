"""`plgkit import`: exports of other tools become plgkit's tables."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from plgkit.readers.feeds import KINDS


@click.command("import", epilog="KIND is one of: " + "; ".join(f"{kind} ({what})" for kind, what in KINDS.items()) + ".")
@click.argument("kind", metavar="KIND")
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Folder to write the tables and the playbook to.")
@click.option("--times-in", default="UTC", metavar="ZONE", show_default=True,
              help="Zone in which times count that carry none: old Mixpanel projects count in the project's own.")
def import_command(kind: str, path: Path, out: Path, times_in: str) -> None:
    """Read the export in PATH and write its tables to a folder, with a first playbook.

    Run it again with newer files: what was read before is known by its content, and rows that come twice count once.
    Exports of several kinds may go into one folder: events of one tool, invoices of another.

    \b
    Example:
      plgkit import stripe exports/stripe --out company
      plgkit report company
    """
    from plgkit.readers.run import as_lines, import_export

    width = 0

    def tell(name: str, rows: int, left: int) -> None:
        nonlocal width
        if sys.stderr.isatty():
            text = f"{rows:,} rows, {left} file{'' if left == 1 else 's'} to go: {name}"[:100]
            click.echo(f"\r{text:<{width}}", nl=False, err=True)
            width = len(text)

    done = import_export(kind, path, out=out, times_in=times_in, tell=tell)
    if width:
        click.echo("\r" + " " * width + "\r", nl=False, err=True)
    for line in as_lines(done):
        click.echo(line)
    click.echo(f"The playbook is {done.playbook}. Read it, then run: plgkit report {out}")
