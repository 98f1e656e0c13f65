"""Names on Azure: made from the cluster's alone, so that a second run finds what the first made."""

from __future__ import annotations

import re

from dlws.config import Config
from dlws.config.model.azure import AzureCluster
from dlws.core.errors import UsageError

CLUSTER, ROLE, MANAGER = "cluster", "role", "managed-by"
"""The tags of all that is made."""
OURS = "az_tools"
_LEGAL = {
    "resource group": re.compile(r"[\w.()-]{0,89}[\w()-]"),
    "virtual network": re.compile(r"[A-Za-z0-9]([\w.-]{0,62}\w)?"),
    "security group": re.compile(r"[A-Za-z0-9]([\w.-]{0,78}\w)?"),
    "machine": re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"),
    "public name": re.compile(r"[a-z][a-z0-9-]{1,61}[a-z0-9]"),
    "storage account": re.compile(r"[a-z0-9]{3,24}"),
    "availability set": re.compile(r"[A-Za-z0-9]([\w.-]{0,78}\w)?"),
}


def section(config: Config) -> AzureCluster:
    """The configuration of Azure; raises UsageError where there is none."""
    if config.azure_cluster is None:
        raise UsageError(
            "config.yaml has no azure_cluster",
            "add the section; config.yaml.example has it with all its keys",
        )
    return config.azure_cluster


def slug(text: str) -> str:
    """A name as hosts and public names may have it."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def resource_group(config: Config) -> str:
    return section(config).resource_group or f"{config.cluster_name}ResGrp"


def vnet(config: Config) -> str:
    return section(config).vnet_name or f"{config.cluster_name}-VNet"


def nsg(config: Config) -> str:
    return section(config).nsg_name or f"{config.cluster_name}-nsg"


def nfs_nsg(config: Config) -> str:
    """The security group of file servers: the others' where there are none."""
    azure = section(config)
    own = azure.nfs_nsg_name or f"{config.cluster_name}-nfs-nsg"
    return own if azure.nfs_node_num else nsg(config)


def machine(config: Config, role: str, end: str | int) -> str:
    """worker 3 of atlas is atlas-worker03; nfs data of atlas is atlas-nfs-data."""
    own = f"{end:02}" if isinstance(end, int) else f"-{slug(end)}"
    return f"{slug(config.cluster_name)}-{role}{own}"


def number(config: Config, role: str, name: str) -> int:
    """The number that a machine's name ends with, or 0."""
    found = re.fullmatch(rf"{slug(config.cluster_name)}-{role}(\d+)", name)
    return int(found[1]) if found else 0


def scale_set(config: Config) -> str:
    return f"{slug(config.cluster_name)}-worker"


def nic(vm: str) -> str:
    return f"{vm}VMNic"


def public_ip(vm: str) -> str:
    return f"{vm}PublicIP"


def nat_gateway(config: Config) -> str:
    return f"{config.cluster_name}-nat"


def infra_set(config: Config) -> str:
    return f"{config.cluster_name}-infra-set"


def storage_account(config: Config) -> str:
    """Unique in all of Azure, and of small letters and digits alone."""
    own = slug(config.cluster_name).replace("-", "")
    return section(config).storage_account_name or f"{own[:17]}storage"


def deployment(config: Config, what: str = "create") -> str:
    return f"{slug(config.cluster_name)}-{what}"


def dns_label(config: Config, vm: str) -> str:
    """The public name of a machine, unique in its location."""
    prefix = section(config).dns_prefix
    cluster = slug(config.cluster_name)
    return f"{slug(prefix)}{vm.removeprefix(cluster)}" if prefix else vm


def domain(config: Config) -> str:
    """The domain of the machines' public names."""
    azure = section(config)
    return f"{azure.azure_location}.{azure.cloud.dns_suffix}"


def tags(config: Config, role: str = "") -> dict[str, str]:
    """The tags of all that is made, and of a machine of this role."""
    own = {CLUSTER: config.cluster_name, MANAGER: OURS}
    return {**section(config).tags, **own, **({ROLE: role} if role else {})}


def illegal(kind: str, name: str) -> bool:
    """Whether Azure refuses this name for a thing of this kind."""
    return not _LEGAL[kind].fullmatch(name)
