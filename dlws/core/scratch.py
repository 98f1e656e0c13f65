"""Directories for a while, removed at the end: by us, or by the next one where we were killed.

What holds a login must not lie about for good, and a killed program cannot remove it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NEW = "new-"


@contextmanager
def scratch(prefix: str, within: Path | None = None) -> Iterator[Path]:
    """A new directory of mode 0700 below `within` (default: that for temporary files), gone when
    the block ends. What others with this prefix left who were killed goes first."""
    above = within or Path(tempfile.gettempdir())
    _sweep(above, prefix)
    # It has another name until its lock is held: who sweeps then would take it for left behind.
    new = Path(tempfile.mkdtemp(prefix=f"{_NEW}{prefix}", dir=above))
    lock = os.open(new, os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = new.rename(new.with_name(new.name.removeprefix(_NEW)))
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)  # what is left, the next one tries again
    finally:
        os.close(lock)


def _sweep(above: Path, prefix: str) -> None:
    """Remove what is our user's and nobody holds the lock of."""
    for place in above.glob(f"{prefix}*"):
        with suppress(OSError):
            _remove_if_left(place)


def _remove_if_left(place: Path) -> None:
    lock = os.open(place, os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_uid == os.geteuid():
            shutil.rmtree(place)
    finally:
        os.close(lock)
