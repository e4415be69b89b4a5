"""The playbook: what a product means by its words, read from playbook.toml."""

from .guess import first_playbook
from .match import SourceTable
from .model import Playbook
from .read import read_playbook

__all__ = ["Playbook", "SourceTable", "first_playbook", "read_playbook"]
