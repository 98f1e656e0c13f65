"""How this program was started: what every line that a person may copy begins with."""

from __future__ import annotations

import os


class Program:
    """Reads in a text as the words that start this program for the cluster at hand.

    `f"run: {PROGRAM} build"` is `run: dlws --dir /srv/c1 build`. Errors are made in threads and
    pure functions that have no options at hand; like sys.argv, these words belong to the process,
    and the command line sets them. A text made at import would be made too early.
    """

    def __init__(self, file: str = "deploy.py", installed: str = "dlws") -> None:
        self.name = self._start = self._file = file
        self._installed = installed

    def __str__(self) -> str:
        return self._start

    def begin_with(self, name: str, start: str) -> None:
        """From now on, lines begin with `start`: the name, and the options that say where."""
        self.name, self._start = name, start

    def beside(self, name: str) -> str:
        """This program, where `name` is how one of ours was started: it may be the other one."""
        place, base = os.path.split(name)
        if (base.removesuffix(".py") == _AZ_TOOLS) == (self._installed == _AZ_TOOLS):
            return name
        return os.path.join(place, self._file if base.endswith(".py") else self._installed)


_AZ_TOOLS = "az_tools"
PROGRAM = Program()
AZ_TOOLS = Program("az_tools.py", _AZ_TOOLS)
"""The program that makes machines on Azure; it is found where the other one is."""


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
