"""The configuration's typed shape: what every key means, takes and defaults to."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PrivateAttr

from dlws.config.model.azure import AzureCluster, NsgRules
from dlws.config.model.images import Dockers, Registry
from dlws.config.model.kubernetes import Kubelabels, Kubernetes
from dlws.config.model.labels import KUBELABELS
from dlws.config.model.machines import JumpHost, Machine, Port, Ssh
from dlws.config.model.network import ClusterNetwork
from dlws.config.model.registry import OwnRegistry
from dlws.config.model.sizes import OnPremise, Sku
from dlws.config.model.storage import Mountpoint
from dlws.config.model.types import (
    ClusterName,
    Freeform,
    NodePath,
    SecretText,
    Section,
    Settings,
    Text,
    Texts,
    Url,
    User,
)
from dlws.config.model.users import Jwt, UserGroup
from dlws.core.version import Runtime

if TYPE_CHECKING:
    from dlws.config.problems import Problem

__all__ = ["Config", "JumpHost", "Machine"]


class Config(Section):
    """Everything config.yaml and cluster.yaml say."""

    cluster_name: ClusterName = Field(description="The cluster's name, unique.")
    cluster_name_friendly: Text = Field(default="", description="The name shown to people.")
    admin_username: User = Field(default="dlwsadmin", description="User on all nodes.")
    network: ClusterNetwork = Field(
        default_factory=ClusterNetwork.of_defaults, description="Names and ranges of the network."
    )
    machines: dict[str, Machine] = Field(
        default={}, description="The machines: name, then what it is. scale_up adds to them."
    )
    ssh: Ssh = Field(default_factory=Ssh.of_defaults, description="How nodes are reached.")
    kubernetes: Kubernetes = Field(
        default_factory=Kubernetes.of_defaults, description="Which Kubernetes, and how."
    )
    etcd_node_num: int | None = Field(
        default=None,
        ge=1,
        le=9,
        description="Number of etcd nodes: as many as infrastructure machines.",
    )
    container_runtime: Runtime | None = Field(
        default=None, description="docker or containerd; default by Kubernetes version."
    )
    containerd: Settings = Field(
        repr=False, default={}, description="Merged into /etc/containerd/config.toml."
    )
    docker_daemon: Settings = Field(
        repr=False, default={}, description="Merged into /etc/docker/daemon.json."
    )
    apt_mirror_url: Url = Field(
        default="", description="Mirror for apt, such as https://mirror.example."
    )
    kubelabels: Kubelabels = Field(
        default=KUBELABELS, description="Label: which nodes carry it. Added to the built-in table."
    )
    kubemarks: Texts = Field(
        default=["rack", "sku"], description="Machine keys that become labels."
    )
    dns_server: dict[str, Text] = Field(default={}, description="Name server per platform.")
    supported_platform: Texts = Field(
        default=[], description="Kind of cluster: onpremise or azure_cluster."
    )
    onpremise_cluster: OnPremise = Field(
        default_factory=OnPremise.of_defaults, description="What the machines amount to."
    )
    azure_cluster: AzureCluster | None = Field(
        default=None, description="Machines that az_tools.py makes on Azure."
    )
    cloud_config_nsg_rules: NsgRules = Field(
        default_factory=NsgRules.of_defaults, description="Who reaches the machines on Azure."
    )
    sku_mapping: dict[str, Sku] = Field(
        default={}, description="Sizes of machines: the name in node-group or sku, and what it has."
    )
    worker_sku_cnt: dict[str, int] = Field(
        default={}, description="How many workers there are of each size, as genconfig counted."
    )
    useclusterfile: bool = Field(default=True, description="Machines are listed here (always so).")
    deploy_method: Literal["kubeadm"] = Field(
        default="kubeadm", description="How Kubernetes is set up."
    )
    dockerregistry: Text = Field(
        default="", description="Registry of the cluster's images; default its own, if it has one."
    )
    dockerprefix: Text | None = Field(
        default=None, description="Prefix of the images' names; default the cluster's name and _."
    )
    dockertag: Text = Field(
        default="", description="Tag of the cluster's images; default dockers.tag, else ours."
    )
    docker_sources: Texts = Field(
        default=[], description="Directories with contexts of images, such as a checkout's."
    )
    docker_image_versions: dict[str, Text] = Field(
        default={}, description="Image: its tag, where it has one of its own."
    )
    private_docker_registry: Any = Field(
        default={}, description="Image: its registry, where it has one of its own."
    )
    dockers: Dockers = Field(
        default_factory=Dockers.of_defaults, description="Where the system's own images come from."
    )
    services: Texts = Field(
        default=[], description="Services that `up` starts, with their images and the database."
    )
    registry: OwnRegistry = Field(
        default_factory=OwnRegistry.of_defaults, description="The cluster's own registry of images."
    )
    registry_credential: dict[str, Registry] = Field(
        default={}, description="Credentials per registry."
    )
    private_docker_credential: dict[str, Registry] = Field(
        default={}, description="Credentials per private registry."
    )
    enable_custom_registry_secrets: bool = Field(
        default=False, description="Users may bring registry secrets of their own."
    )
    mountpoints: dict[str, Mountpoint] = Field(
        default={}, description="Shares that every node mounts."
    )
    mountconfig: Freeform = Field(default={}, description="Mount options per type of share.")
    default_storage_folders: Texts = Field(
        default=["jobfiles", "storage", "work"],
        alias="default-storage-folders",
        description="Folders of the default share.",
    )
    physical_mount_path: NodePath = Field(
        default="/mntdlws", alias="physical-mount-path", description="Where shares are mounted."
    )
    storage_mount_path: NodePath = Field(
        default="/dlwsdata", alias="storage-mount-path", description="Links that jobs use."
    )
    dltsdata_storage_mount_path: NodePath = Field(
        default="/dltsdata",
        alias="dltsdata-storage-mount-path",
        description="Links per virtual cluster.",
    )
    nfs_disk_mnt: Freeform = Field(default={}, description="What each NFS server exports.")
    nfs_mnt_setup: list[Freeform] = Field(default=[], description="Shares for az_tools to set up.")
    nfs_client_cidr: Freeform = Field(
        default={},
        alias="nfs_client_CIDR",
        description="Networks that may mount: node_range, samba_range.",
    )
    nfs_server: Literal["kernel", "ganesha"] = Field(
        default="kernel",
        description="What serves NFS: the kernel, or NFS-Ganesha, which needs no module of it.",
    )
    data_disk: Texts = Field(
        default=[],
        alias="data-disk",
        description="Disks that are for data: devices, or patterns such as /dev/sd[b-z].",
    )
    nfs_root_access: Literal["none", "infrastructure"] = Field(
        default="none",
        description="Machines whose root is root on NFS shares, too; elsewhere it is nobody.",
    )
    glusterfs_bricks: NodePath = Field(
        default="/var/lib/dlws/bricks",
        description="Directory in which machines keep their copy of GlusterFS volumes.",
    )
    stand_in_shares: NodePath = Field(
        default="",
        description="In a rehearsal: the directory common to all nodes, for shares that they "
        "cannot mount. `sandbox up` writes it.",
    )
    mounthomefolder: bool = Field(default=True, description="Jobs see the user's home.")
    custom_mounts: list[Any] = Field(default=[], description="Further mounts in jobs.")
    deploymounts: list[Any] = Field(default=[], description="Further mounts in jobs.")
    datasource: Text = Field(default="MySQL", description="Database kind.")
    mysql_password: SecretText | None = Field(
        default=None, description="Password of the database's root."
    )
    mysql_username: Text = Field(default="root", description="User of the database.")
    mysql_port: Port = Field(default=3306, description="Port of the database.")
    mysql_node: Text = Field(default="", description="Node of the database; empty: by label.")
    mysql_host: Text = Field(
        default="", description="Server outside the cluster; empty: on mysql_node."
    )
    mysql_ca: Text = Field(
        default="", description="CA certificate file that the server must prove itself with."
    )
    mysql_data_path: NodePath = Field(default="/var/lib/mysql", description="Its data directory.")
    webuiport: Port = Field(default=3080, description="Port of the portal.")
    restfulapiport: Port = Field(default=5000, description="Port of the REST API.")
    user_groups: dict[str, UserGroup] = Field(
        default={}, alias="UserGroups", description="Groups of users, by e-mail address."
    )
    webui_admin_groups: Texts = Field(
        default=[], alias="WebUIadminGroups", description="Administrators."
    )
    webui_authorized_groups: Texts = Field(
        default=[], alias="WebUIauthorizedGroups", description="Groups that may use the portal."
    )
    webui_register_groups: Texts = Field(
        default=[], alias="WebUIregisterGroups", description="Groups that may register."
    )
    default_virtual_cluster_name: Text = Field(
        default="platform", description="First virtual cluster."
    )
    authentications: dict[str, Freeform] = Field(
        default={},
        alias="Authentications",
        description="Ways to sign in: Microsoft, Wechat, and any OpenID Connect provider by its "
        "Issuer.",
    )
    active_directory: Freeform = Field(
        default={}, alias="activeDirectory", description="tenant, clientId, clientSecret."
    )
    secrets_key: SecretText | None = Field(
        default=None,
        description="Passphrase of the secrets in deploy/, once `secrets encrypt` ran.",
    )
    jwt: Jwt = Field(default_factory=Jwt.of_defaults, description="How API tokens are signed.")
    repair_manager: Freeform = Field(
        default={}, alias="repair-manager", description="Repair of nodes: ecc_rule, alert."
    )
    other: Freeform = Field(default={}, description="Keys of older configurations; not used.")

    _warnings: "Sequence[Problem]" = PrivateAttr(())

    @property
    def warnings(self) -> "Sequence[Problem]":
        """What was odd but understood."""
        return self._warnings

    def with_role(self, *roles: str) -> list[Machine]:
        """The machines that have one of these roles."""
        return [machine for machine in self.machines.values() if {*roles} & {*machine.roles}]

    def device_count(self, machine: Machine) -> int | None:
        """How many GPUs or NPUs a machine has: what its size says, else onpremise_cluster."""
        size = self.sku_mapping.get(machine.node_group or machine.sku)
        if size and size.gpu is not None:
            return size.gpu
        return self.onpremise_cluster.gpu_count_per_node

    @property
    def sudo_passwords(self) -> bool:
        """Whether sudo asks for a password on any machine, as far as this says."""
        own = any(machine.sudo_password for machine in self.machines.values())
        return own or self.ssh.sudo_password is not None

    @property
    def domain(self) -> str:
        return self.network.domain

    @property
    def runtime(self) -> Runtime:
        """The container runtime: the one chosen, else the usual one of the release."""
        return self.container_runtime or self.kubernetes.version.runtimes[0]

    @property
    def builds_images(self) -> bool:
        """Whether services take images that we build where others offer theirs, too."""
        said = self.dockers.build
        return self.kubernetes.source == "bundle" if said is None else said

    @property
    def dns_servers(self) -> list[str]:
        """The name servers of this cluster's platform."""
        chosen = [self.dns_server[name] for name in self.platforms if name in self.dns_server]
        return list(dict.fromkeys(chosen or self.dns_server.values()))

    @property
    def platforms(self) -> list[str]:
        return self.supported_platform or ["azure_cluster" if self.azure_cluster else "onpremise"]

    @property
    def platform(self) -> Literal["azure", "onpremise"]:
        """The platform that the installation is for."""
        return "azure" if self.platforms == ["azure_cluster"] else "onpremise"
