"""A terminal as a person has it: what a program writes there, byte for byte."""

from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import termios
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout, suppress
from fcntl import ioctl
from pathlib import Path
from typing import Protocol

import click

from dlws.core import terminal_text
from tests.support import forkserver

SAFE = re.compile(r"(?:\x1b\[[0-9;:]*m|[^\x00-\x08\x0b-\x1f\x7f-\x9f])*\Z")
"""Text, tabs, ends of lines and colours."""


def is_safe(text: str) -> bool:
    without = re.sub(r"\x1b\[[0-9;:]*m|[\n\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]", "", text)
    return bool(SAFE.match(text)) and without.isprintable()


REDRAWN = "\r\x1b[K"
"""What the program itself writes to redraw its status line."""


def told(seen: str) -> str:
    """What was shown, but for the status line; it has to be nothing but text and colours."""
    said = seen.replace(REDRAWN, "")
    wrong = [line for line in said.split("\n") if not is_safe(line)]
    assert not wrong, wrong[:3]
    return said


class Program(Protocol):
    """One that was started on a terminal."""

    def wait(self) -> int: ...

    def kill(self) -> None: ...


def deploy_on_a_terminal(
    directory: Path,
    *words: str,
    code: int | None = 0,
    typed: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> str:
    """What deploy.py writes, which has to be UTF-8, on a terminal of its own."""
    given, line = _environment(environment or {}), ["--dir", str(directory), *words]
    return _seen(lambda theirs: forkserver.on_a_terminal(theirs, line, given), code, typed)


def on_a_terminal(words: Sequence[str | Path]) -> str:
    """The same of any program, whatever its exit status."""

    def start(theirs: int) -> Program:
        return subprocess.Popen(
            words,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=_environment({}),
            start_new_session=True,
        )

    return _seen(start, None, b"")


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "TERM": "xterm-256color", **more}


def _seen(start: Callable[[int], Program], code: int | None, typed: bytes) -> str:
    """What a program writes to a terminal that changes nothing of what it is sent."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    program = start(theirs)
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


def command_on_a_terminal(root: click.Group, *words: str | Path) -> str:
    """What a command line writes to a terminal, run in this process, whatever its exit status:
    for hundreds of them, of which each would be a process that imports all of dlws."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(lambda: b"".join(_all(ours)))
        with (
            open(theirs, "w", encoding="utf-8") as out,
            open(os.dup(theirs), "w", encoding="utf-8") as err,
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            terminal_text.guard()
            try:
                root.main([str(word) for word in words], standalone_mode=False)
            except click.ClickException as error:
                error.show()
            except SystemExit:
                pass
        found = seen.result()
    os.close(ours)
    return found.decode()


def _all(terminal: int) -> Iterator[bytes]:
    with suppress(OSError):  # the terminal's end
        while data := os.read(terminal, 65536):
            yield data
