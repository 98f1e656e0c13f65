from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlws.core.connection import Local, Result
from dlws.shell.quoting import sh
from dlws.shell.recorder import recorded


def at(home: Path, line: str) -> str:
    """A line as a user other than root runs it, whose operations lie in its home."""
    return f"HOME={sh(home)}; export HOME; {line}"


def run(home: Path, op: str, command: str, stdin: bytes = b"", before: str = "") -> Result:
    return Local().run(at(home, before + recorded(op, command, len(stdin), False)), stdin)


def begun(home: Path, line: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(["sh", "-c", at(home, line)], stdin=pipe, stdout=pipe, stderr=pipe)


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """While this machine's operations are another's, who changes them under their lock."""
    place = home / ".dlws/ops"
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def waits(lock: Path) -> bool:
    """Whether anyone waits for a lock."""
    held = f":{lock.stat().st_ino} "
    locks = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and held in line for line in locks)
