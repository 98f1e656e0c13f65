"""Logs that are kept on the share: where each lies, and reading one from a moment on.

A file has lines as Kubernetes gives them, each behind its time; the times never go back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from jobplatform.model import logs, names

FOLDER = "joblogs"
LARGEST = 1024 * 1024
"""Bytes of a line that are looked at for its end."""


def path(root: Path, job: str, attempt: int, worker: int) -> Path:
    return root / FOLDER / job / f"{names.worker(job, attempt, worker)}.log"


def age(found: Path, now: float) -> float | None:
    """Seconds since something was written there; None where there is no such log."""
    try:
        return now - found.stat().st_mtime
    except FileNotFoundError:
        return None


def lines(found: Path, since: int) -> Iterator[bytes]:
    """The lines from a moment (nanoseconds) on, or a few before. No link is followed."""
    with open(os.open(found, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        file.seek(_place(file, since) if since else 0)
        while line := file.readline(LARGEST):
            yield line


def last(found: Path, count: int) -> Iterator[bytes]:
    """The last lines, of which a few may be added to meanwhile."""
    with open(os.open(found, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        place, tail = file.seek(0, os.SEEK_END), b""
        while place and tail.count(b"\n") <= count and len(tail) < LARGEST:
            place = max(place - 64 * 1024, 0)
            tail = os.pread(file.fileno(), 64 * 1024, place) + tail
    whole = tail.splitlines(keepends=True)
    yield from (whole if not place else whole[1:])[-count:]


def _place(file: BinaryIO, since: int) -> int:
    """The beginning of a line before the first one of that moment: found by halves."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while high - low > 64 * 1024:
        middle = (low + high) // 2
        start = _next_line(file, middle)
        when = logs.moment(file.readline(LARGEST)) if start < high else None
        if when is None or when >= since:
            high = middle
        else:
            low = start
    return low


def _next_line(file: BinaryIO, place: int) -> int:
    """Where the first line behind a place begins."""
    file.seek(place)
    while (read := file.readline(LARGEST)) and not read.endswith(b"\n"):
        pass
    return file.tell()
