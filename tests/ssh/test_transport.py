"""Login shells that print something of their own before each command."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_DATA, MSG_CHANNEL_EOF

from dlws.shell.marked import MARK
from dlws.ssh.client import Ssh
from dlws.ssh.hostkeys import HostKeys
from dlws.ssh.keys import Keys
from dlws.ssh.streams import AfterMark
from dlws.ssh.transport import Answer, Transport, close
from tests.support.deploy import Deploy, deploying
from tests.support.sshd import Server, serving


@pytest.mark.parametrize("kind", [MSG_CHANNEL_DATA, MSG_CHANNEL_EOF])
def test_input_that_is_late_for_a_closed_channel_does_not_end_the_connection(
    sshd: Server, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    send, here = Transport._send_user_message, threading.current_thread()

    def late(transport: Transport, message: paramiko.Message) -> None:
        if message.asbytes()[0] == kind and threading.current_thread() is here:
            time.sleep(0.3)
        send(transport, message)

    monkeypatch.setattr(Transport, "_send_user_message", late)
    connection = sshd.connect()
    seen = {connection.run("echo $PPID; exec <&-", stdin=b"unread").out for _ in range(3)}
    assert len(seen) == 1, "one connection"


def broken(*_: object) -> None:
    raise EOFError


def test_a_link_that_breaks_when_a_command_is_done_takes_nothing_from_its_result(
    sshd: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that reboots may be gone when its last command's channel is closed."""
    table, connection = Transport._channel_handler_table, sshd.connect()
    handle = table[MSG_CHANNEL_CLOSE]

    def late(*words: object) -> None:
        time.sleep(0.3)
        handle(*words)

    before = connection.run("echo $PPID").text
    monkeypatch.setitem(table, MSG_CHANNEL_CLOSE, late)
    packetizer = connection._transport and connection._transport.packetizer
    result = connection.run(
        "echo out", echo=lambda *_: monkeypatch.setattr(packetizer, "send_message", broken)
    )
    assert (result.code, result.text) == (0, "out")
    assert connection.run("echo $PPID").text != before, "another connection"


