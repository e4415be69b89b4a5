"""Figures as small pictures that carry their words with them."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from plgkit.notebook.text import tame

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib.figure import Figure

_DPI = 120


def register(shell: InteractiveShell) -> None:
    """Show figures in a shell as small PNG pictures with their alt text and caption."""
    from matplotlib.figure import Figure

    formatters = shell.display_formatter.formatters
    formatters["image/png"].for_type(Figure, png)
    formatters["text/plain"].for_type(Figure, lambda figure, printer, cycle: printer.text(alt(figure)))


def png(figure: Figure) -> tuple[str, dict[str, Any]] | None:
    """Draw a figure as a PNG of at most 256 colours, with its words as metadata."""
    from PIL import Image

    if not figure.axes and not figure.lines:
        return None
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=_DPI, bbox_inches="tight", pil_kwargs={"compress_level": 0})
    picture = Image.open(raw).convert("RGB")
    small = io.BytesIO()
    # An octree of fewer colours would band heat maps.
    picture.quantize(256, method=Image.Quantize.MEDIANCUT).save(small, format="PNG", optimize=True)
    words = {"alt": alt(figure), "caption": caption(figure), "width": picture.width, "height": picture.height}
    return base64.b64encode(small.getvalue()).decode("ascii"), words


def alt(figure: Figure) -> str:
    """Say in words what a figure shows; its titles and labels where nobody has said it."""
    said = _described(figure).get("alt")
    if said:
        return tame(said)
    words = [ax.get_title() or ax.get_ylabel() or ax.get_xlabel() for ax in figure.axes]
    named = "; ".join(tame(each, at_most=80) for each in words if each)
    return f"Chart: {named}." if named else "Chart without a description."


def caption(figure: Figure) -> str:
    """Give the words under a figure: how to read it."""
    return tame(_described(figure).get("caption") or "")


def _described(figure: Figure) -> dict[str, str]:
    return getattr(figure, "plgkit_description", None) or {}
