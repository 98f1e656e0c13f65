"""What differs between Kubernetes releases, in one table."""

from __future__ import annotations

from dlws.core.errors import UsageError
from dlws.core.version import Runtime, Version

_MASTER, _CONTROL_PLANE = "node-role.kubernetes.io/master", "node-role.kubernetes.io/control-plane"

# Feature: the minor release from which each value holds.
_TABLE: dict[str, dict[int, str]] = {
    "kubeadm": {
        18: "kubeadm.k8s.io/v1beta2",
        22: "kubeadm.k8s.io/v1beta3",
        31: "kubeadm.k8s.io/v1beta4",
    },
    "api_services": {18: "put", 21: "apply"},
    "control_plane_taints": {18: _MASTER, 24: f"{_MASTER} {_CONTROL_PLANE}", 25: _CONTROL_PLANE},
    "drain_emptydir": {18: "--delete-local-data", 20: "--delete-emptydir-data"},
    "etcd_joins_as": {18: "member", 29: "learner"},
    "pod_security": {
        18: "",
        23: "pod-security.admission.config.k8s.io/v1beta1",
        25: "pod-security.admission.config.k8s.io/v1",
    },
    "socket_scheme": {18: "", 24: "unix://"},
}
# The apiVersion of kinds that moved since the oldest release; an empty one: the kind is gone.
_API_VERSIONS: dict[str, dict[int, str]] = {
    "CronJob": {18: "batch/v1beta1", 21: "batch/v1"},
    "EndpointSlice": {18: "discovery.k8s.io/v1beta1", 21: "discovery.k8s.io/v1"},
    "HorizontalPodAutoscaler": {18: "autoscaling/v2beta2", 23: "autoscaling/v2"},
    "Ingress": {18: "networking.k8s.io/v1beta1", 19: "networking.k8s.io/v1"},
    "IngressClass": {18: "networking.k8s.io/v1beta1", 19: "networking.k8s.io/v1"},
    "PodDisruptionBudget": {18: "policy/v1beta1", 21: "policy/v1"},
    "PodSecurityPolicy": {18: "policy/v1beta1", 25: ""},
    "RuntimeClass": {18: "node.k8s.io/v1beta1", 20: "node.k8s.io/v1"},
}
TAINTS = (_MASTER, _CONTROL_PLANE)
"""Every name that the taint of control-plane nodes has had."""


def feature(name: str, version: Version) -> str:
    """What holds for a feature in a release: feature("etcd_joins_as", Version(30)) == "learner"."""
    return _in_release(_TABLE[name], version)


def _in_release(values: dict[int, str], version: Version) -> str:
    return [value for since, value in sorted(values.items()) if since <= version.minor][-1]


def api_version(kind: str, version: Version) -> str:
    """The apiVersion of a kind in a release, for kinds that are not in the same one everywhere."""
    if kind not in _API_VERSIONS:
        raise UsageError(
            f"the table of API versions has no {kind}", "write its apiVersion into the manifest"
        )
    found = _in_release(_API_VERSIONS[kind], version)
    if not found:
        raise UsageError(f"Kubernetes {version} has no {kind} any more", "leave it out there")
    return found


def cri_socket(runtime: Runtime, version: Version) -> str:
    """The runtime's socket, in the form that this release's kubeadm takes."""
    path = "/var/run/dockershim.sock" if runtime == "docker" else "/run/containerd/containerd.sock"
    return feature("socket_scheme", version) + path