def test_what_goes_through_a_jump_host_can_be_closed_when_that_is_gone(
    sshd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jump = sshd.connect()
    inner = Ssh(sshd.target(), HostKeys(tmp_path / "known"), Keys(), via=jump)
    inner.run("true")
    assert jump._transport
    monkeypatch.setattr(jump._transport.packetizer, "send_message", broken)
    inner.close()
    assert inner.run("echo anew").text == "anew"


def test_what_waits_for_a_link_to_heal_is_dropped_at_the_end(sshd: Server) -> None:
    """Else it would reach the machine when somebody else is at work there."""
    connection = sshd.connect()
    connection.run("true")
    sock = connection._transport and connection._transport.sock
    assert isinstance(sock, socket.socket)
    linger = sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
    assert struct.unpack("ii", linger) == (1, 0)


NOISE = "echo hello from a profile; echo 'and a warning' >&2; printf more\n"


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real OpenSSH server whose bash says something before each command."""
    place = tmp_path_factory.mktemp("noisy")
    (place / ".bashrc").write_text(NOISE)
    with serving(place, more=f"SetEnv HOME={place}\n") as server:
        channel = server.connect().session()
        channel.exec_command("true")
        assert channel.makefile("r").read() == b"hello from a profile\nmore", "there is noise"
        yield server


@pytest.fixture
def deploy(noisy: Server, tmp_path: Path) -> Deploy:
    return deploying(noisy, tmp_path)


def test_what_a_shell_says_by_itself_is_no_output_of_the_command(noisy: Server) -> None:
    heard = {"out": b"", "err": b""}

    def echo(name: str, data: bytes) -> None:
        heard[name] += data

    result = noisy.connect().run(
        "cat; echo err >&2; printf '\\036'; exit 3",
        stdin=b"in",
        echo=echo,
    )
    assert (result.code, result.out, result.err) == (3, b"in\x1e", b"err\n")
    assert heard == {"out": b"in\x1e", "err": b"err\n"}


def test_where_the_command_cannot_be_run_all_that_was_said_is_kept(noisy: Server) -> None:
    result = noisy.connect().run("if")
    assert result.code and b"syntax error" in result.err and b"and a warning" in result.err


def test_all_that_reads_answers_does_without_it(deploy: Deploy, tmp_path: Path) -> None:
    deploy("build")
    (tmp_path / "file").write_text("content\n")
    copy = ("copytoall", str(tmp_path / "file"), f"{tmp_path}/placed/file")
    assert "changed: " in deploy(*copy).stderr
    assert (tmp_path / "placed/file").read_text() == "content\n"
    assert "changed" not in deploy(*copy).stderr
    (tmp_path / "job.sh").write_text("echo $DLWS_NODE\n")
    done = deploy("runscriptonall", str(tmp_path / "job.sh"))
    assert "no lock" not in done.stderr and "hello" not in done.stdout + done.stderr
    assert "free" in deploy("lock", "status").stdout
    assert "nothing to do" in deploy("sshkey", "install").stderr
    verified = deploy("verify", code=None)
    assert "could not be verified" not in verified.stdout + verified.stderr
    assert " checks" in verified.stdout + verified.stderr


@pytest.mark.parametrize("cut", range(6))
def test_only_what_is_behind_the_mark_counts(cut: int) -> None:
    whole, stream = b"ab" + MARK + b"c" + MARK, AfterMark()
    assert stream.behind(whole[:cut]) + stream.behind(whole[cut:]) == b"c" + MARK
    assert stream.behind(MARK) == MARK and stream.held() == b""


def test_without_a_mark_all_counts_at_the_end() -> None:
    stream = AfterMark()
    assert stream.behind(b"a") + stream.behind(b"b") == b""
    assert stream.held() == b"ab"


def test_a_mark_is_not_waited_for_for_ever() -> None:
    stream, much = AfterMark(), bytes(65 * 1024)
    assert stream.behind(b"a" + much) == b"a" + much
    assert (stream.behind(b"b"), stream.held()) == (b"b", b"")


def test_a_session_that_the_server_closed_meanwhile_is_not_used(sshd: Server) -> None:
    connection = sshd.connect()
    connection.run("true")
    transport = connection._transport
    assert transport and transport._ahead
    channel = transport._ahead.wait(5)
    assert channel
    channel.close()
    assert connection.run("echo done").text == "done"


class Link:
    """A transport, as one sees it who waits for its answer."""

    def __init__(self, active: bool, limit: float | None = None) -> None:
        self._active, self._limit = active, limit

    def is_active(self) -> bool:
        return self._active

    @property
    def auth_timeout(self) -> float:
        assert self._limit is not None, "nobody waits for one that has died"
        return self._limit


def test_an_answer_is_not_waited_for_where_the_connection_is_gone() -> None:
    """It may have gone before it knew whom to tell."""
    gone = Answer(Link(False))  # type: ignore[arg-type]
    assert not gone.wait(0.1)
    gone.set()
    assert gone.wait(0.1)


def test_an_answer_is_waited_for_as_long_as_it_may_take() -> None:
    there = Answer(Link(True, 1000))  # type: ignore[arg-type]
    threading.Timer(0.3, there.set).start()
    assert there.wait(0.1), "Paramiko would look after that"
    assert not Answer(Link(True, 0.01)).wait(1000)  # type: ignore[arg-type]


def test_a_connection_waits_in_the_kernel(sshd: Server) -> None:
    connection = sshd.connect()
    assert connection.run("echo there").text == "there"
    assert connection._transport and connection._transport.sock.gettimeout() is None


def test_a_handshake_tells_whoever_has_an_event_for_it(sshd: Server) -> None:
    target, done = sshd.target(), threading.Event()
    transport = Transport(socket.create_connection((target.address, target.port)))
    transport.start_client(done)
    assert done.wait(30) and transport.is_active()
    close(transport)
