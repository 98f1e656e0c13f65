"""Machines on Azure: what Azure would refuse, or what would get in the cluster's way."""

from __future__ import annotations

import ipaddress

from dlws.config.model.azure import AzureCluster
from dlws.config.model.config import Config
from dlws.config.problems import Path
from dlws.config.reading.sources import Sources

_RESERVED = {"admin", "administrator", "root", "user", "user1", "user2", "test", "guest", "owner",
             "console", "support", "sys", "actuser", "adm", "backup", "server", "sql"}  # fmt: skip
_VNET: Path = ("cloud_config_nsg_rules", "vnet_range")


def user(config: Config, sources: Sources) -> None:
    name = config.cloud_config_nsg_rules.default_admin_username or config.admin_username
    if config.azure_cluster and name in _RESERVED:
        path = ("cloud_config_nsg_rules", "default_admin_username")
        place = path if sources.is_written(path) else ("admin_username",)
        sources.error(place, f"Azure lets nobody be called {name}", "Write one like dlwsadmin.")


def network(config: Config, sources: Sources) -> None:
    """The machines' network, and those of pods and services, are different ones."""
    if not config.azure_cluster:
        return
    ours = ipaddress.ip_network(config.cloud_config_nsg_rules.vnet_range)
    place = _VNET if sources.is_written(_VNET) else ("azure_cluster",)
    if ours.version != 4 or not 8 <= ours.prefixlen <= 29:
        words = f"{ours} is no network that Azure takes"
        sources.error(place, words, "Write one of IPv4, from /8 to /29, such as 192.168.0.0/16.")
    for key in ("pod_cidr", "service_cidr"):
        other = ipaddress.ip_network(getattr(config.kubernetes, key))
        if ours.version == other.version and ours.overlaps(other):
            words = f"the machines' network {ours} overlaps kubernetes.{key}, {other}"
            sources.error(place, words, "Choose another cloud_config_nsg_rules.vnet_range.")


def spread(config: Config, sources: Sources) -> None:
    """Zones, an availability set, spot workers and a scale set: Azure takes only some together."""
    azure = config.azure_cluster
    if not azure:
        return
    chosen = {
        "zones": bool(azure.zones),
        "worker_scale_set: true": azure.worker_scale_set,
        "priority: spot": azure.priority != "regular",
    }
    wrong = next((words for words, is_so in chosen.items() if is_so), "")
    if azure.availability_set and wrong:
        sources.error(
            ("azure_cluster", "availability_set"),
            f"Azure takes no availability set together with {wrong}",
            "Remove one of them.",
        )


def limits(config: Config, sources: Sources) -> None:
    """Autoscaling has to have room between its limits."""
    scale = config.azure_cluster.autoscale if config.azure_cluster else None
    if scale and scale.min_workers > scale.max_workers:
        words = f"it is less than min_workers, {scale.min_workers}"
        sources.error(("azure_cluster", "autoscale", "max_workers"), words, "Correct one of them.")


def file_servers(config: Config, sources: Sources) -> None:
    azure = config.azure_cluster
    if not azure:
        return
    if len(azure.nfs_vm) > azure.nfs_node_num:
        words = f"there are {len(azure.nfs_vm)} of them, and nfs_node_num is {azure.nfs_node_num}"
        sources.error(("azure_cluster", "nfs_vm"), words, "Correct nfs_node_num.")
    for place in _repeated(azure):
        path = ("azure_cluster", "nfs_vm", place, "suffix")
        sources.error(path, "another one has this suffix", "Give each one of its own.")


def _repeated(azure: AzureCluster) -> list[int]:
    names = [vm.suffix or f"{number:02}" for number, vm in enumerate(azure.nfs_vm, 1)]
    return [place for place, name in enumerate(names) if name in names[:place]]
