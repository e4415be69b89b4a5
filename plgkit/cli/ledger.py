"""`plgkit ledger`: every row behind every number of recurring revenue."""

from __future__ import annotations

import click

from plgkit.cli.ask import grain_option
from plgkit.cli.shared import (
    as_of_option,
    format_options,
    opened,
    playbook_option,
    show,
    source_argument,
)


@click.command("ledger")
@source_argument
@as_of_option
@playbook_option
@click.option("--period", metavar="DAY", help="A day of the period to list, or a month such as 2026-05; all by default.")
@click.option("--movement", "movements", multiple=True, metavar="NAME",
              help="opening, new, reactivation, expansion, contraction, churn or closing; may be given again.")
@click.option("--account", "accounts", multiple=True, metavar="ID", help="Only this account; may be given again.")
@click.option("--brief", metavar="HOW", help="Accounts that came and went within a period: ignore, or both; as the playbook says.")
@click.option("--rows", is_flag=True, help="List the rows of the billing behind each line, to the cent.")
@grain_option
@format_options
def ledger_command(source: str | None, as_of: str | None, playbook: str | None, period: str | None,
                   movements: tuple[str, ...], accounts: tuple[str, ...], brief: str | None, rows: bool,
                   grain: str | None, form: str, as_json: bool) -> None:
    """List what each account adds to each movement of recurring revenue.

    In CSV a text that a spreadsheet would read as a formula begins with an apostrophe.

    \b
    Example:
      plgkit ledger exports/ --period 2026-05 --format csv > may.csv
      plgkit ledger exports/ --account a1 --rows
    """
    from plgkit.metrics.ledger.lines import ledger

    data = opened(source, as_of=as_of, playbook=playbook)
    frame = ledger(data, period=period, movement=list(movements) or None, account=list(accounts) or None, brief=brief,
                   grain=grain or "month", per="row" if rows else "account")
    show(frame, form, as_json)


@click.command("billing")
@source_argument
@as_of_option
@playbook_option
@click.option("--period", metavar="DAY", help="Rows written in the period of this day or month, or that count in it; all by default.")
@click.option("--account", "accounts", multiple=True, metavar="ID", help="Only this account; may be given again.")
@grain_option
@format_options
def billing_command(source: str | None, as_of: str | None, playbook: str | None, period: str | None, accounts: tuple[str, ...],
                    grain: str | None, form: str, as_json: bool) -> None:
    """List every row of the billing: what it adds to recurring revenue, or why it adds nothing.

    In CSV a text that a spreadsheet would read as a formula begins with an apostrophe.

    \b
    Example:
      plgkit billing exports/ --period 2026-05 --format csv > may.csv
    """
    from plgkit.metrics.ledger.bills import billing

    data = opened(source, as_of=as_of, playbook=playbook)
    frame = billing(data, period=period, account=list(accounts) or None, grain=grain or "month")
    show(frame, form, as_json)
