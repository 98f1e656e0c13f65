from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dlws.nodes.directory import generate_key
from dlws.ssh.client import Ssh
from dlws.ssh.handshake import Target
from dlws.ssh.hostkeys import HostKeys
from dlws.ssh.keys import Keys
from tests.support import starts
from tests.support.guards import with_us
from tests.support.private import with_state


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


def write_key(path: Path) -> None:
    private, public = generate_key(path.name)
    path.touch(mode=0o600)
    path.write_bytes(private)
    path.with_suffix(".pub").write_bytes(public)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


ADDRESSES = tuple(f"127.0.0.{number}" for number in range(1, 6))


_NO_BASHRC = "SetEnv SHLVL=1\n"
"""A bash that sshd starts reads ~/.bashrc, unless another shell seems to have started it. Nothing
that a developer has in there may count, and it may take longer than a test. An earlier SetEnv
counts instead: one with a HOME has the .bashrc in that home read."""


@contextmanager
def serving(
    place: Path, max_sessions: int = 200, more: str = "", addresses: Sequence[str] = ADDRESSES
) -> Iterator[Server]:
    """Five machines as far as SSH goes: one port at five addresses, a host key for each."""
    write_key(place / "user")
    (place / "authorized").write_bytes((place / "user.pub").read_bytes())
    Path("/run/sshd").mkdir(exist_ok=True)
    port = free_port()
    processes = [
        start_sshd(place, address, port, max_sessions=max_sessions, more=more)
        for address in addresses
    ]
    try:
        for address, process in zip(addresses, processes, strict=True):
            wait_for_sshd(address, port, process)
        server = Server(port, place / "user", place / "known_hosts", state_of(place))
        yield server
        for connection in server.opened:
            connection.close()
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def state_of(place: Path) -> Path:
    """What all its machines have for /var/lib/dlws."""
    return with_state(place / "state")[1]


def host_key(place: Path, address: str) -> Path:
    """Where the sshd at an address has its key; made where it is missing."""
    path = place / f"host-{address}"
    if not path.exists():
        write_key(path)
    return path


def start_sshd(
    place: Path,
    address: str,
    port: int,
    keys: Sequence[Path] = (),
    log: Path = Path(os.devnull),
    max_sessions: int = 200,
    more: str = "",
) -> subprocess.Popen[bytes]:
    starts("sshd")
    program = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin")
    assert program, "install openssh-server: these tests speak with a real one"
    config = place / f"config-{address}-{port}"
    config.write_text(
        "".join(f"HostKey {key}\n" for key in keys or [host_key(place, address)])
        + f"ListenAddress {address}:{port}\n"
        f"PidFile none\nUsePAM no\nAuthorizedKeysFile {place}/authorized\nStrictModes no\n"
        f"MaxStartups 200\nMaxSessions {max_sessions}\nPermitRootLogin yes\n{more}{_NO_BASHRC}"
    )
    with log.open("ab") as errors:
        line, _ = with_state(place / "state", program, "-D", "-e", "-f", config)
        return subprocess.Popen(with_us(line), stderr=errors)


def wait_for_sshd(address: str, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert process.poll() is None, "sshd ended at once"
        with socket.socket() as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("sshd does not listen")
