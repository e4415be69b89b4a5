"""The playbook: what a product means by its words, read from playbook.toml."""

from .model import Playbook
from .read import read_playbook

__all__ = ["Playbook", "read_playbook"]
