"""Where the API server answers: one name for all infra nodes, without a load balancer.

With several infra nodes and no `kubernetes.endpoint` of the administrator's own, the control plane
is called `CLUSTER-api`, and /etc/hosts of every node gives that name the addresses of all infra
nodes. Everything written in Go (kubelet, kube-proxy, kubectl) tries the addresses of a name one
after the other, so any one infra node may be gone.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlws.config.addresses import is_address
from dlws.core.errors import DeployError

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node


@dataclass(frozen=True)
class Endpoint:
    """Host and port of the API server, and whether /etc/hosts of the nodes must know the host."""

    host: str
    port: int
    in_hosts: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self}"


def endpoint(config: Config, infra: Sequence[str]) -> Endpoint:
    """The control-plane endpoint of a cluster whose infra nodes have these addresses."""
    port = config.kubernetes.api_port
    if config.kubernetes.endpoint:
        host, colon, given = config.kubernetes.endpoint.rpartition(":")
        if colon and given.isdigit() and (":" not in host or host.endswith("]")):
            return Endpoint(host.strip("[]"), int(given))
        return Endpoint(config.kubernetes.endpoint.strip("[]"), port)
    if len(infra) > 1:
        return Endpoint(api_name(config.cluster_name), port, in_hosts=True)
    return Endpoint(infra[0], port)


def api_name(cluster_name: str) -> str:
    """`CLUSTER-api` as a host name."""
    return re.sub(r"[^a-z0-9]+", "-", cluster_name.lower()).strip("-") + "-api"


def inner_address(node: Node) -> str:
    """The address that other nodes use, also when --public connects to another one."""
    return str(node.machine.private_ip or node.address)


def api_endpoint(cluster: Cluster) -> Endpoint:
    cluster.require_infra()
    return endpoint(cluster.config, [inner_address(node) for node in cluster.infra])


def host_lines(cluster: Cluster, node: Node | None = None) -> list[str]:
    """The lines of /etc/hosts that give the API server's name all infra addresses.

    A node that runs an API server has its own address first; the others begin at different ones,
    so that not all of them lean on the same.
    """
    chosen = api_endpoint(cluster) if cluster.infra else None
    if not chosen or not chosen.in_hosts:
        return []
    addresses = [inner_address(other) for other in cluster.infra]
    names = [address for address in addresses if not is_address(address)]
    if names:
        raise DeployError(
            f"the address of {', '.join(names)} is not known",
            "give every infra node a private-ip in config.yaml, or set kubernetes.endpoint",
        )
    start = 0
    if node is not None:
        own = node in cluster.infra
        start = cluster.infra.index(node) if own else zlib.crc32(node.name.encode())
    start %= len(addresses)
    return [f"{address} {chosen.host}" for address in addresses[start:] + addresses[:start]]


def certificate_names(cluster: Cluster) -> list[str]:
    """What the API servers' certificates are for, apart from what kubeadm adds."""
    names = [api_endpoint(cluster).host]
    for node in cluster.infra:
        names += [node.name, node.fqdn, inner_address(node), str(node.machine.public_ip or "")]
    return list(dict.fromkeys(name for name in [*names, "127.0.0.1", "localhost"] if name))
