"""Nodes that have joined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dlws.core.program import PROGRAM
from dlws.verify.kinds.kind import Kind
from dlws.verify.things import (
    ClusterFacts,
    Comparison,
    Expectation,
    Found,
    differs,
)

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    if node.machine.in_cluster and known.made and not known.joined(node):
        yield Expectation("member", node.name, "joined", (("machines", node.name),))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    yield differs(thing, "is not in the cluster", f"{PROGRAM} --nodes {thing.what} kubeadm join")


KIND = Kind("member", _expect, _compare)
