from __future__ import annotations

import os
import signal

import pytest

from dlws.core.connection import KEEP
from dlws.core.limits import ANSWER_BYTES, OWN, Bounds, Unanswered
from dlws.shell import recorder
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


@pytest.mark.parametrize("bounds", [None, OWN])
def test_a_machine_that_hangs_before_it_takes_input_is_given_up(
    sshd: Server, bounds: Bounds | None
) -> None:
    connection = sshd.connect(keepalive=0.3, connect_timeout=1)
    server = int(connection.run("echo $PPID").text)
    os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(ConnectionFailed):
            connection.run("cat", b"short", bounds=bounds)
    finally:
        os.kill(server, signal.SIGKILL)


@pytest.mark.parametrize("bounds", [None, OWN])
def test_a_machine_that_hangs_between_two_commands_is_noticed(
    sshd: Server, bounds: Bounds | None
) -> None:
    connection = sshd.connect(connect_timeout=0.5, keepalive=0)
    server = int(connection.run("echo $PPID").text)
    os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(ConnectionFailed, match="no longer answers") as caught:
            connection.run("true", bounds=bounds)
    finally:
        os.kill(server, signal.SIGCONT)
    assert caught.value.lost


@pytest.mark.parametrize("command", ["yes", "yes >&2", "yes $(yes | head -c 90000 | tr -d '\\n')"])
def test_an_answer_without_an_end_is_none(sshd: Server, command: str) -> None:
    connection = sshd.connect()
    with pytest.raises(Unanswered, match="its answer has more than 8 MiB") as caught:
        connection.run(command, bounds=Bounds(timely=False))
    assert caught.value.lost
    assert connection.run("echo well", bounds=Bounds()).text == "well"


def test_a_command_of_ones_own_may_print_without_an_end_and_asks_for_no_other_channel(
    sshd: Server,
) -> None:
    connection = sshd.connect()
    assert len(connection.run(f"head -c {2 * ANSWER_BYTES} /dev/zero", bounds=OWN).out) <= KEEP
    assert connection._transport and connection._transport._ahead is None
    connection.run("true")
    assert connection._transport._ahead is not None


def test_an_answer_may_be_as_long_as_its_limit(sshd: Server) -> None:
    command = f"head -c {ANSWER_BYTES} /dev/zero"
    assert len(sshd.connect().run(command, bounds=Bounds()).out) == ANSWER_BYTES
    with pytest.raises(Unanswered):
        sshd.connect().run(f"{command}; echo more >&2", bounds=Bounds())


@pytest.mark.parametrize("command", ["sleep 60", "while echo x; do sleep 0.05; done"])
def test_an_answer_that_takes_too_long_is_none(sshd: Server, command: str) -> None:
    connection = sshd.connect(answer_timeout=0.5)
    with pytest.raises(Unanswered, match=r"did not come to an end within 0\.5 s") as caught:
        connection.run(command, bounds=Bounds())
    assert "ssh.answer_timeout" in caught.value.cure and caught.value.lost


def test_what_is_no_question_may_take_its_time(sshd: Server) -> None:
    connection = sshd.connect(answer_timeout=0.2)
    for bounds in (None, Bounds(timely=False), OWN):
        assert connection.run("sleep 0.6; echo done", bounds=bounds).text == "done"
    assert sshd.connect(answer_timeout=0).run("sleep 0.6; echo x", bounds=Bounds()).text == "x"


def test_what_a_command_leaves_behind_holds_its_output_for_so_long_only(sshd: Server) -> None:
    """The status is there, and the stream has no end: that was waited for without one."""
    connection = sshd.connect(held_timeout=0.2)
    result = connection.run("echo out; sleep 60 & echo $!; exit 3")
    out, pid = result.text.split()
    left = connection.run(recorder.LEFT)
    os.kill(int(pid), signal.SIGKILL)
    assert (result.code, result.held, out) == (3, True, "out")
    assert f"pid {pid} (sleep 60 )" in left.text.splitlines()
    ended = sshd.connect().run("(sleep 0.1; echo late) & exit 3")
    assert (ended.code, ended.held, ended.text) == (3, False, "late")
