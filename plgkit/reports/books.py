"""Find the notebooks and read what they say of themselves."""

from __future__ import annotations

import json
from pathlib import Path

from plgkit.errors import BadParameter, UnknownNotebook
from plgkit.notebook.text import tame


def folder() -> Path:
    """Find the notebooks: those here, else those of the checkout or of the installed package."""
    package = Path(__file__).resolve().parents[1]
    places = (Path("notebooks"), package.parent / "notebooks", package / "_bundled" / "notebooks")
    return next((each for each in places if any(each.glob("[0-9][0-9]_*.ipynb"))), places[0])


def find(where: Path, only: tuple[str, ...] = ()) -> list[Path]:
    """Give the numbered notebooks of a folder in order, or those named in `only`.

    A notebook is named by its file, with or without number and ending: `02_activation`,
    `activation` and `02` all name `02_activation.ipynb`.
    """
    every = sorted(where.glob("[0-9][0-9]_*.ipynb"))
    if not every:
        raise BadParameter("the folder of notebooks", str(where), expected="files such as 01_acquisition.ipynb")
    chosen = []
    for name in only:
        wanted = Path(name).name.removesuffix(".ipynb")
        found = [each for each in every if wanted in (each.stem, each.stem[3:], each.stem[:2])]
        if not found:
            raise UnknownNotebook(name, [e.stem[3:] for e in every])
        chosen += found
    return sorted(set(chosen)) if only else every


def title(notebook: Path) -> str:
    """Read the first heading of a notebook."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if cell["cell_type"] == "markdown" and source.lstrip().startswith("# "):
            return tame(source.lstrip()[2:].partition("\n")[0].strip(), at_most=160)
    return notebook.stem
