"""Fixtures that more than one part uses."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dlws.build import generate_key
from dlws.hostkeys import HostKeys
from dlws.ssh import Keys, Ssh, Target
from tests.private import with_state
from tests.sandboxes import make_sandbox

__all__ = ["make_sandbox", "sshd"]


@dataclass(frozen=True)
class Server:
    """A real OpenSSH server on this machine, that lets one key in as the user of the tests."""

    port: int
    key: Path
    known_hosts: Path
    state: Path
    """Its /var/lib/dlws, as seen from here."""
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
        "".join(f"ListenAddress 127.0.0.{n}:{port}\n" for n in range(1, 6))
        + f"HostKey {place}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {place}/authorized\nStrictModes no\nMaxStartups 200\n"
        "MaxSessions 200\nPermitRootLogin yes\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    line, state = with_state(place / "state", program, "-D", "-e", "-f", place / "config")
    process = subprocess.Popen(line, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        server = Server(port, place / "user", place / "known_hosts", state)
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


@dataclass(frozen=True)
class Deploy:
    """Runs deploy.py as a person does, in a cluster's directory of its own."""

    directory: Path

    def __call__(
        self, *words: str, code: int | None = 0, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        program = Path(__file__).parent.parent / "deploy.py"
        done = subprocess.run(
            [sys.executable, program, "--dir", self.directory, *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        told = f"{done.stdout}\n{done.stderr}"
        assert code is None or done.returncode == code, f"exit {done.returncode}: {told}"
        assert "Traceback" not in told, told
        return done


@pytest.fixture
def deploy(sshd: Server, tmp_path: Path) -> Deploy:
    """A cluster of one infra node and three workers, all of them the test's OpenSSH server."""
    machines = {"infra1": "infrastructure", "w1": "worker", "w2": "worker", "w3": "worker"}
    rows = "".join(
        f"  {name}: {{role: {role}, private-ip: 127.0.0.{n}, type: cpu}}\n"
        for n, (name, role) in enumerate(machines.items(), 1)
    )
    (tmp_path / "config.yaml").write_text(
        f"cluster_name: test\nadmin_username: root\nnetwork: {{domain: test.example}}\n"
        f"ssh: {{port: {sshd.port}, key: {sshd.key}, connect_timeout: 2}}\nmachines:\n{rows}"
    )
    return Deploy(tmp_path)
