"""What a node has: every question about it in one round trip that changes nothing."""

from __future__ import annotations

import base64
import gzip
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from dlws import files, resources, runtime, scripts, sshkey
from dlws.connection import Result
from dlws.errors import DeployError
from dlws.shell import script, sh
from dlws.verify.expected import Known, Managed
from dlws.verify.expected import files as managed_files

if TYPE_CHECKING:
    from dlws.cluster import Cluster
    from dlws.config import Config
    from dlws.node import Node
    from dlws.scripts import Script

Answers = Mapping[str, Result]
Members = dict[str, tuple[bytes, int]]


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
        text = _text("verify/kubernetes.sh")
        units = [thing.what for thing in wanted if thing.kind == "unit"]
        asked.append(Question("kubernetes", script(text, *units)))
    for thing in wanted:
        if thing.kind == "script":
            asked.append(_script(cluster, node, known, thing.what))
    return asked


def _script(cluster: Cluster, node: Node, known: Known, name: str) -> Question:
    if name == "sshkey":
        return Question(name, sshkey.differences(node), known.keys)
    return Question(name, checking(cluster.config, node, name))


def checking(config: Config, node: Node, name: str, *args: str) -> str:
    """The line by which a script says what it would change, and changes nothing."""
    facts = scripts.environment(config, node)
    words = [f"{key}={value}" for key, value in facts.items()]
    # By its interpreter: memory may be mounted such that nothing in it can be executed.
    return sh("env", "DLWS_CHECK=1", *words, "bash", f"./{name}", *args)


def archive(cluster: Cluster, node: Node, asked: Sequence[Question]) -> bytes:
    """The compressed tar that templates/verify/state.sh reads."""
    names = tuple(question.name for question in asked if question.name.endswith(".sh"))
    shared, rendered = _begun(names)
    own: Members = {}
    for found in rendered:
        own |= scripts.own(found, cluster.config, node)
    for number, question in enumerate(asked):
        own[f"{number}.sh"] = (question.command.encode(), 0o600)
        own[f"{number}.in"] = (question.stdin, 0o600)
    # What gzip made of two parts, one behind the other, is the whole for whoever unpacks it.
    return shared + packed(own)


@lru_cache(maxsize=8)
def _begun(names: tuple[str, ...]) -> tuple[bytes, Sequence[Script]]:
    """The beginning of such a tar: what of these scripts is the same on all nodes, and the others.

    Kept, since threads that read the same files again and again wait for each other.
    """
    found = [scripts.find(f"scripts/{name}") for name in names]
    members: Members = {}
    for one in found:
        members |= one.common
    return gzip.compress(_tar(members)), [one for one in found if one.render]


def packed(members: Members) -> bytes:
    """Files as templates/verify/state.sh reads them: a compressed tar."""
    return gzip.compress(_tar(members) + bytes(2 * tarfile.BLOCKSIZE))


def _tar(members: Members) -> bytes:
    return b"".join(files.tar((name, *row) for name, row in members.items()))


@cache
def _text(template: str) -> str:
    return (resources.templates() / template).read_text()


def ask(cluster: Cluster, node: Node, known: Known, wanted: Sequence[Managed]) -> Answers:
    """The node's answers; one round trip."""
    asked = questions(cluster, node, known, wanted)
    return answers(node, archive(cluster, node, asked), [question.name for question in asked])


def answers(node: Node, data: bytes, names: Sequence[str]) -> Answers:
    """What state.sh answers to an archive, by the names of its questions."""
    result = node.read(script(_text("verify/state.sh")), stdin=data, sudo=True)
    return parse(result.text, names)


def parse(text: str, names: Sequence[str]) -> Answers:
    """What state.sh printed, by the names of the questions."""
    lines = text.splitlines()
    if len(lines) != len(names):
        raise DeployError(f"asked {len(names)} questions, got {len(lines)} answers")
    return {name: _answer(line) for name, line in zip(names, lines, strict=True)}


def _answer(line: str) -> Result:
    _, status, out, err = line.split(" ")
    return Result(int(status), base64.b64decode(out), base64.b64decode(err))
