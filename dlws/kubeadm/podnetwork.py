"""The pod network: the `bridge` plugin's files on every node, or a manifest for the API server."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.bundle import download, pins
from dlws.core import resources
from dlws.core.errors import DeployError, UsageError
from dlws.core.nodeset import fold
from dlws.core.version import Version
from dlws.kubeadm import members
from dlws.kubeadm.survey import ClusterState, Member
from dlws.kubernetes import api
from dlws.kubernetes.kubeconfig import KUBECTL
from dlws.nodes import endpoint
from dlws.nodes.node import File
from dlws.runs import plan
from dlws.runs.plan import Planned
from dlws.shell.quoting import chain, script, sh

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

CONFLIST = "/etc/cni/net.d/10-dlws.conflist"
ROUTES = "/etc/dlws/pod-network"
UNIT = "dlws-pod-network.service"
CALICO = "https://raw.githubusercontent.com/projectcalico/calico/{}/manifests/calico.yaml"
# The newest Calico that still supports a release, by the first minor release of Kubernetes for it.
CALICO_VERSIONS = {18: "v3.20.6", 22: "v3.25.2", 28: "v3.29.3", 32: "v3.31.2"}
_PATIENCE = 60.0


def file(path: str, text: str, mode: int = 0o644) -> File:
    return File(path, text.encode(errors="surrogateescape"), mode)


def first_files(cluster: Cluster) -> list[File]:
    """What a node can get before its pod addresses are known."""
    if cluster.config.kubernetes.network != "bridge" or cluster.config.kubernetes.network_manifest:
        return []
    folder = resources.templates() / "kubernetes/network/bridge"
    return [
        file("/usr/local/lib/dlws/pod-network.sh", (folder / "pod-network.sh").read_text(), 0o755),
        file(f"/etc/systemd/system/{UNIT}", (folder / UNIT).read_text()),
    ]


def begin(cluster: Cluster, node: Node) -> None:
    """Give the first node of a new cluster its pod network before it starts.

    The controller manager gives the first node the first range, but a while after kubeadm ends:
    nobody has to wait for that, and the next update() looks whether it is so.
    """
    kubernetes = cluster.config.kubernetes
    pods, length = ipaddress.ip_network(str(kubernetes.pod_cidr)), kubernetes.node_prefix
    if not first_files(cluster):
        manifest(cluster.config, cluster.directory)  # what cannot be had is told before kubeadm
        return
    if pods.version != 4 or pods.prefixlen > length:
        return
    own = next(pods.subnets(new_prefix=length))
    alone = {node.name: Member(node.name, str(own), endpoint.inner_address(node))}
    files = [*first_files(cluster), *bridge_files(cluster.config, node.name, alone)]
    if node.put_tree(files):
        _start(node, files)


def check(cluster: Cluster, seen: ClusterState) -> None:
    """Stop before anything is changed where nodes are not what config.yaml says."""
    if first_files(cluster):
        members.checked(cluster, seen.members)


def update(cluster: Cluster, seen: ClusterState, new: bool = False) -> None:
    """Bring the pod network up to date with who is in the cluster; no change where it is.

    The one node of a `new` cluster may have no range yet: what begin() gave it stands till then.
    """
    if not first_files(cluster):
        _apply_manifest(cluster, seen.running())
    elif not new or any(member.pod_cidr for member in seen.members.values()):
        _update_bridge(cluster, seen)


def conflist(pod_cidr: str) -> dict[str, Any]:
    """The CNI configuration of a node whose pods have these addresses."""
    everywhere = "::/0" if ipaddress.ip_network(pod_cidr).version == 6 else "0.0.0.0/0"
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,  # the unit's one rule does it, and leaves pod-to-pod traffic alone
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": pod_cidr}]],
            "routes": [{"dst": everywhere}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.3.1", "name": "dlws", "plugins": [bridge, portmap]}


def routes(config: Config, name: str, known: Mapping[str, Member]) -> str:
    """What pod-network.sh reads: the pod network, then each other node's pods and address."""
    others = [m for m in known.values() if m.name != name and m.pod_cidr and m.address]
    lines = [f"network {config.kubernetes.pod_cidr}"]
    lines += [f"route {m.pod_cidr} {m.address}" for m in sorted(others, key=lambda m: m.name)]
    return "".join(f"{line}\n" for line in lines)


def bridge_files(config: Config, name: str, known: Mapping[str, Member]) -> list[File]:
    """A node's own files; `known` are members that members.checked() let pass."""
    own = known[name].pod_cidr
    return [
        file(ROUTES, routes(config, name, known)),
        file(CONFLIST, json.dumps(conflist(own), indent=2) + "\n"),
    ]


def with_addresses(cluster: Cluster, known: Mapping[str, Member]) -> dict[str, Member]:
    """These members once each has addresses for its pods: a new node gets them after it joined."""
    found = dict(known)
    if all(member.pod_cidr for member in found.values()):
        return found
    deadline = time.monotonic() + _PATIENCE
    with api.connect(cluster) as connected:
        for live in connected.watch(_PATIENCE):
            if live.name not in found:
                continue
            found[live.name] = Member(live.name, live.pod_cidr, live.address, live.ready)
            if all(m.pod_cidr for m in found.values()) or time.monotonic() > deadline:
                break
    if without := [name for name, member in found.items() if not member.pod_cidr]:
        raise DeployError(
            f"{fold(without)}: no addresses for pods after {_PATIENCE:g} s",
            "kubernetes.pod_cidr is too small for this many nodes (a /24 each), or "
            "kube-controller-manager does not run",
        )
    return found


