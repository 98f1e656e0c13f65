"""Which node has to reach which port of which other node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlws.config import Config

ETCD = (2379, 2380)
KUBELET = 10250
BGP = 179
NFS = 2049


def needed(config: Config) -> list[tuple[str, str, int]]:
    """Every (source, target, TCP port) that the cluster needs, by the nodes' roles."""
    infra = _with(config, "infrastructure")
    members = _with(config, "infrastructure", "worker")
    found = _pairs(members, infra, [config.kubernetes.api_port])
    found += _pairs(infra, infra, ETCD) + _pairs(infra, members, [KUBELET])
    if config.kubernetes.network == "calico":
        found += _pairs(members, members, [BGP])
    return found + _pairs(members, _with(config, "nfs"), [NFS])


def _with(config: Config, *roles: str) -> list[str]:
    return [machine.name for machine in config.with_role(*roles)]


def _pairs(
    sources: Iterable[str], targets: Iterable[str], ports: Iterable[int]
) -> list[tuple[str, str, int]]:
    to = [(target, port) for target in targets for port in ports]
    return [(source, target, port) for source in sources for target, port in to if source != target]
