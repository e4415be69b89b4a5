"""`plgkit flywheel`: what may come, what a rate would bring, and which rate to raise."""

from __future__ import annotations

import click

from plgkit.cli.shared import as_of_option, format_options, opened, playbook_option, show, source_argument


@click.command("flywheel")
@source_argument
@as_of_option
@playbook_option
@click.option("--months", type=click.IntRange(1, 60), help="How far ahead; by default 12, of --backtest 3.")
@click.option("--if", "rate", metavar="RATE", help="What if this rate rose, such as activation.rate?")
@click.option("--by", default=0.01, show_default=True, help="By how much; of a count or an amount, by this share of it.")
@click.option("--levers", is_flag=True, help="Rank the rates by what raising each would bring.")
@click.option("--per", type=click.Choice(["tenth", "point"]), default="tenth", show_default=True, help="How much each is raised.")
@click.option("--backtest", is_flag=True, help="Forecast the last months from before them, beside what came.")
@format_options
def flywheel_command(source: str | None, as_of: str | None, playbook: str | None, months: int | None, rate: str | None, by: float,
                     levers: bool, per: str, backtest: bool, form: str, as_json: bool) -> None:
    """Forecast active people and recurring revenue, as sign-ups, activation, retention, invites and payment turn them.

    \b
    Example:
      plgkit flywheel exports/
      plgkit flywheel exports/ --if activation.rate --by 0.01
      plgkit flywheel exports/ --levers
      plgkit flywheel exports/ --backtest
    """
    from plgkit import flywheel, notebook

    if sum([bool(rate), levers, backtest]) > 1:
        raise click.UsageError("--if, --levers and --backtest ask different questions: give one of them.")
    data = opened(source, as_of=as_of, playbook=playbook)
    asked = {} if months is None else {"months": months}
    if rate:
        frame = flywheel.what_if(data, rate, by=by, **asked)
        said = notebook.raised(frame)
        frame = frame if form != "table" or as_json else frame[frame["period"] == frame["period"].max()]
    elif levers:
        frame = flywheel.levers(data, per=per, **asked)
        said = notebook.pulled(frame)
        frame = frame if form != "table" or as_json else frame.drop(columns=["rank", "what"])
    elif backtest:
        frame = flywheel.backtest(data, **asked)
        said = notebook.held(frame)
    else:
        frame = flywheel.flywheel(data, **asked)
        said = notebook.foreseen(frame)
        frame = frame if form != "table" or as_json else frame[frame["forecast"]].drop(columns="forecast")
    for line in (frame.attrs["definition"], said):
        click.echo(line, err=True)
    show(frame, form, as_json)
