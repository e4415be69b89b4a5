"""The playbook: what a product means by its words, read from playbook.toml."""

from .model import Playbook

__all__ = ["Playbook"]
