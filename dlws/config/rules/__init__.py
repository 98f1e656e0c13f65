"""Rules across keys: what is well formed on its own but cannot be right together."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from dlws.config.addresses import address_of, hosts_file, is_address, same
from dlws.config.model.config import Config
from dlws.config.model.labels import NODE_TYPES
from dlws.config.model.machines import Machine
from dlws.config.model.roles import INFRASTRUCTURE, ROLE_WORDS, WORKER
from dlws.config.problems import Path, closest
from dlws.config.reading.sources import Sources
from dlws.config.secrets import check_secrets

Range = ipaddress.IPv4Network | ipaddress.IPv6Network
_SYSTEMS = ("ubuntu", "debian")
_GROUP_WORDS = {*ROLE_WORDS, "all", "gpu", "npu", "cpu", "storage"}


def check_config(config: Config, sources: Sources, sure_of_roles: bool = True) -> None:
    """Every rule; those that count machines only where their roles are known."""
    for rule in _RULES:
        rule(config, sources)
    if sure_of_roles:
        for rule in _COUNTING:
            rule(config, sources)


def _has_infrastructure(config: Config, sources: Sources) -> None:
    if not config.machines and not config.azure_cluster:
        sources.warn(("machines",), "no machines are given", "List them under machines.", key=True)
    elif config.machines and not config.with_role(INFRASTRUCTURE):
        sources.error(
            ("machines",),
            "no machine has the role infrastructure",
            "Give one machine (or three) `role: infrastructure`.",
            key=True,
        )


def _etcd(config: Config, sources: Sources) -> None:
    machines, wanted = len(config.with_role(INFRASTRUCTURE)), config.etcd_node_num
    number = wanted or machines
    where: Path = ("etcd_node_num",) if wanted else ("machines",)
    if number and number % 2 == 0:
        sources.error(
            where,
            f"{number} etcd nodes survive no more failures than {number - 1}: make it odd",
            f"Have {number - 1} or {number + 1} infrastructure machines.",
            key=not wanted,
        )
    elif wanted and machines and wanted != machines:
        sources.error(
            where,
            f"is {wanted}, but {machines} machines have the role infrastructure, where etcd runs",
            f"Write {machines}, or give {wanted} machines that role.",
        )


def _workers(config: Config, sources: Sources) -> None:
    workers = len(config.with_role(WORKER))
    wanted = config.onpremise_cluster.worker_node_num
    if wanted is not None and config.machines and wanted != workers:
        sources.warn(
            ("onpremise_cluster", "worker_node_num"),
            f"is {wanted}, but {workers} machines have the role worker",
            f"Write {workers}, or leave it out: machines are counted.",
        )


def _addresses(config: Config, sources: Sources) -> None:
    """One place is one machine's; behind a forwarding router the port tells them apart."""
    hosts = hosts_file(sources.directory)
    private: dict[tuple[str, int], str] = {}
    for name, machine in config.machines.items():
        if address := address_of(machine, hosts):
            where = same(address), machine.port or config.ssh.port
            other = private.setdefault(where, name)
            if other != name:
                _twice(sources.error, name, "private-ip", address, other)
    seen = dict(private)
    for name, machine in config.machines.items():
        if machine.public_ip:
            where = same(machine.public_ip), machine.port or config.ssh.port
            other = seen.setdefault(where, name)
            if other != name:  # only --public goes there
                _twice(sources.warn, name, "public-ip", machine.public_ip, other)


def _twice(report: Callable[..., None], name: str, key: str, address: str, other: str) -> None:
    report(
        ("machines", name, key),
        f"{address} is the address of {other} already",
        "Give every machine its own address (or port).",
    )


def _networks(config: Config, sources: Sources) -> None:
    pods = ipaddress.ip_network(config.kubernetes.pod_cidr)
    services = ipaddress.ip_network(config.kubernetes.service_cidr)
    if pods.version == services.version and pods.overlaps(services):
        written = sources.is_written(("kubernetes", "service_cidr"))
        sources.error(
            ("kubernetes", "service_cidr" if written else "pod_cidr"),
            f"the networks of pods ({pods}) and services ({services}) overlap",
            "Choose two that do not.",
        )
    for name, machine in config.machines.items():
        if machine.private_ip:
            _outside(name, machine.private_ip, pods, "pods", sources)
            _outside(name, machine.private_ip, services, "services", sources)


def _outside(name: str, address: str, network: Range, what: str, sources: Sources) -> None:
    if ipaddress.ip_address(address) in network:
        sources.error(
            ("machines", name, "private-ip"),
            f"{address} lies in the network of {what}, {network}",
            f"Choose another kubernetes.{what.removesuffix('s')}_cidr.",
        )


