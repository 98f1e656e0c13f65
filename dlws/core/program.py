"""How this program was started: what every line that a person may copy begins with."""

from __future__ import annotations

import os


class Program:
    """Reads in a text as the words that start this program for the cluster at hand.

    `f"run: {PROGRAM} build"` is `run: dlws --dir /srv/c1 build`. Errors are made in threads and
    pure functions that have no options at hand; like sys.argv, these words belong to the process,
    and the command line sets them. A text made at import would be made too early.
    """

    def __init__(self) -> None:
        self.name = self._start = "deploy.py"

    def __str__(self) -> str:
        return self._start

    def begin_with(self, name: str, start: str) -> None:
        """From now on, lines begin with `start`: the name, and the options that say where."""
        self.name, self._start = name, start


PROGRAM = Program()


def typed(argv0: str) -> str:
    """The program as a person would type it here: `dlws` where it is on the PATH, else a path."""
    name = os.path.basename(argv0)
    if not os.path.isfile(argv0):
        return argv0 if name not in ("", "-c", "-m") else "deploy.py"
    from shutil import which

    found = which(name)
    if found and os.path.samefile(found, argv0):
        return name
    here = os.path.dirname(os.path.abspath(argv0)) == os.getcwd()
    return os.path.join(".", name) if here else argv0
