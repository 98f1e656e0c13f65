"""Machines on Azure: what az_tools.py makes, and who may reach it."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from dlws.config.model.types import Network, NodePath, Section, Text, Texts, wrong

_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)?")
_IMAGE = re.compile(r"[\w.-]+(:[\w.-]+){3}|/subscriptions/\S+")
DISKS = Literal[
    "Standard_LRS", "StandardSSD_LRS", "Premium_LRS", "StandardSSD_ZRS", "Premium_ZRS",
    "PremiumV2_LRS", "UltraSSD_LRS",
]  # fmt: skip
ROLES = ("infra", "worker", "mysqlserver", "elasticsearch", "nfs")
"""The roles of machines that are made, in the order in which they are made."""


def _split(value: Any) -> Any:
    """A list, also where it was written as words with blanks between them."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = getattr(value, "text", None) or str(value)
    return value.split() if isinstance(value, str) else value


def _ports(values: list[str]) -> list[str]:
    for value in values:
        found = _PORTS.fullmatch(value)
        if not found or not 0 < int(found[1]) <= int(found[2] or found[1]) < 65536:
            raise wrong(f'"{value}" is not a port', "Write ports and ranges: 80 443 30000-49999.")
    return values


def _sources(values: list[str]) -> list[str]:
    return [source(value) for value in values]


def source(value: str) -> str:
    """A source of traffic in Azure's spelling: an address, a network, a service tag, or *."""
    if value == "*" or _TAG.fullmatch(value):
        return value
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        cure = "Write an address, a network such as 203.0.113.0/24, or a service tag."
        raise wrong(f'"{value}" is no source of traffic', cure) from None
    return str(network) if "/" in value else value


def _image(value: str) -> str:
    if value and not _IMAGE.fullmatch(value):
        raise wrong(
            f'"{value}" is not an image',
            "Write publisher:offer:sku:version, or the id of an image of your own.",
        )
    return value


_WORDS = WithJsonSchema({
    "anyOf": [{"type": ["string", "integer"]},
              {"type": "array", "items": {"type": ["string", "integer"]}}]
})  # fmt: skip
Ports = Annotated[list[Text], BeforeValidator(_split), AfterValidator(_ports), _WORDS]
SourceList = Annotated[list[Text], BeforeValidator(_split), AfterValidator(_sources), _WORDS]
Image = Annotated[Text, AfterValidator(_image)]
Number = Annotated[int, Field(ge=0, le=1000)]
Seconds = Annotated[int, Field(ge=0, le=86400)]
Gigabytes = Annotated[int, Field(ge=0, le=65536)]


CLOUDS = {
    "public": {
        "resource_manager": "https://management.azure.com",
        "authority": "https://login.microsoftonline.com",
    },
    "usgovernment": {
        "resource_manager": "https://management.usgovcloudapi.net",
        "authority": "https://login.microsoftonline.us",
        "audience": "https://management.core.usgovcloudapi.net",
        "dns_suffix": "cloudapp.usgovcloudapi.net",
    },
    "china": {
        "resource_manager": "https://management.chinacloudapi.cn",
        "authority": "https://login.chinacloudapi.cn",
        "dns_suffix": "cloudapp.chinacloudapi.cn",
    },
}


class Cloud(Section):
    """Where Azure is: one of its public clouds, or one of your own, such as Azure Stack."""

    resource_manager: Text = Field(description="URL of its Resource Manager.")
    authority: Text = Field(description="URL of its login server.")
    audience: Text = Field(default="", description="What tokens are for; empty: resource_manager.")
    dns_suffix: Text = Field(
        default="cloudapp.azure.com", description="Domain of public names, behind the location."
    )


