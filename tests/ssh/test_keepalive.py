from __future__ import annotations

import os
import signal

import pytest

from dlws.ssh.handshake import ConnectionFailed
from tests.support.sshd import Server


def test_idle_timeout_is_noticed_without_keepalives(sshd: Server) -> None:
    with pytest.raises(ConnectionFailed, match=r"no output for 0\.2 s"):
        sshd.connect(idle_timeout=0.2, keepalive=0).run("sleep 60")


def test_idle_timeout_names_the_silence(sshd: Server) -> None:
    with pytest.raises(ConnectionFailed, match=r"no output for 0\.2 s"):
        sshd.connect(idle_timeout=0.2, keepalive=0.1).run("sleep 60")


def test_a_silent_command_on_a_living_machine_is_waited_for(sshd: Server) -> None:
    assert sshd.connect(keepalive=0.05).run("sleep 1; echo done").text == "done"


def test_a_machine_that_hangs_before_it_takes_input_is_given_up(sshd: Server) -> None:
    connection = sshd.connect(keepalive=0.3, connect_timeout=1)
    server = int(connection.run("echo $PPID").text)
    os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(ConnectionFailed):
            connection.run("cat", b"short")
    finally:
        os.kill(server, signal.SIGKILL)


def test_a_machine_that_hangs_between_two_commands_is_noticed(sshd: Server) -> None:
    connection = sshd.connect(connect_timeout=0.5, keepalive=0)
    server = int(connection.run("echo $PPID").text)
    os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(ConnectionFailed, match="no longer answers") as caught:
            connection.run("true")
    finally:
        os.kill(server, signal.SIGCONT)
    assert caught.value.lost
