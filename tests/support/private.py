"""A /var/lib/dlws of its own for a server that runs on this machine what it is sent."""

from __future__ import annotations

import ctypes
import os
import subprocess
from functools import cache
from pathlib import Path

from dlws.core.connection import KEEP, Echo, Local, Result, Stdin
from dlws.core.limits import Bounds
from dlws.shell.quoting import sh
from tests.support.commands import plain

_BIND = 'mkdir -p /var/lib/dlws && mount --bind "$1" /var/lib/dlws && shift && exec "$@"'


_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20000, 0x1000, 0x4000, 1 << 18


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


def have_state(directory: Path) -> None:
    """The same for this process: what it starts has it, too. OSError where that cannot be."""
    Path("/var/lib/dlws").mkdir(exist_ok=True)
    library = ctypes.CDLL(None, use_errno=True)
    private = _MS_REC | _MS_PRIVATE
    place = os.fsencode(directory)
    if (
        library.unshare(_CLONE_NEWNS)
        or library.mount(None, b"/", None, private, None)
        or library.mount(place, b"/var/lib/dlws", None, _MS_BIND, None)
    ):
        raise OSError(ctypes.get_errno(), "no /var/lib/dlws of its own", str(directory))


class Inside(Local):
    """This machine as a node: runs commands here, with `state` as its /var/lib/dlws.

    It is away while `gone` is set. While `lost` is, it obeys, but its answers do not come back.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        self.asked: list[str] = []
        self.gone = self.lost = False

    def run(
        self,
        command: str,
        stdin: Stdin = b"",
        echo: Echo | None = None,
        keep: int = KEEP,
        bounds: Bounds | None = None,
    ) -> Result:
        from dlws.ssh.handshake import ConnectionFailed  # a farm starts without Paramiko

        self.asked.append(command)
        if self.gone:
            raise ConnectionFailed("no answer")
        done = super().run(sh(*self._within(command)), stdin, echo, keep)
        if self.lost:
            raise ConnectionFailed("gone in mid-command", lost=True)
        return done

    def _within(self, command: str) -> list[str]:
        line, place = with_state(self.state, "sh", "-c", command)
        assert place == self.state
        return line

    @property
    def users(self) -> list[str]:
        """As whom each command ran."""
        return ["user" if plain(command) == command else "root" for command in self.asked]


class Fresh(Inside):
    """A node whose /var/lib is `lib`, empty at first; `mkdir` stands in for /bin/mkdir."""

    def __init__(self, lib: Path, mkdir: Path | None = None) -> None:
        super().__init__(lib / "dlws")
        self.lib, self._mkdir = lib, mkdir or Path("/bin/mkdir")
        lib.mkdir()

    def _within(self, command: str) -> list[str]:
        line = 'mount --bind "$1" /var/lib && mount --bind "$2" /bin/mkdir && exec sh -c "$3"'
        words = ("unshare", "-m", "sh", "-c", line, "dlws", self.lib, self._mkdir, command)
        return [str(word) for word in words]
