"""`plgkit scorecard`: all headline measures on one page."""

from __future__ import annotations

import click

from plgkit.cli.shared import as_of_option, format_options, opened, playbook_option, show, source_argument


@click.command("scorecard")
@source_argument
@as_of_option
@playbook_option
@click.option("--grain", default="month", show_default=True, metavar="GRAIN", help="day, week, month or quarter.")
@format_options
def scorecard_command(source: str | None, as_of: str | None, playbook: str | None, grain: str, form: str,
                      as_json: bool) -> None:
    """Print where every headline measure stands: now, before, target, and whether the change is more than noise.

    \b
    Example:
      plgkit scorecard exports/ --as-of 2026-06-30 --json
    """
    from plgkit.scorecard import scorecard

    frame = scorecard(opened(source, as_of=as_of, playbook=playbook), grain=grain)
    if form == "table" and not as_json:
        frame = frame[["measure", "value", "low", "high", "before", "target", "status", "note"]]
    show(frame, form, as_json)
