"""Simulated nodes: they keep files, a Kubernetes membership, and every change asked of them.

What they know to be a question changes nothing; anything else counts as a change.
"""

from __future__ import annotations

import base64
import hashlib
import io
import random
import shlex
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dlws.core.connection import KEEP, Echo, Result, Stdin, pieces
from dlws.runs import plan
from dlws.shell import files, recorder
from dlws.ssh.handshake import Target
from tests.support.asked import paths

CHECKED = "# dlws-check"
ADMIN = b"apiVersion: v1\nclusters: [{name: c, cluster: {server: 'https://127.9.9.9:1'}}]\n"
_PREFIX = "export PATH; "


@dataclass(frozen=True)
class Change:
    """A command that is no question, with its input, or a file that was placed."""

    node: str
    command: str
    stdin: bytes = b""
    file: files.File | None = None
    seen: str = ""

    def __repr__(self) -> str:
        what = self.file.path if self.file else f"...{self.command[-150:]}"
        return f"{self.node}: {what} ({len(self.stdin)} bytes of input)"

    @property
    def keys(self) -> set[plan.Key]:
        """What an action in a plan may be called that allows this change."""
        if self.file:
            exact = plan.write(self.node, self.file, self.seen)
            return {exact.key, exact.open_key}
        given = [(self.stdin, False), (b"", True)]
        return {
            plan.run(self.node, "", self.command, stdin, sudo, plan.Planned(varies)).key
            for stdin, varies in given
            for sudo in (False, True)
        }


