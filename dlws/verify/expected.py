"""What config.yaml asks of a node, as a list: the builders of the things say what they want."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlws.config.problems import Path
from dlws.kubeadm import podnetwork
from dlws.kubeadm.survey import Member
from dlws.kubernetes import labels, versions
from dlws.nodes import endpoint
from dlws.prepare import runtime
from dlws.prepare import scripts as preparation
from dlws.shell.files import File

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.kubernetes.api import KubeNode
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

WARN_DAYS = 30
"""Certificates that end within so many days are told."""
_DEVICES = {"gpu": ("nvidia", "nvidia.com/gpu"), "npu": ("huawei", "huawei.com/Ascend910")}
_MACHINE_KEYS = {"archType": "archtype", "gpuType": "gpu-type", "sku": "sku", "vc": "vc"}

Origin = tuple[Path, ...]
"""Keys of the configuration that a thing stems from, the closest first."""


@dataclass(frozen=True)
class Expectation:
    """A thing that the project looks after on a node. `fix` names the function that makes it so."""

    kind: str
    what: str
    wanted: str = ""
    origin: Origin = ()
    fix: str = ""


@dataclass(frozen=True)
class ClusterFacts:
    """What is known of the cluster before its nodes are asked.

    `keys` are those that sshkey installs, nothing where it is not used. `live` is None where there
    is no cluster yet, or where its API server does not answer: `silent` then says why.
    """

    keys: bytes = b""
    live: Mapping[str, KubeNode] | None = None
    silent: str = ""
    now: float = 0
    members: Mapping[str, Member] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    """Our lines of /etc/hosts that are the same for every node."""

    @property
    def made(self) -> bool:
        return self.live is not None or bool(self.silent)


def known_members(live: Mapping[str, KubeNode]) -> dict[str, Member]:
    return {n: Member(n, node.pod_cidr, node.address, node.ready) for n, node in live.items()}


def expected(cluster: Cluster, node: Node, known: ClusterFacts) -> list[Expectation]:
    """Everything that is looked after on a node, what is looked at closest first."""
    own = ("machines", node.name)
    names = [*known.names, *endpoint.host_lines(cluster, node)]
    found = [Expectation("hosts", "/etc/hosts", "\n".join(names), (own,), "hosts")]
    if known.keys:
        found.append(Expectation("script", "sshkey", "", (("admin_username",), own), "sshkey"))
    if not node.machine.in_cluster:
        return found
    scripts = [*preparation.SCRIPTS, "dns.sh", "prepare_vm_disk.sh"]
    if known.made:
        found += kubernetes(cluster, node, known)
        scripts.append("install_kubeadm.sh")
    return found + [Expectation("script", name, "", (own,), f"script:{name}") for name in scripts]


def kubernetes(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    """What is looked after once the cluster is there."""
    config, own = cluster.config, ("machines", node.name)
    version = config.kubernetes.version.tag
    if known.silent and node.machine.is_infra:
        yield Expectation("api", "API server", known.silent, (("kubernetes", "api_port"), own))
    if known.live is not None and node.name not in known.live:
        yield Expectation("member", node.name, "joined", (own,))
        return
    path = runtime.PATHS[config.runtime]
    yield Expectation("runtime", path, "", (("container_runtime",), own), "runtime")
    tools = (("kubernetes", "version"), own)
    yield Expectation("unit", "kubelet.service", "enabled active", tools, "unit:kubelet.service")
    yield Expectation("certificate", "all", str(WARN_DAYS), tools)
    yield from pod_network(cluster, node, known)
    if known.live is None:
        return
    yield Expectation("version", "kubelet", version, tools, "script:install_kubeadm.sh")
    yield from wanted_labels(config, node, known.live[node.name])
    yield from wanted_taints(config, node, known.live[node.name])
    yield from devices(node)


def files(cluster: Cluster, node: Node, known: ClusterFacts) -> list[File]:
    """The files that put_tree() places."""
    first = podnetwork.first_files(cluster)
    own = known.members.get(node.name)
    if not first or own is None or not own.pod_cidr:
        return first
    return [*first, *podnetwork.bridge_files(cluster.config, node.name, known.members)]


def pod_network(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    own = ("machines", node.name)
    keys = {podnetwork.CONFLIST: "pod_cidr", podnetwork.ROUTES: "pod_cidr"}
    placed = files(cluster, node, known)
    for file in placed:
        origin = (("kubernetes", keys.get(file.path, "network")), ("kubernetes", "network"), own)
        yield Expectation("file", file.path, file.state, origin, "network")
    if placed:
        chosen = (("kubernetes", "network"), own)
        yield Expectation(
            "unit", podnetwork.UNIT, "enabled active", chosen, f"unit:{podnetwork.UNIT}"
        )


def wanted_labels(config: Config, node: Node, live: KubeNode) -> Iterator[Expectation]:
    wanted = labels.all_labels(config)(node)
    if "vc" in live.labels:  # labelvc is no part of the installation
        wanted |= labels.vc_labels(node.machine)
    for label, value in wanted.items():
        if value is not None:
            yield Expectation("label", label, value, label_origin(config, node, label), "labels")


def label_origin(config: Config, node: Node, label: str) -> Origin:
    own, machine = ("machines", node.name), node.machine
    if label in machine.labels:
        return ((*own, "labels", label), own)
    if label in _MACHINE_KEYS:
        more = {"gpuType": "vendor", "sku": "node-group"}.get(label, "type")
        return ((*own, _MACHINE_KEYS[label]), (*own, more), own)
    for key in ("type", "vendor", "series"):
        if getattr(machine, key) == label:
            return ((*own, key), own)
    if label in config.kubelabels:
        return (("kubelabels", label), (*own, "role"), own)
    return (own,)


def wanted_taints(config: Config, node: Node, live: KubeNode) -> Iterator[Expectation]:
    """The control plane's taint on infra nodes, unless `kubernetes uncordon` lets them work."""
    own = ("machines", node.name)
    origin = ((*own, "role"), own)
    if not node.machine.is_infra:
        for name in versions.TAINTS:
            yield Expectation("taint", name, "", origin, "taints")
    elif live.labels.get("worker") != "active":
        for name in versions.feature("control_plane_taints", config.kubernetes.version).split():
            yield Expectation("taint", name, "NoSchedule", origin, "taints")


