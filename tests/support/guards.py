"""What keeps tests and the machine that they run on apart."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def with_us(line: Iterable[object]) -> list[str]:
    """A command line that is told to end when the test run does, however that comes to its end."""
    return ["setpriv", "--pdeathsig", "TERM", *map(str, line)]


def home_without_ssh(home: Path, place: Path) -> Path:
    """A home like that one for tests, but for ~/.ssh: where it has a config, that would count."""
    if not (home / ".ssh/config").exists():
        return home
    for entry in home.iterdir():
        if entry.name != ".ssh":
            (place / entry.name).symlink_to(entry)
    return place
