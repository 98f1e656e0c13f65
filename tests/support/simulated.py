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
from dlws.core.limits import Bounds
from dlws.kubeadm import encryption
from dlws.kubernetes import kubeconfig
from dlws.nodes import nodelock
from dlws.prepare import hosts, runtime
from dlws.runs import plan
from dlws.shell import files
from dlws.shell.quoting import sh
from dlws.ssh.handshake import Target
from tests.support.commands import STATES, paths, plain, read, template
from tests.support.kubeconfigs import ON_NODE
from tests.support.states import lines, member

CHECKED = "# dlws-check"
MARKERS = "/var/lib/dlws/restart-"

Words = tuple[str, ...]
Answer = Callable[[Words, bytes], Result]
Effect = Callable[["SimulatedNode", str, bytes], Result]
"""What a command that is no question does: the command, without sudo, and its input."""


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

    def keys(self, secret: bytes) -> set[plan.Key]:
        """What an action in a plan may be called that allows this change, with the plan's key."""
        if self.file:
            exact = plan.under(secret, plan.write(self.node, self.file, self.seen))
            return {exact.key, exact.open_key}
        given = [(self.stdin, False), (b"", True)]
        return {
            plan.under(
                secret, plan.run(self.node, "", self.command, stdin, sudo, plan.Planned(varies))
            ).key
            for stdin, varies in given
            for sudo in (False, True)
        }


def _well(node: SimulatedNode, line: str, given: bytes) -> Result:
    return Result(0)


