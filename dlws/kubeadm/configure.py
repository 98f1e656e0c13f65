"""Take up in a running cluster what config.yaml says now: the control plane, kubelets, sealing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.core import resources
from dlws.core.errors import DeployError
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.kubeadm import controlplane, documents, encryption
from dlws.kubeadm.admission import kubeadm
from dlws.kubeadm.survey import survey
from dlws.nodes import endpoint
from dlws.runs.plan import Planned
from dlws.shell.quoting import script, sh

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_PHASES = ("init", "phase", "control-plane", "all")
# Secrets are written back as they are, and sealed by the API server. Nothing of them is shown.
_REWRITE = (
    "kubectl --kubeconfig /etc/kubernetes/admin.conf get secrets --all-namespaces -o json | "
    "kubectl --kubeconfig /etc/kubernetes/admin.conf replace -f - >/dev/null"
)
_STAMPS = "/var/lib/dlws/kubeadm"
_BEGUN = f"{_STAMPS}/encrypt-started"
_BEGIN = f"mkdir -p {_STAMPS} && : >{_BEGUN}"
_KUBELET = "kubeadm upgrade node phase kubelet-config >/dev/null && systemctl restart kubelet"


def control_plane(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """Start the control plane of these infra nodes as config.yaml says, one node after another.

    Whether Secrets are sealed stays as it is: `seal` turns it on.
    """
    seen = survey(cluster, [])
    live = seen.running()
    sealing = encryption.of(cluster, live)
    config = controlplane.running(cluster.config, bool(sealing))
    _apply(cluster, config, [node for node in nodes if node.machine.is_infra], sealing)
    _phase(cluster, config, live, "share the control plane's settings", "upload-config", "kubeadm")


def kubelets(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """Give kubelets the settings of config.yaml, and restart them."""
    live = survey(cluster, []).running()
    _phase(
        cluster, cluster.config, live, "share the kubelets' settings", "upload-config", "kubelet"
    )

    def one(node: Node) -> None:
        node.run(_KUBELET, sudo=True, title="restart the kubelet with its new settings")
        if not node.dry_run:
            node.changed("its kubelet has the settings of config.yaml")

    members = [node for node in nodes if node.machine.in_cluster]
    cluster.change_all(members, one, "kubelet", protect_quorum=True)


def seal(cluster: Cluster) -> None:
    """Keep the Secrets of a running cluster encrypted in etcd, those that are there included.

    All API servers can read what is sealed before the first one seals.
    """
    seen, first = survey(cluster, []), cluster.first
    live = seen.running()
    begun = first.read(sh("test", "-e", _BEGUN), sudo=True, check=False).ok
    if not begun and encryption.of(cluster, live):
        cluster.run.console.say("nothing to do: Secrets are encrypted already")
        return
    _check_sealing(cluster, [node.name for node in cluster.infra if node.name not in seen.states])
    sealing = encryption.kept(cluster)
    if not sealing:
        sealing = encryption.make(cluster, live)
        cluster.run.gate.end_plan_here("control plane and Secrets", "the key is made")
    first.run(_BEGIN, sudo=True, title="note that Secrets are being encrypted")
    config = controlplane.running(cluster.config, True)
    for content in (encryption.reading_only(sealing), sealing):
        _apply(cluster, config, cluster.infra, content)
    _phase(cluster, config, live, "share the control plane's settings", "upload-config", "kubeadm")
    first.run(f"{_REWRITE} && rm {_BEGUN}", sudo=True, title="write all Secrets anew, encrypted")


def _check_sealing(cluster: Cluster, away: Sequence[str]) -> None:
    """Raise DeployError where not all API servers can be given the key, or config.yaml says no."""
    if away or not cluster.config.kubernetes.encrypt_secrets:
        raise DeployError(
            f"{fold(away)}: every API server needs the key at the same time"
            if away
            else "config.yaml says kubernetes.encrypt_secrets: false",
            f"put that right, then run: {PROGRAM} kubeadm encrypt",
        )


def _apply(cluster: Cluster, config: Config, nodes: Sequence[Node], sealing: bytes) -> None:
    """Files, manifests, and a restart where one is needed: node by node, each to its end."""
    text = resources.template("kubernetes/await.sh")

    def one(node: Node) -> None:
        files = [*controlplane.files(config), *encryption.file(sealing)]
        anew = "1" if node.put_tree(files) else "0"
        content = _documents(cluster, config, node)
        title = "start the control plane as config.yaml says"
        node.run(kubeadm("configure", "", *_PHASES), stdin=content, sudo=True, title=title)
        address = f"https://{endpoint.inner_address(node)}:{config.kubernetes.api_port}"
        follows = Planned(varies=True)
        title = "wait for the control plane"
        node.run(script(text, address, anew), sudo=True, title=title, planned=follows)
        if not node.dry_run:
            node.changed("its control plane runs as config.yaml says")

    for node in nodes:
        cluster.change_all([node], one, "control plane", protect_quorum=True)


def _phase(cluster: Cluster, config: Config, live: Node, title: str, *words: str) -> None:
    """A phase of `kubeadm init` that changes only what the cluster itself keeps."""
    content = _documents(cluster, config, live)
    live.run(
        kubeadm("configure", "", "init", "phase", *words), stdin=content, sudo=True, title=title
    )


def _documents(cluster: Cluster, config: Config, node: Node) -> bytes:
    names, address = endpoint.certificate_names(cluster), endpoint.inner_address(node)
    where = endpoint.api_endpoint(cluster)
    return documents.dump(documents.init_documents(config, where, names, node.name, address, ""))
