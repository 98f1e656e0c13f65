"""A terminal as a person has it: what a program writes there, byte for byte."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import struct
import termios
import tty
from collections.abc import Iterator, Mapping
from fcntl import ioctl
from pathlib import Path

from tests.support import forkserver

SAFE = re.compile(r"(?:\x1b\[[0-9;:]*m|[^\x00-\x08\x0b-\x1f\x7f-\x9f])*\Z")
"""Text, tabs, ends of lines and colours."""


def is_safe(text: str) -> bool:
    without = re.sub(r"\x1b\[[0-9;:]*m|[\n\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]", "", text)
    return bool(SAFE.match(text)) and without.isprintable()


def deploy_on_a_terminal(
    directory: Path,
    *words: str,
    code: int | None = 0,
    typed: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> str:
    """What deploy.py writes, which has to be UTF-8, on a terminal of its own that changes nothing
    of what it is sent."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    given = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
    program = forkserver.on_a_terminal(theirs, ["--dir", str(directory), *words], given)
    os.close(theirs)
    os.write(ours, typed)
    try:
        seen = b"".join(_all(ours))
        status = program.wait()
    finally:
        program.kill()  # where the test gave up waiting
        os.close(ours)
    assert code is None or status == code, (status, seen)
    return seen.decode()


def _all(terminal: int) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # the terminal's end
        while data := os.read(terminal, 65536):
            yield data
