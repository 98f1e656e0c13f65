"""Files on this machine: whole or not at all, and for nobody else."""

from __future__ import annotations

import os
from pathlib import Path


def private_directory(path: Path) -> None:
    """Make a directory for nobody else, and those above it that are missing, whatever umask."""
    for place in (*reversed(path.parents), path):
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all; its mode is set before its content."""
    private_directory(path.parent)
    new = path.with_name(path.name + ".dlws-new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
