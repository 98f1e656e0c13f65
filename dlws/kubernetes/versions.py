"""What differs between Kubernetes releases, in one table."""

from __future__ import annotations

import re
from typing import Literal

from dlws.core.errors import UsageError

OLDEST, NEWEST = 18, 36
_MASTER, _CONTROL_PLANE = "node-role.kubernetes.io/master", "node-role.kubernetes.io/control-plane"

# Feature: the minor release from which each value holds.
_TABLE: dict[str, dict[int, str]] = {
    "kubeadm": {
        18: "kubeadm.k8s.io/v1beta2",
        22: "kubeadm.k8s.io/v1beta3",
        31: "kubeadm.k8s.io/v1beta4",
    },
    "CronJob": {18: "batch/v1beta1", 21: "batch/v1"},
    "PodDisruptionBudget": {18: "policy/v1beta1", 21: "policy/v1"},
    "Ingress": {18: "networking.k8s.io/v1beta1", 19: "networking.k8s.io/v1"},
    "HorizontalPodAutoscaler": {18: "autoscaling/v2beta2", 23: "autoscaling/v2"},
    "EndpointSlice": {18: "discovery.k8s.io/v1beta1", 21: "discovery.k8s.io/v1"},
    "control_plane_labels": {18: _MASTER, 20: f"{_MASTER} {_CONTROL_PLANE}", 24: _CONTROL_PLANE},
    "control_plane_taints": {18: _MASTER, 24: f"{_MASTER} {_CONTROL_PLANE}", 25: _CONTROL_PLANE},
    "drain_emptydir": {18: "--delete-local-data", 20: "--delete-emptydir-data"},
    "etcd_joins_as": {18: "member", 29: "learner"},
    "socket_scheme": {18: "", 24: "unix://"},
}
TAINTS = (_MASTER, _CONTROL_PLANE)
"""Every name that the taint of control-plane nodes has had."""


def minor(version: str) -> int:
    """20 for 1.20.2 or v1.20."""
    match = re.fullmatch(r"v?1\.(\d+)(?:\.\d+[-+.\w]*)?", version)
    if not match or not OLDEST <= int(match[1]) <= NEWEST:
        raise UsageError(
            f"Kubernetes {version} is not a version this tool knows",
            f"set kubernetes.version in config.yaml to one from 1.{OLDEST} to 1.{NEWEST}",
        )
    return int(match[1])


def tag(version: str) -> str:
    """The version as Kubernetes writes it: v1.20.2."""
    return "v" + version.removeprefix("v")


def feature(name: str, version: str) -> str:
    """What holds for a feature in a release: feature("CronJob", "1.20.2") == "batch/v1beta1"."""
    wanted = minor(version)
    return [value for since, value in sorted(_TABLE[name].items()) if since <= wanted][-1]


def cri_socket(runtime: Literal["docker", "containerd"], version: str) -> str:
    """The runtime's socket, in the form that this release's kubeadm takes."""
    path = "/var/run/dockershim.sock" if runtime == "docker" else "/run/containerd/containerd.sock"
    return feature("socket_scheme", version) + path


def runtimes(version: str) -> tuple[str, ...]:
    """The container runtimes that a release can use, the usual one first."""
    number = minor(version)
    if number <= 19:
        return ("docker",)
    return ("containerd", "docker") if number <= 23 else ("containerd",)
