"""An interactive shell on a node, on this terminal."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from typing import Any

from dlws.ssh.client import Ssh
from dlws.ssh.handshake import ConnectionFailed, translated


def shell(connection: Ssh, command: str = "") -> int:
    """Run the login shell (or `command`) with this terminal as its own; its exit status."""
    channel = connection.session()
    with contextlib.closing(channel):
        with translated(connection.target):
            _begin(channel, command)
        with _raw_terminal(), _window_follows(connection, channel):
            _relay(channel)
        return _status(channel)


def _begin(channel: Any, command: str) -> None:
    if sys.stdin.isatty():
        size = os.get_terminal_size(sys.stdin.fileno())  # COLUMNS may be that of yesterday
        channel.get_pty(os.environ.get("TERM", "xterm"), size.columns, size.lines)
    if command:
        channel.exec_command(command)
    else:
        channel.invoke_shell()


def _status(channel: Any) -> int:
    code = int(channel.recv_exit_status())
    return code if code >= 0 else 255  # as ssh says of a connection that broke


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    """Keys go to the node as they are: Ctrl-C interrupts there and not here."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin, termios.TCSADRAIN)  # what was typed meanwhile is not lost
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _window_follows(connection: Ssh, channel: Any) -> Iterator[None]:
    def resize(*_: object) -> None:
        size = os.get_terminal_size(sys.stdin.fileno())
        with contextlib.suppress(ConnectionFailed), translated(connection.target):
            channel.resize_pty(size.columns, size.lines)

    before = signal.signal(signal.SIGWINCH, resize if sys.stdin.isatty() else signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def _relay(channel: Any) -> None:
    """Copy both ways until the node closes the channel."""
    sources: list[Any] = [channel, sys.stdin.fileno()]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if channel in ready and not _copy_out(channel):
            return
        if sys.stdin.fileno() in ready:
            data = os.read(sys.stdin.fileno(), 65536)
            if data:
                # The node has closed: what it sent is next.
                with contextlib.suppress(OSError, EOFError):
                    channel.sendall(data)
            else:
                sources.remove(sys.stdin.fileno())
                channel.shutdown_write()


def _copy_out(channel: Any) -> bool:
    """Write what has arrived; False at the end of it."""
    some = False
    while channel.recv_stderr_ready():
        _write(sys.stderr.fileno(), channel.recv_stderr(65536))
        some = True
    if channel.recv_ready() or not some:
        data = channel.recv(65536)
        _write(sys.stdout.fileno(), data)
        return bool(data) or not (channel.eof_received or channel.closed)
    return True


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
