"""The command line: `plgkit COMMAND --help` shows an example of each."""

from __future__ import annotations

import importlib
import sys

import click

from plgkit import __version__
from plgkit.errors import DiskFull, NoData, PlgkitError

COMMANDS = {
    "init": "init", "import": "imports", "check": "check", "list": "ask", "define": "ask", "measure": "ask", "funnel": "definitions",
    "compare": "definitions", "sensitivity": "definitions", "glossary": "definitions", "ledger": "ledger", "billing": "ledger",
    "scorecard": "scorecard", "flywheel": "flywheel",
    "report": "report", "sample": "sample", "notebooks": "notebooks",
}
WRONG_USE, NO_DATA, AGAIN = 2, 3, 4
"""Exit statuses; `AGAIN` is for a server that went away and a disk that is full: the same run will finish later."""


class _Commands(click.Group):
    """A group that imports a command when it is called, so that `plgkit --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return getattr(importlib.import_module(f"plgkit.cli.{COMMANDS[name]}"), f"{name}_command")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="plgkit")
def cli() -> None:
    """A playbook for product-led growth: from the first visit to net revenue retention.

    SOURCE is a folder with a playbook.toml, a file of events (Parquet, CSV, JSON Lines) or a
    DuckDB file; without one the bundled made-up company is used.

    \b
    Begin with your own data:
      plgkit import posthog export/ --out company    or stripe, mixpanel, segment, ...: see its --help
      plgkit init exports/            look at the files, write a first playbook.toml
      plgkit check exports/           what is wrong with the rows, and what was set aside
      plgkit report exports/          run all notebooks, write reports/index.html
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors of plgkit are printed as sentences, not as tracebacks."""
    try:
        cli.main(arguments, prog_name="plgkit", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(WRONG_USE)
    except NoData as error:
        click.echo(str(error), err=True)
        sys.exit(NO_DATA)
    except DiskFull as error:
        click.echo(str(error), err=True)
        sys.exit(AGAIN)
    except PlgkitError as error:
        click.echo(str(error), err=True)
        sys.exit(WRONG_USE)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        from plgkit.sources import faults

        told = faults.told(error)
        if told is None:
            raise
        click.echo(str(told), err=True)
        sys.exit(AGAIN)
