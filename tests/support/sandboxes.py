"""Real nodes for tests, in a sandbox of their own that is gone afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko
import pytest

from dlws.runs.console import Console
from dlws.sandbox import lifecycle
from dlws.sandbox.state import Sandbox, SandboxNode


@dataclass(frozen=True)
class Made:
    """A sandbox that is up, and its directory with config.yaml and deploy/."""

    directory: Path
    sandbox: Sandbox

    @property
    def config(self) -> Path:
        return self.directory / "config.yaml"

    def login(self, name: str, timeout: float = 30) -> paramiko.SSHClient:
        """Logs in as root with the password that `sshkey install` would use."""
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            self.sandbox.address(self.sandbox.node(name)),
            username="root",
            password=(self.directory / "deploy/sshkey/rootpasswd").read_text().strip(),
            timeout=timeout,
            banner_timeout=timeout,
            look_for_keys=False,
            allow_agent=False,
        )
        return client

    def run(self, name: str, command: str) -> str:
        """What a command prints on a node; it must end well."""
        with self.login(name) as client:
            _, out, err = client.exec_command(command)
            text, complaint = out.read().decode(), err.read().decode()
            assert out.channel.recv_exit_status() == 0, complaint or text
            return text.strip()


def without_share(config: Path) -> None:
    """Take the default share out of a sandbox's config.yaml: not every test needs a volume."""
    text, count = re.subn(r"(?m)^mountpoints:\n(?:  .*\n)+", "", config.read_text())
    assert count == 1, text
    config.write_text(text)


MakeSandbox = Callable[[int, int], Made]


@pytest.fixture(scope="module")
def make_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeSandbox]:
    """Makes sandboxes of so many infra and worker nodes, without shares; all go at the end."""
    made: list[Path] = []

    def make(infra: int, workers: int) -> Made:
        directory = tmp_path_factory.mktemp("cluster")
        made.append(directory)
        wish = lifecycle.Request(infra=infra, workers=workers)
        box = Made(directory, lifecycle.up(directory, wish, Console()))
        without_share(box.config)
        return box

    yield make
    for directory in made:
        lifecycle.down(directory, Console())


BOX = Sandbox(
    "abc123",
    "/x",
    "10.77.4.0/24",
    "example.org",
    "bookworm",
    nodes=(SandboxNode("a", "worker", 3),),
)
