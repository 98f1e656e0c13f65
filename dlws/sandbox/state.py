"""What sandboxes this machine has: one state file each, and the lock that keeps them apart."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from pathlib import Path

from dlws.core import ownership
from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM
from dlws.sandbox import naming

REGISTRY = Path("/var/lib/dlws/sandbox")


@dataclass(frozen=True)
class SandboxNode:
    """One node of a sandbox. `index` never changes: address and names follow from it."""

    name: str
    role: str
    index: int


@dataclass(frozen=True)
class Sandbox:
    """One sandbox, as its state file keeps it."""

    id: str
    directory: str
    network: str
    domain: str
    os: str
    lower: str = ""
    nodes: tuple[SandboxNode, ...] = ()

    @property
    def subnet(self) -> IPv4Network:
        return IPv4Network(self.network)

    @property
    def base(self) -> Path:
        return Path(self.lower)

    @property
    def bridge(self) -> str:
        return naming.bridge(self.id)

    @property
    def gateway(self) -> str:
        return str(self.subnet[1])

    @property
    def home(self) -> Path:
        return REGISTRY / self.id

    def label(self, node: SandboxNode) -> str:
        return naming.label(self.id, node.index)

    def address(self, node: SandboxNode) -> str:
        return str(naming.address(self.subnet, node.index))

    def fqdn(self, node: SandboxNode) -> str:
        return f"{node.name}.{self.domain}" if self.domain else node.name

    def folder(self, node: SandboxNode) -> Path:
        return self.home / self.label(node)

    def node(self, name: str) -> SandboxNode:
        for node in self.nodes:
            if name in (node.name, self.fqdn(node), self.address(node)):
                return node
        names = ", ".join(node.name for node in self.nodes)
        raise DeployError(f"the sandbox has no node {name!r}", f"its nodes are: {names}")


class Damaged(DeployError):
    """A state file cannot be understood."""


def load(id: str) -> Sandbox | None:
    try:
        text = (REGISTRY / id / "state.json").read_text()
    except FileNotFoundError:
        return None
    try:
        values = json.loads(text)
        nodes = tuple(SandboxNode(**node) for node in values.pop("nodes"))
        return Sandbox(**values, nodes=nodes)
    except (ValueError, TypeError, AttributeError, KeyError):
        raise Damaged(
            f"{REGISTRY / id / 'state.json'} is damaged",
            f"`{PROGRAM} sandbox down` removes what there is of it; then bring it up again",
        ) from None


def save(sandbox: Sandbox) -> None:
    """Writes the state file in one step, so that a crash leaves the old one or the new one."""
    close()
    sandbox.home.mkdir(exist_ok=True)
    new = sandbox.home / "state.json.new"
    new.write_text(json.dumps(asdict(sandbox), indent=2) + "\n")
    os.replace(new, sandbox.home / "state.json")


def close() -> None:
    """Keeps other users of this machine out of the registry.

    Below it lie the nodes' files, set-uid programs of their own included, and numbers of users are
    the same inside and outside. One that an earlier version left open is closed.
    """
    REGISTRY.mkdir(parents=True, exist_ok=True)
    REGISTRY.chmod(0o700)


def forget(id: str) -> None:
    """Removes a sandbox's folder, and the registry with the last one."""
    if (REGISTRY / id).exists():
        shutil.rmtree(REGISTRY / id)
    # What is above it is not ours alone: commands run here as on a node keep their outcome there.
    with suppress(OSError):
        REGISTRY.rmdir()


def is_empty() -> bool:
    """Whether this machine has no sandbox left, damaged ones included."""
    return not REGISTRY.is_dir() or not any(REGISTRY.iterdir())


def all_sandboxes() -> list[Sandbox]:
    if not REGISTRY.is_dir():
        return []
    found: list[Sandbox] = []
    for folder in sorted(REGISTRY.iterdir()):
        with suppress(Damaged):  # it holds its network by its routes all the same
            found += filter(None, [load(folder.name)])
    return found


def locked(name: str) -> AbstractContextManager[None]:
    """Holds a lock of this machine's sandboxes; waits for whoever holds it."""
    return ownership.locked(f"sandbox-{name}")
