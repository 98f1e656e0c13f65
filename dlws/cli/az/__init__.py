"""The command line of az_tools.py: the machines of a cluster on Azure."""

from typing import NoReturn

from dlws.cli import entry
from dlws.cli.az.root import az


def main() -> NoReturn:
    """Run the command line, as `dlws.cli.main` does."""
    entry.main(az)


__all__ = ["az", "main"]
