"""Runs for tests that need one and look at no record of it."""

from __future__ import annotations

from typing import Any

from dlws.runs.console import Console
from dlws.runs.options import Options
from dlws.runs.run import Run


def unrecorded(console: Console | None = None, **options: Any) -> Run:
    """A run that keeps no journal and takes no lock."""
    return Run(Options(**options), console or Console(), recorded=False)