@dataclass
class Box:
    """One node. `files` maps a path to (content, mode, owner)."""

    name: str
    world: World
    files: dict[str, tuple[bytes, int, str]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    questions: int = 0

    def run(
        self, command: str, stdin: Stdin = b"", echo: Echo | None = None, keep: int = KEEP
    ) -> Result:
        given = b"".join(pieces(stdin))
        line = _inner(command)
        if line == "true":
            return Result(0)
        if "lock=/var/lib/dlws/lock" in line:  # it keeps runs apart, and is no change of a node
            return Result(0, b"taken\n")
        for mark, answer in self._questions():
            if mark in line:
                self.questions += 1
                return answer(line, given)
        if line == files.PLACE:
            return self._place(given)
        self.changes.append(Change(self.name, line, given))
        return self.world.effect(self, line, given)

    def close(self) -> None:
        """Nothing is held open."""

    def hash(self) -> str:
        return hashlib.sha256(repr(sorted(self.files.items())).encode()).hexdigest()

    def _questions(self) -> list[tuple[str, Callable[[str, bytes], Result]]]:
        return [
            ("Ask this node many questions", self._checked),
            ("What a node has of Kubernetes", lambda line, given: self.world.kubernetes(self)),
            ("kept=$(has test -e", self._runtime),
            ("cat /etc/kubernetes/admin.conf", lambda line, given: Result(0, ADMIN)),
            ("&& cat /etc/hosts", self._hosts),
            ("sha256sum", self._states),
            (files.CONTENT, self._contents),
        ]

    def state(self, path: str) -> str:
        if path not in self.files:
            return "- - -"
        content, mode, owner = self.files[path]
        return f"{hashlib.sha256(content).hexdigest()} {mode:o} {owner}"

    def _states(self, line: str, given: bytes) -> Result:
        states = (self.state(path) for path in paths(line, given))
        return Result(0, "".join(f"{state}\n" for state in states).encode())

    def _hosts(self, line: str, given: bytes) -> Result:
        content, mode, owner = self.files.get("/etc/hosts", (b"", 0o644, "root:root"))
        return Result(0, f"{mode:o} {owner}\n".encode() + content)

    def _contents(self, line: str, given: bytes) -> Result:
        found = [base64.b64encode(self._content(path)) for path in given.decode().splitlines()]
        return Result(0, b"".join(f + b"\n" for f in found))

    def _content(self, path: str) -> bytes:
        return self.files.get(path, (b"", 0, ""))[0]

    def _checked(self, line: str, given: bytes) -> Result:
        said = b"differs: file\t/etc/checked\tis missing\n" if self.world.differs(self) else b""
        return Result(0, b"0 0 %s \n" % base64.b64encode(said))

    def _runtime(self, line: str, given: bytes) -> Result:
        path = "/etc/containerd/config.toml"
        there = "yes" if path in self.files else "no"
        mode = f"{self.files[path][1]:o}" if path in self.files else ""
        kept = "yes" if f"{path}.dlws-before" in self.files else "no"
        head = f"present={there}\nmode={mode}\ndevice=no\nkept={kept}\nrestart=no\n\n"
        return Result(0, head.encode() + self._content(path))

    def _place(self, given: bytes) -> Result:
        with tarfile.open(fileobj=io.BytesIO(given), ignore_zeros=False) as archive:
            content = {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
        for row in content["list"].decode().splitlines():
            mode, owner, name, path = row.split(" ", 3)
            path = path[:-1]
            file = files.File(path, content[name], int(mode, 8), owner)
            self.changes.append(Change(self.name, "place", file=file, seen=self.state(path)))
            self.files[path] = (content[name], int(mode, 8), owner)
        return Result(0)


class World:
    """Simulated nodes by address, in the place of SSH connections."""

    def __init__(self, boxes: dict[str, str], dice: random.Random, ca: bytes) -> None:
        self.boxes = {address: Box(name, self) for address, name in boxes.items()}
        self.members: dict[str, str] = {}
        self.masters = {name for name in boxes.values() if name.startswith("infra")}
        self._addresses = {name: address for address, name in boxes.items()}
        self.differing = {name for name in boxes.values() if dice.random() < 0.5}
        self._ca = ca

    def connect(self, target: Target, **_: object) -> Box:
        return self.boxes[target.address]

    @property
    def changes(self) -> list[Change]:
        return [change for box in self.boxes.values() for change in box.changes]

    def hashes(self) -> dict[str, str]:
        return {box.name: box.hash() for box in self.boxes.values()} | self.members

    def differs(self, box: Box) -> bool:
        return box.name in self.differing

    def join(self, name: str) -> None:
        self.members.setdefault(name, f"10.244.{len(self.members)}.0/24")

    def effect(self, box: Box, line: str, given: bytes) -> Result:
        """What a command changes: kubeadm's makes and loses members, a script ends differences."""
        last = shlex.split(line)[-12:]
        if "Run one kubeadm command" in line and ("init" in last or "join" in last):
            self.join(box.name)
        if "delete node" in line:
            self.members.pop(last[last.index("node") + 1], None)
        if CHECKED.encode() in given:
            self.differing.discard(box.name)
        return Result(0)

    def kubernetes(self, box: Box) -> Result:
        hosts = base64.b64encode(box.files.get("/etc/hosts", (b"", 0, ""))[0]).decode()
        lines = ["version=v1.20.2", f"hosts={hosts}", f"machine_id=id-{box.name}"]
        if box.name in self.members:
            lines.append("kubelet=1")
            if box.name in self.masters:
                lines += ["control_plane=1", "api=1", f"ca={base64.b64encode(self._ca).decode()}"]
                lines += [
                    f"member={name}|{pods}|{self._addresses[name]}|True|id-{name}"
                    for name, pods in self.members.items()
                ]
        return Result(0, "\n".join(lines).encode())


def _inner(command: str) -> str:
    """A command without what makes it root and what records it."""
    words = shlex.split(command)
    if words[-2:-1] == ["-c"] and _PREFIX in words[-1][:120]:
        return _inner(words[-1].partition(_PREFIX)[2])
    if words[:3] == ["sh", "-c", recorder._RECORD]:
        return words[-2]  # ... sh -c COMMAND dlws
    return command


def place_key(directory: Path) -> None:
    """A key that is never used, since these nodes let everybody in."""
    (directory / "deploy/sshkey").mkdir(parents=True, exist_ok=True)
    (directory / "deploy/sshkey/id_rsa").touch(mode=0o600)
