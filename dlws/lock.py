"""One run at a time changes a cluster: a lock in deploy/, held by the operating system.

Its holder's end frees it, however it ends: there is no stale lock to break.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.errors import Refused
from dlws.output import took

if TYPE_CHECKING:
    from dlws.session import Options

SHARED = {"execonall", "doonall"}
"""Commands of a person's own may run beside each other; an installation runs alone."""


@dataclass(frozen=True)
class Held:
    """A lock that is held until `release`, or until this process ends."""

    handle: int

    def release(self) -> None:
        os.close(self.handle)


def take(deploy: Path, options: Options) -> Held:
    """Take the cluster's lock; raises Refused if another run holds it after options.lock_wait."""
    deploy.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(deploy / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    kind = fcntl.LOCK_SH if options.command in SHARED else fcntl.LOCK_EX
    deadline = time.monotonic() + options.lock_wait
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = _holder(handle)
                os.close(handle)
                raise Refused(
                    f"another run changes this cluster: {holder}",
                    "wait for it with --lock-wait SECONDS before the command",
                ) from None
            time.sleep(0.2)
    _sign(handle, options)
    return Held(handle)


def _sign(handle: int, options: Options) -> None:
    who = {
        "user": getpass.getuser(),
        "host": platform.node(),
        "pid": os.getpid(),
        "command": options.command,
        "since": time.time(),
    }
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(who).encode(), 0)


def _holder(handle: int) -> str:
    """Who holds a lock, in words."""
    try:
        who = json.loads(os.pread(handle, 4096, 0))
        age = took(max(0.0, time.time() - who["since"]))
        return f"{who['command']} by {who['user']}@{who['host']}, pid {who['pid']}, for {age}"
    except (ValueError, KeyError, TypeError):
        return "its holder has not said who it is"
