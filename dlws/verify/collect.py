"""What a node has: every question about it in one round trip that changes nothing."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from dlws.nodes.questions import Answers, Members, answers, packed, tar
from dlws.scripts.script import find
from dlws.verify.kinds import KINDS
from dlws.verify.things import ClusterFacts, Expectation, Question

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node


def questions(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> list[Question]:
    """What to ask a node, to know of everything that is wanted."""
    asked: list[Question] = []
    for kind in KINDS:
        things = [thing for thing in wanted if thing.kind == kind.name]
        asked += kind.ask(cluster, node, known, things)
    return asked


def archive(asked: Sequence[Question]) -> bytes:
    """The compressed tar that templates/verify/state.sh reads."""
    own: Members = {}
    for number, question in enumerate(asked):
        own[f"{number}.sh"] = (question.command.encode(), 0o600)
        own[f"{number}.in"] = (question.stdin, 0o600)
        own |= question.members
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
