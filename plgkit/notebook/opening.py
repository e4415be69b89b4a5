"""The first words of a notebook: open the data and set the printers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from plgkit.notebook import figures, frames, missing, words
from plgkit.notebook.shown import KEY, Shown
from plgkit.notebook.text import escape, tame

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from plgkit.sources import Data


def start(source: str = "", *, as_of: str = "", playbook: str = "") -> Data:
    """Open the data and make everything in this notebook print safely.

    Parameters
    ----------
    source
        A folder, a `playbook.toml` or a database address; empty for the bundled sample.
    as_of
        The last day counted, `YYYY-MM-DD`; empty for the last complete day.
    playbook
        The playbook to use; empty for the source's own.

    Returns
    -------
    The data; one line about them is shown.
    """
    import plgkit

    shell = _shell()
    if shell is not None:
        set_printers(shell)
    from plgkit import samples

    place = source or str(samples.bundled_path())
    data = plgkit.connect(place, as_of=as_of or None, playbook=playbook or None)
    if shell is not None:
        from IPython.display import display

        display(about(data, made_up=Path(place).resolve() == samples.bundled_path().resolve()))
    return data


def set_printers(shell: InteractiveShell) -> None:
    """Make a shell escape frames, describe figures, and step aside for what is missing."""
    import matplotlib
    import matplotlib.pyplot as plt

    matplotlib.rcParams["text.parse_math"] = False
    pd.set_option("display.html.use_mathjax", False)
    pd.set_option("display.precision", 4)
    if hasattr(shell, "kernel") or type(shell).__name__ == "ZMQInteractiveShell":
        # Before our own printer: the inline backend sets one of its own when it starts.
        shell.run_line_magic("matplotlib", "inline")
        # Every figure would be drawn once more at the end of its cell, for a window that is not there.
        plt.uninstall_repl_displayhook()
    figures.register(shell)
    printer = shell.display_formatter.mimebundle_formatter
    printer.for_type(pd.DataFrame, _frame_bundle)
    printer.for_type(pd.Series, lambda values, **_: _frame_bundle(values.to_frame()))
    missing.register(shell)


def about(data: Data, *, made_up: bool = False) -> Shown:
    """Say in one line what the data are: product, last day, zone, people."""
    known = facts(data) | {"made_up": made_up}
    parts = [known["product"], f"data through {words.day(known['as_of'])}", *known["counts"], known["zone"]]
    if known["made_up"]:
        parts.append("made-up company")
    line = " · ".join(tame(each) for each in parts)
    return Shown("start", line, f"<p>{escape(line)}</p>", known)


def facts(data: Data) -> dict[str, Any]:
    """Collect what the head of a report page says about the data."""
    product = data.playbook.product
    return {
        "product": tame(product.name, at_most=60),
        "zone": str(product.time_zone),
        "currency": str(product.currency),
        "as_of": str(data.as_of),
        "since": _since(data),
        "counts": _counts(data),
        "version": data.version,
    }


def _counts(data: Data) -> list[str]:
    if data.has("users"):
        people = words.count(int(data.users.count().execute()))
        return [f"{people} people, from their first event" if _first_seen(data) else f"{people} sign-ups"]
    if data.has("events"):
        return [f"{words.count(int(data.events.count().execute()))} events"]
    if data.has("subscriptions"):
        ever = data.run(data.subscriptions.aggregate(n=data.subscriptions.account_id.nunique()))["n"].iloc[0]
        return [f"{words.counted(int(ever), 'account')} that ever paid"]
    return []


def _first_seen(data: Data) -> bool:
    """Whether people are taken from the events, so that who signed up is who was seen for the first time."""
    tables = data.playbook.tables
    users, events = tables.get("users"), tables.get("events")
    if users is None or events is None or users.keep != "first":
        return False
    return (users.file, users.table) == (events.file, events.table)


def _since(data: Data) -> str:
    if not data.has("events"):
        return str(data.span[0])
    first = data.events.day.min().execute()
    return "" if first is None or pd.isna(first) else str(pd.Timestamp(first).date())


def _frame_bundle(frame: pd.DataFrame, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
    data = {"text/plain": frames.as_text(frame), "text/html": frames.as_html(frame)}
    return data, {KEY: {"kind": "frame", **frames.facts(frame)}}


def _shell() -> InteractiveShell | None:
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()
