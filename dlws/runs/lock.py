"""One run at a time changes a cluster from this directory: a lock that the operating system holds.

Its holder's end frees it, however it ends: there is no stale lock to break. Runs from elsewhere are
kept apart by nodelock.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dlws.core import person
from dlws.core.errors import Refused
from dlws.core.localfiles import private_directory
from dlws.core.text import took

if TYPE_CHECKING:
    from dlws.runs.options import Options

SHARED = {"execonall", "doonall"}
"""Commands of a person's own may run beside each other; an installation runs alone."""
_APART = {"docker": ("docker.lock", "another run works on this cluster's images")}
"""Commands that work on this machine alone, however long: the lock that they hold in place of the
cluster's, so that one of them is not resumed while it runs, and how a refusal begins."""


class Lock(Protocol):
    """A lock that a run takes with its first change of a node."""

    def take(self, run: str, deadline: float) -> None:
        """Take it, waiting until `deadline`; raises Refused where another run holds it."""

    def release(self) -> None:
        """Give it back; further calls do nothing."""


@dataclass(frozen=True)
class Held:
    """A lock that is held until `release`, or until this process ends."""

    handle: int

    def release(self) -> None:
        os.close(self.handle)


def take(deploy: Path, options: Options, deadline: float) -> Held:
    """Take the lock that this command needs, the cluster's for most; raises Refused if another run
    still holds it at `deadline`."""
    private_directory(deploy)
    name, other = _APART.get(options.command, ("lock", "another run changes this cluster"))
    handle = os.open(deploy / name, os.O_RDWR | os.O_CREAT, 0o600)
    kind = fcntl.LOCK_SH if options.command in SHARED else fcntl.LOCK_EX
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = _holder(handle)
                os.close(handle)
                raise Refused(
                    f"{other}: {holder}",
                    "wait for it with --lock-wait SECONDS before the command",
                ) from None
            time.sleep(0.2)
    _sign(handle, options)
    return Held(handle)


def signature(options: Options) -> dict[str, Any]:
    """Who holds a lock of this run."""
    return {
        "user": person.name(),
        "host": platform.node(),
        "pid": os.getpid(),
        "command": options.command,
        "since": time.time(),
    }


def _sign(handle: int, options: Options) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(signature(options)).encode(), 0)


def words(who: Mapping[str, Any], seconds: float) -> str:
    """A holder in words: command, person, process, and for how long."""
    place = f"{who['user']}@{who['host']}"
    return f"{who['command']} by {place}, pid {who['pid']}, for {took(max(0.0, seconds))}"


def _holder(handle: int) -> str:
    """Who holds a lock, in words."""
    try:
        who = json.loads(os.pread(handle, 4096, 0))
        return words(who, time.time() - who["since"])
    except (ValueError, KeyError, TypeError):
        return "its holder has not said who it is"
