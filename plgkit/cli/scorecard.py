"""`plgkit scorecard`: all headline measures on one page."""

from __future__ import annotations

import click

from plgkit.cli.shared import as_of_option, format_options, opened, playbook_option, show, source_argument


@click.command("scorecard")
@source_argument
@as_of_option
@playbook_option
@click.option("--grain", default="month", show_default=True, metavar="GRAIN", help="day, week, month or quarter.")
@click.option("--all", "everything", is_flag=True, help="Every rate and total of the catalogue, not the headlines alone.")
@click.option("--split", metavar="MEASURE", help="Split this measure's last change by segment instead.")
@click.option("--by", default="channel", show_default=True, metavar="COLUMNS", help="Columns for --split, with commas.")
@click.option("--days", type=click.IntRange(1), help="Look for anything out of the usual in the last days instead.")
@format_options
def scorecard_command(source: str | None, as_of: str | None, playbook: str | None, grain: str, everything: bool, split: str | None,
                      by: str, days: int | None, form: str, as_json: bool) -> None:
    """Print where every headline measure stands: now, before, target, and whether the change is more than noise.

    \b
    Example:
      plgkit scorecard exports/ --as-of 2026-06-30 --json
      plgkit scorecard exports/ --split activation.rate --by channel,country --grain quarter
      plgkit scorecard exports/ --days 14
    """
    from plgkit import scorecard

    if (split is not None) + (days is not None) + everything > 1:
        raise click.UsageError("--all, --split and --days ask different questions: give one of them.")
    data = opened(source, as_of=as_of, playbook=playbook)
    short = form == "table" and not as_json
    if split is not None:
        frame = scorecard.change(data, split, by=[each.strip() for each in by.split(",")], grain=grain)
        columns = ["by", "segment", "effect", "before", "now", "value", "low", "high", "p_corrected", "real"]
    elif days is not None:
        frame = scorecard.anomalies(data, last=days)
        columns = ["measure", "period", "value", "expected", "low", "high", "kind", "note"]
    else:
        frame = scorecard.scorecard(data, grain=grain, measures="all" if everything else None)
        columns = ["measure", "value", "low", "high", "before", "usual", "drifted", "target", "status", "reach", "note"]
    show(frame[columns] if short else frame, form, as_json)
