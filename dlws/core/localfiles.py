"""Files on this machine: whole or not at all, and for nobody else."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MIB = 1024 * 1024


def private_directory(path: Path) -> None:
    """Make a directory for nobody else, and those above it that are missing, whatever umask."""
    for place in (*reversed(path.parents), path):
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to read it; OSError for all else, some of which would keep us waiting."""
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        yield file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def read(path: Path, limit: int = MIB) -> bytes:
    """The content of a regular file; OSError where it has more than `limit` bytes."""
    with open_regular(path) as file:
        return read_all(file, limit)


def read_all(file: BinaryIO, limit: int = MIB) -> bytes:
    content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit // 1024} KiB", str(file.name))
    return content


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all; its mode is set before its content."""
    with writing(path, mode) as file:
        file.write(content)


@contextlib.contextmanager
def writing(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file that is written piece by piece, and is there whole when the block ends well."""
    private_directory(path.parent)
    new = path.with_name(path.name + ".dlws-new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


_NEW = "new-"  # before the name of a directory until its lock is held


@contextlib.contextmanager
def scratch(prefix: str, within: Path | None = None) -> Iterator[Path]:
    """A new directory of mode 0700 below `within` (default: that for temporary files), gone when
    the block ends. What others with this prefix left who were killed goes first: what holds a login
    must not lie about for good."""
    import fcntl
    import shutil
    import tempfile

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
        with contextlib.suppress(OSError):
            _remove_if_left(place)


def _remove_if_left(place: Path) -> None:
    import fcntl
    import shutil

    lock = os.open(place, os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_uid == os.geteuid():
            shutil.rmtree(place)
    finally:
        os.close(lock)
