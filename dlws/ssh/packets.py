"""How Paramiko reads packets, at less cost to a program that opens hundreds of connections."""

from __future__ import annotations

import os
import struct
import time
from typing import Any, cast

from paramiko.packet import Packetizer

_PIECE = 32 * 1024
_NOISE = 512
"""Random bytes that are asked for at a time: enough for the packets of a short connection."""


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
        kept = self._kept or self._received(max(size, _PIECE))
        self._kept = kept[size:]
        return kept[:size]

    def _received(self, size: int) -> bytes:
        try:
            return bytes(self._sock.recv(size))
        except BlockingIOError as error:
            raise TimeoutError from error  # as of a socket whose limit is Python's

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
    _noise = b""
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

    def _build_packet(self, payload: bytes) -> bytes:
        """A packet with padding that is random, as Paramiko's is. It asks the system for it with
        each packet, for which a thread gives up the interpreter's lock."""
        size = self._Packetizer__block_size_out  # type: ignore[attr-defined]
        apart = self._Packetizer__etm_out or self._Packetizer__aead_out  # type: ignore[attr-defined]
        padding = 3 + size - (len(payload) + (4 if apart else 8)) % size
        if len(self._noise) < padding:
            self._noise = os.urandom(_NOISE)
        noise, self._noise = self._noise[:padding], self._noise[padding:]
        return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + noise

    def start_handshake(self, timeout: float) -> None:
        if self._until is None:
            self._until = time.monotonic() + timeout

    def handshake_timed_out(self) -> bool:
        return not self._shaken and self._until is not None and time.monotonic() > self._until

    def complete_handshake(self) -> None:
        self._shaken = True
