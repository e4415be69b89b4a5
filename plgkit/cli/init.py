"""`plgkit init`: look at the data and write a first playbook."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("init")
@click.argument("source", metavar="SOURCE")
@click.option("--out", metavar="FILE", help="Where to write; by default playbook.toml beside the data. - prints it.")
@click.option("--force", is_flag=True, help="Replace a playbook that is there.")
def init_command(source: str, out: str | None, force: bool) -> None:
    """Look at the files or tables of SOURCE and write a first playbook.

    Every guess stands in the playbook with its reason; read it, change what is wrong, then run
    `plgkit check SOURCE`.

    \b
    Example:
      plgkit init exports/
    """
    from plgkit.errors import BadParameter
    from plgkit.playbook.guess import first_playbook
    from plgkit.sources.look import look

    path = Path(source)
    target = Path(out) if out and out != "-" else (path if path.is_dir() else path.parent) / "playbook.toml"
    if out != "-" and target.exists() and not force:
        raise BadParameter("--out", str(target), expected="a file that is not there yet, or --force to replace it")
    text = first_playbook(look(path))
    if out == "-":
        click.echo(text, nl=False)
        return
    target.write_text(text, encoding="utf-8")
    click.echo(f"Wrote {target}. Read it, then run: plgkit check {source}")
