"""How often we wait for a far machine: turns counted on the way to a real OpenSSH server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlws.ssh.client import Ssh
from tests.support.deploy import Deploy
from tests.support.proxy import Turns
from tests.support.sshd import Server, serving

LOGIN = 3  # banners; key exchange; service and login

OPEN = 1  # of the first session; the others are asked for while a command runs

INPUT = 1  # OpenSSH takes standard input only once a command has been started

HERE = "127.0.0.9"


@pytest.fixture
def turns(sshd: Server) -> Iterator[Turns]:
    """The way from 127.0.0.9 to the server at 127.0.0.2."""
    with Turns({(HERE, sshd.port): ("127.0.0.2", sshd.port)}) as way:
        yield way


def count(turns: Turns, connection: Ssh, command: str, stdin: bytes = b"") -> int:
    before = turns.trips
    assert connection.run(command, stdin).ok
    return turns.trips - before


def test_a_command_takes_one_round_trip_once_there_is_a_connection(
    sshd: Server, turns: Turns
) -> None:
    connection = sshd.connect(address=HERE)
    assert count(turns, connection, "true") == LOGIN + OPEN + 1
    assert [count(turns, connection, "true") for _ in range(3)] == [1, 1, 1]
    assert [count(turns, connection, "cat", b"x" * size) for size in (9, 30_000)] == [1 + INPUT] * 2


def test_an_rsa_key_waits_to_hear_how_to_sign(sshd: Server, turns: Turns, tmp_path: Path) -> None:
    key = tmp_path / "rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", key], check=True)
    with (sshd.key.parent / "authorized").open("a") as authorized:
        authorized.write(key.with_suffix(".pub").read_text())
    connection = sshd.connect(address=HERE, key=key)
    assert count(turns, connection, "true") == LOGIN + 1 + OPEN + 1


@pytest.fixture
def far(sshd: Server, turns: Turns, tmp_path: Path) -> Deploy:
    """A cluster with a worker at the far end; its lock is on a node that is near."""
    (tmp_path / "config.yaml").write_text(
        f"cluster_name: test\nadmin_username: root\nssh: {{port: {sshd.port}, key: {sshd.key}}}\n"
        "machines:\n  infra1: {role: infrastructure, private-ip: 127.0.0.1, type: cpu}\n"
        f"  w1: {{role: worker, private-ip: {HERE}, type: cpu}}\n"
    )
    return Deploy(tmp_path)


def test_forty_files_take_three_round_trips_and_one_when_they_are_there(
    far: Deploy, turns: Turns, tmp_path: Path
) -> None:
    source, target = tmp_path / "tree", tmp_path / "node"
    source.mkdir()
    for number in range(40):
        (source / f"file{number}").write_text(f"{number}\n" * 1000)
    far("--nodes", "w1", "copytoall", str(source), str(target))
    assert turns.trips == LOGIN + OPEN + 1 + 1 + INPUT
    assert (target / "file39").read_text() == "39\n" * 1000
    turns.trips = 0
    assert "nothing to do" in far("--nodes", "w1", "copytoall", str(source), str(target)).stderr
    assert turns.trips == LOGIN + OPEN + 1


def test_a_script_takes_three_round_trips(far: Deploy, turns: Turns, tmp_path: Path) -> None:
    (tmp_path / "s.sh").write_text("for n in $(seq 20); do echo $n; done\n")
    assert "20\n" in far("--nodes", "w1", "runscriptonall", f"{tmp_path}/s.sh").stdout
    # One more before the first that has input: whether the login shell runs commands at all.
    assert turns.trips == LOGIN + OPEN + 1 + 1 + INPUT


def test_check_asks_each_node_once(far: Deploy, turns: Turns) -> None:
    far("--nodes", "w1", "check", code=None)  # this machine may have faults
    # Whether the login shell runs commands, and the question with its input: nothing else.
    assert turns.trips == LOGIN + OPEN + 1 + 1 + INPUT


@pytest.mark.sshd
def test_a_server_of_one_session_at_a_time_is_asked_for_no_more(tmp_path: Path) -> None:
    with (
        serving(tmp_path, max_sessions=1) as server,
        Turns({(HERE, server.port): ("127.0.0.1", server.port)}) as turns,
    ):
        connection = server.connect(address=HERE)
        assert count(turns, connection, "true") == LOGIN + OPEN + 1
        # Its answer to the next request comes before it has ended the last session.
        assert [count(turns, connection, "true") for _ in range(3)] == [3, 3, 3]
