"""The farm itself: what tests and benchmarks stand on must behave as it says."""

from __future__ import annotations

import asyncio
import base64
import socket
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.support.farm import Farm, Host
from tests.support.farm.faults import FLOOD_BYTES, NOT_UTF8
from tests.support.farm.fixtures import StartFarm


async def _run(
    farm: Farm, host: Host, command: str, stdin: bytes, how: dict[str, object]
) -> object:
    known = asyncssh.import_known_hosts(host.known_hosts)
    login = how or {"client_keys": [str(farm.key)]}
    async with asyncssh.connect(
        host.address,
        host.port,
        known_hosts=known,
        username="dlws",
        config=None,
        agent_path=None,
        login_timeout=2,
        **login,
    ) as connection:
        return await connection.run(command, input=stdin, encoding=None)


def run(
    farm: Farm, number: int, command: str, stdin: bytes = b"", **how: Any
) -> asyncssh.SSHCompletedProcess:
    result = asyncio.run(_run(farm, farm.hosts[number - 1], command, stdin, how))
    assert isinstance(result, asyncssh.SSHCompletedProcess)
    return result


def output(result: asyncssh.SSHCompletedProcess) -> bytes:
    assert isinstance(result.stdout, bytes)
    return result.stdout


def test_a_real_host_keeps_state_and_records(farm: Farm) -> None:
    result = run(farm, 2, "cat >'a b'; echo done; exit 3", b"it's\n\xff")
    assert (result.exit_status, result.stdout) == (3, b"done\n")
    assert (farm.home("node002") / "a b").read_bytes() == b"it's\n\xff"
    [received] = farm.received("node002")
    assert (received.command, received.stdin) == ("cat >'a b'; echo done; exit 3", b"it's\n\xff")
    assert (received.code, received.user) == (3, "dlws")
    assert farm.received("node001") == []
    assert run(farm, 2, "cat 'a b'").stdout == b"it's\n\xff"


def test_password_and_sudo(farm: Farm) -> None:
    how: dict[str, Any] = {"password": farm.password, "client_keys": []}
    assert run(farm, 1, "sudo -n sh -c 'echo $HOME'", **how).stdout == (
        f"{farm.home('node001')}\n".encode()
    )
    with pytest.raises(asyncssh.PermissionDenied):
        run(farm, 1, "true", password="another", client_keys=[])


def test_fake_hosts_answer_from_a_table(start_farm: StartFarm, tmp_path: Path) -> None:
    table = tmp_path / "answers.json"
    table.write_text('[{"match": "^put", "out": "got it", "code": 4, "stdin": true}]')
    fake = start_farm(2, "fake", answers=table)
    assert b"load average" in output(run(fake, 1, "uptime"))
    result = run(fake, 2, "put x", b"content")
    assert (result.exit_status, result.stdout) == (4, b"got it")
    assert fake.received("node002")[0].stdin == b"content"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("refused", ConnectionRefusedError),
        ("mute", (asyncssh.ConnectionLost, TimeoutError)),
        ("banner", (asyncssh.ConnectionLost, TimeoutError)),
        ("host-key", asyncssh.HostKeyNotVerifiable),
        ("auth", asyncssh.PermissionDenied),
    ],
)
def test_nobody_gets_in(start_farm: StartFarm, fault: str, error: type[Exception]) -> None:
    broken = start_farm(2, "real", {2: fault})
    with pytest.raises(error):
        run(broken, 2, "true")
    assert run(broken, 1, "true").exit_status == 0
    assert broken.received("node002") == []


def test_a_dead_host_drops_attempts(start_farm: StartFarm) -> None:
    host = start_farm(2, "fake", {2: "dead"}).hosts[1]
    with pytest.raises(TimeoutError):
        socket.create_connection((host.address, host.port), timeout=0.5)


def test_refused_sudo_is_only_that(start_farm: StartFarm) -> None:
    broken = start_farm(1, "real", {1: "sudo"})
    result = run(broken, 1, "sudo -n true")
    assert (result.exit_status, result.stderr) == (1, b"sudo: a password is required\n")
    assert run(broken, 1, "echo pseudo").exit_status == 0


@pytest.mark.parametrize(
    ("fault", "command", "code"),
    [("drop-command", "true", None), ("no-answer", "touch done", 0), ("drop-upload", "cat", None)],
)
def test_connections_that_break(
    start_farm: StartFarm, fault: str, command: str, code: int | None
) -> None:
    broken = start_farm(1, "real", {1: fault})
    assert run(broken, 1, command, b"x" * 1_000_000).exit_status is None
    assert [received.code for received in broken.received()] == [code]
    assert (broken.home("node001") / "done").exists() == (fault == "no-answer")


def test_awkward_output(start_farm: StartFarm) -> None:
    broken = start_farm(4, "fake", {1: "exit", 2: "binary", 3: "flood", 4: "slow"})
    assert run(broken, 1, "true").exit_status == 7
    assert run(broken, 2, "true").stdout == NOT_UTF8
    assert len(output(run(broken, 3, "true"))) == FLOOD_BYTES
    assert output(run(broken, 4, "true")).splitlines()[9] == b"line 9"


def test_nothing_listens_after_stop(start_farm: StartFarm) -> None:
    stopped = start_farm(3, "fake")
    stopped.stop()
    for host in stopped.hosts:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host.address, host.port), timeout=1)


def test_host_keys_are_as_known_hosts_has_them(farm: Farm) -> None:
    kind, blob = farm.hosts[0].host_key.split()
    assert kind == "ssh-ed25519"
    assert base64.b64decode(blob)[4:15] == b"ssh-ed25519"
