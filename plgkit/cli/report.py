"""`plgkit report`: run the notebooks into HTML reports."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from plgkit.cli.shared import as_of_option, playbook_option, source_argument

if TYPE_CHECKING:
    from plgkit.reports.runner import Progress, RunResult


@click.command("report")
@source_argument
@as_of_option
@playbook_option
@click.option("--only", multiple=True, metavar="NAME", help="Run this notebook alone; may be given again.")
@click.option("--out", default="reports", show_default=True, metavar="DIR", help="Folder of the reports.")
@click.option("--notebooks", metavar="DIR", help="Folder of the notebooks; by default those of the project.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a parameter of the notebooks.")
@click.option("--workers", default=2, show_default=True, metavar="N", help="How many run at the same time; 0 for ordinary kernels.")
@click.option("--engine", type=click.Choice(["fork", "kernel"]), help="How cells run; by default the fastest here.")
@click.option("--timeout", default=600.0, show_default=True, metavar="SECONDS", help="Time for one notebook.")
@click.option("--force", is_flag=True, help="Run what is unchanged too.")
@click.option("--keep", type=int, metavar="N", help="Keep the last N dates, remove the others.")
@click.option("--hook", metavar="COMMAND", help="Command to run at the end; it finds PLGKIT_OUT, PLGKIT_AS_OF, "
              "PLGKIT_EXIT_STATUS and PLGKIT_FAILED in its environment.")
@click.option("--json", "as_json", is_flag=True, help="Print what happened as JSON.")
def report_command(source: str | None, as_of: str | None, playbook: str | None, only: tuple[str, ...], out: str,
                   notebooks: str | None, settings: tuple[str, ...], workers: int, engine: str | None, timeout: float,
                   force: bool, keep: int | None, hook: str | None, as_json: bool) -> None:
    """Run the notebooks for one date into HTML reports with an index. Running twice is safe.

    Exit status: 0 all well, 1 a report failed or a guardrail broke, 2 wrong use, 3 no data,
    4 the database went away or the disk is full: run the same again.

    \b
    Example:
      plgkit report exports/ --as-of 2026-06-30 --only activation --set within_days=14
    """
    from plgkit.reports import parameters, runner

    result = runner.run(
        source or "", as_of=as_of, playbook=playbook, only=only, out=out, notebooks=notebooks, workers=workers,
        engine=engine, set=parameters.split(settings), force=force, timeout=timeout, keep=keep, hook=hook,
        progress=_progress(),
    )
    click.echo(json.dumps(result.as_data(), indent=1, ensure_ascii=False) if as_json else _summary(result))
    sys.exit(result.exit_status)


def _progress() -> Progress:
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    marks = {"ok": "[green]✓[/]", "skipped": "[dim]=[/]"}
    return lambda name, state: console.print(f"{marks.get(state, '[red]✗[/]')} {name} [dim]{state}[/]")


def _summary(result: RunResult) -> str:
    lines = [f"Reports to {result.as_of}: {result.out / 'index.html'}"]
    for each in result.reports:
        if not each.well:
            at = f" in cell {each.cell + 1}" if each.cell is not None else ""
            lines.append(f"{each.name} {each.state}{at}: {each.error.splitlines()[0] if each.error else ''}")
        lines += [f"{each.name}: guardrail broken. {line}" for line in each.broken_guardrails]
        lines += [f"{each.name}: {change['label']} {change['was']} -> {change['now']}" for change in each.changes]
    if result.removed:
        lines.append(f"Removed: {', '.join(result.removed)}.")
    if result.hook_status:
        lines.append(f"The hook ended with {result.hook_status}.")
    return "\n".join(lines)
