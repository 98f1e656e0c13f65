"""Nodes that have joined, as the nodes that config.yaml says they are."""

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
    if node.name in known.doubts:
        own = ("machines", node.name)
        yield Expectation("member", node.name, "as configured", ((*own, "private-ip"), own))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    if doubt := seen.known.doubts.get(thing.what):
        cure = f"look at the node, and take it out of the cluster: {PROGRAM} kubeadm reset"
        yield differs(thing, f"is no member to trust: {doubt}", f"{cure} {thing.what}")
    else:
        cure = f"{PROGRAM} --nodes {thing.what} kubeadm join"
        yield differs(thing, "is not in the cluster", cure)


KIND = Kind("member", _expect, _compare)
