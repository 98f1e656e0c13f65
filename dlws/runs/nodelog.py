"""A node's log of a run: what it prints, of which the beginning and the end are kept.

The file never grows beyond its limit, however long a node prints. Whoever looks finds its head, a
line that says how much was left out, and the latest output.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

from dlws.core.limits import CROWDED_BYTES, LOG_BYTES, RESERVED_BYTES, RUN_BYTES
from dlws.runs.appendlog import write_all

_GAP = b"\n[dlws: %015d bytes are left out here]\n"
_GAP_SIZE = len(_GAP % 0)
_FOUND = re.compile(re.escape(_GAP).replace(rb"%015d", rb"([0-9]{15})"))
_STRIDE = 1024 * 1024


class LogSpace:
    """What the logs of a run take together, and whether that is too much: from then on it is."""

    def __init__(self, directory: Path) -> None:
        self._taken = sum(path.stat().st_size for path in directory.glob("*.log"))
        self._crowded = False
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        with self._lock:
            self._taken += size

    def limit(self, handle: int) -> int:
        """How many bytes a log may have now."""
        if not self._crowded:
            disk = os.fstatvfs(handle)
            scarce = disk.f_bavail * disk.f_frsize < RESERVED_BYTES
            self._crowded = scarce or self._taken > RUN_BYTES
        return CROWDED_BYTES if self._crowded else LOG_BYTES


class NodeLog:
    """One node's log, open."""

    def __init__(self, path: Path, space: LogSpace, lock: threading.Lock) -> None:
        self.path, self._space, self._lock = path, space, lock
        self._handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, data: bytes) -> None:
        """Append; raises OSError."""
        with self._lock:
            size = os.fstat(self._handle).st_size
            limit = self._space.limit(self._handle) if size > CROWDED_BYTES // 2 else LOG_BYTES
            if size + len(data) > limit:
                self._shorten(size, limit, len(data))
            write_all(self._handle, data)
            self._space.add(os.fstat(self._handle).st_size - size)

    def close(self) -> None:
        os.close(self._handle)

    def _shorten(self, size: int, limit: int, more: int) -> None:
        """Make room for `more` bytes: a quarter of the limit is the head, and at most as much,
        what comes included, the end."""
        head, kept = limit // 4, max(0, limit // 4 - more)
        start = size - kept
        left_out = start - head
        for place in {LOG_BYTES // 4, CROWDED_BYTES // 4}:  # earlier gaps that are in this one
            if head <= place <= start - _GAP_SIZE:
                left_out += self._gap(place)
        file = os.open(self.path, os.O_RDWR)  # through the one that appends, every write does
        try:
            os.pwrite(file, _GAP % left_out, head)
            _move(file, start, head + _GAP_SIZE, kept)
            os.ftruncate(file, head + _GAP_SIZE + kept)
        finally:
            os.close(file)

    def _gap(self, place: int) -> int:
        """What the gap at a place stands for, beyond its own size."""
        found = _FOUND.fullmatch(os.pread(self._handle, _GAP_SIZE, place))
        return int(found[1]) - _GAP_SIZE if found else 0


def _move(file: int, source: int, target: int, size: int) -> None:
    """Move bytes within a file towards its beginning."""
    for done in range(0, size, _STRIDE):
        piece = os.pread(file, min(_STRIDE, size - done), source + done)
        os.pwrite(file, piece, target + done)
