"""A file that lines are appended to: each whole, and on the disk within a moment, or an error."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from dlws.core.errors import DeployError, Refused
from dlws.core.program import PROGRAM
from dlws.shell.quoting import sh


class JournalUnwritable(Refused):
    """The record of a run cannot be written: nothing may be done that would be missing from it."""

    code = DeployError.code

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"{path}: {error.strerror or error}: what cannot be recorded is not done",
            f"make room (df -h {sh(path.parent)}), then go on with: {PROGRAM} resume",
        )


_SHARE = 0.05
"""Seconds of which the lines share a sync. One for each line took a tenth of the CPU time of a
command on 500 nodes: a sync, and a thread that wakes for it."""


class AppendLog:
    """Appends lines to a file. After the first failure every further one fails, too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._error: OSError | None = None
        self._lock = threading.Lock()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        end = os.fstat(self._handle).st_size
        if end and os.pread(self._handle, 1, end - 1) != b"\n":
            self.append("")  # a crash tore the last line: the next one must not go on from it
        self._syncer = threading.Thread(target=self._sync, daemon=True)
        self._syncer.start()

    def append(self, line: str) -> None:
        """Append a line; raises JournalUnwritable."""
        data = f"{line}\n".encode()
        with self._lock:
            if not self._error:
                try:
                    write_all(self._handle, data)
                except OSError as error:
                    self._error = error
            if self._error:
                raise JournalUnwritable(self._path, self._error)
        self._wake.set()

    def stop(self, error: OSError) -> None:
        """Let every further line fail: something that belongs to the record could not be kept."""
        self._error = error

    def _sync(self) -> None:
        # A sync for each line would cost a disk's turn per node; whoever waits shares one.
        while not self._ended.is_set():
            self._wake.wait()
            self._wake.clear()
            self._sync_now()
            self._ended.wait(_SHARE)

    def _sync_now(self) -> None:
        try:
            os.fsync(self._handle)
        except OSError as error:
            self._error = error

    def close(self) -> None:
        """All lines are on the disk when this returns; else it raises JournalUnwritable."""
        self._ended.set()
        self._wake.set()
        self._syncer.join()
        self._sync_now()  # the thread's last sync may have begun before the last line
        os.close(self._handle)
        if self._error:
            raise JournalUnwritable(self._path, self._error)


def write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
