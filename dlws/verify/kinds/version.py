"""The release that runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

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
    if node.machine.in_cluster and known.of(node):
        origin = (("kubernetes", "version"), ("machines", node.name))
        wanted = cluster.config.kubernetes.version.tag
        yield Expectation("version", "kubelet", wanted, origin, "script:install_kubeadm.sh")


def _compare(thing: Expectation, seen: Comparison) -> Found:
    has = seen.live.version if seen.live else ""
    if has != thing.wanted:
        yield differs(thing, f"is {has or 'unknown'}, not {thing.wanted}")


KIND = Kind("version", _expect, _compare)
