"""A terminal as a person has it: what a program writes there, byte for byte."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator, Mapping, Sequence
from fcntl import ioctl
from pathlib import Path

from tests.support import ROOT

SAFE = re.compile(r"(?:\x1b\[[0-9;:]*m|[^\x00-\x08\x0b-\x1f\x7f-\x9f])*\Z")
"""Text, tabs, ends of lines and colours."""


def is_safe(text: str) -> bool:
    without = re.sub(r"\x1b\[[0-9;:]*m|[\n\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]", "", text)
    return bool(SAFE.match(text)) and without.isprintable()


def on_a_terminal(
    words: Sequence[str | Path],
    code: int | None = None,
    typed: bytes = b"",
    columns: int = 120,
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """Run a program on a terminal of its own that changes nothing of what it is sent."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(
        words,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", **(environment or {})},
        start_new_session=True,
    ) as process:
        os.close(theirs)
        os.write(ours, typed)
        try:
            seen = b"".join(_all(ours))
            process.wait()
        finally:
            process.kill()  # where the test gave up waiting
            os.close(ours)
    assert code is None or process.returncode == code, (process.returncode, seen)
    return seen


def _all(terminal: int) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # the terminal's end
        while data := os.read(terminal, 65536):
            yield data


def deploy_on_a_terminal(directory: Path, *words: str, code: int | None = 0, **more: object) -> str:
    """What deploy.py writes to a terminal; it has to be UTF-8."""
    line = [sys.executable, ROOT / "deploy.py", "--dir", directory, *words]
    return on_a_terminal(line, code, **more).decode()  # type: ignore[arg-type]
