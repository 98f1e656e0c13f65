"""The sections of a configuration beside its machines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from dlws.config.labels import KUBELABELS
from dlws.config.nodes import Port
from dlws.config.types import (
    Freeform,
    Hostname,
    Network,
    PortRange,
    SecretText,
    Section,
    Text,
    Texts,
    Version,
)


class ClusterNetwork(Section):
    """Names and ranges of the cluster's network."""

    domain: Hostname | Literal[""] = Field("", description="Domain of the machines' full names.")
    container_network_iprange: Text = Field(
        "", alias="container-network-iprange", description="Range the containers' networks lie in."
    )
    trusted_domains: Freeform = Field(
        {}, alias="trusted-domains", description="More names for certificates."
    )


class Kubernetes(Section):
    """Which Kubernetes, from where, and how."""

    version: Version = Field("1.36.0", description="Version, 1.18 to 1.36, such as v1.30.4.")
    network: Literal["flannel", "calico", "bridge"] = Field(
        "flannel", description="Pod network; bridge needs nothing to download."
    )
    network_manifest: Text = Field("", description="Path or URL of another pod network manifest.")
    source: Literal["packages", "bundle"] = Field(
        "packages", description="Where Kubernetes comes from: packages (apt) or a bundle."
    )
    bundle: Text = Field("deploy/bundle", description="The bundle's directory.")
    pod_cidr: Network = Field("10.244.0.0/16", description="Addresses of pods.")
    service_cidr: Network = Field("10.96.0.0/12", description="Addresses of services.")
    node_port_range: PortRange = Field("30000-49999", description="Ports of NodePort services.")
    api_port: Port = Field(6443, description="Port of the API server.")
    endpoint: Text = Field(
        "", description="Stable control-plane endpoint, host or host:port, for three infra nodes."
    )
    image_repository: Text = Field("", description="Registry for the control plane's images.")
    kubelet: Freeform = Field({}, description="Merged into KubeletConfiguration.")
    kube_proxy: Freeform = Field({}, description="Merged into KubeProxyConfiguration.")
    ignore_preflight_errors: Texts = Field([], description="kubeadm checks to ignore.")
    skip_phases: Texts = Field([], description="kubeadm init phases to skip.")
    cri_socket: Text = Field("", description="Socket of the container runtime.")
    merge_kubeconfig: bool = Field(False, description="Merge admin.conf into ~/.kube/config.")


class UserGroup(Section):
    """Who belongs to a group of users, and the ids they get."""

    allowed: Texts = Field([], alias="Allowed", description="E-mail addresses, or @domain for all.")
    uid: Text = Field("", description="User id, or a range such as 20001-29999.")
    gid: Text = Field("", description="Group id.")


class Dockers(Section):
    """Where the system's own images come from."""

    hub: Text = Field("", description="Registry prefix.")
    tag: Text = Field("", description="Tag.")
    system: Freeform = Field({}, description="Further system images.")
    external: Freeform = Field({}, description="Images of others, by full name.")
    infrastructure: Freeform = Field({}, description="Infrastructure images.")
    customize: Freeform = Field({}, description="Images of your own.")
    container: Freeform = Field({}, description="Names of single images.")


class OnPremise(Section):
    """What the machines of an on-premise cluster amount to."""

    worker_node_num: int | None = Field(None, ge=0, description="Number of workers.")
    gpu_count_per_node: int | None = Field(None, ge=0, description="GPUs or NPUs per node.")
    gpu_type: Text = Field("", description="Maker of the devices.")


class Mountpoint(Section):
    """One share that every node mounts."""

    type: Literal["nfs", "azurefileshare", "local", "localHDD", "emptyDir", "glusterfs", "hdfs"] = (
        Field("nfs", description="Kind of share.")
    )
    server: Text = Field("", description="Machine that serves it.")
    filesharename: Text = Field("", description="Directory on the server.")
    mountsharename: Text = Field("", description="Name of the directory it is mounted on.")
    curphysicalmountpoint: Text = Field("", description="Where nodes mount it.")
    mountpoints: Texts = Field(
        [],
        description="Folders in it; empty: it is the default share, with default-storage-folders.",
    )
    device: Text = Field("", description="Device, for local.")
    accountname: Text = Field("", description="Azure storage account.")
    accesskey: SecretText | None = Field(None, description="Its key.")
    options: Text = Field("", description="Mount options; empty: those of mountconfig.")
    vc: Text = Field("", description="Virtual cluster it belongs to.")
    autoshare: bool = Field(True, description="Whether nodes mount it by themselves.")
    publicshare: bool = Field(False, description="Whether every user may write.")
    servername: Text = Field("", description="Another name of the server.")


class Jwt(Section):
    """How API tokens are signed."""

    secret_key: SecretText | None = Field(None, description="Key; generated when absent.")
    algorithm: Literal["HS256", "HS384", "HS512"] = Field("HS256", description="Algorithm.")
    token_ttl: int = Field(86400, ge=1, description="Seconds a token is valid.")


class Registry(Section):
    """Credentials for one registry."""

    username: Text = Field("", description="User.")
    password: SecretText | None = Field(None, description="Password.")
    pre_download_images: Texts = Field([], description="Images fetched beforehand.")


def _labels(value: dict[str, str]) -> dict[str, str]:
    return {**KUBELABELS, **value}


Kubelabels = Annotated[dict[str, Text], AfterValidator(_labels)]
Flag = Annotated[bool, BeforeValidator(lambda value: False if value == "" else value)]
