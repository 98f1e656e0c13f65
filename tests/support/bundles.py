from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dlws.bundle import delivery
from dlws.bundle.manifest import NAME, Manifest, describe
from dlws.core.connection import Local, Result
from dlws.core.limits import Bounds
from dlws.shell.files import File

CONTENT = {
    "bin/kubeadm": b"kubeadm",
    "bin/kubelet": b"kubelet",
    "cni/bridge": b"bridge",
    "images/pause_3.2.tar": b"pause",
    "packages/bookworm/socat_1.7.4.4-2+b1~x_amd64.deb": b"socat",
    "packages/trixie/socat_1.8_amd64.deb": b"other socat",
}


def write_bundle(directory: Path, content: dict[str, bytes], architecture: str = "amd64") -> Path:
    for name, data in content.items():
        path = directory / architecture / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    entries = {architecture: describe(directory, architecture, {})}
    manifest = Manifest("1.20.2", "debian", "2026-01-01T00:00:00+00:00", entries)
    (directory / NAME).write_text(manifest.dump())
    return directory


class FakeNode:
    """A node whose bundle lies in a directory here; commands run here, except for what it is."""

    dry_run = False

    def __init__(self, kind: str = "amd64\nbookworm\n") -> None:
        self.roles = ("infrastructure",)
        self.kind = kind
        self.sent: list[str] = []
        self.ran: list[str] = []
        self.asked: list[str] = []

    def read(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        sudo: bool = False,
        check: bool = True,
        bounds: Bounds | None = None,
    ) -> Result:
        self.asked.append(command)
        if command == delivery.KIND_OF_NODE:
            return Result(0, self.kind.encode())
        result = Local().run(command, stdin)
        assert result.ok or not check, result.complaint
        return result

    def run(
        self, command: str, *, stdin: bytes = b"", sudo: bool = False, title: str = ""
    ) -> Result:
        self.ran.append(title)
        return self.read(command, stdin=stdin)

    def put_tree(self, tree: Iterable[File]) -> list[str]:
        changed = []
        for file in tree:
            content = file.content if isinstance(file.content, bytes) else file.content.read_bytes()
            path = Path(file.path)
            if path.exists() and path.read_bytes() == content:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(file.mode)
            changed.append(file.path)
        self.sent += changed
        return changed


HEAD = Manifest("1.20.2", "debian", "2026-01-01T00:00:00+00:00")


class Counted:
    """A unit's recipe that counts how often it was followed."""

    def __init__(self, content: str = "x") -> None:
        self.content, self.times = content, 0

    def __call__(self, out: Path) -> None:
        self.times += 1
        out.write_text(self.content)
