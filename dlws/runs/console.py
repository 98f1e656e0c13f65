"""What a person sees: lines with their node's name, a status line, a summary. Thread-safe."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import click

from dlws.core import terminal_text
from dlws.core.connection import Echo, Outlet
from dlws.core.errors import DeployError, ReaderGone
from dlws.core.nodeset import counted
from dlws.core.terminal_text import VisibleStream
from dlws.core.text import since
from dlws.runs.gathering import Gathering, Unit, blocks
from dlws.secrets.redaction import Redactor

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_magenta")
_LONG = 64 * 1024
"""A line without an end is shown in pieces of this size, so that it cannot fill memory."""
_NEWLINES = re.compile(rb"\r\n|\n|\r")


class Console:
    """Writes whole lines; on a terminal also a status line that is redrawn below them."""

    def __init__(self, verbose: bool = False, live: bool = False, dry_run: bool = False) -> None:
        self.verbose, self.live, self.dry_run = verbose, live or verbose, dry_run
        self.changes: list[str] = []
        self.on_change: Callable[[str, str], None] = lambda node, text: None
        """Called with each change, to keep it on record."""
        self.redactor = Redactor()
        self._lock = threading.RLock()
        self._width = 0
        self._status: Callable[[], str] | None = None
        self._statuses: list[Callable[[], str]] = []
        self._drawn = False
        self._colours: dict[str, str] = {}
        self._gathering: Gathering | None = None
        self._waiting: list[str] = []
        self._piped: set[str] = set()

    def align(self, names: list[str]) -> None:
        """Make room for the longest of these node names, and give each a colour."""
        self._width = max(map(len, names), default=0)
        self._colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}

    def say(self, text: str, node: str = "") -> None:
        """A line of progress on standard error; several lines stay together."""
        self._show(node, ("err", "\n".join(text.splitlines())))

    def data(self, text: str) -> None:
        """An answer, on standard output."""
        self._write(sys.stdout, f"{text}\n")

    def changed(self, text: str, node: str = "") -> None:
        """Say that something was changed, and count it: a second run has to count none."""
        self.count_change(text, node)
        self.say(f"{'would change' if self.dry_run else 'changed'}: {text}", node)

    def count_change(self, text: str, node: str) -> None:
        """Count a change that has been said already."""
        self.changes.append(f"{node}: {text}" if node else text)
        self.on_change(node, text)

    def warn(self, text: str) -> None:
        lines = text.splitlines()  # a colour ends with its line
        self.say("\n".join(paint(line, "yellow", sys.stderr) for line in lines))

    @contextmanager
    def gathered(self, names: Sequence[str]) -> Iterator[None]:
        """While the block runs, hold back what these nodes say; show what is equal once.

        That is as soon as all have said it, and for the rest when the block ends.
        Nothing is held for a single node, or where everything is wanted as it comes.
        """
        if self.live or len(names) < 2 or self._gathering:
            yield
            return
        self._gathering, self._waiting = Gathering(names), list(names)
        # Asked once, and not for each line: it is a call of the system's.
        self._piped = {name for name in ("out", "err") if not _stream(name).isatty()}
        try:
            yield
        finally:
            with self._lock:
                held, self._gathering = self._gathering, None
                self._show_folded(held)
                self._show_answers(held)

    def ended(self, node: str) -> None:
        """A node says nothing more: answers that go to a program can be passed on in order."""
        with self._lock:
            if not self._gathering or node not in self._gathering.held:
                return
            self._gathering.held[node].ended = True
            while self._waiting and self._gathering.held[self._waiting[0]].ended:
                self._waiting.pop(0)
                if self._waiting:
                    self._pass_on(self._waiting[0], self._gathering)

    def prefix(self, node: str, stream: TextIO) -> str:
        if not node:
            return ""
        name = f"{node}:".ljust(self._width + 1)
        return paint(name, self._colours.get(node, ""), stream) + " "

    def echo(self, node: str, answer: bool = False) -> Outlet:
        """A receiver of a node's output as it arrives, and what to call at its end.

        An `answer` is the output of a person's own command.
        """
        rests = {"out": b"", "err": b""}

        split = {name: _last_states if _stream(name).isatty() else _lines for name in rests}

        def show(name: str, data: bytes, end: bool = False) -> None:
            lines, rests[name] = split[name](rests[name] + data, end)
            for line in lines:
                self._show(node, (name, line.decode(errors="surrogateescape")), answer)

        # Before it is cut into lines, in the middle of which a secret may end.
        receive, flush = self.redactor.stream(show)

        def finish() -> None:
            flush()
            for name in rests:
                show(name, b"", end=True)

        return receive, finish

    def _show(self, node: str, unit: Unit, answer: bool = False) -> None:
        """Show a text now, unless it is held back to be shown once for several nodes."""
        with self._lock:
            held = self._gathering
            if held and node in held.held:
                streams = answer and node == self._next(unit[0])
                if not streams and held.hold(node, unit, answer):
                    for common in held.common():
                        self._show_as_of(list(held.held), common)
                    return
                for earlier in [] if streams else held.taken(node):
                    self._show_as_of([node], earlier)
            self._show_as_of([node] if node else [], unit)

    def _show_as_of(self, nodes: Sequence[str], unit: Unit) -> None:
        stream, text = _stream(unit[0]), unit[1]
        start = self.prefix(nodes[0], stream) if len(nodes) == 1 else ""
        if len(nodes) > 1:
            start = paint(f"{counted(nodes)}:", "bold", stream) + " "
        self._write(stream, "".join(f"{start}{line}\n" for line in text.split("\n")))

    def _show_folded(self, held: Gathering) -> None:
        for nodes, unit in held.folded():
            self._show_as_of(nodes, unit)

    def _show_answers(self, held: Gathering) -> None:
        """Answers in blocks for a person; a line each, in the order of the nodes, for a program."""
        for name in ("out", "err"):
            answers, stream = held.answers(name), _stream(name)
            if not stream.isatty():
                for node, lines in answers.items():
                    self._show_lines(node, name, lines)
                continue
            for nodes, lines in blocks(answers):
                self._write(stream, f"{paint(f'{counted(nodes)}:', 'bold', stream)}\n")
                self._write(stream, "".join(f"{line}\n" for line in lines))

    def _next(self, name: str) -> str:
        """The node whose answers a program gets as they come: the first that has not ended."""
        return self._waiting[0] if self._waiting and name in self._piped else ""

    def _pass_on(self, node: str, held: Gathering) -> None:
        """Show a program what the next node has answered so far."""
        for name in ("out", "err"):
            if self._next(name):
                self._show_lines(node, name, held.take_answers(node, name))

    def _show_lines(self, node: str, name: str, lines: Sequence[str]) -> None:
        start = self.prefix(node, _stream(name))
        self._write(_stream(name), "".join(f"{start}{line}\n" for line in lines))

    def _write(self, stream: TextIO, text: str) -> None:
        if not text:
            return
        with self._lock:
            self._wipe()
            try:
                _write_all(stream, self.redactor.text(text))
            except BrokenPipeError as error:
                raise ReaderGone from error
            except OSError as error:
                what = "standard output" if stream is sys.stdout else "standard error"
                raise DeployError(f"{what} cannot be written: {error.strerror}") from error
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
        self._count(self._statuses.append, text, terminal)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self._count(self._statuses.remove, text, terminal)

    def _count(
        self, change: Callable[[Callable[[], str]], None], text: Callable[[], str], terminal: bool
    ) -> None:
        """One status more, or one less: the last one that has not ended is shown."""
        with self._lock:
            self._wipe()
            change(text)
            self._status = self._statuses[-1] if terminal and self._statuses else None

    @contextmanager
    def working(self, title: str) -> Iterator[None]:
        """While the block runs, show its title and how long it takes, unless more is shown."""
        start = time.monotonic()
        if self._statuses:
            yield
            return
        with self.status(lambda: f"{title}, {since(start)}"):
            yield

    @contextmanager
    def counting(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show how much of `total` bytes is done; the block calls what it gets with each piece."""
        done, start = [0], time.monotonic()

        def tell(size: int) -> None:
            done[0] += size

        def text() -> str:
            percent = 100 * done[0] // max(total, 1)
            return f"{title}: {percent}% of {total / 1e6:,.0f} MB, {since(start)}"

        with self.status(text, every=10):
            yield tell

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


def _stream(name: str) -> TextIO:
    return sys.stdout if name == "out" else sys.stderr


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
def shown_as_it_comes() -> Iterator[Callable[[str], None]]:
    """What shows pieces of a text that others wrote: states of a progress bar one by one."""
    show, finish = passed_on()
    try:
        yield lambda text: show("out", text.encode(errors="replace"))
    finally:
        finish()


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
    return click.style(text, bold=True) if colour == "bold" else click.style(text, fg=colour)