def _cloud(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in CLOUDS:
        raise wrong(f'"{value}" is not a cloud', f"Choose from: {', '.join(CLOUDS)}.")
    return CLOUDS[value]


_URLS = {key: {"type": "string"} for key in Cloud.model_fields}
_CLOUD = WithJsonSchema({
    "anyOf": [{"enum": list(CLOUDS)}, {"type": "object", "properties": _URLS}]
})  # fmt: skip


class NfsVm(Section):
    """What one machine that serves files has of its own."""

    suffix: Text = Field(default="", description="The end of its name; empty: its number.")
    vm_size: Text = Field(default="", description="Its size; empty: nfs_vm_size.")
    data_disk_num: int | None = Field(default=None, ge=0, le=64, description="Number of disks.")
    data_disk_sz_gb: Gigabytes | None = Field(default=None, description="Size of each, in GiB.")
    data_disk_sku: DISKS | None = Field(default=None, description="Kind of disk.")
    data_disk_mnt_path: NodePath = Field(default="", description="Where they are mounted.")


class Autoscale(Section):
    """Between which limits `az_tools.py autoscale run` adds workers and gives them back."""

    min_workers: Number = Field(default=0, description="So many stay at work.")
    max_workers: Number = Field(default=10, description="No more are at work.")
    idle: Seconds = Field(default=600, description="Seconds until an idle worker is given back.")
    cool_down: Seconds = Field(default=600, description="Seconds between two changes.")


class AzureCluster(Section):
    """Machines that az_tools.py makes on Azure: how many, of what size, where."""

    subscription: Text = Field(default="", description="Name or id; empty: that of `az account`.")
    cloud: Annotated[Cloud, BeforeValidator(_cloud), _CLOUD] = Field(
        default_factory=lambda: Cloud(**CLOUDS["public"]),
        description="public, usgovernment or china; or the URLs of one of your own.",
    )
    auth: Literal["default", "cli", "environment", "managed-identity"] = Field(
        default="default", description="Who logs in; default: the environment, else `az login`."
    )
    azure_location: Text = Field(default="westus2", description="Where machines are made.")
    resource_group: Text = Field(default="", description="Default: the cluster's name and ResGrp.")
    vnet_name: Text = Field(default="", description="Default: the cluster's name and -VNet.")
    subnet_name: Text = Field(default="mySubnet", description="The subnet of all machines.")
    nsg_name: Text = Field(default="", description="Default: the cluster's name and -nsg.")
    nfs_nsg_name: Text = Field(default="", description="Default: the cluster's name and -nfs-nsg.")
    storage_account_name: Text = Field(
        default="", description="Of `logging_storage`; default: the cluster's name and storage."
    )
    dns_prefix: Text = Field(default="", description="Begins public names; empty: the cluster's.")
    infra_node_num: int = Field(default=1, ge=0, le=9, description="Number of infra nodes.")
    worker_node_num: Number = Field(default=2, description="Number of workers.")
    mysqlserver_node_num: Number = Field(default=0, description="Number of database machines.")
    elasticsearch_node_num: Number = Field(default=0, description="Number of Elasticsearch nodes.")
    nfs_node_num: Number = Field(default=1, description="Number of machines that serve files.")
    infra_vm_size: Text = Field(default="Standard_D4s_v5", description="Size of infra nodes.")
    worker_vm_size: Text = Field(default="Standard_NC4as_T4_v3", description="Size of workers.")
    mysqlserver_vm_size: Text = Field(default="Standard_D4s_v5", description="Their size.")
    elasticsearch_vm_size: Text = Field(default="Standard_D4s_v5", description="Their size.")
    nfs_vm_size: Text = Field(default="Standard_D4s_v5", description="Their size.")
    vm_image: Image = Field(
        default="Canonical:ubuntu-24_04-lts:server:latest",
        description="publisher:offer:sku:version, or an image's id.",
    )
    worker_vm_image: Image = Field(default="", description="That of workers; empty: vm_image.")
    os_storage_sku: DISKS = Field(default="Premium_LRS", description="Kind of system disks.")
    os_storage_sz: Gigabytes = Field(default=64, description="Size of system disks, in GiB.")
    vm_local_storage_sku: DISKS = Field(default="Premium_LRS", description="Kind of data disks.")
    infra_local_storage_sz: Gigabytes = Field(default=1024, description="Data disk, GiB; 0: none.")
    worker_local_storage_sz: Gigabytes = Field(default=1024, description="Data disk, GiB; 0: none.")
    mysqlserver_local_storage_sz: Gigabytes = Field(default=2048, description="Data disk, GiB.")
    elasticsearch_local_storage_sz: Gigabytes = Field(default=2048, description="Data disk, GiB.")
    nfs_data_disk_sku: DISKS = Field(default="Premium_LRS", description="Kind of the files' disks.")
    nfs_data_disk_sz: Gigabytes = Field(default=1024, description="Size of each, in GiB.")
    nfs_data_disk_num: int = Field(default=1, ge=0, le=64, description="Number per machine.")
    nfs_data_disk_path: NodePath = Field(default="/data", description="Where they are mounted.")
    nfs_vm: list[NfsVm] = Field(default=[], description="What single ones have of their own.")
    priority: Literal["regular", "spot", "low"] = Field(
        default="regular", description="spot (low): workers that Azure may take back."
    )
    eviction_policy: Literal["Deallocate", "Delete"] = Field(
        default="Deallocate", description="What becomes of a spot worker that is taken back."
    )
    max_price: float = Field(default=-1, description="Dollars an hour for a spot worker; -1: any.")
    worker_scale_set: bool = Field(default=False, description="Workers are one VM scale set.")
    autoscale: Autoscale | None = Field(
        default=None, description="Workers by the work there is: `autoscale run`."
    )
    availability_set: Text = Field(default="", description="Workers are spread by this one.")
    zones: Texts = Field(default=[], description="Zones that machines are spread over: [1, 2, 3].")
    public_ips: Literal["all", "infra", "none"] = Field(
        default="all", description="Who has a public address."
    )
    outbound: Literal["nat", "default", "none"] = Field(
        default="nat", description="How machines without one reach out: NAT gateway, or Azure's."
    )
    ssh_public_keys: Texts = Field(default=[], description="Files of keys; empty: the cluster's.")
    cloud_init: dict[Literal["infra", "worker", "mysqlserver", "elasticsearch", "nfs"], Text] = (
        Field(default={}, description="A cloud-init file for each role: its custom data.")
    )
    tags: dict[str, Text] = Field(default={}, description="Tags of all that is made.")


class InterConnect(Section):
    """What machines open to each other's public addresses."""

    tcp_port_ranges: Ports = Field(
        default=_split("22 1443 2379 2382 3306 5000 8086 9095 9092 9114 9200 9300 10250 "
                       "30000-49999"),
        description="Ports.",
    )  # fmt: skip


class DevNetwork(Section):
    """What is open to those who run the cluster."""

    tcp_port_ranges: Ports = Field(
        default=_split("22 1443 2379 3306 5000 6443 8086 5601 10250 10255 22222"),
        description="Ports.",
    )
    source_addresses_prefixes: SourceList = Field(default=[], description="From where.")


class NfsSsh(Section):
    """SSH to machines that serve files."""

    port: Annotated[int, Field(ge=1, le=65535)] = Field(default=22, description="Port.")
    source_ips: SourceList = Field(default=[], description="From where.")


class NfsShare(Section):
    """Who mounts what they serve, from outside the virtual network."""

    source_ips: SourceList = Field(default=[], description="From where.")


class NfsAllowMaster(Section):
    """What infra nodes reach on machines that serve files."""

    tcp_port_ranges: Ports = Field(default=["10250"], description="Ports.")


class NsgRules(Section):
    """Who reaches the machines on Azure, and their network."""

    vnet_range: Network = Field(default="192.168.0.0/16", description="The virtual network.")
    default_admin_username: Text = Field(default="", description="User; empty: admin_username.")
    tcp_port_ranges: Ports = Field(
        default=_split("80 443 30000-49999 25826 3000 22222 9091 9092"),
        description="Ports for users.",
    )
    udp_port_ranges: Ports = Field(default=[], description="UDP ports for users.")
    restricted_source_address_prefixes: SourceList = Field(
        default=[], description="Where users are; * is everywhere, and has to be asked for."
    )
    service_tags: SourceList = Field(default=[], description="Service tags that users come from.")
    inter_connect: InterConnect = Field(
        default_factory=InterConnect.of_defaults,
        description="Between the machines' public addresses.",
    )
    dev_network: DevNetwork = Field(
        default_factory=DevNetwork.of_defaults, description="For those who run the cluster."
    )
    nfs_ssh: NfsSsh = Field(default_factory=NfsSsh.of_defaults, description="SSH to file servers.")
    nfs_share: NfsShare = Field(
        default_factory=NfsShare.of_defaults, description="NFS from outside."
    )
    nfs_allow_master: NfsAllowMaster = Field(
        default_factory=NfsAllowMaster.of_defaults, description="From infra nodes to file servers."
    )
