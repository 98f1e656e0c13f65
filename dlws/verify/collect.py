"""What a node has: every question about it in one round trip that changes nothing."""

from __future__ import annotations

import base64
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlws import files, resources, runtime, scripts, sshkey
from dlws.connection import Result
from dlws.errors import DeployError
from dlws.shell import script, sh
from dlws.verify.expected import Known, Managed
from dlws.verify.expected import files as managed_files

if TYPE_CHECKING:
    from dlws.cluster import Cluster
    from dlws.node import Node

Answers = Mapping[str, Result]


@dataclass(frozen=True)
class Question:
    """A command line that changes nothing, and the name of its answer."""

    name: str
    command: str
    stdin: bytes = b""


def questions(
    cluster: Cluster, node: Node, known: Known, wanted: Sequence[Managed]
) -> list[Question]:
    """What to ask a node, to know of everything that is wanted."""
    config, kinds = cluster.config, {thing.kind for thing in wanted}
    asked = [Question("hosts", "cat /etc/hosts")]
    if "file" in kinds:
        asked.append(Question("files", *files.question(managed_files(cluster, node, known))))
    if "runtime" in kinds:
        asked.append(Question("runtime", runtime.question(config, node)))
    if "certificate" in kinds:
        text = (resources.templates() / "verify/kubernetes.sh").read_text()
        units = [thing.what for thing in wanted if thing.kind == "unit"]
        asked.append(Question("kubernetes", script(text, *units)))
    for thing in wanted:
        if thing.kind == "script":
            asked.append(_script(cluster, node, known, thing.what))
    return asked


def _script(cluster: Cluster, node: Node, known: Known, name: str) -> Question:
    if name == "sshkey":
        return Question(name, sshkey.differences(node), known.keys)
    facts = scripts.environment(cluster.config, node)
    words = [f"{key}={value}" for key, value in facts.items()]
    # By its interpreter: memory may be mounted such that nothing in it can be executed.
    return Question(name, sh("env", "DLWS_CHECK=1", *words, "bash", f"./{name}"))


def archive(cluster: Cluster, node: Node, asked: Sequence[Question]) -> bytes:
    """The tar that templates/verify/state.sh reads."""
    members: dict[str, tuple[bytes, int]] = {}
    for number, question in enumerate(asked):
        members[f"{number}.sh"] = (question.command.encode(), 0o600)
        members[f"{number}.in"] = (question.stdin, 0o600)
        if question.name.endswith(".sh"):
            found = scripts.find(f"scripts/{question.name}")
            members |= scripts.contents(found, cluster.config, node)
    rows = [(name, content, mode) for name, (content, mode) in members.items()]
    return b"".join(files.tar(rows)) + bytes(2 * tarfile.BLOCKSIZE)


def ask(cluster: Cluster, node: Node, known: Known, wanted: Sequence[Managed]) -> Answers:
    """The node's answers; one round trip."""
    asked = questions(cluster, node, known, wanted)
    text = (resources.templates() / "verify/state.sh").read_text()
    result = node.read(script(text), stdin=archive(cluster, node, asked), sudo=True)
    return parse(result.text, [question.name for question in asked])


def parse(text: str, names: Sequence[str]) -> Answers:
    """What state.sh printed, by the names of the questions."""
    lines = text.splitlines()
    if len(lines) != len(names):
        raise DeployError(f"asked {len(names)} questions, got {len(lines)} answers")
    return {name: _answer(line) for name, line in zip(names, lines, strict=True)}


def _answer(line: str) -> Result:
    _, status, out, err = line.split(" ")
    return Result(int(status), base64.b64decode(out), base64.b64decode(err))
