"""The command line: `main` (entry.py) runs it, `cli` (root.py) is the tree of commands."""

from dlws.cli.entry import main
from dlws.cli.root import cli

__all__ = ["cli", "main"]
