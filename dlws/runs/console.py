"""What a person sees: lines with their node's name, a status line, a summary. Thread-safe."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import click

from dlws.core import terminal_text
from dlws.core.connection import Echo, Outlet
from dlws.core.errors import ReaderGone
from dlws.core.terminal_text import VisibleStream
from dlws.secrets.redaction import Redactor

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_magenta")
_LONG = 64 * 1024
"""A line without an end is shown in pieces of this size, so that it cannot fill memory."""
_NEWLINES = re.compile(rb"\r\n|\n|\r")


class Console:
    """Writes whole lines; on a terminal also a status line that is redrawn below them."""

    def __init__(self, verbose: bool = False) -> None:
        self.verbose = verbose
        self.changes: list[str] = []
        self.on_change: Callable[[str, str], None] = lambda node, text: None
        """Called with each change, to keep it on record."""
        self.redactor = Redactor()
        self._lock = threading.RLock()
        self._width = 0
        self._status: Callable[[], str] | None = None
        self._drawn = False
        self._colours: dict[str, str] = {}

    def align(self, names: list[str]) -> None:
        """Make room for the longest of these node names, and give each a colour."""
        self._width = max(map(len, names), default=0)
        self._colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}

    def say(self, text: str, node: str = "") -> None:
        """A line of progress on standard error."""
        self._write(
            sys.stderr, "".join(f"{self.prefix(node, sys.stderr)}{t}\n" for t in text.splitlines())
        )

    def data(self, text: str) -> None:
        """An answer, on standard output."""
        self._write(sys.stdout, f"{text}\n")

    def changed(self, text: str, node: str = "") -> None:
        """Say that something was changed, and count it: a second run has to count none."""
        self.count_change(text, node)
        self.say(f"changed: {text}", node)

    def count_change(self, text: str, node: str) -> None:
        """Count a change that has been said already."""
        self.changes.append(f"{node}: {text}" if node else text)
        self.on_change(node, text)

    def warn(self, text: str) -> None:
        lines = text.splitlines()  # a colour ends with its line
        self.say("\n".join(paint(line, "yellow", sys.stderr) for line in lines))

    def prefix(self, node: str, stream: TextIO) -> str:
        if not node:
            return ""
        name = f"{node}:".ljust(self._width + 1)
        return paint(name, self._colours.get(node, ""), stream) + " "

    def echo(self, node: str) -> Outlet:
        """A receiver of a node's output as it arrives, and what to call at its end."""
        rests = {"out": b"", "err": b""}

        def show(name: str, data: bytes, end: bool = False) -> None:
            stream = sys.stdout if name == "out" else sys.stderr
            split = _last_states if stream.isatty() else _lines
            lines, rests[name] = split(rests[name] + data, end)
            start = self.prefix(node, stream)
            decoded = (line.decode(errors="surrogateescape") for line in lines)
            self._write(stream, "".join(f"{start}{line}\n" for line in decoded))

        # Before it is cut into lines, in the middle of which a secret may end.
        receive, flush = self.redactor.stream(show)

        def finish() -> None:
            flush()
            for name in rests:
                show(name, b"", end=True)

        return receive, finish

    def _write(self, stream: TextIO, text: str) -> None:
        if not text:
            return
        with self._lock:
            self._wipe()
            try:
                _write_all(stream, self.redactor.text(text))
            except BrokenPipeError as error:
                raise ReaderGone from error
            self._draw()

    @contextmanager
    def status(self, text: Callable[[], str], every: float = 30) -> Iterator[None]:
        """While the block runs, show `text()`: redrawn on a terminal, else a line now and then."""
        stop = threading.Event()
        terminal = sys.stderr.isatty()

        def tick() -> None:
            while not stop.wait(1 if terminal else every):
                with self._lock:
                    if terminal:
                        self._wipe()
                        self._draw()
                    else:
                        self.say(text())

        thread = threading.Thread(target=tick, daemon=True)
        self._status = text if terminal else None
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            with self._lock:
                self._wipe()
                self._status = None

    def _draw(self) -> None:
        if self._status:
            columns = shutil.get_terminal_size().columns
            text = self.redactor.text(self._status())
            sys.stderr.write(terminal_text.one_line(text, columns - 1))
            sys.stderr.flush()
            self._drawn = True

    def _wipe(self) -> None:
        if self._drawn:
            terminal_text.control(sys.stderr, "\r\x1b[K")
            self._drawn = False


def passed_on() -> Outlet:
    """A receiver of output as it arrives, not line by line: files get its bytes."""
    seen = {"out": VisibleStream(), "err": VisibleStream()}

    def show(name: str, data: bytes) -> None:
        stream = sys.stdout if name == "out" else sys.stderr
        if stream.isatty():
            stream.write(seen[name].feed(data))
            stream.flush()
        else:
            stream.buffer.write(data)
            stream.buffer.flush()

    def finish() -> None:
        for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
            stream.write(seen[name].end())
            stream.flush()

    return show, finish


@contextmanager
def outlets(*places: Outlet | None) -> Iterator[Echo | None]:
    """One receiver that passes output on to all places; None where there are none."""
    given = [place for place in places if place]

    def receive(name: str, data: bytes) -> None:
        for echo, _ in given:
            echo(name, data)

    try:
        yield receive if given else None
    finally:
        for _, finish in given:
            finish()


def _write_all(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:  # on a stream that nobody guarded
        text = text.encode(errors="surrogateescape").decode(errors="replace")
        coding = stream.encoding or "utf-8"
        stream.write(text.encode(coding, "replace").decode(coding))
    stream.flush()


def _last_states(data: bytes, end: bool) -> tuple[list[bytes], bytes]:
    """Like _lines(), but of a line that a progress bar overwrites only the last state."""
    *lines, rest = data.split(b"\n")
    if end and rest:
        lines, rest = [*lines, rest], b""
    states = [line.rstrip(b"\r").rpartition(b"\r")[2] for line in lines]
    state = rest.rstrip(b"\r")
    half = b"\r" if len(state) < len(rest) else b""
    long, rest = _lines(state[state.rfind(b"\r") + 1 :] + half, end=False)
    return [*states, *long], rest


def _lines(data: bytes, end: bool) -> tuple[list[bytes], bytes]:
    """The lines that output so far consists of, and what the next piece of it goes on from."""
    if end:
        return (_NEWLINES.split(data.removesuffix(b"\r")) if data else []), b""
    # The other half of \r\n may still come.
    body, half = (data[:-1], b"\r") if data.endswith(b"\r") else (data, b"")
    *lines, rest = _NEWLINES.split(body)
    while len(rest) > _LONG:
        cut = _LONG
        while cut > _LONG - 4 and rest[cut] & 0xC0 == 0x80:
            cut -= 1  # not through the middle of a character
        lines.append(rest[:cut])
        rest = rest[cut:]
    return lines, rest + half


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Coloured on a terminal (unless NO_COLOR is set), plain otherwise."""
    if not colour or os.environ.get("NO_COLOR") or not stream.isatty():
        return text
    return click.style(text, fg=colour)
