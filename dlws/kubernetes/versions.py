"""What differs between Kubernetes releases, in one table."""

from __future__ import annotations

from dlws.core.version import Runtime, Version

_MASTER, _CONTROL_PLANE = "node-role.kubernetes.io/master", "node-role.kubernetes.io/control-plane"

# Feature: the minor release from which each value holds.
_TABLE: dict[str, dict[int, str]] = {
    "kubeadm": {
        18: "kubeadm.k8s.io/v1beta2",
        22: "kubeadm.k8s.io/v1beta3",
        31: "kubeadm.k8s.io/v1beta4",
    },
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
TAINTS = (_MASTER, _CONTROL_PLANE)
"""Every name that the taint of control-plane nodes has had."""


def feature(name: str, version: Version) -> str:
    """What holds for a feature in a release: feature("etcd_joins_as", Version(30)) == "learner"."""
    return [value for since, value in sorted(_TABLE[name].items()) if since <= version.minor][-1]


def cri_socket(runtime: Runtime, version: Version) -> str:
    """The runtime's socket, in the form that this release's kubeadm takes."""
    path = "/var/run/dockershim.sock" if runtime == "docker" else "/run/containerd/containerd.sock"
    return feature("socket_scheme", version) + path
