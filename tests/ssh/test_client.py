"""The SSH connection, against a real OpenSSH server."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dlws.core.connection import Result
from dlws.ssh.client import Ssh
from dlws.ssh.handshake import ConnectionFailed, Target
from dlws.ssh.hostkeys import HostKeys
from dlws.ssh.keys import Keys
from dlws.ssh.loginshell import CommandNotRun
from tests.support.sshd import Server


def test_runs_a_command_and_gives_its_streams_and_status(sshd: Server) -> None:
    result = sshd.connect().run("echo out; echo err >&2; exit 7")
    assert (result.code, result.out, result.err) == (7, b"out\n", b"err\n")


def test_what_paramiko_runs_programs_with_is_not_imported() -> None:
    ask = "import sys, dlws.ssh.client; print(sum(m.startswith('invoke.') for m in sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", ask], text=True) == "0\n"


def test_one_connection_serves_many_commands(sshd: Server) -> None:
    connection = sshd.connect()
    first = connection.run("echo $PPID").out
    assert connection.run("echo $PPID").out == first


def test_large_output_on_both_streams_does_not_block(sshd: Server) -> None:
    size = 8 << 20
    result = sshd.connect().run(f"head -c {size} /dev/zero; head -c {size} /dev/zero >&2")
    assert (len(result.out), len(result.err), result.lost) == (size, size, 0)


def test_only_the_end_of_endless_output_is_kept(sshd: Server) -> None:
    result = sshd.connect().run("head -c 50000000 /dev/zero; echo the end", keep=1000)
    assert len(result.out) == 1000
    assert result.out.endswith(b"the end\n")
    assert result.lost == 50000000 + 8 - 1000


def test_large_input_while_output_flows_back(sshd: Server) -> None:
    data = os.urandom(1 << 20) * 20
    seen = hashlib.sha256()
    result = sshd.connect().run("cat", stdin=data, echo=lambda _, piece: seen.update(piece), keep=1)
    assert result.ok
    assert seen.hexdigest() == hashlib.sha256(data).hexdigest()


def test_input_may_come_in_pieces_and_stay_unread(sshd: Server) -> None:
    pieces = (b"x" * 100_000 for _ in range(100))
    assert sshd.connect().run("exit 3", stdin=pieces).code == 3
    assert sshd.connect().run("wc -c", stdin=iter([b"ab", b"", b"c"])).text == "3"


def test_input_that_cannot_be_read_here_is_no_end_of_input(sshd: Server) -> None:
    def broken() -> Iterator[bytes]:
        yield b"begin"
        raise PermissionError(13, "Permission denied", "/etc/secret")

    with pytest.raises(PermissionError):
        sshd.connect().run("cat; sleep 60", stdin=broken())


@pytest.mark.parametrize(("name", "code"), [("KILL", 137), ("TERM", 143), ("USR1", 138)])
def test_a_command_that_a_signal_ended_has_a_status(sshd: Server, name: str, code: int) -> None:
    assert sshd.connect().run(f"kill -{name} $$").code == code


def test_those_who_wait_for_a_dead_jump_host_do_not_try_it_anew(
    sshd: Server, tmp_path: Path
) -> None:
    jump = sshd.connect(port=1, retries=0)
    errors = []
    for _ in range(2):
        inner = Ssh(sshd.target(), HostKeys(tmp_path / "known"), Keys(), via=jump)
        with pytest.raises(ConnectionFailed, match="refuses connections on port 1") as caught:
            inner.run("true")
        errors.append(caught.value.__cause__ and caught.value)
    assert errors[0] is errors[1]


def test_what_a_jump_host_cannot_reach_is_named(sshd: Server, tmp_path: Path) -> None:
    far = Ssh(sshd.target(port=1), HostKeys(tmp_path / "known"), Keys(), via=sshd.connect())
    with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1 cannot reach 127\.0\.0\.1 port 1"):
        far.run("true")


def test_output_that_is_no_text_survives(sshd: Server) -> None:
    assert sshd.connect().run(r"printf '\377\000\376'").out == b"\xff\x00\xfe"


def test_a_command_that_kills_its_connection_is_lost(sshd: Server) -> None:
    with pytest.raises(ConnectionFailed, match="lost") as caught:
        sshd.connect().run("kill -9 $PPID")
    assert caught.value.lost


def test_closing_from_another_thread_ends_a_command(sshd: Server) -> None:
    connection = sshd.connect()
    started = threading.Event()

    def close() -> None:
        started.wait()
        connection.close()

    thread = threading.Thread(target=close)
    thread.start()
    with pytest.raises(ConnectionFailed):
        connection.run("echo go; sleep 60", echo=lambda *_: started.set())
    thread.join()


def test_through_a_jump_host(sshd: Server, tmp_path: Path) -> None:
    jump = sshd.connect()
    inner = Ssh(sshd.target(), HostKeys(tmp_path / "known"), Keys(), via=jump)
    assert inner.run("echo $SSH_CONNECTION").text.startswith("127.0.0.1 ")
    inner.close()
    assert jump.run("echo still open").text == "still open"


def test_a_socket_of_the_machine_is_reached(sshd: Server) -> None:
    with TemporaryDirectory(prefix="dlws-") as place, socket.socket(socket.AF_UNIX) as listener:
        path = f"{place}/s"
        listener.bind(path)
        listener.listen()
        channel = sshd.connect().forward_socket(path)
        server, _ = listener.accept()
        with server:
            channel.sendall(b"there")
            server.sendall(server.recv(5) + b" and back")
        assert channel.makefile("rb").read() == b"there and back"
        channel.close()


def test_a_socket_that_is_not_there_is_named(sshd: Server) -> None:
    with pytest.raises(ConnectionFailed, match="no socket /nowhere/s"):
        sshd.connect().forward_socket("/nowhere/s")


@pytest.mark.parametrize(("said", "cure"), [
    (b"WARNING: Your password has expired.\nPassword change required but no TTY available.\n",
     "chage -M -1 -d -1 root"),
    (b"Please login as the user ubuntu\n", "look for exit or exec"),
])  # fmt: skip
def test_a_password_that_has_expired_is_told_from_a_shell_that_runs_nothing(
    said: bytes, cure: str
) -> None:
    error = CommandNotRun(Target("h"), Result(1, b"", said))
    assert cure in error.cure
