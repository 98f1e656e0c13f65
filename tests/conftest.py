"""Fixtures that more than one part uses."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dlws.build import generate_key
from dlws.hostkeys import HostKeys
from dlws.ssh import Keys, Ssh, Target
from tests.sandboxes import make_sandbox

__all__ = ["make_sandbox", "sshd"]


@dataclass(frozen=True)
class Server:
    """A real OpenSSH server on this machine, that lets one key in as the user of the tests."""

    port: int
    key: Path
    known_hosts: Path
    opened: list[Ssh] = field(default_factory=list)

    def target(self, **changes: object) -> Target:
        values: dict[str, object] = {"address": "127.0.0.1", "port": self.port, "key": self.key}
        return Target(**{**values, **changes})  # type: ignore[arg-type]

    def connect(self, **changes: object) -> Ssh:
        self.opened.append(Ssh(self.target(**changes), HostKeys(self.known_hosts), Keys()))
        return self.opened[-1]


def _write_key(path: Path) -> None:
    private, public = generate_key(path.name)
    path.touch(mode=0o600)
    path.write_bytes(private)
    path.with_suffix(".pub").write_bytes(public)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    program = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin")
    assert program, "install openssh-server: these tests speak with a real one"
    place = tmp_path_factory.mktemp("sshd")
    _write_key(place / "host")
    _write_key(place / "user")
    (place / "authorized").write_bytes((place / "user.pub").read_bytes())
    port = free_port()
    (place / "config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {place}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {place}/authorized\nStrictModes no\nMaxStartups 200\n"
        "MaxSessions 200\nPermitRootLogin yes\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen(
        [program, "-D", "-e", "-f", place / "config"], stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, process)
        server = Server(port, place / "user", place / "known_hosts")
        yield server
        for connection in server.opened:
            connection.close()
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert process.poll() is None, "sshd ended at once"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("sshd does not listen")
