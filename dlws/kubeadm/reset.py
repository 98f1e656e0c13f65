"""Take nodes out of the cluster, or the whole cluster away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core import resources
from dlws.core.errors import DeployError, Refused
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.kubeadm import podnetwork
from dlws.kubeadm.survey import ClusterState, Member, survey
from dlws.kubernetes import kubeconfig, versions
from dlws.kubernetes.kubeconfig import KUBECTL
from dlws.runs.plan import local
from dlws.shell.quoting import script, sh

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_DRAIN_SECONDS = 120
_HELD_SECONDS = 30
"""Past the moment at which a pod was to be gone: what still holds it then is no process, but a
finalizer, such as jobs of the platform have for an hour after their end."""


def reset(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """Take these nodes out. All infra nodes at once mean the end of the cluster and its data."""
    chosen = [node for node in nodes if node.machine.in_cluster]
    whole = set(cluster.infra) <= set(chosen)
    if whole:
        _end(cluster, chosen)
        return
    seen = survey(cluster, chosen)
    seen.running()
    check_quorum(cluster, seen, chosen)
    live = _stays(cluster, seen, chosen)
    infra = [node for node in chosen if node in cluster.infra]
    workers = [node for node in chosen if node not in infra]
    outcomes = cluster.try_all(workers, lambda node: _remove(cluster, seen, live, node), "reset")
    for node in infra:  # etcd loses one member at a time
        outcomes += cluster.try_all(
            [node], lambda node: _remove(cluster, seen, live, node), "reset"
        )
    if cluster.run.options.dry_run:
        left = set(seen.members) - {node.name for node in chosen}
        podnetwork.announce(cluster, sorted(left), "kubeadm reset")
    else:
        podnetwork.update(cluster, survey(cluster, []))
    cluster.raise_failures(outcomes)


def confirmation(cluster: Cluster, nodes: Sequence[Node]) -> str:
    """What a person is about to lose."""
    names = fold(node.name for node in nodes)
    if set(cluster.infra) <= set(nodes):
        return f"This ends the cluster {cluster.config.cluster_name} and all it stores: {names}."
    return f"This takes {names} out of the cluster {cluster.config.cluster_name}."


def check_quorum(cluster: Cluster, seen: ClusterState, leaving: Sequence[Node]) -> None:
    """Refuse what would leave etcd without a majority of its present members."""
    members = [node.name for node in cluster.infra if node.name in seen.members]
    staying = healthy(seen.members, members, [node.name for node in leaving])
    needed = len(members) // 2 + 1
    if set(members) & {node.name for node in leaving} and len(staying) < needed:
        raise Refused(
            f"etcd would lose its majority: of {len(members)} members {len(staying)} healthy ones "
            f"would stay ({fold(staying) or 'none'}), needed are {needed}",
            "reset one infra node at a time and let it join again, or reset the whole cluster: "
            f"{PROGRAM} kubeadm reset",
        )


def healthy(live: dict[str, Member], members: Sequence[str], leaving: Sequence[str]) -> list[str]:
    """The members that are Ready and stay."""
    return [name for name in members if name not in leaving and live[name].ready]


def _stays(cluster: Cluster, seen: ClusterState, leaving: Sequence[Node]) -> Node:
    """An infra node whose API server answers and that does not leave."""
    for node in cluster.infra:
        if node not in leaving and node.name in seen.states and seen.states[node.name].api:
            return node
    raise DeployError("no API server that stays answers", f"see: {PROGRAM} status")


def _remove(cluster: Cluster, seen: ClusterState, live: Node, node: Node) -> None:
    """Drain a node, clean it, and forget it: a dead one is forgotten all the same."""
    reachable = node.name in seen.states
    if node.name in seen.members:
        drain = sh(*drain_words(cluster.config, node.name, reachable))
        live.run(drain, sudo=True, title=f"drain {node.name}")
    failure = None
    if reachable:
        try:
            _clean(cluster.config, node)
        except DeployError as error:
            failure = error
    if node.name in seen.members:
        words = ("delete", "node", node.name, "--ignore-not-found")
        live.run(sh(*KUBECTL, *words), sudo=True, title=f"delete node {node.name}")
    if failure:
        raise failure
    if not reachable:
        raise DeployError(
            "taken out of the cluster, but not cleaned: it cannot be reached",
            f"when it is back: {PROGRAM} kubeadm reset {node.name}",
        )


def drain_words(config: Config, name: str, reachable: bool) -> list[str]:
    """The kubectl line that moves a node's pods elsewhere; on a dead node it only cordons."""
    if not reachable:
        return [*KUBECTL, "cordon", name]
    data = versions.feature("drain_emptydir", config.kubernetes.version)
    limits = [f"--timeout={_DRAIN_SECONDS}s", "--ignore-daemonsets", "--force", data]
    return [*KUBECTL, "drain", name, *limits, f"--skip-wait-for-delete-timeout={_HELD_SECONDS}"]


def _clean(config: Config, node: Node) -> None:
    text = resources.template("kubernetes/reset.sh")
    kubernetes = config.kubernetes
    socket = kubernetes.cri_socket or versions.cri_socket(config.runtime, kubernetes.version)
    node.run(script(text, socket), sudo=True, title="kubeadm reset")


def _end(cluster: Cluster, nodes: Sequence[Node]) -> None:
    outcomes = cluster.try_all(nodes, lambda node: _clean(cluster.config, node), "kubeadm reset")
    files = [kubeconfig.path(cluster).with_name(name) for name in ("admin.conf", "kubectl.conf")]
    for file in filter(Path.exists, files):
        if cluster.run.gate.admit(local(f"remove {file}")):
            file.unlink()
    cluster.raise_failures(outcomes)
