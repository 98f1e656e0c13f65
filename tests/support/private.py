"""A /var/lib/dlws of its own for a server that runs on this machine what it is sent."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from dlws.core.connection import KEEP, Echo, Local, Result, Stdin
from dlws.shell.quoting import sh

_BIND = 'mkdir -p /var/lib/dlws && mount --bind "$1" /var/lib/dlws && shift && exec "$@"'


@cache
def possible() -> bool:
    """Whether it can be had here: that takes root."""
    if os.geteuid() != 0:
        return False
    return (
        subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0
    )


def with_state(directory: Path, *command: object) -> tuple[list[str], Path]:
    """The command line with `directory` as its /var/lib/dlws, so that no two tests share a lock;
    and where that is, seen from here: where it cannot be had, it is the machine's own."""
    words = [str(word) for word in command]
    if not possible():
        return words, Path("/var/lib/dlws")
    directory.mkdir(exist_ok=True)
    place = directory.resolve()
    return ["unshare", "-m", "sh", "-c", _BIND, "dlws", str(place), *words], place


class Inside(Local):
    """Runs commands here, with a /var/lib/dlws of their own."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def run(
        self, command: str, stdin: Stdin = b"", echo: Echo | None = None, keep: int = KEEP
    ) -> Result:
        line, place = with_state(self._state, "sh", "-c", command)
        assert place == self._state
        return super().run(sh(*line), stdin, echo, keep)
