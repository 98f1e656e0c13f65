"""The streams of a command on a machine: what is sent to it, and what comes out of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import paramiko
from paramiko.common import cMSG_CHANNEL_REQUEST

from dlws.core.connection import Echo, Stdin, Tail, pieces
from dlws.core.limits import Unanswered
from dlws.shell.marked import MARK, with_mark

_INLINE = 32 * 1024
"""Standard input up to this size fits the peer's window, so it is sent without a thread."""


_A_WHILE = 0.5
"""Seconds that sending short input may take before a thread is worth it."""

_NOISE = 64 * 1024
"""More bytes than a login shell prints before a command."""


class OutputReader:
    """Takes what arrives from a command to where it goes, without what came before the mark.

    Raises Unanswered once that is more than `limit` bytes (0: never).
    """

    def __init__(
        self,
        channel: paramiko.Channel,
        out: Tail,
        err: Tail,
        echo: Echo | None,
        limit: int = 0,
    ) -> None:
        self._echo, self._limit, self._taken = echo, limit, 0
        self._streams = (
            ("out", out, AfterMark(), channel.recv_ready, channel.recv),
            ("err", err, AfterMark(), channel.recv_stderr_ready, channel.recv_stderr),
        )

    def drain(self) -> bool:
        """Move what has arrived; whether there was anything."""
        some = False
        for name, tail, marked, ready, read in self._streams:
            while ready():
                self._move(name, tail, marked.behind(read(1 << 20)))
                some = True
        return some

    @property
    def begun(self) -> bool:
        """Whether the login shell has come to the command."""
        return any(marked.seen for _, _, marked, *_ in self._streams)

    @property
    def lost(self) -> str:
        """The streams on which a command that has begun did not say so, in words."""
        words = {"out": "standard output", "err": "standard error"}
        return " and ".join(words[name] for name, _, marked, *_ in self._streams if not marked.seen)

    def end(self) -> None:
        """Move what waited for a mark that never came: the shell did not run the command."""
        for name, tail, marked, *_ in self._streams:
            self._move(name, tail, marked.held())

    def _move(self, name: str, tail: Tail, data: bytes) -> None:
        tail.write(data)
        self._taken += len(data)
        if self._limit and self._taken > self._limit:
            raise Unanswered.endless(self._limit)
        if self._echo and data:
            self._echo(name, data)


class AfterMark:
    """A stream of which only what is behind the mark counts."""

    def __init__(self) -> None:
        self._before: bytearray | None = bytearray()
        self.seen = False

    def behind(self, data: bytes) -> bytes:
        """What of the next piece counts."""
        self.seen = self.seen or MARK in data
        if self._before is None:
            return data
        self._before += data
        found = self._before.find(MARK)
        if found < 0 and len(self._before) <= _NOISE:
            return b""
        rest, self._before = bytes(self._before[found + 1 :]), None
        return rest

    def held(self) -> bytes:
        """What came, where the mark did not."""
        return bytes(self._before or b"")


def start(channel: Any, command: str) -> None:
    """Ask for a command without waiting for the answer, which a hanging machine would not give.
    A refusal closes the channel. Before its output comes the mark: whatever a login shell prints by
    itself ends with it."""
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string("exec")
    message.add_boolean(True)
    message.add_string(os.fsencode(with_mark(command)))
    channel.transport._send_user_message(message)


class Begun:
    """The answer to start(): the machine has taken the command, or refused it."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    @property
    def answered(self) -> bool:
        # A transport that dies need not ring for what was asked last.
        return self._channel.event.is_set() or not self._channel.transport.active


class StdinWriter:
    """Sends standard input: at once where it is short, else from a thread of its own."""

    def __init__(self, channel: paramiko.Channel, stdin: Stdin) -> None:
        self._channel = channel
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None
        short = isinstance(stdin, bytes) and len(stdin) <= _INLINE
        rest = self._at_once(stdin) if short else stdin  # type: ignore[arg-type]
        if rest is not None:
            self._thread = threading.Thread(target=self._send, args=(rest,), daemon=True)
            self._thread.start()

    def _at_once(self, data: bytes) -> bytes | None:
        """Send what is short; what is left of it where the machine takes none of it for a while."""
        self._channel.settimeout(_A_WHILE)
        try:
            while data:
                data = data[self._channel.send(data) :]
            self._channel.shutdown_write()
        except TimeoutError:
            return data  # perhaps it hangs: whoever listens to it finds out, and must not wait here
        except (OSError, EOFError, paramiko.SSHException):
            pass  # the command has ended, or the connection: the exit status tells which
        finally:
            self._channel.settimeout(None)
        return None

    def _send(self, stdin: Stdin) -> None:
        try:
            for piece in pieces(stdin):
                if not self._sent(lambda piece=piece: self._channel.sendall(piece)):  # type: ignore[misc]
                    return
            self._sent(self._channel.shutdown_write)
        except Exception as error:  # ours to read, and unreadable: an end would pass for all of it
            self._error = error
            self._channel.close()

    def _sent(self, send: Callable[[], object]) -> bool:
        """False where the command has ended, or the connection: the exit status tells which."""
        try:
            send()
        except (OSError, EOFError, paramiko.SSHException):
            return False
        return True

    def join(self) -> None:
        """Once the channel is closed: wait for the thread, and raise what it met on our side."""
        if self._thread:
            self._thread.join()
        if self._error:
            raise self._error
