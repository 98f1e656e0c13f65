"""Which Kubernetes, and which nodes carry its labels."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dlws.config.model.labels import KUBELABELS
from dlws.config.model.machines import Port
from dlws.config.model.types import (
    Arguments,
    Fingerprints,
    Network,
    NodePath,
    PortRange,
    Release,
    Section,
    Settings,
    Sha256,
    Text,
    Texts,
)
from dlws.core.version import NEWEST, OLDEST, Version

PathType = Literal[
    "",
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
]


class HostPath(Section):
    """A path of the node that a component of the control plane sees, as kubeadm writes it."""

    name: Text = Field(description="Name of the volume.")
    host_path: NodePath = Field(alias="hostPath", description="Path on the node.")
    mount_path: NodePath = Field(alias="mountPath", description="Path that the component sees.")
    read_only: bool = Field(
        default=False, alias="readOnly", description="Whether it may only be read."
    )
    path_type: PathType = Field(
        default="", alias="pathType", description="What is there, or is made where it is missing."
    )


class Etcd(Section):
    """What etcd is started with."""

    extra_args: Arguments = Field(default={}, description="Arguments, added to ours or instead.")


NODE_PREFIX = 24
NODE_PREFIX_FLAGS = ("node-cidr-mask-size-ipv4", "node-cidr-mask-size")
"""Arguments of the controller manager, the more special one first."""


class Component(Section):
    """What a component of the control plane is started with."""

    extra_args: Arguments = Field(default={}, description="Arguments, added to ours or instead.")
    extra_volumes: list[HostPath] = Field(
        default=[], description="Paths of the node that it sees: kubeadm's extraVolumes."
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
        default="", description="Path, or https URL, of another pod network manifest."
    )
    network_manifest_sha256: Sha256 = Field(
        default="", description="The sha256 of a manifest that is fetched: a URL's, or Calico's."
    )
    source: Literal["packages", "bundle"] = Field(
        default="packages", description="Where Kubernetes comes from: packages (apt) or a bundle."
    )
    apt_key: Fingerprints = Field(
        default=[], description="Fingerprints of the keys that may sign Kubernetes' packages."
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
    api_server: Component = Field(
        default_factory=Component.of_defaults, description="The API server."
    )
    controller_manager: Component = Field(
        default_factory=Component.of_defaults, description="The controller manager."
    )
    scheduler: Component = Field(
        default_factory=Component.of_defaults, description="The scheduler."
    )
    etcd: Etcd = Field(default_factory=Etcd.of_defaults, description="The control plane's etcd.")
    audit: bool = Field(
        default=True, description="Whether API servers log who did what, never what Secrets hold."
    )
    encrypt_secrets: bool = Field(
        default=True, description="Whether a new cluster keeps its Secrets encrypted in etcd."
    )
    pod_security: Literal["privileged", "baseline", "restricted"] = Field(
        default="baseline",
        description="What pods may do where their namespace does not say; from 1.23.",
    )
    pod_security_exempt: Texts = Field(
        default=[], description="Namespaces in which pods may do anything, besides kube-system."
    )
    kubelet_serving_certificates: bool = Field(
        default=False,
        description="Whether API servers check kubelets' certificates, which we then approve.",
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

    @property
    def node_prefix(self) -> int:
        """Length of the prefix of pod ranges in IPv4, as the controller manager gives them."""
        given = self.controller_manager.extra_args
        sizes = [given[flag] for flag in NODE_PREFIX_FLAGS if flag in given]
        return int(sizes[0]) if sizes and sizes[0].isdecimal() else NODE_PREFIX


def _labels(value: dict[str, str]) -> dict[str, str]:
    return {**KUBELABELS, **value}


Kubelabels = Annotated[dict[str, Text], AfterValidator(_labels)]