def devices(node: Node) -> Iterator[Expectation]:
    """What a device plugin offers of the devices that the configuration gives the node."""
    own, machine = ("machines", node.name), node.machine
    maker, resource = _DEVICES.get(machine.type, ("", ""))
    if resource and machine.vendor.lower() in (maker, ""):
        yield Expectation("device", resource, machine.type, ((*own, "type"), own))


def script_origin(config: Config, name: str, script: str, kind: str, what: str) -> Origin:
    """The keys that a difference which a script found stems from."""
    own = ("machines", name)
    servers = [("dns_server", platform) for platform in config.platforms]
    scripts: dict[str, Origin] = {
        "sshkey": (("admin_username",), ("ssh", "user"), own),
        "install_kubeadm.sh": (("kubernetes", "version"), ("kubernetes", "source"), own),
        "dns.sh": (*servers, ("dns_server",), ("network", "domain"), own),
    }
    if script in scripts:
        return scripts[script]
    if kind == "file" and what.startswith("/etc/apt/sources.list"):
        return (("apt_mirror_url",), own)
    if kind == "group":
        return (("admin_username",), own)
    if kind == "package" and "toolkit" in what:
        return ((*own, "type"), own)
    if kind in ("package", "unit") and config.runtime in what:
        return (("container_runtime",), ("kubernetes", "version"), own)
    return ((*own, "role"), own)


def runtime_origin(config: Config, name: str, keys: tuple[str, ...]) -> Origin:
    """The keys that a setting of the container runtime stems from."""
    own = ("machines", name)
    section = "containerd" if config.runtime == "containerd" else "docker_daemon"
    said: Origin = ((section, *keys),) if keys else ()
    word = keys[-1] if keys else ""
    if word in ("SystemdCgroup", "exec-opts"):
        return (*said, ("kubernetes", "kubelet", "cgroupDriver"), ("container_runtime",), own)
    if word in ("sandbox_image", "sandbox"):
        return (*said, ("kubernetes", "version"), own)
    if word in ("default_runtime_name", "BinaryName", "default-runtime", "runtimes"):
        return (*said, (*own, "type"), own)
    return (*said, ("container_runtime",), ("kubernetes", "version"), own)
