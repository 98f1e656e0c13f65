"""Which nodes take work: cordon, uncordon, and the taint that keeps work off infra nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.kubernetes import versions
from dlws.kubernetes.api import (
    KubeNode,
    Patch,
    connect,
    cordon_patch,
    label_patch,
    taint_patch,
    taints_patch,
)
from dlws.kubernetes.labels import guarded, worker_labels
from dlws.runs import plan

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node


def cordon(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """Nodes take no new work."""
    _change(cluster, nodes, lambda _, live: cordon_patch(live, True), "cordoned")


def uncordon(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """Nodes take work again."""
    _change(cluster, nodes, lambda _, live: cordon_patch(live, False), "uncordoned")


def untaint_control_plane(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """Control-plane nodes take work like workers: no taint, not cordoned, a worker's labels."""

    def patch(node: Node, live: KubeNode) -> Patch:
        labels = guarded({"worker": "active", **worker_labels(node.machine, as_worker=True)})
        return [
            *taint_patch(live, versions.TAINTS),
            *cordon_patch(live, False),
            *label_patch(live.labels, labels),
        ]

    _change(cluster, nodes, patch, "takes work")


def taint_control_plane(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """The taint that kubeadm gives: on control-plane nodes, and on no others."""
    names = versions.feature("control_plane_taints", cluster.config.kubernetes.version).split()

    def patch(node: Node, live: KubeNode) -> Patch:
        if node.machine.is_infra:
            return taints_patch(live, names)
        return taint_patch(live, versions.TAINTS)

    _change(cluster, nodes, patch, "has its taints")


def _change(
    cluster: Cluster, nodes: Sequence[Node], patch: Callable[[Node, KubeNode], Patch], done: str
) -> None:
    with connect(cluster) as api:
        live = api.nodes()
        missing = [node.name for node in nodes if node.name not in live]
        if missing:
            raise DeployError(
                f"{fold(missing)}: not in the cluster", f"run: {PROGRAM} kubeadm join"
            )
        patches = {node.name: patch(node, live[node.name]) for node in nodes}
        patches = {name: body for name, body in patches.items() if body}
        actions = [plan.patch(name, f"be: {done}", body) for name, body in patches.items()]
        made = cluster.run.gate.admit(*actions)
        if patches and made:
            api.patch(patches)
    for node in nodes:
        if node.name not in patches:
            node.say(f"{done} already")
        elif made:
            node.changed(done)
