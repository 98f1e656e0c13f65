"""A process that has imported all of dlws and becomes deploy.py, in a fork, for each command line,
and others that do the like for programs of the tests' own.

Imports are most of what their starts cost, and the tests start deploy.py hundreds of times.
What belongs to a program's own start (imports, closed streams, its interpreter's environment) is
for tests that start it themselves, such as tests/stories/test_ending.py.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from tests.support import ROOT
from tests.support.private import have_state

DLWS = "dlws"
"""All of dlws, and what it imports late."""
_LAZY = (
    "jinja2", "kubernetes.client", "kubernetes.config", "paramiko", "pydantic", "pymysql",
    "rich.console", "rich.progress", "yaml",
)  # fmt: skip
_LONGEST = 1 << 20  # of an order, bytes: words and environment
_GRACE = 10  # seconds in which a program whose standard input has ended has to end
_AT_START = ("PYTHON", "LC_", "LANG")
"""Variables that an interpreter reads at its start alone."""


def run(
    words: Sequence[str], stdin: str, environment: Mapping[str, str], seconds: float = 2400
) -> subprocess.CompletedProcess[str]:
    """Like `subprocess.run` of deploy.py with these words, its streams as text.

    Raises TimeoutExpired; the program is killed then.
    """
    if _at_start(environment) == _at_start(_BEGUN):
        return _server(DLWS).run(words, stdin, environment, seconds)
    return subprocess.run(
        [sys.executable, ROOT / "deploy.py", *words],
        input=stdin,
        env=environment,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=seconds,
        check=False,
    )


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_AT_START)}


_BEGUN = dict(os.environ)


class _Server:
    """The process that forks. It ends when its standard input does: with the tests."""

    def __init__(self, imports: str) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="dlws-fork-")
        self._path = str(Path(self._place.name) / "socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self._path)
            listener.listen(64)
            words = [
                sys.executable,
                "-m",
                "tests.support.forkserver",
                str(listener.fileno()),
                imports,
            ]
            self._process = subprocess.Popen(
                words, cwd=ROOT, env=_BEGUN, stdin=subprocess.PIPE, pass_fds=[listener.fileno()]
            )

    def run(
        self, words: Sequence[str], stdin: str, environment: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        with (
            _asked(self._path, _order(words, environment)) as (line, (given, out, err)),
            ThreadPoolExecutor(3) as pool,
        ):
            fed = pool.submit(_feed, given, stdin.encode())
            texts = [pool.submit(stream.read) for stream in (out, err)]
            line.settimeout(seconds)
            try:
                code = int(line.recv(16))
            except TimeoutError:
                raise subprocess.TimeoutExpired([*words], seconds) from None
            finally:
                line.close()
            fed.result()
            output, errors = (text.result().decode(errors="backslashreplace") for text in texts)
        return subprocess.CompletedProcess([*words], code, output, errors)

    def on(self, terminal: int, words: Sequence[str], environment: Mapping[str, str]) -> Program:
        return Program(self._told({**_order(words, environment), "leads": True}, [terminal] * 3))

    def piped(self, program: str, words: Sequence[str], state: Path | None) -> Piped:
        order = {
            **_order(words, os.environ),
            "program": program,
            "state": str(state or ""),
            "grace": _GRACE,
        }
        (stdin, feed), (read_out, out) = os.pipe(), os.pipe()
        try:
            line = self._told(order, [stdin, out, 2])
        finally:
            os.close(stdin)
            os.close(out)
        return Piped(line, os.fdopen(feed, "wb"), os.fdopen(read_out, "rb"))

    def _told(self, order: Mapping[str, object], streams: Sequence[int]) -> socket.socket:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line.connect(self._path)
        socket.send_fds(line, [json.dumps(order).encode()], streams)
        return line


@dataclass(frozen=True)
class Piped:
    """A program that ends when its standard input does."""

    _line: socket.socket
    stdin: IO[bytes]
    stdout: IO[bytes]

    def end(self) -> None:
        """Close its standard input; once this returns, it has ended or was killed."""
        if self.stdout.closed:
            return
        self.stdin.close()
        with self._line, self.stdout:
            self._line.shutdown(socket.SHUT_WR)
            self._line.recv(16)


def start(
    program: str, words: Sequence[object], imports: str = "", state: Path | None = None
) -> Piped:
    """Like `python -m program words` with pipes, in a fork of what has imported the program
    (`imports`: has imported that); `state`: with this as its /var/lib/dlws (private.py)."""
    return _server(imports or program).piped(program, [*map(str, words)], state)


@dataclass(frozen=True)
class Program:
    """One that runs by itself, until it ends or is killed."""

    _line: socket.socket

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return int(self._line.recv(16))

    def kill(self) -> None:
        """End it if it has not ended."""
        self._line.close()


def on_a_terminal(terminal: int, words: Sequence[str], environment: Mapping[str, str]) -> Program:
    """A deploy.py with these words that leads a session of its own; all its streams are this."""
    assert _at_start(environment) == _at_start(_BEGUN)
    return _server(DLWS).on(terminal, words, environment)


def _order(words: Sequence[str], environment: Mapping[str, str]) -> dict[str, object]:
    return {
        "words": [*map(str, words)],
        "environment": {**environment},
        "place": os.getcwd(),
        "umask": _umask(),
    }


@cache
def _server(imports: str) -> _Server:
    return _Server(imports)


@contextmanager
def _asked(
    path: str, order: Mapping[str, object]
) -> Iterator[tuple[socket.socket, tuple[IO[bytes], IO[bytes], IO[bytes]]]]:
    """A connection to the process, and the near ends of the program's three streams."""
    (stdin, feed), (read_out, out), (read_err, err) = os.pipe(), os.pipe(), os.pipe()
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line,
        open(feed, "wb") as given, open(read_out, "rb") as said, open(read_err, "rb") as told,
    ):  # fmt: skip
        try:
            line.connect(path)
            socket.send_fds(line, [json.dumps(order).encode()], [stdin, out, err])
        finally:
            for handle in (stdin, out, err):
                os.close(handle)
        yield line, (given, said, told)


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def _feed(stream: IO[bytes], content: bytes) -> None:
    with suppress(BrokenPipeError), stream:  # the program need not read it
        stream.write(content)


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    _import(sys.argv[2])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    with selectors.DefaultSelector() as ready:
        ready.register(listener, selectors.EVENT_READ)
        ready.register(0, selectors.EVENT_READ)
        while all(key.fd for key, _ in ready.select()):
            connection, _ = listener.accept()
            if os.fork() == 0:
                ready.close()
                listener.close()
                return _keep(connection)
            connection.close()


