"""The one seam to machines: run a command line somewhere and get its result."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO, Protocol

from dlws.core.errors import DeployError
from dlws.core.limits import Bounds
from dlws.core.text import split_lines

KEEP = 8 * 1024 * 1024
"""Bytes of each stream that a result keeps; of longer output, the end."""

_QUOTED = 16 * 1024
"""Characters of a complaint that are quoted; of a longer one, the end."""

Echo = Callable[[str, bytes], None]
"""Gets ("out" or "err", bytes) as output arrives, from one thread at a time."""

Outlet = tuple[Echo, Callable[[], None]]
"""A receiver of output, and what to call at its end."""

Stdin = bytes | Iterable[bytes]


@dataclass(frozen=True)
class Result:
    """What a command did. `lost` counts the bytes of output dropped to keep memory bounded.

    `held`: it has ended, and something that it left behind holds its output.
    """

    code: int
    out: bytes = b""
    err: bytes = b""
    lost: int = 0
    held: bool = False

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def text(self) -> str:
        """Standard output as text, without the newlines at its end."""
        return self.out.decode(errors="replace").rstrip("\n")

    @property
    def complaint(self) -> str:
        """What the command said went wrong: standard error, else standard output."""
        return (self.err.strip() or self.out.strip()).decode(errors="replace")[-_QUOTED:]

    @property
    def last_words(self) -> str:
        """The last line of its complaint."""
        return split_lines(self.complaint)[-1] if self.complaint else ""


class Connection(Protocol):
    """A way to run command lines on one machine.

    Raises ConnectionFailed, and Unanswered beyond the bounds; never on exit status.
    """

    def run(
        self,
        command: str,
        stdin: Stdin = b"",
        echo: Echo | None = None,
        keep: int = KEEP,
        bounds: Bounds | None = None,
    ) -> Result: ...

    def close(self) -> None: ...


class Halt:
    """Set by its `refusal` for all connections of a run: from then on no command is started."""

    def __init__(self) -> None:
        self.refusal: DeployError | None = None

    def check(self) -> None:
        """Raise the refusal, if there is one."""
        if self.refusal:
            raise self.refusal


class Tail:
    """The last `keep` bytes of what was written to it."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._chunks = bytearray()
        self._trimmed = 0

    @property
    def lost(self) -> int:
        """How many bytes are not in the value."""
        return self._trimmed + max(0, len(self._chunks) - self._keep)

    def write(self, data: bytes) -> None:
        self._chunks += data
        # Trimmed in big strides: trimming on each write would copy the buffer every time.
        if len(self._chunks) > 2 * self._keep:
            self._trim()

    def _trim(self) -> None:
        surplus = max(0, len(self._chunks) - self._keep)
        del self._chunks[:surplus]
        self._trimmed += surplus

    def value(self) -> bytes:
        self._trim()
        return bytes(self._chunks)


def pieces(stdin: Stdin) -> Iterable[bytes]:
    """Standard input as pieces, empty ones left out."""
    return filter(None, (stdin,) if isinstance(stdin, bytes) else stdin)


_RUNNING = set[int]()
"""The commands that run on this machine now, by process group."""


def end_local() -> None:
    """End all commands that run on this machine: only the thread that waits for one can be
    interrupted, and theirs are others."""
    for group in list(_RUNNING):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)


class Local:
    """Runs command lines on this machine, by /bin/sh. What it says has no bounds: it is ours."""

    def run(
        self,
        command: str,
        stdin: Stdin = b"",
        echo: Echo | None = None,
        keep: int = KEEP,
        bounds: Bounds | None = None,
    ) -> Result:
        process = _started(command)
        out, err, lock = Tail(keep), Tail(keep), threading.Lock()
        threads = [threading.Thread(target=_feed, args=(process.stdin, stdin))]
        for name, pipe, tail in (("out", process.stdout, out), ("err", process.stderr, err)):
            threads.append(threading.Thread(target=_drain, args=(name, pipe, tail, echo, lock)))
        _RUNNING.add(process.pid)
        try:
            for thread in threads:
                thread.start()
            code = process.wait()
        except BaseException:  # interrupted: the command must not outlive us
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        finally:
            _RUNNING.discard(process.pid)
            for thread in filter(threading.Thread.is_alive, threads):
                thread.join()
        return Result(code, out.value(), err.value(), out.lost + err.lost)

    def close(self) -> None:
        """Nothing is held open."""


def _started(command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _feed(pipe: IO[bytes], stdin: Stdin) -> None:
    try:
        with pipe:
            for piece in pieces(stdin):
                pipe.write(piece)
    except BrokenPipeError:
        pass  # the command ended without reading all of it; its exit status tells the rest


def _drain(name: str, pipe: IO[bytes], tail: Tail, echo: Echo | None, lock: threading.Lock) -> None:
    with pipe:
        while data := os.read(pipe.fileno(), 65536):
            tail.write(data)
            if echo:
                with lock:
                    echo(name, data)


def banner(address: str, port: int, deadline: float) -> bytes:
    """The first line that a server sends, waited for until `deadline` (of time.monotonic()).

    Empty when none came. Refused connections are tried again: the server may be starting.
    """
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection((address, port), timeout=left) as connection:
                connection.settimeout(max(0.1, deadline - time.monotonic()))
                if line := connection.makefile("rb").readline(256):
                    return line
        except OSError:
            pass  # not there yet: the deadline decides
        threading.Event().wait(min(0.1, max(0.0, deadline - time.monotonic())))
    return b""
