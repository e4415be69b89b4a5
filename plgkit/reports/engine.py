"""A papermill engine that runs the cells in this very process; the fork around it keeps them apart."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from papermill.engines import Engine, papermill_engines

from plgkit.reports.shell import open_shell, run_cell

NAME = "plgkit"


class InProcess(Engine):
    """Runs a notebook in a shell of this process. Only for a process that does nothing else after."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, at_cell: str | None = None, **_: Any
    ) -> None:
        """Run the cells in order until one fails; `at_cell` is the file that tells which one is running."""
        shell, outputs = open_shell()
        nb_man.nb.metadata["language_info"] = {"name": "python", "version": platform.python_version()}
        for index, cell in enumerate(nb_man.nb.cells):
            if at_cell:
                Path(at_cell).write_text(str(index), encoding="utf-8")
            nb_man.cell_start(cell, index)
            if cell.cell_type == "code" and cell.source.strip() and not run_cell(shell, outputs, cell):
                nb_man.cell_exception(cell, cell_index=index)
                nb_man.cell_complete(cell, cell_index=index)
                break
            nb_man.cell_complete(cell, cell_index=index)


papermill_engines.register(NAME, InProcess)