@dataclass
class SimulatedNode:
    """A connection to a node. `files` maps a path to (content, mode, owner)."""

    name: str
    answers: dict[str, Answer] = field(default_factory=dict)
    """More questions, by the scripts that ask them."""
    effect: Effect = _well
    files: dict[str, tuple[bytes, int, str]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    questions: int = 0
    installed: bool = True
    device: bool = False
    """Whether it has the runtime of its devices."""
    stand_ins: bool = False
    default: bytes = b""
    """The container runtime's configuration where it has no file."""

    def __post_init__(self) -> None:
        self._known: dict[str, Answer] = {
            STATES: self._states,
            read(files.CONTENT)[0]: self._contents,
            hosts._READ: self._hosts,
            encryption.READ: lambda words, _: Result(0, self.contents.get(words[0], b"")),
            read(runtime._READ)[0]: self._runtime,
        }

    def run(
        self,
        command: str,
        stdin: Stdin = b"",
        echo: Echo | None = None,
        keep: int = KEEP,
        bounds: Bounds | None = None,
    ) -> Result:
        given = b"".join(pieces(stdin))
        script, words = read(command)
        if script == "true":
            return Result(0)
        if script == nodelock._LOCK:  # it keeps runs apart, and is no change of a node
            return Result(0, b"taken\n")
        if answer := self._known.get(script) or self.answers.get(script):
            self.questions += 1
            return answer(words, given)
        if script == read(files.PLACE)[0]:
            return self._place(given)
        line = plain(command)
        self.changes.append(Change(self.name, line, given))
        return self.effect(self, line, given)

    def close(self) -> None:
        """Nothing is held open."""

    @property
    def contents(self) -> dict[str, bytes]:
        return {path: content for path, (content, _, _) in self.files.items()}

    def hash(self) -> str:
        return hashlib.sha256(repr(sorted(self.files.items())).encode()).hexdigest()

    def state(self, path: str) -> str:
        if path not in self.files:
            return "- - -"
        content, mode, owner = self.files[path]
        return f"{hashlib.sha256(content).hexdigest()} {mode:o} {owner}"

    def _states(self, words: Words, given: bytes) -> Result:
        states = (self.state(path) for path in paths(words, given))
        return Result(0, "".join(f"{state}\n" for state in states).encode())

    def _hosts(self, words: Words, given: bytes) -> Result:
        content, mode, owner = self.files.get("/etc/hosts", (b"", 0o644, "root:root"))
        return Result(0, f"{mode:o} {owner}\n".encode() + content)

    def _contents(self, words: Words, given: bytes) -> Result:
        found = [self.contents.get(path, b"") for path in given.decode().splitlines()]
        return Result(0, b"".join(base64.b64encode(content) + b"\n" for content in found))

    def _runtime(self, words: Words, given: bytes) -> Result:
        if not self.installed:
            return Result(127)
        path, there = words[0], words[0] in self.files
        facts = {
            "present": there,
            "device": self.device,
            "kept": f"{path}.dlws-before" in self.files,
            "restart": words[3] in self.files,
            "stand_ins": self.stand_ins,
        }
        lines = [f"{name}={'yes' if value else 'no'}" for name, value in facts.items()]
        mode = f"{self.files[path][1]:o}" if there else ""
        head = "\n".join([*lines, f"mode={mode}"])
        return Result(0, f"{head}\n\n".encode() + self.contents.get(path, self.default))

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
        self.boxes = {address: self._node(name) for address, name in boxes.items()}
        self.members: dict[str, str] = {}
        self.masters = {name for name in boxes.values() if name.startswith("infra")}
        self._addresses = {name: address for address, name in boxes.items()}
        self.differing = {name for name in boxes.values() if dice.random() < 0.5}
        self._ca = ca

    def _node(self, name: str) -> SimulatedNode:
        node = SimulatedNode(name, effect=self._effect)
        node.answers = {
            template("verify/state.sh"): lambda words, given: self._checked(node),
            template("kubernetes/state.sh"): lambda words, given: self._kubernetes(node),
            sh("cat", kubeconfig.ADMIN): lambda words, given: Result(0, ON_NODE),
        }
        return node

    def connect(self, target: Target, **_: object) -> SimulatedNode:
        return self.boxes[target.address]

    @property
    def changes(self) -> list[Change]:
        return [change for box in self.boxes.values() for change in box.changes]

    def hashes(self) -> dict[str, str]:
        return {box.name: box.hash() for box in self.boxes.values()} | self.members

    def join(self, name: str) -> None:
        self.members.setdefault(name, f"10.244.{len(self.members)}.0/24")

    def effect(self, box: SimulatedNode, line: str, given: bytes) -> Result:
        """What a command changes: kubeadm's makes and loses members, a script ends differences."""
        script, words = read(line)
        if script == template("kubernetes/kubeadm.sh") and {"init", "join"} & set(words):
            self.join(box.name)
        if "delete node" in line:
            last = shlex.split(line)
            self.members.pop(last[last.index("node") + 1], None)
        if "systemctl restart" in line:
            box.files = {path: file for path, file in box.files.items() if MARKERS not in path}
        if CHECKED.encode() in given:
            self.differing.discard(box.name)
        return Result(0)

    def _effect(self, box: SimulatedNode, line: str, given: bytes) -> Result:
        """By the name, so that a test may give the world another effect."""
        return self.effect(box, line, given)

    def _checked(self, box: SimulatedNode) -> Result:
        differs = box.name in self.differing
        said = b"differs: file\t/etc/checked\tis missing\n" if differs else b""
        return Result(0, b"0 0 %s \n" % base64.b64encode(said))

    def _kubernetes(self, box: SimulatedNode) -> Result:
        words: dict[str, str | bytes] = {
            "version": "v1.20.2",
            "hosts": box.contents.get("/etc/hosts", b""),
            "machine_id": f"id-{box.name}",
        }
        if box.name not in self.members:
            return Result(0, lines("", words))
        if box.name not in self.masters:
            return Result(0, lines("kubelet", words))
        known = [
            member(name, pods, self._addresses[name], id=f"id-{name}")
            for name, pods in self.members.items()
        ]
        return Result(0, lines("kubelet control_plane api", {**words, "ca": self._ca}, known))


def place_key(directory: Path) -> None:
    """A key that is never used, since these nodes let everybody in."""
    (directory / "deploy/sshkey").mkdir(parents=True, exist_ok=True)
    (directory / "deploy/sshkey/id_rsa").touch(mode=0o600)
