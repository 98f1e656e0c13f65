"""How Paramiko reads packets, at less cost to a program that opens hundreds of connections."""

from __future__ import annotations

import time
from typing import Any, cast

from paramiko.packet import Packetizer

_PIECE = 32 * 1024


class BufferedSocket:
    """The socket of one packetizer: what it asks for in small pieces is received in large ones.

    Paramiko reads each packet in two pieces or more, and each of them is a system call for which
    a thread gives up the interpreter's lock and waits to have it back.
    """

    def __init__(self, sock: Any) -> None:
        self._sock, self._kept = sock, b""
        self.send, self.close = sock.send, sock.close

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes, from what has arrived before where there is some."""
        kept = self._kept or self._sock.recv(max(size, _PIECE))
        self._kept = kept[size:]
        return kept[:size]

    def take(self, size: int) -> bytes | None:
        """`size` bytes where so many have arrived."""
        return self.recv(size) if 0 < size <= len(self._kept) else None

    def put_back(self, data: bytes) -> None:
        """Let these be the next to be received."""
        self._kept = data + self._kept


class HearingPacketizer(Packetizer):
    """Remembers when the peer was last heard, to tell a quiet command from a dead machine.

    Its limit on a handshake is a time that is looked at, where Paramiko's is a thread that waits.
    """

    heard = 0.0
    _until: float | None = None
    _shaken = False

    def __init__(self, sock: Any) -> None:
        self._buffered = BufferedSocket(sock)
        super().__init__(cast(Any, self._buffered))

    def read_message(self) -> Any:
        message = super().read_message()
        self.heard = time.monotonic()
        return message

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        return self._buffered.take(n) or super().read_all(n, check_rekey)

    def _read_timeout(self, timeout: float) -> bytes:
        """A piece of a line. What is behind it goes back, so that read_all() looks in one place."""
        piece = bytes(super()._read_timeout(timeout))  # type: ignore[misc]
        end = piece.find(b"\n") + 1 or len(piece)
        self._buffered.put_back(piece[end:])
        return piece[:end]

    def start_handshake(self, timeout: float) -> None:
        if self._until is None:
            self._until = time.monotonic() + timeout

    def handshake_timed_out(self) -> bool:
        return not self._shaken and self._until is not None and time.monotonic() > self._until

    def complete_handshake(self) -> None:
        self._shaken = True
