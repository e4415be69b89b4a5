"""`plgkit sample`: write the made-up company."""

from __future__ import annotations

import click


@click.command("sample")
@click.option("--people", type=click.IntRange(min=50), default=20_000, show_default=True, help="How many sign up.")
@click.option("--seed", type=int, default=7, show_default=True, help="Equal seeds give equal bytes.")
@click.option("--broken", metavar="STAGE", help="A stage that goes wrong in the end, such as activation.")
@click.option("--broken-from", metavar="DAY", help="The day on which that begins.")
@click.option("--out", required=True, metavar="DIR", help="Folder to write to; made where it is missing.")
def sample_command(people: int, seed: int, broken: str | None, broken_from: str | None, out: str) -> None:
    """Write the made-up company Acme Boards: nine tables as sorted Parquet, its playbook and its truth.

    \b
    Example:
      plgkit sample --people 50000 --out acme/
      plgkit sample --broken activation --out broken/
      plgkit report acme/
    """
    from rich.console import Console
    from rich.progress import Progress

    from plgkit.samples import write_company

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("making people", total=people)
        write_company(out, people=people, seed=seed, broken=broken, broken_from=broken_from,
                      progress=lambda done, _all: bar.update(task, completed=done))
    click.echo(f"Wrote {people:,} people to {out}.")
