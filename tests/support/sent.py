"""What runs have sent to nodes that may change them, by their records."""

from __future__ import annotations

from pathlib import Path

from dlws.runs import journal
from dlws.runs.records import records


def sent(directory: Path, since: int = 0) -> list[str]:
    """The titles of commands, and the files, that the runs of a cluster sent after the first
    `since` of them; each with its node."""
    return [
        f"{record['node']}: {record.get('title') or record['files']}"
        for run in journal.runs(directory / "deploy")[since:]
        for record in records(run)
        if record["kind"] in ("begin", "placing")
    ]


def count(directory: Path) -> int:
    """How many runs there were."""
    return len(journal.runs(directory / "deploy"))
