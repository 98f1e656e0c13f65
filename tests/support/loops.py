"""Disks for tests: files behind loop devices."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MakeDisk = Callable[[], str]
SIGNATURES = {
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "swap": ["mkswap"],
    # One partition of type 83 in a DOS partition table.
    "partitions": [
        "sh",
        "-c",
        r"{ head -c 446 /dev/zero; printf '\0\0\0\0\203\0\0\0\0\010\0\0\0\020\0\0';"
        r" head -c 48 /dev/zero; printf '\125\252'; } >$1",
        "x",
    ],
    "raw": ["sh", "-c", 'printf "no signature at all" >"$1"', "x"],
}
"""What makes a disk one that carries something; the disk's name is to be added."""


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def loops_work() -> bool:
    if os.getuid() != 0 or not shutil.which("losetup"):
        return False
    return subprocess.run(["losetup", "-f"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def make_disk(tmp_path: Path) -> Iterator[MakeDisk]:
    """Makes disks of 64 MiB; they are gone afterwards."""
    if not loops_work():
        pytest.skip("needs root and loop devices")
    made: list[str] = []

    def make() -> str:
        image = tmp_path / f"disk{len(made)}.img"
        with image.open("wb") as file:
            file.truncate(64 << 20)
        made.append(run("losetup", "-f", "--show", str(image)))
        assert made[-1]
        return made[-1]

    yield make
    for device in made:
        run("losetup", "-d", device)
