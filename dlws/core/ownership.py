"""Directories and locks of this machine that other users of it cannot have put there or changed."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote

from dlws.core import person
from dlws.core.errors import DeployError, Refused
from dlws.core.localfiles import private_directory

RUN = Path("/run/dlws")
"""Root's own directory for locks and notes that end with a boot."""


def run_directory() -> Path:
    """The directory for this user's locks, which nobody else can write or read."""
    if os.geteuid() == 0:
        return private(RUN)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return private(Path(runtime) / RUN.name if runtime else cache() / "locks")


def private(path: Path) -> Path:
    """The directory itself, made where it is missing; Refused where it is not ours alone."""
    if not path.is_symlink():
        private_directory(path)
    about, name = path.lstat(), quote(str(path))
    if not stat.S_ISDIR(about.st_mode):
        raise Refused(f"{path} is not a directory", f"look at it, then: rm {name}")
    if about.st_uid != os.geteuid():
        raise Refused(f"{path} belongs to user {about.st_uid}", f"look at it, then: rm -r {name}")
    if about.st_mode & 0o077:
        raise Refused(f"other users can enter {path}", f"look at it, then: chmod 700 {name}")
    return path


def in_words(error: OSError) -> DeployError:
    """An error of the file system: what really fails, which may be a directory above, and the cure
    where another user made it."""
    if not isinstance(error.filename, str | bytes) or not isinstance(error, PermissionError):
        where = f"{error.filename}: " if error.filename else ""
        return DeployError(f"{where}{error.strerror or error}")
    path = Path(os.fsdecode(error.filename)).absolute()
    closed = [place for place in reversed(path.parents) if not os.access(place, os.X_OK)]
    there = [*closed, path, *path.parents]
    place = next(place for place in there if os.path.lexists(place))
    owner = place.lstat().st_uid
    if owner == os.geteuid():
        return DeployError(f"{place}: {error.strerror}", f"ls -ld {quote(str(place))}")
    whole = next((p for p in (place, *place.parents) if p.name == "deploy"), place)
    return DeployError(
        f"{place} belongs to {person.name(owner)}, and you are {person.name()}: {error.strerror}",
        "use it as its owner; or, if it is yours and was made under sudo: "
        f"sudo chown -R {os.geteuid()}: {quote(str(whole))}",
    )


def cache() -> Path:
    """The directory for what can be made again, trusted to hold what we have put there."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or person.home() / ".cache")
    return trusted(home / "dlws")


def trusted(path: Path) -> Path:
    """The path itself; Refused if somebody else can have written what is there.

    Every directory above counts as well: who can write there can put another in its place. A
    sticky one such as /tmp is fine, as only an owner renames things there.
    """
    real = path.resolve()
    for place in dict.fromkeys([*path.absolute().parents, *real.parents, path.absolute(), real]):
        with suppress(FileNotFoundError):
            _refuse_of_others(place, sticky_is_fine=place != real)
    return path


def _refuse_of_others(place: Path, sticky_is_fine: bool) -> None:
    about = place.lstat()
    if about.st_uid not in (0, os.geteuid()):
        raise Refused(
            f"{place} belongs to user {about.st_uid}, who can change what is taken from there",
            "name a directory of your own in XDG_CACHE_HOME (`sudo -H` uses that of root)",
        )
    kept = stat.S_ISLNK(about.st_mode) or (sticky_is_fine and about.st_mode & stat.S_ISVTX)
    if about.st_mode & 0o022 and not kept:
        raise Refused(
            f"other users can write to {place}, and so change what is taken from there",
            f"look at what is there, then: chmod go-w {quote(str(place))}",
        )


def open_lock(path: Path) -> int:
    """A handle of a lock file, made where it is missing; it is never a link, and never emptied."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    cure = f"look at it, then: rm {quote(str(path))}"
    try:
        handle = os.open(path, flags, 0o600)
    except OSError as error:
        raise Refused(f"the lock {path} cannot be opened: {error.strerror}", cure) from None
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
        os.close(handle)
        raise Refused(f"the lock {path} is not a file of ours", cure)
    return handle


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock of this machine; wait for whoever holds it. The file goes with the holder."""
    path = run_directory() / name
    while True:
        handle = open_lock(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not _is_still(path, handle):
                continue  # its holder removed it while we waited
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
        finally:
            os.close(handle)


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except FileNotFoundError:
        return False