def _update_bridge(cluster: Cluster, seen: ClusterState) -> None:
    known = members.ours(cluster, seen.members)
    if unknown := sorted(set(seen.members) - set(known)):
        cluster.run.console.warn(
            f"the API server knows nodes that config.yaml does not: {fold(unknown)}; they get no "
            "route"
        )
    trusted = members.checked(cluster, with_addresses(cluster, known))
    nodes = [node for node in cluster.nodes if node.name in trusted]

    def place(node: Node) -> bool:
        files = [*first_files(cluster), *bridge_files(cluster.config, node.name, trusted)]
        changed = node.put_tree(files)
        if changed:
            _start(node, files)
        return bool(changed)

    done = cluster.change_all(nodes, place, "pod network", protect_quorum=True)
    if not any(outcome.value for outcome in done):
        cluster.run.console.say("the pod network is up to date")


_START = chain(
    sh("systemctl", "daemon-reload"),
    sh("systemctl", "enable", "--quiet", UNIT),
    sh("systemctl", "restart", UNIT),
)
_START_TITLE = "bring the pod network up to date"


def _start(node: Node, files: list[File]) -> None:
    # Nobody reads it; but with other files the command is another one, which a resumed run repeats.
    cause = "".join(file.sha256 for file in files).encode()
    node.run(_START, stdin=cause, sudo=True, title=_START_TITLE, planned=Planned(varies=True))


def announce(cluster: Cluster, names: Sequence[str], until: str) -> None:
    """Tell a plan what update() may do on these nodes, once it is known who is in the cluster."""
    if not first_files(cluster):
        command, content = _applying(cluster)
        for node in cluster.infra:  # on the first one whose API server answers then
            run = plan.run(node.name, _manifest_title(cluster), command, content, True)
            cluster.run.gate.announce([run], until)
        return
    paths = [*(file.path for file in first_files(cluster)), ROUTES, CONFLIST]
    mine = {node.name for node in cluster.nodes}
    for name in filter(mine.__contains__, names):
        writes = [plan.Action(name, "write", f"write: {path}", path) for path in paths]
        start = plan.run(name, _START_TITLE, _START, b"", True)
        cluster.run.gate.announce([*writes, start], until)


def manifest(config: Config, directory: Path) -> bytes:
    """The manifest to apply. One that is fetched must be what its sha256 says."""
    from dlws.core.templates import render

    kubernetes = config.kubernetes
    if kubernetes.network_manifest and "://" not in kubernetes.network_manifest:
        return _own(directory, kubernetes.network_manifest)
    if kubernetes.network_manifest or kubernetes.network == "calico":
        return _fetched(config)
    images = pins.load(directory).images
    values = {
        "pod_cidr": str(kubernetes.pod_cidr),
        "images": {name: _by_digest(image, images) for name, image in pins.FLANNEL.items()},
    }
    return render("kubernetes/network/flannel/flannel.yaml", **values).encode()


def _own(directory: Path, path: str) -> bytes:
    try:
        return (directory / path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"kubernetes.network_manifest: cannot read {path}: {error.strerror}",
            "give a path from the cluster's directory, or a URL",
        ) from error


def _fetched(config: Config) -> bytes:
    """What the manifest's URL gives to this machine: a node could say what it likes."""
    kubernetes = config.kubernetes
    url = kubernetes.network_manifest or CALICO.format(calico_version(kubernetes.version))
    if not kubernetes.network_manifest_sha256:
        curl = sh("curl", "--proto", "=https", "--proto-redir", "=https", "-fsSLO", url)
        raise UsageError(
            f"{url} is applied as the cluster's administrator, and nothing says what it must be",
            f"fetch it ({curl}), read it, and write what sha256sum prints of it as "
            "kubernetes.network_manifest_sha256; or name the file as kubernetes.network_manifest",
        )
    return download.content(url, kubernetes.network_manifest_sha256)


def _by_digest(image: str, pinned: Mapping[str, str]) -> str:
    """An image with its pinned digest, where there is one: a tag can be moved."""
    return f"{image}@{pinned[image]}" if image in pinned else image


def calico_version(version: Version) -> str:
    return [value for since, value in CALICO_VERSIONS.items() if since <= version.minor][-1]


# The question writes nothing: kubectl's cache goes nowhere, and its temporary files into memory.
_DIFFERS = (
    "TMPDIR=/run kubectl --cache-dir=/dev/null --kubeconfig /etc/kubernetes/admin.conf "
    "diff -f - >/dev/null"
)


def _apply_manifest(cluster: Cluster, live: Node) -> None:
    content = manifest(cluster.config, cluster.directory)
    difference = live.read(script(_DIFFERS), stdin=content, sudo=True, check=False)
    if difference.code == 0:
        cluster.run.console.say("the pod network is up to date")
        return
    command, content = _applying(cluster)
    live.run(command, stdin=content, sudo=True, title=_manifest_title(cluster))


def _applying(cluster: Cluster) -> tuple[str, bytes]:
    """The command that applies the network's manifest, and its input."""
    return sh(*KUBECTL, "apply", "-f", "-"), manifest(cluster.config, cluster.directory)


def _manifest_title(cluster: Cluster) -> str:
    return f"apply the pod network {cluster.config.kubernetes.network}"
