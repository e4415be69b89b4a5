"""Run one notebook with papermill and write down how it went; the process that calls this ends after."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from plgkit.reports.quick import quicken

PORTABLE = "kernel"
_LONGEST = 2000


def work(job: dict[str, Any]) -> None:
    """Run the notebook of a job; the executed notebook and a result stand beside each other in its folder."""
    quicken()
    import papermill
    from papermill.exceptions import PapermillExecutionError

    folder = Path(job["folder"])
    portable = job["engine"] == PORTABLE
    # Nobody's own start-up files and history belong in a report.
    os.environ["IPYTHONDIR"] = str(folder / "ipython")
    # A child that is forked tidies nothing up when it ends; the folder of its job goes with all that is in it.
    os.environ["TMPDIR"], tempfile.tempdir = str(folder), None
    options = _kernel_options(job) if portable else {"at_cell": str(folder / "at_cell")}
    result: dict[str, Any] = {"state": "ok"}
    try:
        papermill.execute_notebook(
            job["notebook"], str(folder / "out.ipynb"), parameters=job["parameters"],
            engine_name=None if portable else "plgkit", kernel_name="python3", progress_bar=False,
            cwd=job["cwd"], request_save_on_cell_execute=portable, **options,
        )
    except PapermillExecutionError as error:
        result = {
            "state": "failed", "cell": error.cell_index, "error": f"{error.ename}: {error.evalue}"[:_LONGEST],
            "traceback": list(error.traceback),
        }
    except Exception as error:
        result = {"state": "died", "error": f"{type(error).__name__}: {error}"[:_LONGEST]}
    partial = folder / "result.part"
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(folder / "result.json")


def _kernel_options(job: dict[str, Any]) -> dict[str, Any]:
    from traitlets.config import Config

    settings = Config()
    # Kernels that start together race for free TCP ports; a private socket has no port.
    if os.name == "posix":
        settings.KernelManager.transport = "ipc"
        settings.KernelManager.ip = str(Path(job["folder"]) / "kernel")
    return {"config": settings, "start_timeout": 120}


if __name__ == "__main__":
    work(json.loads(sys.stdin.read()))
