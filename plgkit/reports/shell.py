"""A notebook's shell without a kernel process: the same outputs, collected in a list."""

from __future__ import annotations

import io
import sys
from typing import Any

import nbformat
from ipykernel.compiler import XCachingCompiler
from ipykernel.zmqshell import ZMQInteractiveShell
from jupyter_client.session import Session
from traitlets.config import Config


class _Record(Session):
    """Where a kernel would send its messages: they are kept instead."""

    def __init__(self, outputs: list[Any]):
        super().__init__(key=b"")
        self.outputs = outputs

    def send(self, stream: Any, msg_or_type: Any, content: Any = None, *_: Any, **__: Any) -> None:
        if isinstance(msg_or_type, dict):
            kind, content = msg_or_type["msg_type"], msg_or_type["content"]
        else:
            kind = msg_or_type
        if kind == "clear_output":
            self.outputs.clear()
        elif kind in ("execute_result", "display_data", "error", "stream"):
            message = {"header": {"msg_type": kind}, "content": content}
            self.outputs.append(nbformat.v4.output_from_msg(message))


class _Stream(io.TextIOBase):
    """Standard output or error of a cell; what follows itself is joined."""

    encoding = "utf-8"

    def __init__(self, name: str, outputs: list[Any]):
        self.name, self.outputs = name, outputs

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last["name"] == self.name:
            last["text"] += text
        elif text:
            self.outputs.append(nbformat.v4.new_output("stream", name=self.name, text=text))
        return len(text)


class Shell(ZMQInteractiveShell):
    """The shell of ipykernel, with nobody at the other end of the line."""

    def enable_gui(self, gui: Any = None) -> None:
        self.active_eventloop = gui


def open_shell() -> tuple[Shell, list[Any]]:
    """Open a fresh shell and the list in which its outputs arrive."""
    outputs: list[Any] = []
    settings = Config()
    settings.HistoryManager.enabled = False
    shell = Shell.instance(config=settings, compiler_class=XCachingCompiler)
    record = _Record(outputs)
    shell.displayhook.session = shell.display_pub.session = record
    shell.displayhook.topic = b"execute_result"
    sys.stdout, sys.stderr = _Stream("stdout", outputs), _Stream("stderr", outputs)
    return shell, outputs


def run_cell(shell: Shell, outputs: list[Any], cell: Any) -> bool:
    """Run one code cell in place and say whether it went well."""
    outputs.clear()
    shell._last_traceback_during_displayhook = False
    result = shell.run_cell(cell.source, store_history=True)
    cell.outputs = list(outputs)
    cell.execution_count = shell.execution_count - 1
    return bool(result.success) and not shell._last_traceback_during_displayhook
