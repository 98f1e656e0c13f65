"""What a node has: every question about it in one round trip that changes nothing."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from dlws.access import sshkey
from dlws.prepare import runtime
from dlws.scripts.checkmode import Answers, Members, answers, checking, packed, tar, template
from dlws.scripts.script import find
from dlws.shell import files
from dlws.shell.quoting import script
from dlws.verify.expected import ClusterFacts, Expectation
from dlws.verify.expected import files as managed_files

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node


@dataclass(frozen=True)
class Question:
    """A command line that changes nothing, and the name of its answer."""

    name: str
    command: str
    stdin: bytes = b""


def questions(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> list[Question]:
    """What to ask a node, to know of everything that is wanted."""
    config, kinds = cluster.config, {thing.kind for thing in wanted}
    asked = [Question("hosts", "cat /etc/hosts")]
    if "file" in kinds:
        asked.append(Question("files", *files.question(managed_files(cluster, node, known))))
    if "runtime" in kinds:
        asked.append(Question("runtime", runtime.question(config, node)))
    if "certificate" in kinds:
        text = template("verify/kubernetes.sh")
        units = [thing.what for thing in wanted if thing.kind == "unit"]
        asked.append(Question("kubernetes", script(text, *units)))
    for thing in wanted:
        if thing.kind == "script":
            asked.append(_script(cluster, node, known, thing.what))
    return asked


def _script(cluster: Cluster, node: Node, known: ClusterFacts, name: str) -> Question:
    if name == "sshkey":
        return Question(name, sshkey.differences(node), known.keys)
    return Question(name, checking(cluster.config, node, name))


def archive(asked: Sequence[Question]) -> bytes:
    """The compressed tar that templates/verify/state.sh reads."""
    own: Members = {}
    for number, question in enumerate(asked):
        own[f"{number}.sh"] = (question.command.encode(), 0o600)
        own[f"{number}.in"] = (question.stdin, 0o600)
    # What gzip made of two parts, one behind the other, is the whole for whoever unpacks it.
    names = tuple(question.name for question in asked if question.name.endswith(".sh"))
    return _scripts(names) + packed(own)


@lru_cache(maxsize=8)
def _scripts(names: tuple[str, ...]) -> bytes:
    """The beginning of such a tar: scripts and their files, which are the same for all nodes.

    Kept, since threads that read the same files again and again wait for each other.
    """
    members: Members = {}
    for name in names:
        members |= find(f"scripts/{name}").contents
    return gzip.compress(tar(members))


def ask(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> Answers:
    """The node's answers; one round trip."""
    asked = questions(cluster, node, known, wanted)
    return answers(node, archive(asked), [question.name for question in asked])
