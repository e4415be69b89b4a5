"""`plgkit notebooks`: list, store and check the notebooks of the project."""

from __future__ import annotations

import json
import sys

import click


@click.command("notebooks")
@click.option("--write", "task", flag_value="write", help="Run them on the bundled sample and store the outputs.")
@click.option("--check", "task", flag_value="check", help="Fail if stored outputs are not what a run gives now.")
@click.option("--list", "task", flag_value="list", default="list", help="List them with their parameters (the default).")
@click.option("--only", multiple=True, metavar="NAME", help="Take this notebook alone; may be given again.")
@click.option("--notebooks", "where", metavar="DIR", help="Folder of the notebooks; by default those of the project.")
@click.option("--workers", default=2, show_default=True, metavar="N", help="How many run at the same time.")
@click.option("--json", "as_json", is_flag=True, help="Print what is said as JSON.")
def notebooks_command(task: str, only: tuple[str, ...], where: str | None, workers: int, as_json: bool) -> None:
    """List the notebooks with their parameters, store their outputs, or check that they are fresh.

    \b
    Example:
      plgkit notebooks --write --only activation
    """
    from pathlib import Path

    from plgkit.reports import books, stored

    found = books.find(Path(where) if where else books.folder(), only)
    if task == "list":
        _list(found, as_json=as_json)
        return
    answers = (stored.write if task == "write" else stored.check)(found, workers=workers)
    if as_json:
        click.echo(json.dumps([{"name": each.name, "state": each.state, "detail": each.detail} for each in answers], indent=1))
    for each in answers if not as_json else ():
        click.echo(f"{each.name}: {each.state}")
        if each.detail:
            click.echo("\n".join(f"    {line}" for line in each.detail.splitlines()))
    if not all(each.well for each in answers):
        sys.exit(1)


def _list(found: list, *, as_json: bool) -> None:
    from plgkit.reports import books, parameters

    if as_json:
        click.echo(json.dumps([
            {"name": path.stem, "title": books.title(path), "parameters": [
                {"name": each.name, "kinds": list(each.kinds), "default": each.default, "meaning": each.meaning}
                for each in parameters.declared(path).values()]} for path in found], indent=1))
        return
    for path in found:
        click.echo(f"{path.stem}: {books.title(path)}")
        for each in parameters.declared(path).values():
            click.echo(f"    {each.name} ({' or '.join(each.kinds)}, {each.default!r}): {each.meaning}")
