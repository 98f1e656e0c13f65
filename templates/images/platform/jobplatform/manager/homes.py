"""Directories on the share: a person's home, and a job's own. Users can write beside them, so no
step follows a symbolic link, and only what was just made changes its owner."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jobplatform.manager.pods import Person

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Share:
    """The share: where the manager has it, and the claim by which jobs mount it."""

    root: Path
    claim: str
    on_nodes: str = ""
    """The directory of nodes that a volume is made of for each claim; empty: they are there."""

    @property
    def there(self) -> bool:
        """Whether it is mounted: the folder of homes is made where shares are, and not here."""
        return os.path.lexists(self.root / "work")

    def prepare(self, person: Person, folder: str) -> None:
        """Make what is missing: work/ALIAS and the job's folder, 0700 and the person's. Everything
        above them is root's. ValueError where something else is there already."""
        for path in (f"work/{person.alias}", folder):
            *above, last = path.split("/")
            try:
                with _down(self.root, above) as parent:
                    _own(parent, last, person)
            except OSError as error:
                if error.errno in {errno.ENOTDIR, errno.ELOOP}:
                    raise ValueError(f"{path} on the share is no directory") from error
                raise


@contextmanager
def _down(root: Path, names: list[str]) -> Iterator[int]:
    """A descriptor of a directory some steps below the root, made where it is missing."""
    here = os.open(root, _DIRECTORY)
    try:
        for name in names:
            below = _enter(here, name, 0o755)[0]
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _enter(parent: int, name: str, mode: int) -> tuple[int, bool]:
    """A descriptor of a directory, and whether it was made now."""
    try:
        os.mkdir(name, mode, dir_fd=parent)
        made = True
    except FileExistsError:
        made = False
    return os.open(name, _DIRECTORY, dir_fd=parent), made


def _own(parent: int, name: str, person: Person) -> None:
    """A directory of the person's. One that is there already is another's or right."""
    found, made = _enter(parent, name, 0o700)
    try:
        if made or os.fstat(found).st_uid == 0:  # or a manager died between the two steps
            os.fchown(found, person.uid, person.gid)
        elif os.fstat(found).st_uid != person.uid:
            raise ValueError(f"the directory {name} on the share is not {person.name}'s")
    finally:
        os.close(found)
