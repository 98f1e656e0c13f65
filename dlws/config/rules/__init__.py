"""Rules across keys: what is well formed on its own but cannot be right together."""

from __future__ import annotations

from collections.abc import Callable

from dlws.config.model.config import Config
from dlws.config.reading.sources import Sources
from dlws.config.rules import (
    addresses,
    azure,
    controlplane,
    devices,
    kubernetes,
    machines,
    networks,
    oddities,
    paths,
    registry,
    storage,
    users,
)
from dlws.config.secrets import check_secrets

Rule = Callable[[Config, Sources], None]

_RULES: tuple[Rule, ...] = (
    addresses.each_has_its_own,
    addresses.in_one_word,
    networks.are_networks,
    networks.container_range,
    networks.pods_and_services,
    networks.docker_networks,
    networks.proxy_network,
    networks.clear_of_machines,
    networks.sizes,
    kubernetes.runtime,
    controlplane.arguments,
    controlplane.paths,
    controlplane.kubelet,
    controlplane.pod_security,
    storage.mountpoints,
    storage.mountable,
    storage.served,
    storage.data_disks,
    registry.place,
    registry.mirrors,
    registry.login,
    paths.absolute,
    paths.shares,
    paths.socket,
    machines.systems_and_names,
    devices.vendors,
    devices.contradictions,
    kubernetes.labels,
    kubernetes.label_values,
    kubernetes.manifest,
    users.groups,
    users.ways,
    azure.user,
    azure.network,
    azure.spread,
    azure.file_servers,
    azure.limits,
    oddities.oddities,
    check_secrets,
)
_COUNTING: tuple[Rule, ...] = (
    machines.has_infrastructure,
    machines.etcd,
    machines.workers,
    devices.counts,
)
"""Rules that count machines by their roles."""


def check_config(config: Config, sources: Sources, sure_of_roles: bool = True) -> None:
    """Apply every rule; those that count machines only where their roles are known."""
    for rule in (*_RULES, *(_COUNTING if sure_of_roles else ())):
        rule(config, sources)
