"""The machines that the configuration asks for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from dlws.azure.template import names
from dlws.config import Config
from dlws.config.model.azure import ROLES, AzureCluster

_GPU = re.compile(r"standard_n[cdgpv]", re.IGNORECASE)
_NFS = "nfs"


@dataclass(frozen=True)
class Disk:
    """A data disk, in GiB."""

    size: int
    sku: str


@dataclass(frozen=True)
class Vm:
    """One machine on Azure."""

    name: str
    role: str
    size: str
    image: str
    disks: tuple[Disk, ...]
    address: str = ""
    """Its private address; empty: Azure chooses one."""
    public: bool = True
    spot: bool = False
    zone: str = ""
    place: str = ""
    """The availability set that it is in."""

    @property
    def gpu(self) -> bool:
        return is_gpu(self.size)


def is_gpu(size: str) -> bool:
    """Whether machines of a size have GPUs, by its name."""
    return bool(_GPU.match(size))


def wanted(config: Config, workers: Iterable[int] | None = None) -> list[Vm]:
    """All machines of the configuration, or its infra nodes and so on with these workers."""
    azure = names.section(config)
    return [
        vm(config, role, number)
        for role in ROLES
        for number in _numbers(azure, role, workers if role == "worker" else None)
    ]


def _numbers(azure: AzureCluster, role: str, given: Iterable[int] | None) -> Iterable[int]:
    if role == "worker" and azure.worker_scale_set:
        return []
    return range(1, getattr(azure, f"{role}_node_num") + 1) if given is None else given


def vm(config: Config, role: str, number: int) -> Vm:
    """The machine of a role with this number, from 1."""
    azure = names.section(config)
    own = azure.nfs_vm[number - 1] if role == _NFS and number <= len(azure.nfs_vm) else None
    image = azure.worker_vm_image if role == "worker" else ""
    size = (own.vm_size if own else "") or getattr(azure, f"{role}_vm_size")
    return Vm(
        name=names.machine(config, role, own.suffix if own and own.suffix else number),
        role=role,
        size=size,
        image=image or azure.vm_image,
        disks=tuple(_disks(azure, role, number)),
        address=_address(config, number) if role == "infra" else "",
        public=azure.public_ips == "all" or (azure.public_ips == "infra" and role == "infra"),
        spot=role == "worker" and azure.priority != "regular",
        zone=azure.zones[(number - 1) % len(azure.zones)] if azure.zones else "",
        place=_place(config, role),
    )


def members(config: Config) -> list[Vm]:
    """What the scale set of workers amounts to, where there is to be one."""
    azure = names.section(config)
    like = replace(vm(config, "worker", 1), public=False)  # its members have no names of their own
    return [like] * azure.worker_node_num if azure.worker_scale_set else []


def _place(config: Config, role: str) -> str:
    """The availability set: that of workers is chosen; several infra nodes have one, too."""
    azure = names.section(config)
    if role == "worker":
        return azure.availability_set
    alone = azure.zones or azure.infra_node_num < 2
    return names.infra_set(config) if role == "infra" and not alone else ""


def _disks(azure: AzureCluster, role: str, number: int) -> Iterator[Disk]:
    files = role == _NFS
    if not files and (size := getattr(azure, f"{role}_local_storage_sz")):
        yield Disk(size, azure.vm_local_storage_sku)
    if files or (role == "infra" and not azure.nfs_node_num):  # then infra nodes serve files
        own = azure.nfs_vm[number - 1] if files and number <= len(azure.nfs_vm) else None
        given = (own.data_disk_num, own.data_disk_sz_gb, own.data_disk_sku) if own else (None,) * 3
        count = azure.nfs_data_disk_num if given[0] is None else given[0]
        size = azure.nfs_data_disk_sz if given[1] is None else given[1]
        yield from [Disk(size, str(given[2] or azure.nfs_data_disk_sku))] * count


def _address(config: Config, number: int) -> str:
    """In the last 256 addresses of the network; of a small one, Azure chooses."""
    network = ipaddress.ip_network(config.cloud_config_nsg_rules.vnet_range)
    return str(network[-256] + number) if network.prefixlen < 24 else ""