def _network_sizes(config: Config, sources: Sources) -> None:
    pods = ipaddress.ip_network(config.kubernetes.pod_cidr)
    services = ipaddress.ip_network(config.kubernetes.service_cidr)
    if services.max_prefixlen - services.prefixlen > 20:
        sources.error(
            ("kubernetes", "service_cidr"),
            f"{services} is larger than the API server takes",
            f"Use a /{services.max_prefixlen - 20} or smaller.",
        )
    per_node = 24 if pods.version == 4 else 64
    room = 2 ** max(0, per_node - pods.prefixlen) if pods.prefixlen <= per_node else 0
    nodes = sum(machine.in_cluster for machine in config.machines.values())
    if room < nodes:
        sources.warn(
            ("kubernetes", "pod_cidr"),
            f"{pods} has room for the pods of {room} nodes (a /{per_node} each), not of {nodes}",
            "Set kubernetes.pod_cidr to a larger network, such as 10.128.0.0/9.",
        )


def _runtime(config: Config, sources: Sources) -> None:
    version, chosen = config.kubernetes.version, config.container_runtime
    if not chosen or chosen in version.runtimes:
        return
    if chosen == "docker":
        fault, cure = "does not work with docker", "containerd, or choose a version up to 1.23"
    else:
        fault, cure = "is set up with docker", "docker, or choose a version from 1.20"
    words = f"Kubernetes 1.{version.minor} {fault}"
    sources.error(("container_runtime",), words, f"Write {cure}.")


def _mountpoints(config: Config, sources: Sources) -> None:
    names = {name for m in config.machines.values() for name in (m.name, m.fqdn)}
    for name, mount in config.mountpoints.items():
        for server in mount.server.replace(",", " ").split():
            if mount.type == "nfs" and server not in names and not is_address(server):
                near = closest(server, names)
                sources.warn(
                    ("mountpoints", name, "server"),
                    f"{server} is not one of the machines",
                    f"Did you mean {near}?" if near else "Check that every node can resolve it.",
                )


def _machines(config: Config, sources: Sources) -> None:
    for name, machine in config.machines.items():
        if machine.type in ("gpu", "npu") and not machine.vendor:
            maker = "nvidia" if machine.type == "gpu" else "huawei"
            sources.warn(
                ("machines", name, "type"),
                f"{machine.type} without a vendor: the node gets no gpuType label",
                f"Add `vendor: {maker}`.",
            )
        if machine.os.lower().split(" ")[0] not in _SYSTEMS:
            sources.warn(
                ("machines", name, "os"),
                f"{machine.os} is not a system that nodes are prepared for",
                "Use ubuntu or debian.",
            )
        if name in _GROUP_WORDS:
            sources.warn(
                ("machines", name),
                "the name is also the word for a group of nodes",
                "Rename the machine, such as to node-1.",
                key=True,
            )


def _labels(config: Config, sources: Sources) -> None:
    markers = {
        k for m in config.machines.values() for k in (*type(m).model_fields, *(m.model_extra or {}))
    }
    aliases = {info.alias for info in Machine.model_fields.values() if info.alias}
    known = {*NODE_TYPES, *markers, *aliases}
    for label, nodes in config.kubelabels.items():
        number = nodes.removeprefix("etcd_node_")
        single = nodes.removeprefix("node:")
        if nodes in known or number.isdigit() or (single != nodes and single in config.machines):
            continue
        near = closest(nodes, NODE_TYPES)
        sources.warn(
            ("kubelabels", label),
            f"no machine is meant by {nodes}",
            f"Did you mean {near}?"
            if near
            else f"Use one of {', '.join(NODE_TYPES)}, or node:NAME.",
        )


def _groups(config: Config, sources: Sources) -> None:
    if not config.user_groups:
        return
    for key in ("WebUIadminGroups", "WebUIauthorizedGroups", "WebUIregisterGroups"):
        groups: list[str] = getattr(config, _field(key))
        for index, group in enumerate(groups):
            if group not in config.user_groups:
                near = closest(group, config.user_groups)
                hint = f"Did you mean {near}?" if near else "Add it to UserGroups."
                sources.warn((key, index), f"{group} is not one of UserGroups", hint)


def _field(alias: str) -> str:
    return next(name for name, info in Config.model_fields.items() if info.alias == alias)


def _oddities(config: Config, sources: Sources) -> None:
    if any("\\/" in str(d.data.get("apt_mirror_url", "")) for d in sources.documents):
        sources.warn(
            ("apt_mirror_url",),
            "the slashes need no backslashes; they are left out",
            f"Write {config.apt_mirror_url}.",
        )
    if not config.useclusterfile:
        sources.warn(
            ("useclusterfile",),
            "there is no cluster portal to ask: machines are those listed here",
            "Write true, or leave it out.",
        )
    other = config.repair_manager.get("cluster_name")
    if isinstance(other, str) and other != config.cluster_name:
        sources.warn(
            ("repair-manager", "cluster_name"),
            f"{other} is not the name of this cluster",
            f"Write {config.cluster_name}.",
        )


_RULES: tuple[Callable[[Config, Sources], None], ...] = (
    _addresses,
    _networks,
    _network_sizes,
    _runtime,
    _mountpoints,
    _machines,
    _labels,
    _groups,
    _oddities,
    check_secrets,
)
_COUNTING: tuple[Callable[[Config, Sources], None], ...] = (_has_infrastructure, _etcd, _workers)