def _import(what: str) -> None:
    """Have it here, and as it is: no fork imports it, or copies what its collector passes over."""
    if what == DLWS:
        _import_all()
    else:
        importlib.import_module(what)
    gc.freeze()


def _import_all() -> None:
    import dlws
    from dlws.config import Config

    for module in pkgutil.walk_packages(dlws.__path__, "dlws."):
        importlib.import_module(module.name)
    for name in _LAZY:
        importlib.import_module(name)
    Config.model_rebuild()  # what its first use does


def _keep(connection: socket.socket) -> None:
    """Fork a program, say its exit status, and end; in the fork, be the program."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    content, streams, _, _ = socket.recv_fds(connection, _LONGEST, 3)
    order = json.loads(content)
    child = os.fork()
    if child == 0:
        connection.close()
        return _be(order, streams)
    for handle in streams:
        os.close(handle)
    with selectors.DefaultSelector() as either:
        either.register(connection, selectors.EVENT_READ)
        either.register(os.pidfd_open(child), selectors.EVENT_READ)
        if any(key.fileobj is connection for key, _ in either.select()):  # who asked has gone
            either.unregister(connection)
            either.select(order.get("grace", 0))
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with suppress(OSError):
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _be(order: Mapping[str, object], streams: Sequence[int]) -> None:
    words, environment, umask = order["words"], order["environment"], order["umask"]
    assert isinstance(words, list) and isinstance(environment, dict) and isinstance(umask, int)
    if order.get("leads"):
        os.setsid()
    for number, handle in enumerate(streams):
        os.dup2(handle, number)
        os.close(handle)
    _open_streams()
    os.chdir(str(order["place"]))
    os.umask(umask)
    os.environ.clear()
    os.environ.update(environment)
    if order.get("state"):
        have_state(Path(str(order["state"])))
    if program := order.get("program"):
        sys.argv[:] = [str(program), *words]
        importlib.import_module(str(program)).main()
    else:
        _be_deploy(words)


def _be_deploy(words: Sequence[str]) -> None:
    sys.argv[:] = [str(ROOT / "deploy.py"), *words]
    program = sys.modules["__main__"] = importlib.import_module("deploy")
    program.start("deploy.py", "dlws.cli")


def _open_streams() -> None:
    """As the interpreter does at its start: ours were made for other files."""
    sys.stdin = os.fdopen(0, errors=sys.stdin.errors, closefd=False)
    sys.stdout = os.fdopen(1, "w", errors=sys.stdout.errors, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, errors=sys.stderr.errors, closefd=False)


if __name__ == "__main__":
    main()
