"""Follows the log of one worker: what is written there is appended to its file on the share.

The file on the share is all that is remembered: whoever goes on looks for its last line in the
runtime's files. A file that is rotated or deleted is read to its end, as it is held open.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import IO

from jobplatform import kept
from jobplatform.collector import sources
from jobplatform.collector.sources import Lines, Pod
from jobplatform.model import logs

MOST = 1024**3
_TRIES = 5
_Id = tuple[int, int]
CUT = b"(more is not kept: this log has 1 GiB)\n"


class Follower:
    def __init__(self, pod: Pod, root: Path) -> None:
        self.pod = pod
        self.out = _target(kept.path(root, pod.job, pod.attempt, pod.worker))
        self.size = os.fstat(self.out).st_size
        self.lines, self.rest = Lines(), b""
        self.source: IO[bytes] | None = None
        try:
            if last := _last(self.out):
                self._resume(last)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        os.close(self.out)
        if self.source:
            self.source.close()

    def step(self) -> bool:
        """Append what is new. False: the files are gone, and all that they had is kept."""
        while True:
            self._keep(self._read())
            following = self._next()
            if following is None:
                return self.pod.place.is_dir()
            self._keep(self._read())  # what was written before the next file was begun
            self._turn_to(following)

    def _next(self) -> IO[bytes] | None:
        """The file behind the one that is open, if it could be opened now. Names move on when files
        are rotated: it is the one only if all names are still the same with the file in hand."""
        for _ in range(_TRIES):
            there = _listed(self.pod)
            path = self._behind(there)
            if path is None:
                return None
            try:
                found = sources.opened(path)
            except FileNotFoundError:
                continue
            if _listed(self.pod) == there:
                return found
            found.close()
        return None

    def _behind(self, there: list[tuple[Path, _Id]]) -> Path | None:
        """The path of the file behind the one that is open; that is held open, so that no other
        has its inode."""
        if self.source is None:
            return next((path for path, _ in there), None)
        mine = _id(os.fstat(self.source.fileno()))
        for index, (_, one) in enumerate(there):
            if one == mine:
                return next((path for path, _ in there[index + 1 :]), None)
        # It was packed or deleted: whatever begins later is behind it.
        return next((path for path, _ in there if _begins(path) > self.lines.floor), None)

    def _turn_to(self, following: IO[bytes]) -> None:
        if self.source:
            self.source.close()
        self.source, self.rest = following, b""

    def _read(self) -> list[bytes]:
        """The whole lines that are new in the open file."""
        found: list[bytes] = []
        while self.source and (data := self.source.read(1024 * 1024)):
            *whole, self.rest = (self.rest + data).split(b"\n")
            found += self.lines.of(whole)
        return found

    def _keep(self, lines: list[bytes]) -> None:
        text = b"".join(lines)
        if not text or self.size >= MOST:
            return
        if self.size + len(text) >= MOST:
            text, self.size = self.lines.stamp + b" " + CUT, MOST
        written = memoryview(text)
        while written:
            count = os.write(self.out, written)
            self.size, written = self.size + count, written[count:]

    def _resume(self, last: bytes) -> None:
        """Read all files, and keep what is behind the last line that is kept; where no file has
        that line any more, what is later."""
        when, found = logs.moment(last) or 0, False
        while (following := self._next()) is not None:
            self._turn_to(following)
            read = self._read()
            at = max((index for index, line in enumerate(read) if line == last), default=-1)
            if at >= 0:
                read, found = read[at + 1 :], True
            elif not found:
                read = [line for line in read if (logs.moment(line) or 0) > when]
            self._keep(read)


def _id(found: os.stat_result) -> _Id:
    return found.st_dev, found.st_ino


def _listed(pod: Pod) -> list[tuple[Path, _Id]]:
    """Its files that are there, with what tells them apart whatever they are called."""
    found = []
    for path in sources.files(pod):
        with contextlib.suppress(FileNotFoundError):
            found.append((path, _id(path.stat())))
    return found


def _begins(path: Path) -> int:
    """The moment of a file's first line; 0 where it has none yet."""
    try:
        with sources.opened(path) as file:
            first = next(Lines().of([file.readline(sources.LARGEST).rstrip(b"\n")]), b"")
    except (FileNotFoundError, EOFError):
        return 0
    return logs.moment(first) or 0


def _target(path: Path) -> int:
    """The file on the share, for appending; a line that a death cut off is taken away."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    found = os.open(path, flags, 0o640)
    size = os.fstat(found).st_size
    tail = os.pread(found, kept.LARGEST, max(size - kept.LARGEST, 0))
    if tail and not tail.endswith(b"\n"):
        os.ftruncate(found, size - (len(tail) - tail.rfind(b"\n") - 1))
    return found


def _last(file: int) -> bytes:
    size = os.fstat(file).st_size
    tail = os.pread(file, kept.LARGEST, max(size - kept.LARGEST, 0))
    return tail.splitlines(keepends=True)[-1] if tail else b""
