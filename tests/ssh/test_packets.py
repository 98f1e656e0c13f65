from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import paramiko
import pytest
from paramiko.packet import Packetizer

from dlws.ssh.packets import BufferedSocket, HearingPacketizer
from dlws.ssh.transport import limit_in_kernel


class Pieces:
    """A socket that gives one piece at each call, whatever was asked for, and notes the sizes."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces, self.asked = list(pieces), list[int]()

    def recv(self, size: int) -> bytes:
        self.asked.append(size)
        return self.pieces.pop(0) if self.pieces else b""

    def send(self, data: bytes) -> int:
        return len(data)

    def close(self) -> None:
        pass


def test_small_pieces_come_from_one_large_one() -> None:
    source = Pieces(b"abcdefgh")
    buffered = BufferedSocket(source)
    assert [buffered.recv(3), buffered.recv(3), buffered.recv(3)] == [b"abc", b"def", b"gh"]
    assert len(source.asked) == 1
    assert buffered.recv(3) == b""


def test_more_than_a_piece_is_asked_for_as_it_is() -> None:
    source = Pieces(b"x" * 100_000)
    assert len(BufferedSocket(source).recv(100_000)) == 100_000
    assert source.asked == [100_000]


def test_only_what_is_whole_is_taken() -> None:
    buffered = BufferedSocket(Pieces(b"abcd"))
    assert buffered.take(1) is None
    assert buffered.recv(1) == b"a"
    assert buffered.take(4) is None
    assert buffered.take(0) is None
    assert buffered.take(3) == b"bcd"


def test_what_is_put_back_comes_first() -> None:
    buffered = BufferedSocket(Pieces(b"cd"))
    buffered.put_back(b"ab")
    assert buffered.recv(10) == b"ab"
    assert buffered.recv(10) == b"cd"


def test_what_follows_the_first_line_at_once_is_not_lost() -> None:
    packets = HearingPacketizer(Pieces(b"SSH-2.0-a\r\nSSH-", b"2.0-b\r\n1234", b"5678"))
    assert packets.readline(1) == "SSH-2.0-a"
    assert packets.readline(1) == "SSH-2.0-b"
    assert packets.read_all(6) == b"123456"
    assert packets.read_all(2) == b"78"
    with pytest.raises(EOFError):
        packets.read_all(1)


def test_a_line_in_pieces_is_whole() -> None:
    packets = HearingPacketizer(Pieces(b"SSH", b"-2.0-", b"a\n", b"x"))
    assert packets.readline(1) == "SSH-2.0-a"
    assert packets.read_all(1) == b"x"


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A socket that never gets anything, and says so after a moment."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0.01)
    with ours, theirs:
        yield ours


def test_a_handshake_that_takes_too_long_ends_without_a_thread(silent: socket.socket) -> None:
    packets, threads = HearingPacketizer(silent), threading.active_count()
    packets.start_handshake(0.05)
    packets.start_handshake(1000)  # the first one counts
    assert threading.active_count() == threads
    with pytest.raises(EOFError):
        packets.read_all(1)
    assert packets.handshake_timed_out()


def test_what_comes_after_a_handshake_may_take_longer(silent: socket.socket) -> None:
    packets = HearingPacketizer(silent)
    assert not packets.handshake_timed_out()
    packets.start_handshake(-1)
    assert packets.handshake_timed_out()
    packets.complete_handshake()
    assert not packets.handshake_timed_out()


def test_a_limit_of_the_kernel_ends_waiting_as_one_of_pythons_does() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        limit_in_kernel(ours, 1)
        assert ours.gettimeout() is None, "Python does not poll before each call"
        buffered = BufferedSocket(ours)
        with pytest.raises(TimeoutError):
            buffered.recv(1)
        with pytest.raises(BlockingIOError):  # which Paramiko takes for a limit, too
            while True:
                buffered.send(b"x" * 100_000)
        theirs.send(b"abc")
        assert buffered.recv(2) == b"ab"


def test_what_is_no_socket_keeps_its_own_limit() -> None:
    """The channel through a jump host, which has no options of the kernel's."""
    channel = paramiko.Channel(1)
    channel.settimeout(5)
    limit_in_kernel(channel, 1)
    assert channel.gettimeout() == 5


@pytest.mark.parametrize("etm, aead", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("block", [8, 16])
def test_packets_are_those_of_paramiko_but_for_the_random_padding(
    block: int, etm: bool, aead: bool
) -> None:
    """The sizes that padding depends on are Paramiko's own: it fails where their names change."""
    ours, theirs = HearingPacketizer(Pieces()), Packetizer(Pieces())  # type: ignore[arg-type]
    for each in (ours, theirs):
        each.set_outbound_cipher(object(), block, None, 0, b"", etm=etm, aead=aead)  # type: ignore[arg-type]
    for length in range(1, 70):
        payload = b"x" * length
        made, wanted = ours._build_packet(payload), theirs._build_packet(payload)  # type: ignore[attr-defined]
        assert made[: 5 + length] == wanted[: 5 + length]
        assert len(made) == len(wanted)


def test_padding_is_random_and_asked_for_once_for_many_packets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = list[int]()

    def urandom(size: int) -> bytes:
        asked.append(size)
        return bytes(number % 251 for number in range(size))

    monkeypatch.setattr(os, "urandom", urandom)
    packets = HearingPacketizer(Pieces())
    padding = [packets._build_packet(b"x" * 11)[16:] for _ in range(20)]
    assert b"".join(padding) == urandom(512)[: 20 * len(padding[0])], "none is used twice"
    assert asked == [512, 512]
    more = [packets._build_packet(b"x" * 11)[16:] for _ in range(100)]
    assert all(len(each) == len(padding[0]) for each in more) and len(asked) > 2
