"""Parts of the installation for some of the nodes: the control plane alone, or workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.kubeadm import join
from dlws.prepare.scripts import SCRIPTS
from dlws.roles import apply
from dlws.scripts import run
from dlws.scripts.script import find

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

TOOLS = "install_kubeadm.sh"


def control_plane(cluster: Cluster) -> None:
    """Kubernetes' tools on infra nodes, then `kubeadm init`: never over an etcd that is there."""
    _scripts(cluster, cluster.select(["infrastructure"]), TOOLS)
    join.init(cluster)


def workers_of(cluster: Cluster, patterns: Sequence[str]) -> list[Node]:
    """The workers among the nodes that fit a pattern, or all of them."""
    return [node for node in cluster.select(patterns) if node.machine.is_worker]


def workers(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """Prepare workers, bring them their roles, and join those that are not in the cluster yet."""
    _scripts(cluster, nodes, *SCRIPTS, TOOLS)
    apply.apply_all(cluster, nodes)
    join.join(cluster, nodes)


def _scripts(cluster: Cluster, nodes: Sequence[Node], *names: str) -> None:
    for name in names:
        run.everywhere(cluster, list(nodes), find(f"scripts/{name}"))
