"""Logs of workers as Kubernetes keeps them, and from where on they are to be read. Pure.

A line begins with the time at which it was written. A cursor names the last line that was read, so
that whoever reads on gets each line once, also when a job is tried a second time meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

LARGEST = 1024 * 1024
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ")
_CURSOR = re.compile(r"(\d{1,9})\.(\d{1,20})\.(\d{1,9})")


@dataclass(frozen=True)
class Cursor:
    """How far an attempt was read: the time of the last line in nanoseconds, and how many lines of
    that very time there were."""

    attempt: int = 0
    at: int = 0
    lines: int = 0

    def __str__(self) -> str:
        return f"{self.attempt}.{self.at}.{self.lines}"

    @property
    def since(self) -> str:
        """The second of the last line, as Kubernetes wants it; nothing for the beginning."""
        if not self.at:
            return ""
        return datetime.fromtimestamp(self.at // 10**9, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def cursor(text: str) -> Cursor:
    """ValueError for what is no cursor."""
    found = _CURSOR.fullmatch(text)
    if not found:
        raise ValueError("this is no cursor of a log")
    return Cursor(*map(int, found.groups()))


@dataclass(frozen=True)
class Piece:
    """What was read, where it ends, and whether there is more of it now."""

    text: str
    cursor: Cursor
    more: bool = False


def after(lines: Iterable[bytes], read: Cursor, largest: int = LARGEST) -> Piece:
    """The lines behind a cursor, up to a size. A line that is still being written comes later."""
    kept, size, at, same = list[bytes](), 0, read.at, read.lines
    seen = 0
    for line in lines:
        found = _STAMP.match(line)
        if not found or not line.endswith(b"\n"):
            continue
        when = _nanoseconds(found)
        seen += when == read.at
        if when < read.at or (when == read.at and seen <= read.lines):
            continue
        text = line[found.end() :]
        if kept and size + len(text) > largest:
            return Piece(_text(kept), Cursor(read.attempt, at, same), more=True)
        same = same + 1 if when == at else 1
        at = when
        kept.append(text)
        size += len(text)
    return Piece(_text(kept), Cursor(read.attempt, at, same))


def moment(line: bytes) -> int | None:
    """The time of a line in nanoseconds; None where it begins with none."""
    found = _STAMP.match(line)
    return _nanoseconds(found) if found else None


def _nanoseconds(found: re.Match[bytes]) -> int:
    zone = "+00:00" if found[3] == b"Z" else found[3].decode()
    seconds = int(datetime.fromisoformat(found[1].decode() + zone).timestamp())
    return seconds * 10**9 + int((found[2] or b"0").ljust(9, b"0"))


def _text(lines: list[bytes]) -> str:
    return b"".join(lines).decode(errors="replace")
