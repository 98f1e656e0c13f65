"""Whose a process is: the pod in whose control group it runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_UID = re.compile(r"pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})(?![0-9a-f])")


class Pod(NamedTuple):
    namespace: str
    name: str


def known(logs: Path) -> dict[str, Pod]:
    """The pods of this node by their uids, as kubelet names the directories of their logs."""
    found = (path.name.split("_") for path in logs.glob("*_*_*"))
    return {parts[2]: Pod(parts[0], parts[1]) for parts in found if len(parts) == 3}


def uid(process: int, proc: Path) -> str:
    """The uid of a process's pod; empty for none, and for a process that has ended."""
    try:
        text = (proc / str(process) / "cgroup").read_text()
    except OSError:
        return ""
    found = _UID.search(text)
    return found[1].replace("_", "-") if found else ""
