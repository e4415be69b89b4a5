"""Let a notebook go on where a table, a setting or enough history is missing: one sentence, and no traceback.

The names that the failed cell would have set become placeholders. A later cell that uses a
placeholder is passed over without a word, so a whole section steps aside by itself.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from plgkit.errors import MissingSetting, MissingTable, NothingToSplit, PlgkitError, ShortHistory
from plgkit.notebook.shown import Shown
from plgkit.notebook.text import escape, tame

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

ASIDE = (MissingTable, MissingSetting, ShortHistory, NothingToSplit)
"""What data can lack without being wrong."""
_SILENT = ("__", "_repr_", "_ipython_")


class Missing:
    """A stand-in for what could not be computed; any use of it raises the reason again."""

    def __init__(self, reason: PlgkitError):
        self.__dict__["_reason"] = reason

    def __repr__(self) -> str:
        return f"<missing: {self.__dict__['_reason']}>"

    def __getattr__(self, name: str) -> NoReturn:
        # Jupyter asks every object for its representations; that is no use of the value.
        if name.startswith(_SILENT):
            raise AttributeError(name)
        raise self.__dict__["_reason"]

    def _use(self, *_: Any, **__: Any) -> NoReturn:
        raise self.__dict__["_reason"]

    __getitem__ = __iter__ = __len__ = __call__ = __bool__ = __format__ = __str__ = __contains__ = _use
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _use
    __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = __round__ = __neg__ = _use


def register(shell: InteractiveShell) -> None:
    """Make a shell step aside for what is missing; asking twice changes nothing."""
    if getattr(shell, "plgkit_steps_aside", False):
        return
    shell.plgkit_steps_aside = True
    passed_over: list[BaseException] = []

    def on_error(shell: InteractiveShell, kind: type, error: Exception, trace: Any, tb_offset: Any = None) -> None:
        told = _stand_in(shell)
        if told is None and not isinstance(error, ASIDE):
            shell.showtraceback((kind, error, trace), tb_offset=tb_offset, running_compiled_code=True)
            return
        passed_over.append(error)
        _step_aside(shell, told or error)
        from IPython.display import display

        display(missing(error) if told is None else _again(told))

    def after_cell(result: ExecutionResult) -> None:
        if result is not None and result.error_in_exec is not None and result.error_in_exec in passed_over:
            result.error_in_exec = None
        passed_over.clear()

    shell.set_custom_exc((Exception,), on_error)
    shell.events.register("post_run_cell", after_cell)


def _stand_in(shell: InteractiveShell) -> PlgkitError | None:
    """Give the reason that an earlier cell told, if this cell uses what that cell could not set."""
    used = [shell.user_ns.get(name) for name in _names(shell, ast.Load)]
    return next((each.__dict__["_reason"] for each in used if isinstance(each, Missing)), None)


def _step_aside(shell: InteractiveShell, reason: PlgkitError) -> None:
    for name in _names(shell, ast.Store):
        shell.user_ns[name] = Missing(reason)
    if "matplotlib.pyplot" in sys.modules:
        # A figure begun before the error would be shown empty.
        sys.modules["matplotlib.pyplot"].close("all")


def missing(reason: Exception) -> Shown:
    """Say in one line what a section needs and does not have."""
    text = " ".join(tame(reason).split())
    short = text.partition(". ")[0].rstrip(".") + "."
    return Shown("missing", text, f"<p><em>{escape(text)}</em></p>", {"text": short, "full": text})


def _again(reason: Exception) -> Shown:
    """Leave a mark and no word: the page says the reason where a section has shown nothing else."""
    return Shown("missing", "", "", missing(reason).facts)


def _names(shell: InteractiveShell, context: type) -> list[str]:
    source = shell.user_ns.get("In", [""])[-1]
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    found = (each for each in ast.walk(tree) if isinstance(each, ast.Name))
    return [each.id for each in found if isinstance(each.ctx, context)]
