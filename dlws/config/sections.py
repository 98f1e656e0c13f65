"""The sections of a configuration beside its machines."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dlws.config.labels import KUBELABELS
from dlws.config.nodes import Port
from dlws.config.types import (
    Domain,
    Freeform,
    Network,
    PortRange,
    Release,
    SecretText,
    Section,
    Settings,
    Text,
    Texts,
)
from dlws.core.version import NEWEST, OLDEST, Version


class ClusterNetwork(Section):
    """Names and ranges of the cluster's network."""

    domain: Domain = Field(default="", description="Domain of the machines' full names.")
    container_network_iprange: Text = Field(
        default="",
        alias="container-network-iprange",
        description="Range the containers' networks lie in.",
    )
    trusted_domains: Freeform = Field(
        default={}, alias="trusted-domains", description="More names for certificates."
    )


class Kubernetes(Section):
    """Which Kubernetes, from where, and how."""

    version: Release = Field(
        default=Version(NEWEST),
        description=f"Version, 1.{OLDEST} to 1.{NEWEST}, such as v1.30.4.",
        json_schema_extra={"default": str(Version(NEWEST))},
    )
    network: Literal["flannel", "calico", "bridge"] = Field(
        default="flannel", description="Pod network; bridge needs nothing to download."
    )
    network_manifest: Text = Field(
        default="", description="Path or URL of another pod network manifest."
    )
    source: Literal["packages", "bundle"] = Field(
        default="packages", description="Where Kubernetes comes from: packages (apt) or a bundle."
    )
    bundle: Text = Field(default="deploy/bundle", description="The bundle's directory.")
    pod_cidr: Network = Field(default="10.244.0.0/16", description="Addresses of pods.")
    service_cidr: Network = Field(default="10.96.0.0/12", description="Addresses of services.")
    node_port_range: PortRange = Field(
        default="30000-49999", description="Ports of NodePort services."
    )
    api_port: Port = Field(default=6443, description="Port of the API server.")
    endpoint: Text = Field(
        default="",
        description="Stable control-plane endpoint, host or host:port, for three infra nodes.",
    )
    image_repository: Text = Field(
        default="", description="Registry for the control plane's images."
    )
    kubelet: Settings = Field(
        repr=False, default={}, description="Merged into KubeletConfiguration."
    )
    kube_proxy: Settings = Field(
        repr=False, default={}, description="Merged into KubeProxyConfiguration."
    )
    ignore_preflight_errors: Texts = Field(default=[], description="kubeadm checks to ignore.")
    skip_phases: Texts = Field(default=[], description="kubeadm init phases to skip.")
    cri_socket: Text = Field(default="", description="Socket of the container runtime.")
    merge_kubeconfig: bool = Field(
        default=False, description="Merge admin.conf into ~/.kube/config."
    )


class UserGroup(Section):
    """Who belongs to a group of users, and the ids they get."""

    allowed: Texts = Field(
        default=[], alias="Allowed", description="E-mail addresses, or @domain for all."
    )
    uid: Text = Field(default="", description="User id, or a range such as 20001-29999.")
    gid: Text = Field(default="", description="Group id.")


class Dockers(Section):
    """Where the system's own images come from."""

    hub: Text = Field(default="", description="Registry prefix.")
    tag: Text = Field(default="", description="Tag.")
    system: Freeform = Field(default={}, description="Further system images.")
    external: Freeform = Field(default={}, description="Images of others, by full name.")
    infrastructure: Freeform = Field(default={}, description="Infrastructure images.")
    customize: Freeform = Field(default={}, description="Images of your own.")
    container: Freeform = Field(default={}, description="Names of single images.")


class OnPremise(Section):
    """What the machines of an on-premise cluster amount to."""

    worker_node_num: int | None = Field(default=None, ge=0, description="Number of workers.")
    gpu_count_per_node: int | None = Field(default=None, ge=0, description="GPUs or NPUs per node.")
    gpu_type: Text = Field(default="", description="Maker of the devices.")


class Mountpoint(Section):
    """One share that every node mounts."""

    type: Literal["nfs", "azurefileshare", "local", "localHDD", "emptyDir", "glusterfs", "hdfs"] = (
        Field(default="nfs", description="Kind of share.")
    )
    server: Text = Field(default="", description="Machine that serves it.")
    filesharename: Text = Field(default="", description="Directory on the server.")
    mountsharename: Text = Field(default="", description="Name of the directory it is mounted on.")
    curphysicalmountpoint: Text = Field(default="", description="Where nodes mount it.")
    mountpoints: Texts = Field(
        default=[],
        description="Folders in it; empty: it is the default share, with default-storage-folders.",
    )
    device: Text = Field(default="", description="Device, for local.")
    accountname: Text = Field(default="", description="Azure storage account.")
    accesskey: SecretText | None = Field(default=None, description="Its key.")
    options: Text = Field(default="", description="Mount options; empty: those of mountconfig.")
    vc: Text = Field(default="", description="Virtual cluster it belongs to.")
    autoshare: bool = Field(default=True, description="Whether nodes mount it by themselves.")
    publicshare: bool = Field(default=False, description="Whether every user may write.")
    servername: Text = Field(default="", description="Another name of the server.")


class Jwt(Section):
    """How API tokens are signed."""

    secret_key: SecretText | None = Field(default=None, description="Key; generated when absent.")
    algorithm: Literal["HS256", "HS384", "HS512"] = Field(default="HS256", description="Algorithm.")
    token_ttl: int = Field(default=86400, ge=1, description="Seconds a token is valid.")


class Registry(Section):
    """Credentials for one registry."""

    username: Text = Field(default="", description="User.")
    password: SecretText | None = Field(default=None, description="Password.")
    pre_download_images: Texts = Field(default=[], description="Images fetched beforehand.")


def _labels(value: dict[str, str]) -> dict[str, str]:
    return {**KUBELABELS, **value}


Kubelabels = Annotated[dict[str, Text], AfterValidator(_labels)]
